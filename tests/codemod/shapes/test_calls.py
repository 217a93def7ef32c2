"""Calls of what reading cannot tell."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

MODULE = """
import flax.linen as nn
from elsewhere import strange


class Net(nn.Module):
    heads: int = 2

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(CALL)
"""


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("strange(x)", "rewritten"),  # taken for an activation
        ("strange(x, self.heads)", "kept"),
        ("strange(x, x)", "kept"),
    ],
)
def test_unknown_functions(call: str, status: str) -> None:
    assert rewritten(MODULE.replace("CALL", call)).statuses == {"Net": status}
