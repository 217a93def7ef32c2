"""Haiku's other recurrent cores, what is made of cores, and the unroll of a Python loop.

As with `hk.LSTM`, calls and parameters stay as they are in small modules beside the code.
"""

from __future__ import annotations

from ..codemod.rule import Layer, Renames, Run, ShapeOf, To, Use, VariableName, axis
from ..codemod.shapes.classes import method
from ..codemod.shapes.values import UNKNOWN, Array, Constant, Items, LayerObject, Object, Value
from .haiku_linear import in_float32
from .haiku_recurrent import initial_state, output_and_state


def _conv_initial(use: Use) -> Value | None:
    batch, extent, channels = use.input(), use.dims("input_shape"), use.dim("output_channels")
    count = use.to_dim(batch)
    if extent is None or channels is None or (count is None and batch != Constant(None)):
        return Array(None)
    state = Array((*(() if count is None else (count,)), *extent, channels), "float32")
    return Items([state, state], names=("hidden", "cell"))


def _is_core(value: Value) -> bool:
    """Whether a layer of a deep core has a state: a core of Haiku or of the user's."""
    if isinstance(value, Object):
        return method(value.cls, "initial_state") is not None
    return isinstance(value, LayerObject) and "initial_state" in value.rule.methods


def _deep(use: Use, run: Run) -> Value | None:
    """Layers one after the other; states are not followed."""
    layers, x = use.arguments.get("layers"), use.input()
    if not isinstance(layers, Items) or x is None:
        return None
    if layers.open:
        return Items([run.in_turn(layers.items, x, lambda f, x: _output(f, x, run)), UNKNOWN])
    states: list[Value] = []
    for layer in layers.items:
        if _is_core(layer):
            found = run(layer, [x, UNKNOWN], {})
            if not isinstance(found, Items) or len(found.items) != 2:
                return None
            x = found.items[0]
            states.append(found.items[1])
        else:
            x = run(layer, [x], {})
    return Items([x, Items(states)])


def _output(layer: Value, x: Value, run: Run) -> Value:
    """What a layer of a deep core hands on to the next."""
    if not _is_core(layer):
        return run(layer, [x], {})
    found = run(layer, [x, UNKNOWN], {})
    return found.items[0] if isinstance(found, Items) and len(found.items) == 2 else UNKNOWN


def _joined(left: Value | None, right: Value | None) -> Value | None:
    """Two arrays side by side along the last axis."""
    if not isinstance(left, Array) or not isinstance(right, Array):
        return None
    if not left.shape or not right.shape:
        return None
    return Array((*left.shape[:-1], left.shape[-1] + right.shape[-1]), left.dtype)


def _skipping(use: Use, run: Run) -> Value | None:
    """Cores one after the other that all see the inputs; the result has all outputs."""
    layers, inputs = use.arguments.get("layers"), use.input()
    if not isinstance(layers, Items) or layers.open or inputs is None:
        return None
    total: Value | None = None
    states: list[Value] = []
    x: Value | None = inputs
    for layer in layers.items:
        found = run(layer, [x or UNKNOWN, UNKNOWN], {})
        if not isinstance(found, Items) or len(found.items) != 2:
            return None
        output, state = found.items
        total = output if total is None else _joined(total, output)
        x = _joined(inputs, output)
        states.append(state)
    return None if total is None else Items([total, Items(states)])


def _reset(use: Use, run: Run) -> Value | None:
    core, inputs = use.arguments.get("core"), use.input()
    if core is None or not isinstance(inputs, Items) or len(inputs.items) != 2:
        return None
    return run(core, [inputs.items[0], use.input(1) or UNKNOWN], {})


def _unknown(use: Use) -> Value | None:
    return None


def _some_state(use: Use) -> Value | None:
    return UNKNOWN


_CONV_STATE: dict[str, ShapeOf] = {"initial_state": _conv_initial}


def _conv(rank: int) -> Layer:
    return Layer(
        code=f"HK31{3 + rank}",
        summary=f"hk.Conv{rank}DLSTM becomes a core with the same parameters",
        before=f"core = hk.Conv{rank}DLSTM(input_shape, 8, 3)\nout, state = core(x, state)",
        after=(
            "self.core = ConvLSTM(in_features, input_shape, 8, 3, rngs=rngs)\n"
            "out, state = self.core(x, state)"
        ),
        source=f"haiku.Conv{rank}DLSTM",
        target="ConvLSTM",
        helper=True,
        signature=("input_shape", "output_channels", "kernel_shape"),
        sizes={"in_features": axis()},
        leading=("in_features", "input_shape", "output_channels", "kernel_shape"),
        inputs=("inputs", "state"),
        output=output_and_state("output_channels", named=True),
        methods=_CONV_STATE,
        attribute="conv_lstm",
        variables=tuple(
            VariableName(f"{part}/{theirs}", f"{part}/{ours}")
            for part in ("input_to_hidden", "hidden_to_hidden")
            for theirs, ours in (("w", "kernel"), ("b", "bias"))
        ),
        check=in_float32,
    )


RULES = (
    Layer(
        code="HK313",
        summary="hk.VanillaRNN becomes a core with the same parameters",
        before="core = hk.VanillaRNN(32)\nout, state = core(x, state)",
        after="self.core = VanillaRNN(in_features, 32, rngs=rngs)\nout, state = self.core(x, state)",
        source="haiku.VanillaRNN",
        target="VanillaRNN",
        helper=True,
        signature=("hidden_size", "double_bias"),
        sizes={"in_features": axis()},
        leading=("in_features", "hidden_size"),
        inputs=("inputs", "prev_state"),
        output=output_and_state("hidden_size", named=False),
        methods={"initial_state": initial_state("hidden_size", named=False)},
        attribute="vanilla_rnn",
        variables=(
            VariableName("linear/w", "input_to_hidden/kernel"),
            VariableName("linear/b", "input_to_hidden/bias"),
            VariableName("linear_1/w", "hidden_to_hidden/kernel"),
            VariableName("linear_1/b", "hidden_to_hidden/bias"),
        ),
        check=in_float32,
    ),
    *(_conv(rank) for rank in (1, 2, 3)),
    Layer(
        code="HK317",
        summary="hk.IdentityCore becomes `IdentityCore`",
        before="core = hk.IdentityCore()",
        after="self.core = IdentityCore()",
        source="haiku.IdentityCore",
        target="IdentityCore",
        helper=True,
        inputs=("inputs", "state"),
        output=lambda use: Items([use.input() or UNKNOWN, use.input(1) or UNKNOWN]),
        methods={"initial_state": lambda use: Items([])},
        attribute="identity_core",
        rngs=False,
    ),
    Layer(
        code="HK318",
        summary="hk.DeepRNN becomes `DeepRNN`",
        before="core = hk.DeepRNN([hk.LSTM(8), jax.nn.relu, hk.LSTM(4)])",
        after="self.core = DeepRNN([LSTM(in_features, 8, rngs=rngs), jax.nn.relu, LSTM(8, 4, rngs=rngs)])",
        source="haiku.DeepRNN",
        target="DeepRNN",
        helper=True,
        signature=("layers",),
        arguments={"layers": To("layers")},
        leading=("layers",),
        inputs=("inputs", "state"),
        output=_unknown,
        runs=_deep,
        methods={"initial_state": _some_state},
        attribute="deep_rnn",
        rngs=False,
    ),
    Layer(
        code="HK320",
        summary="hk.deep_rnn_with_skip_connections becomes a function beside the code",
        before="core = hk.deep_rnn_with_skip_connections([hk.LSTM(8), hk.LSTM(4)])",
        after=(
            "self.core = deep_rnn_with_skip_connections(\n"
            "    [LSTM(in_features, 8, rngs=rngs), LSTM(8 + in_features, 4, rngs=rngs)]\n"
            ")"
        ),
        source="haiku.deep_rnn_with_skip_connections",
        target="deep_rnn_with_skip_connections",
        helper=True,
        signature=("layers",),
        leading=("layers",),
        inputs=("inputs", "state"),
        output=_unknown,
        runs=_skipping,
        methods={"initial_state": _some_state},
        attribute="deep_rnn",
        rngs=False,
    ),
    Layer(
        code="HK319",
        summary="hk.ResetCore becomes `ResetCore`",
        before="core = hk.ResetCore(hk.LSTM(8))",
        after="self.core = ResetCore(LSTM(in_features, 8, rngs=rngs))",
        source="haiku.ResetCore",
        target="ResetCore",
        helper=True,
        signature=("core",),
        leading=("core",),
        inputs=("inputs", "state"),
        output=_unknown,
        runs=_reset,
        methods={"initial_state": _some_state},
        attribute="reset_core",
        rngs=False,
    ),
    Renames(
        code="HK322",
        summary="hk.static_unroll becomes `static_unroll`, a Python loop",
        before="outs, state = hk.static_unroll(core, xs, state)",
        after="outs, state = static_unroll(self.core, xs, state)",
        names={"haiku.static_unroll": "static_unroll"},
    ),
)
