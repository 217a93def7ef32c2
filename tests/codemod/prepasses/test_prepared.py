"""What is written ahead of the rewrite, and the way back for classes that stay after all."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod import engine
from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.prepasses.prepared import MadeClass, Prepared
from nnx_codemod.codemod.project import Module, Project
from nnx_codemod.codemod.report import Outcome
from nnx_codemod.codemod.source import Source

TWO = """
from flax import linen as nn


class Follows(nn.Module):
    def setup(self):
        self.left, self.right = nn.Dense(3), nn.Dense(4)

    def __call__(self, x):
        return self.right(self.left(x))


class Stays(nn.Module):
    def setup(self):
        self.left, self.right = nn.Dense(3), nn.Dense(4)

    def __call__(self, x):
        print(self.scope)
        return self.right(self.left(x))
"""


def _examined(text: str) -> Outcome:
    (outcome,) = engine.rewrite([Source(Path("net.py"), text.encode())], Options())
    return outcome


def test_a_class_that_stays_is_as_it_was() -> None:
    outcome = _examined(TWO)
    stays = TWO[TWO.index("class Stays") :]
    assert outcome.new_text is not None and outcome.new_text.endswith(stays)
    assert "self.left = nnx.Linear(in_features, 3, rngs=rngs)" in outcome.new_text


def test_the_reason_is_that_of_the_class_and_not_of_how_it_was_written_ahead() -> None:
    (reason,) = [each.message for each in _examined(TWO).report.diagnostics]
    assert "scope" in reason


ONE = "class A:\n    a, b = 1, 2\n"
AHEAD = "class A:\n    a = 1\n    b = 2\n"


def _prepared(text: str, original: str) -> Prepared:
    path = Path("a.py")
    old = Module(Source(path, original.encode()))
    prepared = Prepared(Project({path: old}))
    prepared.made.append(MadeClass(path, "A", "A", 1, is_function=False))
    prepared.put(old, text)
    return prepared


@pytest.mark.parametrize(
    ("ahead", "new", "back"),
    [
        (AHEAD, AHEAD + "x = 2\n", ONE + "x = 2\n"),
        (AHEAD, AHEAD.replace("b = 2", "b = 3"), None),  # it was changed afterwards
        (AHEAD, AHEAD + AHEAD, None),  # nobody can tell which is which
        ("import jax\n" + AHEAD, "import jax\n" + AHEAD, None),  # an import would be left behind
    ],
)
def test_classes_are_put_back_where_nothing_else_was_done(
    ahead: str, new: str, back: str | None
) -> None:
    prepared = _prepared(ahead, ONE)
    assert prepared.put_back(Path("a.py"), {"A"}, new) == back
