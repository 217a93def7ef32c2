"""Attention layers of Linen.

`nnx.MultiHeadAttention` takes the size of its inputs, and `decode=False` where it is not used for autoregressive
decoding. Parameters have the same names and layouts.
"""

from __future__ import annotations

from ..codemod.rule import Layer, Mode, Refuse, Use, VariableName, axis, dtype_of
from ..codemod.shapes.values import Array, Value

_PROJECTIONS = tuple(
    VariableName(f"{projection}/{leaf}", f"{projection}/{leaf}")
    for projection in ("query", "key", "value", "out")
    for leaf in ("kernel", "bias")
)
_SIGNATURE = (
    "num_heads",
    "dtype",
    "param_dtype",
    "qkv_features",
    "out_features",
    "broadcast_dropout",
    "dropout_rate",
    "deterministic",
    "precision",
    "kernel_init",
    "out_kernel_init",
    "bias_init",
    "out_bias_init",
    "use_bias",
    "attention_fn",
    "decode",
    "normalize_qk",
    "force_fp32_for_softmax",
)


def _attended(use: Use) -> Value | None:
    shape = use.shape()
    if shape is None:
        return None
    features = use.dim("out_features")
    return Array((*shape[:-1], shape[-1] if features is None else features), dtype_of(use.input()))


_ARGUMENTS = {
    "deterministic": Mode("eval", "deterministic"),
    "decode": Refuse(
        "a cache for decoding", "make the cache with `init_cache` and pass `decode=` by hand"
    ),
    "force_fp32_for_softmax": Refuse("`force_fp32_for_softmax`", "cast around the layer"),
}
_CALL = {
    "deterministic": Mode("eval", "deterministic"),
    "dropout_rng": Refuse("a key given to attention", "give the layer its stream at construction"),
    "inputs_kv": Refuse("`inputs_kv`", "pass keys and values"),
}

RULES = (
    Layer(
        code="LN301",
        summary="nn.MultiHeadDotProductAttention becomes nnx.MultiHeadAttention",
        before="y = nn.MultiHeadDotProductAttention(num_heads=8)(x, x)",
        after=(
            "self.attention = nnx.MultiHeadAttention(num_heads=8, in_features=in_features, decode=False, rngs=rngs)\n"
            "y = self.attention(x, x)"
        ),
        source="flax.linen.MultiHeadDotProductAttention",
        target="flax.nnx.MultiHeadAttention",
        signature=_SIGNATURE,
        defaults={"decode": False, "force_fp32_for_softmax": False},
        arguments=_ARGUMENTS,
        sizes={"in_features": axis()},
        stated={"decode": "False"},
        inputs=(
            "inputs_q",
            "inputs_k",
            "inputs_v",
            "inputs_kv",
            "mask",
            "deterministic",
            "dropout_rng",
            "sow_weights",
        ),
        call=_CALL,
        output=_attended,
        attribute="attention",
        variables=_PROJECTIONS,
        holds=frozenset(("RngState",)),
    ),
    Layer(
        code="LN302",
        summary="nn.SelfAttention becomes nnx.MultiHeadAttention",
        before="y = nn.SelfAttention(num_heads=8)(x)",
        after=(
            "self.attention = nnx.MultiHeadAttention(num_heads=8, in_features=in_features, decode=False, rngs=rngs)\n"
            "y = self.attention(x)"
        ),
        source="flax.linen.SelfAttention",
        target="flax.nnx.MultiHeadAttention",
        signature=_SIGNATURE,
        defaults={"decode": False, "force_fp32_for_softmax": False},
        arguments=_ARGUMENTS,
        sizes={"in_features": axis()},
        stated={"decode": "False"},
        inputs=("inputs_q", "mask", "deterministic", "dropout_rng", "sow_weights"),
        call=_CALL,
        output=_attended,
        attribute="attention",
        variables=_PROJECTIONS,
        holds=frozenset(("RngState",)),
    ),
)
