"""Arguments that may be given to the constructor or to the call.

Where a flag stays an argument, `merge_param` stays with it: a function beside the code that refuses what Linen's refuses.
"""

from __future__ import annotations

from ..codemod.rule import Call

RULES = (
    Call(
        code="LN422",
        summary="nn.merge_param becomes a function beside the code",
        before='train = nn.merge_param("train", self.train, train)',
        after='train = merge_param("train", self.train, train)',
        source="flax.linen.merge_param",
        target="merge_param",
        signature=("name", "a", "b"),
    ),
)
