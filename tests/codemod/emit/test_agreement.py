"""One size for a layer that calls under several tests, or in several methods, use."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

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


METHODS = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    def setup(self):
        self.layer = nn.Dense(3)

    def one(self, x):
        return self.layer(ONE)

    def other(self, y):
        return self.layer(OTHER)


x = jnp.ones((2, 4))
model = Net()
params = model.init(jax.random.key(0), x, method='one')
print('RESULT', float(model.apply(params, x, method='one').sum()))
"""
CALL_OTHER = "print('RESULT', float(model.apply(params, 2 * x, method='other').sum()))\n"


def methods(one: str, other: str) -> str:
    return METHODS.replace("ONE", one).replace("OTHER", other)


def test_methods_that_nothing_calls_in_the_class_agree(tmp_path: Path) -> None:
    done = rewritten(methods("x", "y") + CALL_OTHER)
    assert "self.layer = nnx.Linear(in_features, 3, rngs=rngs)" in done.after["program.py"]
    assert "model.other(2 * x)" in done.after["program.py"]
    check(done, tmp_path)


def test_two_numbers_do_not_agree(tmp_path: Path) -> None:
    done = rewritten(methods("jnp.ones((2, 4))", "jnp.ones((2, 5))"))
    assert done.statuses == {"Net": "kept"}
    assert "NX101" in done.codes
    check(done, tmp_path)


LISTS = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Half(nn.Module):
    @nn.compact
    def __call__(self, x):
        a, b = jnp.split(x, 2, axis=-1)
        return jnp.concatenate([a, b + nn.Dense(b.shape[-1])(a)], axis=-1)


class Net(nn.Module):
    def setup(self):
        self.halves = [Half() for _ in range(2)]
        self.head = nn.Dense(1)

    def one(self, x):
        for half in self.halves:
            x = half(x)
        return self.head(x)

    def other(self, y):
        for half in self.halves:
            y = half(OTHER)
        return y


x = jnp.ones((2, 4))
model = Net()
params = model.init(jax.random.key(0), x, method='one')
print('RESULT', float(model.apply(params, x, method='one').sum()))
"""


@pytest.mark.parametrize(("other", "follows"), [("y", True), ("y[:, :2]", False)])
def test_methods_that_run_one_list_give_it_one_size(
    other: str, follows: bool, tmp_path: Path
) -> None:
    done = rewritten(LISTS.replace("OTHER", other))
    assert (done.statuses["Net"] == "rewritten") is follows
    assert (
        "[Half(in_features, rngs=rngs) for _ in range(2)]" in done.after["program.py"]
    ) is follows
    check(done, tmp_path)
