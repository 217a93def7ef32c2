"""Modules that only they themselves know the output of tell it to who uses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Trunk(nn.Module):
    sizes: tuple[int, ...]
    project: bool = False

    @nn.compact
    def __call__(self, x):
        for size in self.sizes:
            x = nn.relu(nn.Dense(size)(x))
        if self.project:
            x = nn.Dense(9)(x)
        return x


class Fixed(nn.Module):
    width: int = 5

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.width)(x)


NET


x = jax.random.normal(jax.random.key(0), (4, 6))
MAKE
"""

RUN = """
model = {}
params = model.init(jax.random.key(1), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


def program(net: str, *models: str) -> str:
    runs = "".join(RUN.format(model) for model in models)
    return PROGRAM.replace("NET", net.strip()).replace("MAKE", runs.strip())


MADE = """
class Net(nn.Module):
    sizes: tuple[int, ...]
    project: bool = False

    @nn.compact
    def __call__(self, x):
        x = Trunk(self.sizes, self.project)(x)
        return nn.Dense(2)(x)
"""

IN_SETUP = """
class Net(nn.Module):
    sizes: tuple[int, ...]
    project: bool = False

    def setup(self):
        self.trunk = Trunk(self.sizes, self.project)
        self.head = nn.Dense(2)

    def __call__(self, x):
        return self.head(self.trunk(x))
"""

TWO = """
class Net(nn.Module):
    sizes: tuple[int, ...]
    project: bool = False

    @nn.compact
    def __call__(self, x):
        x = Trunk(self.sizes, self.project)(x)
        x = Trunk(self.sizes[:1])(x)
        return nn.Dense(2)(x)
"""


@pytest.mark.parametrize("net", [MADE, IN_SETUP, TWO], ids="made setup two".split())
def test_a_child_tells_its_width(net: str, tmp_path: Path) -> None:
    done = rewritten(program(net, "Net((5, 4))", "Net((7,), project=True)"))
    assert set(done.statuses.values()) == {"rewritten"}
    check(done, tmp_path)


def test_a_child_whose_width_is_known_is_not_asked() -> None:
    net = """
class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(Fixed(7)(x))
"""
    text = rewritten(program(net, "Net()")).after["program.py"]
    assert "nnx.Linear(7, 2, rngs=rngs)" in text
    assert "out_features" not in text
