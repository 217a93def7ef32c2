"""Attention layers of Linen.

`nnx.MultiHeadAttention` takes the size of its inputs, and `decode=False` where it is not used for autoregressive
decoding. Parameters have the same names and layouts. In half precision Linen's softmax runs in the layer's dtype and
NNX's fused attention in float32: where `dtype` is a half one, the emitted layer is given Linen's way of computing
(`attention_fn=attend_in_dtype`). The call's mask is a keyword in NNX. Where a layer may decode, its cache is made by hand:
`init_cache(shape)` takes the place of Linen's `init` with inputs of full length, and a call without it raises.
"""

from __future__ import annotations

from ..codemod.rule import (
    Argument,
    Declined,
    Layer,
    Mode,
    Refuse,
    To,
    Use,
    VariableName,
    Written,
    axis,
    dtype_of,
)
from ..codemod.shapes.dims import Dim, same
from ..codemod.shapes.values import Array, Value
from ._attention import width_of_both
from ._linen import is_half, only

_PROJECTIONS = (
    *(
        VariableName(f"{projection}/{leaf}", f"{projection}/{leaf}")
        for projection in ("query", "key", "value", "out")
        for leaf in ("kernel", "bias")
    ),
    VariableName("query_ln/scale", "query_ln/scale"),
    VariableName("key_ln/scale", "key_ln/scale"),
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
    "qkv_dot_general",
    "out_dot_general",
    "qkv_dot_general_cls",
    "out_dot_general_cls",
    "qk_attn_weights_einsum_cls",
    "attn_weights_value_einsum_cls",
)


def _attended(use: Use) -> Value | None:
    shape = use.shape()
    if shape is None:
        return None
    features = use.dim("out_features")
    last = shape[-1] if features is None else features
    return Array((*shape[:-1], last), dtype_of(use.input()))


def _last(use: Use, name: str) -> Dim | None:
    shape = use.shape(name)
    return None if shape is None else shape[-1]


def _key_features(use: Use) -> Dim | None:
    """The width of keys and values, where it differs from that of the queries."""
    given = [name for name in ("inputs_k", "inputs_v", "inputs_kv") if name in use.inputs]
    widths = [_last(use, name) for name in given]
    own = _last(use, "inputs_q")
    if any(width is None for width in widths) or own is None:
        raise Declined(
            "attention over keys or values whose width could not be inferred",
            "write the layer by hand, with `in_kv_features=`",
            unsized=True,
        )
    both = width_of_both(widths[0], widths[-1]) if widths else own
    if both is None:
        raise Declined(
            "attention over keys and values of different widths",
            "replace the layer's `value` by an nnx.LinearGeneral of the other width by hand",
        )
    return None if same(both, own) else both


def _softmax_in_half(use: Use) -> str | None:
    return "attend_in_dtype" if is_half(use.arguments.get("dtype")) else None


def _norms_in_half(use: Use) -> str | None:
    """The layer norms of queries and keys, as other norms, take their statistics before they cast."""
    wanted = (
        is_half(use.arguments.get("dtype")) and use.constant("normalize_qk", False) is not False
    )
    return "keep_dtypes" if wanted else None


def _decode(written: Written) -> str:
    if written.constant is True:
        raise Declined(
            "attention that always decodes: its cache has to be there before the first call",
            "make the layer by hand, and call `init_cache(shape)` with the full length",
        )
    return written.text


_ARGUMENTS: dict[str, Argument] = {
    "deterministic": Mode("eval", "deterministic"),
    "decode": To("decode", _decode),
    "attention_fn": only("attention_fn", "flax.linen.dot_product_attention"),
    "force_fp32_for_softmax": Refuse(
        "`force_fp32_for_softmax`",
        "leave it out in float32; in half precision pass an `attention_fn`",
    ),
    "qkv_dot_general": only("qkv_dot_general", "jax.lax.dot_general"),
    "out_dot_general": only("out_dot_general", "jax.lax.dot_general"),
    "qkv_dot_general_cls": Refuse("`qkv_dot_general_cls`", "pass an nnx module's method by hand"),
    "out_dot_general_cls": Refuse("`out_dot_general_cls`", "pass an nnx module's method by hand"),
    "qk_attn_weights_einsum_cls": Refuse(
        "`qk_attn_weights_einsum_cls`", "pass an `attention_fn` that does it"
    ),
    "attn_weights_value_einsum_cls": Refuse(
        "`attn_weights_value_einsum_cls`", "pass an `attention_fn` that does it"
    ),
}
_CALL: dict[str, Argument] = {
    "deterministic": Mode("eval", "deterministic"),
    "dropout_rng": Refuse(
        "a key given to attention",
        "give the layer its stream when it is made: it draws its own keys",
    ),
    "sow_weights": Refuse(
        "attention weights that are sown", "collect them with `nnx.capture` around the call"
    ),
}
_DEFAULTS = {
    "attention_fn": None,
    "decode": False,
    "force_fp32_for_softmax": False,
    "normalize_qk": False,
}
_TOLD = {"attention_fn": _softmax_in_half, "ln_promote_dtype": _norms_in_half}


def _multi_head(code: str, name: str) -> Layer:
    """The rule of one of the names of multi-head attention."""
    return Layer(
        code=code,
        summary=f"nn.{name} becomes nnx.MultiHeadAttention",
        before=f"y = nn.{name}(num_heads=8)(x, x)",
        after=(
            "self.attention = nnx.MultiHeadAttention(\n"
            "    num_heads=8, in_features=in_features, decode=False, rngs=rngs\n"
            ")\n"
            "y = self.attention(x, x)"
        ),
        source=f"flax.linen.{name}",
        target="flax.nnx.MultiHeadAttention",
        signature=_SIGNATURE,
        defaults=_DEFAULTS,
        arguments=_ARGUMENTS,
        sizes={"in_features": axis()},
        told={"in_kv_features": _key_features, **_TOLD},
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
        call={**_CALL, "inputs_kv": To("inputs_k")},
        output=_attended,
        attribute="attention",
        variables=_PROJECTIONS,
        holds=frozenset(("RngState",)),
    )


RULES = (
    _multi_head("LN301", "MultiHeadDotProductAttention"),
    _multi_head("LN303", "MultiHeadAttention"),
    Layer(
        code="LN302",
        summary="nn.SelfAttention becomes nnx.MultiHeadAttention",
        before="y = nn.SelfAttention(num_heads=8)(x, mask)",
        after=(
            "self.attention = nnx.MultiHeadAttention(\n"
            "    num_heads=8, in_features=in_features, decode=False, rngs=rngs\n"
            ")\n"
            "y = self.attention(x, mask=mask)"
        ),
        source="flax.linen.SelfAttention",
        target="flax.nnx.MultiHeadAttention",
        signature=_SIGNATURE,
        defaults=_DEFAULTS,
        arguments=_ARGUMENTS,
        sizes={"in_features": axis()},
        told=_TOLD,
        stated={"decode": "False"},
        # The mask by position, which NNX takes by keyword: there the second position is that of the keys.
        inputs=("inputs_q", "second", "deterministic", "dropout_rng", "sow_weights"),
        call={**_CALL, "second": To("mask")},
        output=_attended,
        attribute="attention",
        variables=_PROJECTIONS,
        holds=frozenset(("RngState",)),
    ),
)
