"""Embeddings of Linen: `nn.Embed` is `nnx.Embed`."""

from __future__ import annotations

from ..codemod.rule import Layer, Use, VariableName, last_axis
from ..codemod.shapes.values import Array, Value


def _embedded(use: Use) -> Value | None:
    shape, features = use.shape(), use.dim("features")
    return None if shape is None or features is None else Array((*shape, features), "float32")


RULES = (
    Layer(
        code="LN121",
        summary="nn.Embed becomes nnx.Embed",
        before="x = nn.Embed(vocab_size, features)(tokens)",
        after="self.embed = nnx.Embed(vocab_size, features, rngs=rngs)\nx = self.embed(tokens)",
        source="flax.linen.Embed",
        target="flax.nnx.Embed",
        signature=("num_embeddings", "features", "dtype", "param_dtype", "embedding_init", "promote_dtype"),
        output=_embedded,
        methods={"attend": last_axis("num_embeddings")},
        attribute="embed",
        variables=(VariableName("embedding", "embedding"),),
    ),
)
