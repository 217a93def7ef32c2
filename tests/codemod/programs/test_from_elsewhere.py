"""Models that run with variables of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

NETS = """
import flax.linen as nn


class Layer(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        return nn.tanh(nn.Dense(self.width)(x))


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(Layer(3)(x))


class Other(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(4)(x)
"""
PROGRAM = """
import jax
import jax.numpy as jnp

from nets import Net


class Player:
    def __init__(self, path):
        self.net = Net()
        self.params = load(path)

    def play(self, x):
        return self.net.apply(self.params, x)


def load(path):
    dense = {'kernel': jnp.ones((3, 3)) / 4, 'bias': jnp.zeros(3)}
    last = {'kernel': jnp.ones((3, 2)), 'bias': jnp.ones(2)}
    return {'params': {'Layer_0': {'Dense_0': dense}, 'Dense_0': last}}


print('RESULT', float(Player('weights').play(jnp.ones((4, 3))).sum()))
"""
START = """
import jax
import jax.numpy as jnp


def start(player):
    return player.net.init(jax.random.key(0), jnp.ones((1, 3)))
"""


def test_a_model_of_a_file_of_weights_stays_with_its_parts(tmp_path: Path) -> None:
    done = rewritten({"nets.py": NETS, "program.py": PROGRAM})
    assert done.statuses == {"Layer": "kept", "Net": "kept", "Other": "rewritten"}
    assert done.codes.count("NX104") == 2
    check(done, tmp_path)


@pytest.mark.parametrize(
    "other",
    [START, START.replace("player.net.init(", "jax.jit(player.net.init)(")],
)
def test_a_model_that_other_code_initialises_does_not(other: str) -> None:
    done = rewritten({"nets.py": NETS, "program.py": PROGRAM, "start.py": other})
    assert "NX104" not in done.codes
