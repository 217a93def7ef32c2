"""Layers that nothing reads are left out; those that something may read stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import haiku as hk
import jax
import jax.numpy as jnp


class Torso(hk.Module):
    def __init__(self, width, classes=None, name=None):
        super().__init__(name=name)
        self.width = width
        MADE

    def __call__(self, x):
        x = hk.Linear(self.width)(x)
        BODY
        return x


class Tall(Torso):
    def tops(self, x):
        HEIR


def forward(x):
    net = Torso(4)
    y = net(x)
    OUTSIDE
    return y


x = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
model = hk.transform(forward)
params = model.init(jax.random.PRNGKey(0), x)
print('RESULT', sum(leaf.size for leaf in jax.tree.leaves(params)))
params = jax.tree.map(lambda p: jnp.linspace(-1.0, 1.0, p.size).reshape(p.shape), params)
print('RESULT', float(jnp.abs(model.apply(params, None, x)).sum()))
"""
PLAIN = {"MADE": "self.logits = hk.Linear(classes, w_init=jnp.zeros, name='logits')"}


def program(parts: dict[str, str]) -> str:
    text = PROGRAM
    for name, part in {"BODY": "pass", "HEIR": "pass", "OUTSIDE": "pass", **PLAIN, **parts}.items():
        text = text.replace(name, part)
    return text


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"MADE": "self.logits = hk.Embed(5, 3, name='logits')"},
        {"OUTSIDE": "logits = {'logits': y}['logits']"},
        {"MADE": "self.norm = hk.BatchNorm(True, True, 0.9, scale_init=hk.initializers.Constant(2.0))"},
    ],
)  # fmt: skip
def test_a_layer_that_nothing_reads_is_left_out(parts: dict[str, str], tmp_path: Path) -> None:
    done = rewritten(program(parts))
    assert done.statuses["Torso"] == "rewritten"
    text = done.after["program.py"]
    assert "self.logits" not in text and "self.norm" not in text
    check(done, tmp_path)


@pytest.mark.parametrize(
    "parts",
    [
        {"HEIR": "return self.logits(x)"},
        {"BODY": "x = getattr(self, 'log' + 'its', abs)(x) if x.ndim > 2 else x"},
        {"OUTSIDE": "y = net.logits(y) if y.ndim > 2 else y"},
        {"OUTSIDE": "y = getattr(net, 'logits')(y) if y.ndim > 2 else y"},
        {"MADE": "self.logits = hk.Linear(print(3) or 4, name='logits')"},
        {"MADE": "self.logits = self.first = hk.Linear(4, name='logits')"},
    ],
)
def test_a_layer_that_may_be_read_is_not_left_out(parts: dict[str, str]) -> None:
    assert "self.logits" in rewritten(program(parts)).after["program.py"]


@pytest.mark.parametrize(
    "made",
    [
        "self.logits = hk.Linear(4)",  # the other is `linear_1`
        "self.logits = hk.Linear(4, name='linear')",
    ],
)
def test_a_layer_by_which_others_are_numbered_is_not_left_out(made: str) -> None:
    assert made in rewritten(program({"MADE": made})).after["program.py"]


LINEN = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    def setup(self):
        self.first = nn.Dense(4)
        # For later.
        self.second = nn.Dense(4)

    def __call__(self, x):
        return self.first(x)


x = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
model = Net()
params = model.init(jax.random.key(0), x)
print('RESULT', sum(leaf.size for leaf in jax.tree.leaves(params)))
"""


def test_a_layer_of_setup_that_nothing_reads_is_left_out(tmp_path: Path) -> None:
    done = rewritten(LINEN)
    assert done.statuses == {"Net": "rewritten"}
    assert "second" not in done.after["program.py"] and "later" not in done.after["program.py"]
    check(done, tmp_path)
