"""Layers whose names come from a method's arguments: one for each name, so one place may not stand for them all."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import Rewritten, rewritten

SOURCE = """
import haiku as hk
import jax.numpy as jnp


class Net(hk.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width

    def part(self, x, i):
        MADE

    def both(self, x):
        return self.part(x, 3)

    def __call__(self, x):
        x = hk.Linear(self.width)(x)
        CALLS
        return x
"""

LAYER = 'return hk.Linear(self.width, name=f"part_{i}")(x)'
TWICE = "x = self.part(x, 0)\nx = self.part(x, 1)"
ONCE = "x = self.part(x, 0)"


@pytest.mark.parametrize(
    ("made", "calls"),
    [
        (LAYER, TWICE),
        (LAYER, "for i in range(3):\n    x = self.part(x, i)"),
        (LAYER, "x = sum([self.part(x, i) for i in range(3)])"),
        (LAYER, "x = self.both(self.part(x, 1))"),
        ('name = "part" + str(i)\nreturn hk.Linear(self.width, name=name)(x)', TWICE),
        ('return x * hk.get_parameter(f"w{i}", (self.width,), init=jnp.ones)', TWICE),
    ],
)
def test_calls_that_may_name_others(made: str, calls: str) -> None:
    done = program(made, calls)
    assert done.statuses["Net"] == "kept"
    messages = [d.message for d in done.outcomes["program.py"].report.diagnostics]
    why = "`i` is in the name of what is made here, and calls of `part` may differ in it"
    assert why in messages


@pytest.mark.parametrize(
    ("made", "calls"),
    [
        (LAYER, ONCE),
        (LAYER.replace("{i}", "{self.width}"), TWICE),
        (LAYER.replace('f"part_{i}"', '"part"'), TWICE),
        ('return x * hk.get_parameter("w", (self.width,), init=jnp.ones)', TWICE),
    ],
)
def test_calls_that_name_the_same(made: str, calls: str) -> None:
    assert program(made, calls).statuses["Net"] == "rewritten"


def program(made: str, calls: str) -> Rewritten:
    made, calls = (text.replace("\n", "\n        ") for text in (made, calls))
    text = SOURCE.replace("MADE", made).replace("CALLS", calls)
    if "both" not in calls:
        text = text.replace("    def both(self, x):\n        return self.part(x, 3)\n\n", "")
    return rewritten(text)


APART = """
import haiku as hk
import jax


class Net(hk.Module):
    def __init__(self, deep):
        super().__init__()
        self.deep = deep

    @hk.transparent
    def wide(self, x):
        return hk.Linear(4, name="first")(x)

    @hk.transparent
    def narrow(self, x):
        return hk.Linear(4, name="first")(jax.nn.relu(x))

    def __call__(self, x):
        CALLS
"""


@pytest.mark.parametrize(
    ("calls", "status"),
    [
        ("if self.deep:\n    return self.wide(x)\nelse:\n    return self.narrow(x)", "rewritten"),
        ("if self.deep:\n    x = self.wide(x)\nreturn self.narrow(x)", "kept"),
        ("return self.wide(x) + self.narrow(x)", "kept"),
    ],
)
def test_methods_of_one_run_share_no_names(calls: str, status: str) -> None:
    text = APART.replace("CALLS", calls.replace("\n", "\n        "))
    assert rewritten(text).statuses["Net"] == status
