"""Functions and types of Haiku that NNX or JAX has under another name, and small ones written out."""

from __future__ import annotations

from collections.abc import Mapping

from ..codemod.rule import Call, Declined, Renames, Use, Written
from ..codemod.shapes.values import Array, Size, Value
from .haiku_initializers import known


def _tree_size(arguments: Mapping[str, Written]) -> str:
    return f"sum(x.size for x in jax.tree.leaves({arguments['tree'].text}))"


def _tree_bytes(arguments: Mapping[str, Written]) -> str:
    return f"sum(x.nbytes for x in jax.tree.leaves({arguments['tree'].text}))"


def _number(use: Use) -> Value:
    return Size(use.unknown("the size of a tree"))


def _one_hot(use: Use) -> Value | None:
    shape, classes = use.shape("x"), use.dim("num_classes")
    return None if shape is None or classes is None else Array((*shape, classes), "float32")


def _multinomial(arguments: Mapping[str, Written]) -> str:
    if known(arguments["num_samples"]) != 1:
        raise Declined(
            "hk.multinomial with several samples",
            "draw them with jax.random.categorical and move the axis of samples to the end",
        )
    return f"jax.random.categorical({arguments['rng'].text}, {arguments['logits'].text})[..., None]"


def _samples(use: Use) -> Value | None:
    shape = use.shape("logits")
    return None if shape is None else Array((*shape[:-1], 1), "int32")


RULES = (
    Renames(
        code="HK414",
        summary="the types of what hk.transform returns have their equals",
        before="params: hk.Params",
        after="params: nnx.State",
        names={
            **{
                f"haiku.{prefix}{name}": "flax.nnx.State"
                for prefix in ("", "typing.")
                for name in ("Params", "State", "MutableParams", "MutableState")
            },
        },
        of_programs=True,
    ),
    Renames(
        code="HK415",
        summary="the type of initialisers has its equal",
        before="w_init: hk.initializers.Initializer",
        after="w_init: nnx.Initializer",
        names={
            "haiku.initializers.Initializer": "flax.nnx.Initializer",
            "haiku.typing.Initializer": "flax.nnx.Initializer",
        },
    ),
    Call(
        code="HK431",
        summary="hk.data_structures.tree_size becomes a sum over the leaves",
        before="hk.data_structures.tree_size(params)",
        after="sum(x.size for x in jax.tree.leaves(params))",
        source="haiku.data_structures.tree_size",
        target="sum",
        signature=("tree",),
        write=_tree_size,
        result=_number,
    ),
    Call(
        code="HK432",
        summary="hk.data_structures.tree_bytes becomes a sum over the leaves",
        before="hk.data_structures.tree_bytes(params)",
        after="sum(x.nbytes for x in jax.tree.leaves(params))",
        source="haiku.data_structures.tree_bytes",
        target="sum",
        signature=("tree",),
        write=_tree_bytes,
        result=_number,
    ),
    Call(
        code="HK433",
        summary="hk.one_hot becomes jax.nn.one_hot",
        before="hk.one_hot(labels, 10)",
        after="jax.nn.one_hot(labels, 10)",
        source="haiku.one_hot",
        target="jax.nn.one_hot",
        signature=("x", "num_classes", "dtype"),
        keyword_only=("dtype",),
        result=_one_hot,
    ),
    Call(
        code="HK434",
        summary="hk.multinomial becomes jax.random.categorical",
        before="hk.multinomial(key, logits, num_samples=1)",
        after="jax.random.categorical(key, logits)[..., None]",
        source="haiku.multinomial",
        target="jax.random.categorical",
        signature=("rng", "logits", "num_samples"),
        write=_multinomial,
        result=_samples,
    ),
)
