"""Recurrent cores of Haiku.

Cores keep Haiku's calls (`output, state = core(inputs, state)`, `core.initial_state(batch_size)`) and parameters in
small modules beside the code: the cells of NNX have other parameters, gates and initialisers.
"""

from __future__ import annotations

from ..codemod.rule import Layer, Renames, ShapeOf, To, Use, VariableName, axis
from ..codemod.shapes.dims import Dim
from ..codemod.shapes.values import Array, Constant, Items, Value
from .haiku_initializers import OPTIONAL, ZEROS
from .haiku_linear import in_float32

_STATE = ("hidden", "cell")


def _hidden(use: Use, width: str) -> Array | None:
    shape, size = use.shape(), use.dim(width)
    return None if shape is None or size is None else Array((*shape[:-1], size), "float32")


def _ranks(state: Value | None) -> set[int]:
    """The ranks of the arrays of a state, as far as they are known."""
    arrays = state.items if isinstance(state, Items) else [state]
    return {len(a.shape) for a in arrays if isinstance(a, Array) and a.shape is not None}


def output_and_state(width: str, named: bool) -> ShapeOf:
    """The output and the next state."""

    def shapes(use: Use) -> Value | None:
        hidden = _hidden(use, width)
        if hidden is None or hidden.shape is None:
            return None
        if any(rank != len(hidden.shape) for rank in _ranks(use.input(1))):
            raise ValueError("inputs and state differ in their axes")
        state: Value = Items([hidden, hidden], names=_STATE) if named else hidden
        return Items([hidden, state])

    return shapes


def initial_state(width: str, named: bool) -> ShapeOf:
    """The first state, of a batch of the size that `initial_state` is given."""

    def shapes(use: Use) -> Value | None:
        batch, size = use.input(), use.dim(width)
        count: Dim | None = use.to_dim(batch)
        if size is None or (count is None and batch != Constant(None)):
            return Array(None)
        state = Array((size,) if count is None else (count, size), "float32")
        return Items([state, state], names=_STATE) if named else state

    return shapes


RULES = (
    Layer(
        code="HK311",
        summary="hk.LSTM becomes a core with the same parameters",
        before="core = hk.LSTM(32)\nout, state = core(x, state)",
        after="self.core = LSTM(in_features, 32, rngs=rngs)\nout, state = self.core(x, state)",
        source="haiku.LSTM",
        target="LSTM",
        helper=True,
        signature=("hidden_size",),
        sizes={"in_features": axis()},
        leading=("in_features", "hidden_size"),
        inputs=("inputs", "prev_state"),
        output=output_and_state("hidden_size", named=True),
        methods={"initial_state": initial_state("hidden_size", named=True)},
        attribute="lstm",
        variables=(
            VariableName("linear/w", "linear/kernel"),
            VariableName("linear/b", "linear/bias"),
        ),
        check=in_float32,
    ),
    Layer(
        code="HK312",
        summary="hk.GRU becomes a core with the same parameters",
        before="core = hk.GRU(32)\nout, state = core(x, state)",
        after="self.core = GRU(in_features, 32, rngs=rngs)\nout, state = self.core(x, state)",
        source="haiku.GRU",
        target="GRU",
        helper=True,
        signature=("hidden_size", "w_i_init", "w_h_init", "b_init"),
        arguments={
            "w_i_init": To("w_i_init", OPTIONAL),
            "w_h_init": To("w_h_init", OPTIONAL),
            "b_init": To("b_init", ZEROS),
        },
        sizes={"in_features": axis()},
        leading=("in_features", "hidden_size"),
        inputs=("inputs", "state"),
        output=output_and_state("hidden_size", named=False),
        methods={"initial_state": initial_state("hidden_size", named=False)},
        attribute="gru",
        variables=(VariableName("w_i", "w_i"), VariableName("w_h", "w_h"), VariableName("b", "b")),
        check=in_float32,
    ),
    Renames(
        code="HK321",
        summary="hk.dynamic_unroll becomes `dynamic_unroll`, over nnx.scan",
        before="outs, state = hk.dynamic_unroll(core, xs, state)",
        after="outs, state = dynamic_unroll(self.core, xs, state)",
        names={"haiku.dynamic_unroll": "dynamic_unroll"},
    ),
    Renames(
        code="HK329",
        summary="hk.LSTMState becomes `LSTMState`, the same named tuple",
        before="state: hk.LSTMState",
        after="state: LSTMState",
        names={"haiku.LSTMState": "LSTMState"},
        of_programs=True,
    ),
)
