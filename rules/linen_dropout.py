"""Dropout of Linen: `nnx.Dropout` draws from its own stream and obeys `model.train()` and `model.eval()`."""

from __future__ import annotations

from ..codemod.rule import Layer, Mode, Refuse

RULES = (
    Layer(
        code="LN211",
        summary="nn.Dropout becomes nnx.Dropout",
        before="x = nn.Dropout(0.5)(x, deterministic=not train)",
        after="self.dropout = nnx.Dropout(0.5, rngs=rngs)\nx = self.dropout(x)",
        source="flax.linen.Dropout",
        target="flax.nnx.Dropout",
        signature=("rate", "broadcast_dims", "deterministic", "rng_collection"),
        defaults={"rng_collection": "dropout"},
        arguments={"deterministic": Mode("eval", "deterministic")},
        inputs=("inputs", "deterministic", "rng"),
        call={
            "deterministic": Mode("eval", "deterministic"),
            "rng": Refuse("a key given to nn.Dropout", "give the layer a stream of its own with `rng_collection=`"),
        },
        attribute="dropout",
        holds=frozenset(("RngState",)),
    ),
)

