"""Attention of Haiku: `hk.MultiHeadAttention` is `nnx.MultiHeadAttention` with its sizes stated.

The projections are the same matrices; NNX has their heads on an axis of their own. Haiku's `w_init_scale` stands for a
variance scaling. NNX is told not to decode.
"""

from __future__ import annotations

from ..codemod.rule import (
    Argument,
    Declined,
    Drop,
    Heritage,
    Layer,
    To,
    Use,
    VariableName,
    Written,
    dtype_of,
)
from ..codemod.shapes.dims import Dim, same
from ..codemod.shapes.values import Array, Constant, Shape, Value
from ._attention import width_of_both
from .haiku_initializers import OPTIONAL, ZEROS
from .haiku_linear import in_float32

# The call's parameters by place carry NNX's names, so that only arguments by keyword are renamed.
_INPUTS = {"inputs_q": "query", "inputs_k": "key", "inputs_v": "value"}


def _shape(use: Use, name: str) -> Shape | None:
    """The shape of an input, given by place or by keyword."""
    value = use.inputs.get(name, use.inputs.get(_INPUTS[name]))
    return value.shape if isinstance(value, Array) else None


def _in_features(use: Use) -> Dim | None:
    shape = _shape(use, "inputs_q")
    return None if shape is None else shape[-1]


def _heads_width(use: Use) -> Dim | None:
    heads, size = use.dim("num_heads"), use.dim("key_size")
    return None if heads is None or size is None else heads * size


def _out_features(use: Use) -> Dim | None:
    given = use.arguments.get("model_size")
    return _heads_width(use) if given in (None, Constant(None)) else use.dim("model_size")


def _attended(use: Use) -> Value | None:
    shape, width = _shape(use, "inputs_q"), _out_features(use)
    if shape is None or width is None:
        return None
    query = use.inputs.get("inputs_q", use.inputs.get("query"))
    return Array((*shape[:-1], width), dtype_of(query))


def _check(use: Use) -> None:
    """What NNX's attention can do: one width of heads."""
    in_float32(use)
    value_size = use.arguments.get("value_size")
    if value_size not in (None, Constant(None), use.arguments.get("key_size")):
        raise Declined(
            "attention whose values have another size than its keys",
            "write the four projections out with nnx.Linear",
        )


def _key_features(use: Use) -> Dim | None:
    """The width of keys and values, where it differs from that of the queries."""
    query, key, value = (_shape(use, name) for name in _INPUTS)
    if query is None or key is None or value is None:
        return None
    both = width_of_both(key[-1], value[-1])
    if both is None:
        raise Declined(
            "attention over keys and values of different widths",
            "replace the layer's `value` by an nnx.LinearGeneral of the other width by hand",
        )
    return None if same(both, query[-1]) else both


def _scaled(written: Written) -> str | None:
    """The initialiser that a `w_init_scale` stands for."""
    if written.value == Constant(None):
        return None
    return f'nnx.initializers.variance_scaling({written.text}, "fan_in", "truncated_normal")'


_CALL: dict[str, Argument] = {
    **{theirs: To(ours) for ours, theirs in _INPUTS.items()},
    "attention_mask": To("mask"),
}


def _heads(name: str, ours: str) -> tuple[VariableName, ...]:
    return (
        VariableName(f"{name}/w", f"{ours}/kernel", layout="v.reshape(shape)"),
        VariableName(f"{name}/b", f"{ours}/bias", layout="v.reshape(shape)"),
    )


RULES = (
    Layer(
        code="HK301",
        summary="hk.MultiHeadAttention becomes nnx.MultiHeadAttention",
        before="x = hk.MultiHeadAttention(heads, key_size, w_init=w_init)(x, x, x)",
        after=(
            "self.attention = nnx.MultiHeadAttention(\n"
            "    heads, in_features=in_features, qkv_features=heads * key_size,\n"
            "    out_features=heads * key_size, kernel_init=w_init, decode=False, rngs=rngs\n"
            ")\n"
            "x = self.attention(x, x, x)"
        ),
        source="haiku.MultiHeadAttention",
        target="flax.nnx.MultiHeadAttention",
        signature=("num_heads", "key_size", "w_init_scale"),
        keyword_only=("w_init", "with_bias", "b_init", "value_size", "model_size"),
        arguments={
            "key_size": Drop(),
            "w_init_scale": To("kernel_init", _scaled),
            "w_init": To("kernel_init", OPTIONAL),
            "with_bias": To("use_bias"),
            "b_init": To("bias_init", ZEROS),
            "value_size": Drop(),
            "model_size": Drop(),
        },
        sizes={
            "in_features": _in_features,
            "qkv_features": _heads_width,
            "out_features": _out_features,
        },
        leading=("num_heads",),
        told={"in_kv_features": _key_features},
        stated={"decode": "False"},
        inputs=("inputs_q", "inputs_k", "inputs_v", "attention_mask"),
        call=_CALL,
        output=_attended,
        attribute="attention",
        variables=(
            *_heads("query", "query"),
            *_heads("key", "key"),
            *_heads("value", "value"),
            *_heads("linear", "out"),
        ),
        check=_check,
        heritage=Heritage(
            "num_heads, key_size, w_init_scale=None, *, w_init=None, with_bias=True, b_init=None, "
            "value_size=None, model_size=None",
            call="query, key, value, mask=None",
            attributes={
                "num_heads": "{num_heads}",
                "key_size": "{key_size}",
                "value_size": "{value_size} or {key_size}",
                "model_size": "{model_size} or {key_size} * {num_heads}",
                "w_init": "{w_init}",
                "with_bias": "{with_bias}",
                "b_init": "{b_init}",
            },
        ),
    ),
)
