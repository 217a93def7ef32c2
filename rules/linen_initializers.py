"""Initialisers of Linen: NNX exports the same functions of JAX under the same names."""

from __future__ import annotations

from ..codemod.rule import Renames

_FUNCTIONS = (
    "Initializer constant delta_orthogonal glorot_normal glorot_uniform he_normal he_uniform"
    " kaiming_normal kaiming_uniform lecun_normal lecun_uniform normal ones ones_init orthogonal"
    " truncated_normal uniform variance_scaling xavier_normal xavier_uniform zeros zeros_init"
).split()
_SHORT = ("ones", "ones_init", "zeros", "zeros_init")

RULES = (
    Renames(
        code="LN414",
        summary="initialisers keep their names in nnx.initializers",
        before="kernel_init=nn.initializers.normal(0.02)",
        after="kernel_init=nnx.initializers.normal(0.02)",
        names={
            "flax.linen.initializers": "flax.nnx.initializers",
            **{
                f"flax.linen.initializers.{name}": f"flax.nnx.initializers.{name}"
                for name in _FUNCTIONS
            },
            **{f"flax.linen.{name}": f"flax.nnx.initializers.{name}" for name in _SHORT},
        },
    ),
)
