"""Embeddings of Linen.

`nn.Embed` is `nnx.Embed`, with the same table and the same `attend`. A table of half precision without a `dtype` is
declined: `attend` would compute in the table's precision where Linen takes the wider one.
"""

from __future__ import annotations

from ..codemod.rule import Declined, Layer, Use, VariableName, last_axis
from ..codemod.shapes.values import Array, Value
from ._linen import PROMOTE_DTYPE, is_half


def _embedded(use: Use) -> Value | None:
    shape, features = use.shape(), use.dim("features")
    return None if shape is None or features is None else Array((*shape, features), "float32")


def _table_says_precision(use: Use) -> None:
    if is_half(use.arguments.get("param_dtype")) and "dtype" not in use.given:
        raise Declined(
            "an nn.Embed with a table of half precision and no `dtype`",
            "say `dtype=`: nnx.Embed.attend computes in the table's dtype, Linen in the wider one",
        )


RULES = (
    Layer(
        code="LN121",
        summary="nn.Embed becomes nnx.Embed",
        before="x = nn.Embed(vocab_size, features)(tokens)",
        after="self.embed = nnx.Embed(vocab_size, features, rngs=rngs)\nx = self.embed(tokens)",
        source="flax.linen.Embed",
        target="flax.nnx.Embed",
        signature=(
            "num_embeddings",
            "features",
            "dtype",
            "param_dtype",
            "embedding_init",
            "promote_dtype",
        ),
        arguments={"promote_dtype": PROMOTE_DTYPE},
        output=_embedded,
        methods={"attend": last_axis("num_embeddings")},
        attribute="embed",
        variables=(VariableName("embedding", "embedding"),),
        check=_table_says_precision,
    ),
)
