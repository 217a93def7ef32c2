"""`hk.Sequential([...])` takes a list; `nnx.Sequential(...)` takes the layers one by one.

Haiku passes a tuple on to the next layer as one argument, NNX as several: cores, which return two values, are declined.
"""

from __future__ import annotations

from ..codemod.rule import Declined, Layer, To, Use
from ..codemod.shapes.values import Items, LayerObject
from .linen_sequential import unpacked


def _no_tuples(use: Use) -> None:
    layers = use.arguments.get("layers")
    for item in layers.items[:-1] if isinstance(layers, Items) else ():
        if isinstance(item, LayerObject) and "initial_state" in item.rule.methods:
            name = item.rule.source.removeprefix("haiku.")
            raise Declined(
                f"hk.{name} within hk.Sequential returns a tuple",
                "call the layers one after the other",
            )


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
        check=_no_tuples,
    ),
)
