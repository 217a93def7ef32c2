"""Lifted modules: which transforms are carried over, and what they compute."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

VMAP = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Head(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x, y):
        return nn.Dense(self.width)(jnp.concatenate([x, y], axis=-1))


class Net(nn.Module):
    num: int = 3

    @nn.compact
    def __call__(self, x, y):
        Heads = nn.vmap(Head, OPTIONS)
        return nn.Dense(2)(Heads(4)(x, y))


x = jax.random.normal(jax.random.key(0), XSHAPE)
y = jax.random.normal(jax.random.key(0), YSHAPE)
model = Net()
params = model.init(jax.random.key(1), x, y)
print('RESULT', model.apply(params, x, y).shape)
print('RESULT', float(jnp.abs(model.apply(params, x, y)).sum()))
"""

STACKED = "variable_axes={'params': 0}, split_rngs={'params': True}, axis_size=self.num"
SHARED = "variable_axes={'params': None}, split_rngs={'params': False}"


def vmap(options: str, x: tuple[int, ...], y: tuple[int, ...]) -> str:
    text = VMAP.replace("OPTIONS", options)
    return text.replace("XSHAPE", str(x)).replace("YSHAPE", str(y))


@pytest.mark.parametrize(
    ("options", "x", "y"),
    [
        (f"{STACKED}, in_axes=None, out_axes=0", (4, 6), (4, 5)),
        (f"{STACKED}, in_axes=0, out_axes=0", (3, 4, 6), (3, 4, 5)),
        (f"{STACKED}, in_axes=(None, 0)", (4, 6), (3, 4, 5)),
        (f"{STACKED}, in_axes=(1, None), out_axes=1", (4, 3, 6), (4, 5)),
        (f"{SHARED}, in_axes=0, out_axes=0", (3, 4, 6), (3, 4, 5)),
        (f"{SHARED}, in_axes=(0, None)", (3, 4, 6), (4, 5)),
    ],
)
def test_vmap(options: str, x: tuple[int, ...], y: tuple[int, ...], tmp_path: Path) -> None:
    done = rewritten(vmap(options, x, y))
    assert done.statuses == {"Head": "rewritten", "Net": "rewritten"}
    check(done, tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        "variable_axes={'params': 1}, split_rngs={'params': True}, in_axes=None, axis_size=3",
        "variable_axes={'params': 0}, split_rngs={'params': False}, in_axes=None, axis_size=3",
    ],
)
def test_vmaps_that_nnx_does_otherwise_stay(options: str, tmp_path: Path) -> None:
    done = rewritten(vmap(options, (4, 6), (4, 5)))
    assert done.statuses["Net"] != "rewritten"
    assert done.codes
    check(done, tmp_path)


SCAN = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Step(nn.Module):
    features: int

    @nn.compact
    def __call__(self, carry, x):
        carry = nn.tanh(nn.Dense(self.features)(carry) + nn.Dense(self.features)(x))
        return carry, carry


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        Steps = nn.scan(Step, OPTIONS)
        carry, ys = Steps(4)(jnp.zeros((2, 4)), x)
        return nn.Dense(3)(ys) + carry.sum()


x = jax.random.normal(jax.random.key(0), (2, 5, 3))
model = Net()
params = model.init(jax.random.key(1), x)
print('RESULT', model.apply(params, x).shape)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


@pytest.mark.parametrize(
    "options",
    [
        "variable_broadcast='params', split_rngs={'params': False}, in_axes=1, out_axes=1",
        "variable_broadcast='params', split_rngs={'params': False}, in_axes=1, out_axes=0",
    ],
)
def test_scan_over_time(options: str, tmp_path: Path) -> None:
    done = rewritten(SCAN.replace("OPTIONS", options))
    assert done.statuses == {"Step": "rewritten", "Net": "rewritten"}
    check(done, tmp_path)


def test_a_scan_with_another_layout_stays(tmp_path: Path) -> None:
    options = "variable_axes={'params': 1}, split_rngs={'params': True}, in_axes=1, out_axes=1"
    done = rewritten(SCAN.replace("OPTIONS", options))
    assert done.statuses["Net"] != "rewritten"
    check(done, tmp_path)
