"""Calls of what reading cannot tell."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

MODULE = """
import flax.linen as nn
from collections.abc import Callable
from elsewhere import strange


class Net(nn.Module):
    heads: int
    act: Callable

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(CALL)
"""


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("self.act(x)", "rewritten"),  # an activation
        ("self.act(x, self.heads)", "kept"),
        ("self.act(x, x)", "kept"),
        ("strange(x)", "kept"),
        ("strange(x, self.heads)", "kept"),
    ],
)
def test_unknown_functions(call: str, status: str) -> None:
    assert rewritten(MODULE.replace("CALL", call)).statuses == {"Net": status}
