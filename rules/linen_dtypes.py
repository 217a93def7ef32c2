"""`promote_dtype`, which modules with parameters of their own call: NNX's gets the arrays as one argument."""

from __future__ import annotations

from ..codemod.rule import Call

_ARRAYS = tuple(f"array{i}" for i in range(12))

RULES = (
    Call(
        code="LN431",
        summary="nn.dtypes.promote_dtype gets its arrays in a tuple",
        before="x, kernel = nn.dtypes.promote_dtype(x, kernel, dtype=self.dtype)",
        after="x, kernel = nnx.nn.dtypes.promote_dtype((x, kernel), dtype=self.dtype)",
        source="flax.linen.dtypes.promote_dtype",
        target="flax.nnx.nn.dtypes.promote_dtype",
        signature=(*_ARRAYS, "dtype", "inexact"),
        packed=True,
    ),
)
