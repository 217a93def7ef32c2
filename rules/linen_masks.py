"""Masks of attention, and attention as a function.

The masks are equal. `nn.dot_product_attention` keeps its arguments but for those that change its arithmetic; in half
precision NNX's softmax runs in float32 where Linen's runs in the dtype of the arrays, so that a call which says such a
dtype is declined.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..codemod.rule import Argument, Call, Declined, Refuse, Renames, To, Use, Written
from ..codemod.shapes.values import Array, Value
from ._linen import is_half

_SIGNATURE = (
    "query",
    "key",
    "value",
    "bias",
    "mask",
    "broadcast_dropout",
    "dropout_rng",
    "dropout_rate",
    "deterministic",
    "dtype",
    "precision",
    "module",
    "force_fp32_for_softmax",
    "einsum_dot_general",
    "qk_attn_weights_einsum",
    "attn_weights_value_einsum",
)


def _full_precision(written: Written) -> str:
    if is_half(written.value):
        raise Declined(
            "attention in half precision, whose softmax nnx computes in float32",
            "use flax.nnx.nn.attention.dot_product_attention_weights and an einsum by hand",
        )
    return written.text


def _weights(use: Use) -> Value | None:
    """For each head, a weight for each pair of a query and a key."""
    query, key = use.shape("query"), use.shape("key")
    if query is None or key is None or len(query) < 3 or len(key) < 3:
        return None
    return Array((*query[:-3], query[-2], query[-3], key[-3]), "float32")


_ARITHMETIC = "leave it out in float32, else compute the weights by hand"
_ARGUMENTS: Mapping[str, Argument] = {
    "dtype": To("dtype", _full_precision),
    "module": Refuse("a module that attention weights are sown in", "sow them by hand"),
    "force_fp32_for_softmax": Refuse("`force_fp32_for_softmax`", _ARITHMETIC),
    "einsum_dot_general": Refuse("`einsum_dot_general`", _ARITHMETIC),
    "qk_attn_weights_einsum": Refuse("`qk_attn_weights_einsum`", _ARITHMETIC),
    "attn_weights_value_einsum": Refuse("`attn_weights_value_einsum`", _ARITHMETIC),
    "einsum": Refuse("`einsum`", _ARITHMETIC),
}

RULES = (
    Renames(
        code="LN412",
        summary="attention masks keep their names in nnx",
        before="mask = nn.make_causal_mask(tokens)",
        after="mask = nnx.make_causal_mask(tokens)",
        names={
            f"flax.linen.{name}": f"flax.nnx.{name}"
            for name in ("combine_masks", "make_attention_mask", "make_causal_mask")
        },
    ),
    Call(
        code="LN415",
        summary="nn.dot_product_attention becomes nnx.dot_product_attention",
        before="y = nn.dot_product_attention(query, key, value, mask=mask)",
        after="y = nnx.dot_product_attention(query, key, value, mask=mask)",
        source="flax.linen.dot_product_attention",
        target="flax.nnx.dot_product_attention",
        signature=_SIGNATURE,
        arguments=_ARGUMENTS,
        result=lambda use: use.input("query"),
    ),
    Call(
        code="LN416",
        summary="nn.dot_product_attention_weights keeps its name in NNX",
        before="weights = nn.dot_product_attention_weights(query, key)",
        after="weights = nnx.nn.attention.dot_product_attention_weights(query, key)",
        source="flax.linen.dot_product_attention_weights",
        target="flax.nnx.nn.attention.dot_product_attention_weights",
        signature=(*(n for n in _SIGNATURE[:14] if n != "value"), "einsum"),
        arguments=_ARGUMENTS,
        result=_weights,
    ),
)
