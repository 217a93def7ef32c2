"""Dropout of Linen: `nnx.Dropout` draws from its own stream and obeys `model.train()` and `model.eval()`."""

from __future__ import annotations

from ..codemod.rule import Layer, Mode, To

_FLAG = Mode("eval", "deterministic")

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
        arguments={"deterministic": _FLAG},
        inputs=("inputs", "deterministic", "rng"),
        call={"deterministic": _FLAG, "rng": To("rngs")},
        attribute="dropout",
        holds=frozenset(("RngState",)),
    ),
)
