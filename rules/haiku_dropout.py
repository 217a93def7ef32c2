"""Dropout of Haiku: a function of a key, a rate and an array is a layer with a stream of its own in NNX.

A rate that only a call knows leaves it a function.
"""

from __future__ import annotations

from ..codemod.rule import Drop, Layer, same_shape

RULES = (
    Layer(
        code="HK211",
        summary="hk.dropout becomes nnx.Dropout",
        before="x = hk.dropout(hk.next_rng_key(), 0.5, x)",
        after="self.dropout = nnx.Dropout(0.5, rngs=rngs)\nx = self.dropout(x)",
        source="haiku.dropout",
        target="flax.nnx.Dropout",
        signature=("rng", "rate", "x", "broadcast_dims"),
        arguments={"rng": Drop()},
        leading=("rate",),
        inputs=("x",),
        output=same_shape("x"),
        attribute="dropout",
        holds=frozenset(("RngState",)),
        inline=True,
        late="haiku_dropout",
    ),
)
