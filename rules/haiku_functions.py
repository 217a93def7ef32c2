"""Functions and initialisers of Haiku under their names in NNX and JAX."""

from __future__ import annotations

from collections.abc import Mapping

from ..codemod.rule import Call, Renames, To, Written


def _tree_size(arguments: Mapping[str, Written]) -> str:
    tree = next(iter(arguments.values())).text
    return f"sum(x.size for x in jax.tree.leaves({tree}))"


def _variance_scaling(arguments: Mapping[str, Written]) -> str:
    defaults = {"scale": "1.0", "mode": "'fan_in'", "distribution": "'truncated_normal'"}
    texts = {name: arguments[name].text if name in arguments else default for name, default in defaults.items()}
    return f"nnx.initializers.variance_scaling({texts['scale']}, {texts['mode']}, {texts['distribution']})"


RULES = (
    Renames(
        code="HK414",
        summary="types of Haiku have their equals",
        before="params: hk.Params",
        after="params: nnx.State",
        names={
            "haiku.Params": "flax.nnx.State",
            "haiku.State": "flax.nnx.State",
            "haiku.initializers.Initializer": "flax.nnx.Initializer",
            "haiku.initializers.Orthogonal": "flax.nnx.initializers.orthogonal",
        },
    ),
    Call(
        code="HK421",
        summary="hk.initializers.Constant becomes nnx.initializers.constant",
        source="haiku.initializers.Constant",
        target="flax.nnx.initializers.constant",
        signature=("constant",),
        arguments={"constant": To("value")},
    ),
    Call(
        code="HK422",
        summary="hk.initializers.RandomNormal becomes nnx.initializers.normal",
        source="haiku.initializers.RandomNormal",
        target="flax.nnx.initializers.normal",
        signature=("stddev", "mean"),
        stated={"stddev": "1.0"},
    ),
    Call(
        code="HK423",
        summary="hk.initializers.TruncatedNormal becomes nnx.initializers.truncated_normal",
        source="haiku.initializers.TruncatedNormal",
        target="flax.nnx.initializers.truncated_normal",
        signature=("stddev", "mean"),
        stated={"stddev": "1.0"},
    ),
    Call(
        code="HK424",
        summary="hk.initializers.RandomUniform becomes an initialiser with both bounds",
        source="haiku.initializers.RandomUniform",
        target="uniform",
        signature=("minval", "maxval"),
    ),
    Call(
        code="HK425",
        summary="hk.initializers.VarianceScaling states all its defaults",
        source="haiku.initializers.VarianceScaling",
        target="flax.nnx.initializers.variance_scaling",
        signature=("scale", "mode", "distribution"),
        write=_variance_scaling,
    ),
    Call(
        code="HK431",
        summary="hk.data_structures.tree_size is a sum over the leaves",
        source="haiku.data_structures.tree_size",
        target="sum",
        signature=("tree",),
        write=_tree_size,
    ),
)
