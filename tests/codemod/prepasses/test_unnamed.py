"""What transforms are given without a name: what becomes a function, and what stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod.prepasses import unnamed
from nnx_codemod.codemod.project import Project
from nnx_codemod.codemod.rulebook import Rulebook
from nnx_codemod.codemod.source import Source
from nnx_codemod.rules import catalogue

PROGRAM = """
import functools
import haiku as hk


def forward(x, width, mask=None):
    return hk.Linear(width)(x)


def build(width):
    {before}
    return hk.transform({given})
"""


def prepared(given: str, before: str = "pass", leave: str = "") -> str:
    """What the pass makes of a program."""
    path = Path("program.py").resolve()
    text = PROGRAM.format(given=given, before=before)
    project = Project.of([Source(path, text.encode())])
    left = frozenset({(path, leave)})
    return unnamed.prepare(project, Rulebook(catalogue()), left).project.modules[path].source.text


@pytest.mark.parametrize(
    ("given", "function"),
    [
        (
            "functools.partial(forward, width=width)",
            "def model(x, mask=None):\n        return forward(x, mask=mask, width=width)\n",
        ),
        ("lambda x: forward(x, width)", "def model(x):\n        return forward(x, width)\n"),
    ],
)
def test_it_gets_a_name(given: str, function: str) -> None:
    text = prepared(given)
    assert function in text
    assert "return hk.transform(model)" in text


@pytest.mark.parametrize(
    ("given", "before", "leave"),
    [
        ("functools.partial(forward, width=width)", "width = width + 1", ""),
        ("functools.partial(forward, width=int(width))", "pass", ""),
        ("functools.partial(forward, **{'width': 3})", "pass", ""),
        ("lambda x: hk.Linear(width)(x)", "pass", ""),
        ("lambda x: forward(x, width)", "pass", "forward"),
        ("lambda x: forward(x, width)", "pass", "model"),
    ],
    ids=["set again", "computed", "unpacked", "a layer", "left", "left by its name"],
)
def test_it_stays(given: str, before: str, leave: str) -> None:
    assert f"return hk.transform({given})" in prepared(given, before, leave)
