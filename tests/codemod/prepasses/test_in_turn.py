"""Comprehensions of layers that run one after the other: what becomes a loop, and what stays."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from nnx_codemod.codemod.prepasses import in_turn
from nnx_codemod.codemod.project import Project
from nnx_codemod.codemod.rulebook import Rulebook
from nnx_codemod.codemod.source import Source
from nnx_codemod.rules import catalogue

PROGRAM = """
import haiku as hk


class Net(hk.Module):
    def __init__(self, sizes, name=None):
        super().__init__(name=name)
        self.sizes = sizes

    def __call__(self, x, n=1):
        BODY
"""


def prepared(body: str) -> str:
    """What the pass makes of the body of a method."""
    text = PROGRAM.replace("BODY", textwrap.indent(body, " " * 8).strip())
    path = Path("net.py").resolve()
    project = Project.of([Source(path, text.encode())])
    found = in_turn.prepare(project, Rulebook(catalogue()), frozenset())
    after = found.project.modules[path].source.text
    return "" if after == text else textwrap.dedent(after.partition("n=1):\n")[2])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "return hk.Sequential([hk.Linear(s) for s in self.sizes])(x)",
            (
                "layers = []\nfor s in self.sizes:\n    layers.append(hk.Linear(s))\n"
                "return hk.Sequential(layers)(x)\n"
            ),
        ),
        (
            "net = [hk.Linear(s) for s in self.sizes]\nnet = hk.Sequential(net)\nreturn net(x)",
            (
                "net_layers = []\nfor s in self.sizes:\n    net_layers.append(hk.Linear(s))\n"
                "net = hk.Sequential(net_layers)\nreturn net(x)\n"
            ),
        ),
        (
            (
                "net = []\nfor s in self.sizes:\n    net.append(hk.Linear(s))\n"
                "net = hk.Sequential(net)\nreturn net(x)"
            ),
            (
                "net_layers = []\nfor s in self.sizes:\n    net_layers.append(hk.Linear(s))\n"
                "net = hk.Sequential(net_layers)\nreturn net(x)\n"
            ),
        ),
        (
            "return hk.Sequential([abs] + sum([[hk.Linear(s), abs] for s in self.sizes], []))(x)",
            (
                "layers = [abs]\nfor s in self.sizes:\n    layers += [hk.Linear(s), abs]\n"
                "return hk.Sequential(layers)(x)\n"
            ),
        ),
    ],
)
def test_a_loop_fills_the_list(body: str, expected: str) -> None:
    assert prepared(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        # made after another layer of the statement, which Haiku names first
        "return hk.Linear(3)(hk.Sequential([hk.Linear(s) for s in self.sizes])(x))",
        # not in any case
        "return hk.Sequential([hk.Linear(s) for s in self.sizes])(x) if n else x",
        # the variable of the comprehension would hide an argument
        "return hk.Sequential([hk.Linear(n) for n in self.sizes])(x * n)",
        # no layers
        "return hk.Sequential([f for f in self.sizes])(x)",
        # one layer, many times
        "return hk.Sequential([hk.Linear(3)] * n)(x)",
        # the list is read by others, too
        "fs = [hk.Linear(s) for s in self.sizes]\nreturn hk.Sequential(fs)(x), len(fs)",
        # some only
        "return hk.Sequential([hk.Linear(s) for s in self.sizes if s])(x)",
    ],
)
def test_what_a_loop_could_change_stays(body: str) -> None:
    assert prepared(body) == ""
