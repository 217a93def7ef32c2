"""One size for a layer that calls under several tests use."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

SOURCE = """
import haiku as hk


class Block(hk.Module):
    def __init__(self, width, first=True, last=False):
        super().__init__()
        self.first = first
        self.last = last
        self.norm = hk.LayerNorm(-1, True, True)
        self.dense = hk.Linear(width)

    def turn(self):
        TURN

    def __call__(self, x):
        if self.first:
            x = self.norm(x)
        h = self.dense(x)
        if SECOND:
            h = self.norm(h)
        return h
"""


@pytest.mark.parametrize(
    ("second", "turn", "size"),
    [
        ("not self.first", "return self.dense", "in_features if first else width"),
        ("not not not self.first", "return self.dense", "in_features if first else width"),
        ("self.last", "return self.dense", None),
        ("self.first", "return self.dense", None),
        ("not self.first", "self.first = False", None),
    ],
)
def test_the_calls_under_a_test_and_under_what_denies_it(
    second: str, turn: str, size: str | None
) -> None:
    done = rewritten(SOURCE.replace("SECOND", second).replace("TURN", turn))
    if size is None:
        [said] = done.outcomes["program.py"].report.diagnostics
        assert said.message == "`LayerNorm` is called with inputs of different sizes"
    else:
        assert f"nnx.LayerNorm(\n            {size}, " in done.after["program.py"]
