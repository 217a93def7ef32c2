"""Embeddings of Haiku: `hk.Embed` is `nnx.Embed` with Haiku's initialiser."""

from __future__ import annotations

from ..codemod.rule import Drop, Layer, Refuse, To, Use, VariableName
from ..codemod.shapes.values import Array, Value
from .haiku_linear import initializer


def _embedded(use: Use) -> Value | None:
    shape, width = use.shape(), use.dim("embed_dim")
    return None if shape is None or width is None else Array((*shape, width), "float32")


RULES = (
    Layer(
        code="HK121",
        summary="hk.Embed becomes nnx.Embed",
        before="x = hk.Embed(vocab_size, width)(tokens)",
        after=(
            "self.embed = nnx.Embed(vocab_size, width, embedding_init=haiku_embedding_init, rngs=rngs)\n"
            "x = self.embed(tokens)"
        ),
        source="haiku.Embed",
        target="flax.nnx.Embed",
        signature=("vocab_size", "embed_dim", "embedding_matrix", "w_init", "lookup_style", "name", "precision"),
        arguments={
            "vocab_size": To("num_embeddings"),
            "embed_dim": To("features"),
            "embedding_matrix": Refuse("an embedding from a given matrix", "set `embedding` after construction"),
            "w_init": To("embedding_init", initializer),
            "lookup_style": Drop(("ARRAY_INDEX",), "a one-hot lookup", "multiply one_hot(ids) with the table"),
        },
        leading=("num_embeddings", "features"),
        stated={"embedding_init": "haiku_embedding_init"},
        inputs=("ids", "lookup_style", "precision"),
        output=_embedded,
        attribute="embed",
        variables=(VariableName("embeddings", "embedding"),),
    ),
)
