"""Recurrent cells of Linen, and what runs them over a sequence.

`nnx.LSTMCell` and `nnx.SimpleCell` are Linen's with the size of the input first. The other cells become small modules
beside the code: NNX's GRU lacks the bias of the hidden candidate, its fused LSTM initialises all gates as one matrix, and
it has no MGU and no convolutional LSTM. `nn.RNN` and `nn.Bidirectional` are `nnx.RNN` and `nnx.Bidirectional` over any
of these.

Carries start as zeros on both sides, so that the key that `initialize_carry` is given has no effect; another `carry_init`
is declined, because NNX draws it from other keys.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..codemod.rule import (
    Argument,
    Declined,
    Drop,
    Layer,
    Method,
    Refuse,
    Run,
    ShapeOf,
    To,
    Use,
    VariableName,
    Written,
    axis,
    dtype_of,
)
from ..codemod.shapes.values import (
    FALSE,
    NONE,
    TRUE,
    UNKNOWN,
    Array,
    Constant,
    External,
    Items,
    LayerObject,
    Shape,
    Value,
    as_shape,
    from_dim,
)

# ---- cells -------------------------------------------------------------------------------------------


def _zeros(written: Written) -> str | None:
    """Zeros go: they are what both sides start from."""
    text = written.text.replace(" ", "")
    zeros = text.endswith(("initializers.zeros", "zeros_init()"))
    if zeros or (isinstance(written.value, External) and written.value.name.endswith(".zeros")):
        return None
    raise Declined(
        "a recurrent cell with a `carry_init` of its own",
        "make the first carry by hand and pass it to the cell (for nnx.RNN as `initial_carry=`)",
    )


def _state(shape: Shape | None, use: Use, pair: bool) -> Value:
    """A carry for inputs of this shape: one array, or two of the same shape."""
    features = use.dim("features")
    if shape is None or features is None:
        return Items([Array(None), Array(None)]) if pair else Array(None)
    state = Array((*shape[:-1], features), "float32")
    return Items([state, state]) if pair else state


def _step(pair: bool) -> ShapeOf:
    """A step returns the new carry and the output."""

    def output(use: Use) -> Value | None:
        shape, features = use.shape("inputs"), use.dim("features")
        if shape is None or features is None:
            return None
        carry = _state(shape, use, pair)
        return Items([carry, Array((*shape[:-1], features), dtype_of(use.input("inputs")))])

    return output


def _initialize_carry(pair: bool) -> Method:
    """The first carry: NNX takes the shape before the key, and the key as an nnx.Rngs."""

    def write(written: Mapping[str, Written]) -> str:
        return f"{written['input_shape'].text}, rngs=nnx.Rngs(0)"

    return Method(
        lambda use: _state(as_shape(use.input(1)), use, pair), ("rng", "input_shape"), write
    )


_CARRY = To("carry_init", _zeros)
_CELL: Mapping[str, Argument] = {"features": To("hidden_features"), "carry_init": _CARRY}
_GATED = (
    "features",
    "gate_fn",
    "activation_fn",
    "kernel_init",
    "recurrent_kernel_init",
    "bias_init",
    "dtype",
    "param_dtype",
    "carry_init",
)


def _dense(source: str, target: str, *leaves: str) -> tuple[VariableName, ...]:
    return tuple(VariableName(f"{source}/{leaf}", f"{target}/{leaf}") for leaf in leaves)


def _lstm_variables(fused: bool) -> tuple[VariableName, ...]:
    found: list[VariableName] = []
    for gate in "ifgo":
        inner = "dense_i" if fused else ("if_" if gate == "f" else f"i{gate}")
        hidden = "dense_h" if fused else f"h{gate}"
        found += _dense(f"i{gate}", inner, "kernel")
        found += _dense(f"h{gate}", hidden, "kernel", "bias")
    return tuple(found)


_GRU = (
    *_dense("ir", "ir", "kernel", "bias"),
    *_dense("iz", "iz", "kernel", "bias"),
    *_dense("in", "in_", "kernel", "bias"),
    *_dense("hr", "hr", "kernel"),
    *_dense("hz", "hz", "kernel"),
    *_dense("hn", "hn", "kernel", "bias"),
)
_MGU = (
    *_dense("if", "if_", "kernel", "bias"),
    *_dense("in", "in_", "kernel", "bias"),
    *_dense("hf", "hf", "kernel"),
    *_dense("hn", "hn", "kernel", "bias"),
)


def _cell(
    code: str,
    name: str,
    variables: tuple[VariableName, ...],
    *,
    signature: tuple[str, ...] = _GATED,
    pair: bool = False,
    helper: bool = False,
    stated: Mapping[str, str] | None = None,
) -> Layer:
    """The rule of a cell that takes `features`; its carry is one array or a pair."""
    target = name if helper else f"nnx.{name}"
    return Layer(
        code=code,
        summary=f"nn.{name} becomes "
        + (f"a {name} with the same parameters" if helper else target),
        before=f"carry, y = nn.{name}(features)(carry, x)",
        after=(
            f"self.cell = {target}(in_features, features, rngs=rngs)\ncarry, y = self.cell(carry, x)"
        ),
        source=f"flax.linen.{name}",
        target=name if helper else f"flax.nnx.{name}",
        helper=helper,
        signature=signature,
        arguments=_CELL,
        sizes={"in_features": axis("inputs")},
        leading=("in_features", "hidden_features"),
        stated=stated or {},
        inputs=("carry", "inputs"),
        output=_step(pair),
        methods={"initialize_carry": _initialize_carry(pair)},
        attribute="cell",
        variables=variables,
    )


# ---- over a sequence ---------------------------------------------------------------------------------


def _flag(use: Use, name: str) -> Value:
    """A flag of the call, else of the constructor, else False."""
    for found in (use.inputs.get(name), use.arguments.get(name)):
        if found is not None and found != NONE:
            return found
    return FALSE


def _feature_axes(cell: Value | None) -> int | None:
    """How many of the last axes of an input a cell takes as one step."""
    if not isinstance(cell, LayerObject):
        return None
    if cell.rule.source != "flax.linen.ConvLSTMCell":
        return 1
    size = cell.arguments.get("kernel_size")
    return len(size.items) + 1 if isinstance(size, Items) else None


def _first_carry(use: Use, cell: LayerObject, shape: Shape) -> Value:
    given = use.inputs.get("initial_carry")
    if given is not None and given != NONE:
        return given
    method = cell.rule.methods["initialize_carry"]
    sizes = Items([from_dim(d) for d in shape])
    inner = Use(
        {**cell.arguments},
        {"rng": NONE, "input_shape": sizes},
        frozenset(),
        use.to_dim,
        use.unknown,
    )
    return method(inner) or UNKNOWN


def _over_time(use: Use, run: Run) -> Value | None:
    """Runs the cell on one step; the outputs get the axis of time back."""
    cell, shape = use.arguments.get("cell"), use.shape()
    axes, major = _feature_axes(cell), _flag(use, "time_major")
    if not isinstance(cell, LayerObject) or shape is None or axes is None or len(shape) <= axes:
        return None
    if major not in (TRUE, FALSE):
        return None
    at = 0 if major == TRUE else len(shape) - axes - 1
    step = (*shape[:at], *shape[at + 1 :])
    result = run(cell, [_first_carry(use, cell, step), Array(step, dtype_of(use.input()))], {})
    if not isinstance(result, Items) or len(result.items) != 2:
        return None
    carry, output = result.items
    if isinstance(output, Array) and output.shape is not None:
        output = Array((*output.shape[:at], shape[at], *output.shape[at:]), output.dtype)
    return _with_carry(use, carry, output)


def _with_carry(use: Use, carry: Value, output: Value) -> Value:
    match _flag(use, "return_carry"):
        case Constant(value=True):
            return Items([carry, output])
        case Constant(value=False):
            return output
    return UNKNOWN


def _both_ways(use: Use, run: Run) -> Value | None:
    """Both directions; unless it is told otherwise, they are joined along the last axis."""
    options = {
        name: value for name, value in use.inputs.items() if name in ("seq_lengths", "time_major")
    }
    if "time_major" not in options and "time_major" in use.arguments:
        options["time_major"] = use.arguments["time_major"]
    found = []
    for name in ("forward_rnn", "backward_rnn"):
        layer, inputs = use.arguments.get(name), use.input()
        if layer is None or inputs is None:
            return None
        result = run(layer, [inputs], {**options, "return_carry": TRUE})
        if not isinstance(result, Items) or len(result.items) != 2:
            return None
        found.append(result.items)
    (carry, first), (other, second) = found
    return _with_carry(use, Items([carry, other]), _joined(use, first, second))


def _joined(use: Use, first: Value, second: Value) -> Value:
    if not isinstance(first, Array) or not isinstance(second, Array) or "merge_fn" in use.given:
        return Array(None)
    if first.shape is None or second.shape is None:
        return Array(None)
    return Array((*first.shape[:-1], first.shape[-1] + second.shape[-1]), first.dtype)


def _cells_of_the_library(use: Use) -> None:
    if not isinstance(use.arguments.get("cell"), LayerObject):
        raise Declined(
            "an nn.RNN over a cell that is not one of Linen's own",
            "give the cell `initialize_carry(self, input_shape, rngs)` and make it an "
            "nnx.RNNCellBase by hand",
        )


_RNN_CALL: Mapping[str, Argument] = {"init_key": Drop()}
_RNN_INPUTS = (
    "inputs",
    "initial_carry",
    "init_key",
    "seq_lengths",
    "return_carry",
    "time_major",
    "reverse",
    "keep_order",
)


def _variables_argument(name: str) -> Refuse:
    return Refuse(
        f"`{name}` of nn.RNN", "leave it out if the cell holds parameters only, else use nnx.scan"
    )


RULES = (
    _cell("LN311", "LSTMCell", _lstm_variables(fused=False), pair=True),
    _cell("LN312", "OptimizedLSTMCell", _lstm_variables(fused=True), pair=True, helper=True),
    _cell("LN313", "GRUCell", _GRU, helper=True),
    _cell(
        "LN314",
        "SimpleCell",
        (*_dense("i", "dense_i", "kernel", "bias"), *_dense("h", "dense_h", "kernel")),
        signature=(
            "features",
            "activation_fn",
            "kernel_init",
            "recurrent_kernel_init",
            "bias_init",
            "dtype",
            "param_dtype",
            "carry_init",
            "residual",
        ),
        stated={"dtype": "None"},
    ),
    _cell(
        "LN315",
        "MGUCell",
        _MGU,
        signature=(
            "features",
            "gate_fn",
            "activation_fn",
            "kernel_init",
            "recurrent_kernel_init",
            "forget_bias_init",
            "activation_bias_init",
            "dtype",
            "param_dtype",
            "carry_init",
            "reset_gate",
        ),
        helper=True,
    ),
    Layer(
        code="LN316",
        summary="nn.ConvLSTMCell becomes a ConvLSTMCell with the same parameters",
        before="carry, y = nn.ConvLSTMCell(features, (3, 3))(carry, x)",
        after=(
            "self.cell = ConvLSTMCell(in_features, features, (3, 3), rngs=rngs)\n"
            "carry, y = self.cell(carry, x)"
        ),
        source="flax.linen.ConvLSTMCell",
        target="ConvLSTMCell",
        helper=True,
        signature=(
            "features",
            "kernel_size",
            "strides",
            "padding",
            "use_bias",
            "dtype",
            "param_dtype",
            "carry_init",
        ),
        arguments={"carry_init": _CARRY},
        sizes={"in_features": axis("inputs")},
        leading=("in_features", "features"),
        inputs=("carry", "inputs"),
        output=_step(pair=True),
        methods={"initialize_carry": _initialize_carry(pair=True)},
        attribute="cell",
        variables=(*_dense("ih", "ih", "kernel", "bias"), *_dense("hh", "hh", "kernel", "bias")),
    ),
    Layer(
        code="LN317",
        summary="nn.RNN becomes nnx.RNN",
        before="y = nn.RNN(nn.LSTMCell(features))(x)",
        after=(
            "self.rnn = nnx.RNN(nnx.LSTMCell(in_features, features, rngs=rngs))\ny = self.rnn(x)"
        ),
        source="flax.linen.RNN",
        target="flax.nnx.RNN",
        signature=(
            "cell",
            "time_major",
            "return_carry",
            "reverse",
            "keep_order",
            "unroll",
            "variable_axes",
            "variable_broadcast",
            "variable_carry",
            "split_rngs",
        ),
        defaults={"variable_broadcast": "params", "variable_carry": False},
        arguments={
            name: _variables_argument(name)
            for name in ("variable_axes", "variable_broadcast", "variable_carry", "split_rngs")
        },
        leading=("cell",),
        inputs=_RNN_INPUTS,
        call=_RNN_CALL,
        output=lambda use: None,
        runs=_over_time,
        attribute="rnn",
        rngs=False,
        holds=frozenset(("RngState",)),
        check=_cells_of_the_library,
    ),
    Layer(
        code="LN318",
        summary="nn.Bidirectional becomes nnx.Bidirectional",
        before="y = nn.Bidirectional(forward, backward)(x)",
        after="self.bidirectional = nnx.Bidirectional(forward, backward)\ny = self.bidirectional(x)",
        source="flax.linen.Bidirectional",
        target="flax.nnx.Bidirectional",
        signature=("forward_rnn", "backward_rnn", "merge_fn", "time_major", "return_carry"),
        leading=("forward_rnn", "backward_rnn"),
        inputs=_RNN_INPUTS,
        call=_RNN_CALL,
        output=lambda use: None,
        runs=_both_ways,
        attribute="bidirectional",
        rngs=False,
        holds=frozenset(("RngState",)),
    ),
)
