"""Poolings of Linen: NNX exports the same functions, whose stride is 1 unless it is given."""

from __future__ import annotations

from ..codemod.rule import Renames

_FUNCTIONS = ("avg_pool", "max_pool", "min_pool", "pool")

RULES = (
    Renames(
        code="LN413",
        summary="poolings keep their names in nnx",
        before="x = nn.max_pool(x, (2, 2), strides=(2, 2))",
        after="x = nnx.max_pool(x, (2, 2), strides=(2, 2))",
        names={f"flax.linen.{name}": f"flax.nnx.{name}" for name in _FUNCTIONS},
    ),
)
