"""`hk.Sequential([...])` takes a list; `nnx.Sequential(...)` takes the layers one by one."""

from __future__ import annotations

from ..codemod.rule import Layer, To
from .linen_sequential import unpacked

RULES = (
    Layer(
        code="HK401",
        summary="hk.Sequential becomes nnx.Sequential",
        before="mlp = hk.Sequential([hk.Linear(8), jax.nn.relu])",
        after="self.mlp = nnx.Sequential(nnx.Linear(in_features, 8, kernel_init=haiku_init, rngs=rngs), jax.nn.relu)",
        source="haiku.Sequential",
        target="flax.nnx.Sequential",
        signature=("layers",),
        arguments={"layers": To("layers", unpacked)},
        leading=("layers",),
        attribute="sequential",
        rngs=False,
    ),
)
