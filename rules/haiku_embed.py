"""Embeddings of Haiku.

`hk.Embed` is `nnx.Embed` with a standard normal, truncated at two, as initialiser. Its ids must lie in the table: Haiku
clamps others, NNX gives NaN.
"""

from __future__ import annotations

from ..codemod.rule import Declined, Drop, Layer, Refuse, To, Use, VariableName, Writer, Written
from ..codemod.shapes.dims import Dim
from ..codemod.shapes.values import Array, Constant, External, Value
from .haiku_initializers import initializer

DEFAULT = "nnx.initializers.truncated_normal(1.0)"
_STYLE = "a lookup by one-hot vectors"
_INSTEAD = "multiply jax.nn.one_hot(ids) with the table, or look the ids up if all are in range"


def _matrix_size(at: int) -> Writer:
    """A size that the source leaves to be read off the embedding matrix."""

    def write(written: Written) -> str:
        if written.text and written.value != Constant(None):
            return written.text
        matrix = written.use.arguments.get("embedding_matrix")
        if (
            isinstance(matrix, Array)
            and matrix.shape is not None
            and isinstance(matrix.shape[at], int)
        ):
            return str(matrix.shape[at])
        raise Declined(
            "the shape of the embedding matrix could not be read", "give vocab_size and embed_dim"
        )

    return write


def _width(use: Use) -> Dim | None:
    width = use.dim("embed_dim")
    if width is not None:
        return width
    matrix = use.arguments.get("embedding_matrix")
    return matrix.shape[1] if isinstance(matrix, Array) and matrix.shape is not None else None


def _embedded(use: Use) -> Value | None:
    shape, width = use.shape(), _width(use)
    if shape is None or width is None:
        return None if width is None else Array(None, "float32", last=width)
    return Array((*shape, width), "float32")


def _by_index(written: Written) -> None:
    """A style of lookup goes where it is by index."""
    value = written.value
    style = value.name.rpartition(".")[2] if isinstance(value, External) else written.constant
    if style is not None and not (isinstance(style, str) and style.upper() == "ARRAY_INDEX"):
        raise Declined(_STYLE, _INSTEAD)
    if style is None and value != Constant(None):
        raise Declined("a style of lookup that could not be read", _INSTEAD)


def _constant(written: Written) -> str | None:
    return None if written.value == Constant(None) else f"nnx.initializers.constant({written.text})"


RULES = (
    Layer(
        code="HK121",
        summary="hk.Embed becomes nnx.Embed",
        before="x = hk.Embed(vocab_size, width)(tokens)",
        after=f"self.embed = nnx.Embed(vocab_size, width, embedding_init={DEFAULT}, rngs=rngs)\nx = self.embed(tokens)",
        source="haiku.Embed",
        target="flax.nnx.Embed",
        signature=(
            "vocab_size",
            "embed_dim",
            "embedding_matrix",
            "w_init",
            "lookup_style",
            "name",
            "precision",
        ),
        defaults={"vocab_size": None, "embed_dim": None},
        arguments={
            "vocab_size": To("num_embeddings", _matrix_size(0)),
            "embed_dim": To("features", _matrix_size(1)),
            "embedding_matrix": To("embedding_init", _constant),
            "w_init": To("embedding_init", initializer(DEFAULT)),
            "lookup_style": To("lookup_style", _by_index),
            "precision": Drop(),  # of one-hot lookups
        },
        leading=("num_embeddings", "features"),
        stated={"embedding_init": DEFAULT},
        inputs=("ids", "lookup_style", "precision"),
        call={"lookup_style": Refuse("a style of lookup in a call", _INSTEAD), "precision": Drop()},
        output=_embedded,
        attribute="embed",
        variables=(VariableName("embeddings", "embedding"),),
    ),
)
