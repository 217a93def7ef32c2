"""Layers that a constructor makes as locals and gathers in a tuple: what may be written elsewhere, and what may not."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from nnx_codemod.codemod.prepasses import gathered
from nnx_codemod.codemod.project import Project
from nnx_codemod.codemod.rulebook import Rulebook
from nnx_codemod.codemod.source import Source
from nnx_codemod.rules import catalogue

PROGRAM = """
import haiku as hk


class Net(hk.Module):
    def __init__(self, width, deep, name=None):
        super().__init__(name=name)
        {body}

    def __call__(self, x):
        {call}
        return x
"""
BODY = """
one = hk.Linear(width, name="one")
two = hk.Linear(3, name="two")
layers = (one, two)
if deep:
    three = hk.Linear(4, name="three")
    layers = layers + (three,)
self.layers = layers
"""
CALL = "for layer in self.layers:\n    x = layer(x)"


def prepared(body: str, call: str = CALL) -> str:
    """What the pass makes of a module."""
    text = PROGRAM.format(
        body=textwrap.indent(body.strip(), " " * 8).strip(),
        call=textwrap.indent(call, " " * 8).strip(),
    )
    path = Path("net.py").resolve()
    project = Project.of([Source(path, text.encode())])
    found = gathered.prepare(project, Rulebook(catalogue()), frozenset())
    return found.project.modules[path].source.text


def test_a_tuple_that_grows_becomes_a_list() -> None:
    text = prepared(BODY)
    assert 'self.layers = [hk.Linear(width, name="one"), hk.Linear(3, name="two")]' in text
    assert 'self.layers += [hk.Linear(4, name="three"),]' in text
    assert "layers = layers" not in text


@pytest.mark.parametrize(
    "body",
    [
        BODY.replace("layers = (one", "width = 2\nlayers = (one"),
        BODY.replace("layers = (one", "update(width)\nlayers = (one"),
        BODY.replace("self.layers = layers", "self.layers = layers\nself.one = one"),
        BODY.replace(', name="one"', "").replace("(one, two)", "(two, one)"),
        BODY.replace(', name="one"', "").replace("(one, two)", "(two, other(), one)"),
        BODY.replace(', name="one"', "").replace("layers = (one", "other()\nlayers = (one"),
    ],
    ids=["set again", "handed on", "read twice", "another order", "after a call", "before a call"],
)
def test_a_layer_whose_call_may_mean_something_else_stays(body: str) -> None:
    assert "one = hk.Linear" in prepared(body)


@pytest.mark.parametrize(
    ("body", "written"),
    [
        (
            "self.layers = []\nfor i in range(3):\n    layer = hk.Linear(i)\n    self.layers.append(layer)",
            "self.layers.append(hk.Linear(i))",
        ),
        (
            "one = hk.Linear(3)\ntwo = hk.Linear(4)\nself.net = hk.Sequential([one, abs, two])",
            "self.net = hk.Sequential([hk.Linear(3), abs, hk.Linear(4)])",
        ),
        (
            "one = hk.LSTM(3)\ncore = hk.ResetCore(one)\nself.core = hk.DeepRNN([core])",
            "self.core = hk.DeepRNN([hk.ResetCore(one)])",  # what that holds is left to the constructor
        ),
    ],
)
def test_layers_are_written_where_they_are_put_away(body: str, written: str) -> None:
    assert written in prepared(body)


def test_a_tuple_that_is_added_to_in_a_call_stays_a_tuple() -> None:
    text = prepared(BODY, "for layer in self.layers + self.layers:\n    x = layer(x)")
    assert "self.layers = layers" in text


RUN = """
one = hk.Linear(4)
two = hk.Flatten()
net = hk.Sequential([one, jax.nn.relu, two])
x = net(x)
"""


def test_layers_that_a_method_makes_for_a_sequence() -> None:
    text = prepared("self.width = width", RUN)
    assert "net = hk.Sequential([hk.Linear(4), jax.nn.relu, hk.Flatten()])" in text


@pytest.mark.parametrize(
    "call",
    [
        RUN.replace("x = net(x)", "x = net(x) + one(x)"),
        RUN.replace("[one, jax.nn.relu, two]", "[two, jax.nn.relu, one]"),
        RUN.replace("net = hk", "x = hk.Linear(3)(x)\nnet = hk"),
        RUN.replace("hk.Sequential([one, jax.nn.relu, two])", "run([one, jax.nn.relu, two])"),
    ],
    ids=["read twice", "another order", "after a call", "another function"],
)
def test_layers_of_methods_that_stay_locals(call: str) -> None:
    assert "    one = hk.Linear(4)" in prepared("self.width = width", call)
