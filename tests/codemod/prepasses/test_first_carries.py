"""Recurrent cells that are made for their first carry alone."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

MODULE = """
import jax
import jax.numpy as jnp
from flax import linen as nn


class Net(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.width)(x), self.first(x.shape, jax.random.key(0))

    def first(self, shape, key):
        BODY


if __name__ == "__main__":
    x = jnp.ones((4, 3))
    net = Net(5)
    params = net.init(jax.random.key(0), x)
    print("RESULT", net.apply(params, x)[0].sum())
"""


def method(*lines: str) -> str:
    return MODULE.replace("BODY", "\n        ".join(lines))


def body(*lines: str) -> str:
    """The rewritten lines of the method."""
    text = rewritten(method(*lines)).after["program.py"]
    assert "class Net(nnx.Module)" in text
    return text.split("def first(self, shape, key):\n")[1].split("\n\n")[0].replace(" " * 8, "")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["return nn.GRUCell(self.width).initialize_carry(key, shape)"],
            "return jnp.zeros((*shape[:-1], self.width))",
        ),
        (
            [
                "cell = nn.SimpleCell(features=self.width, param_dtype=jnp.float64)",
                "return cell.initialize_carry(jax.random.key(1), (*shape[:-1], 7))",
            ],
            "return jnp.zeros((*shape[:-1], self.width), jnp.float64)",
        ),
        (
            ["return nn.MGUCell(self.width).initialize_carry(key, (shape[0], 9))"],
            "return jnp.zeros((shape[0], self.width))",
        ),
        (
            ["return nn.OptimizedLSTMCell(self.width).initialize_carry(key, (shape[0], 9))"],
            "return (jnp.zeros((shape[0], self.width)), jnp.zeros((shape[0], self.width)))",
        ),
    ],
)
def test_the_carry_is_zeros(lines: list[str], expected: str) -> None:
    assert body(*lines) == expected


@pytest.mark.parametrize(
    "lines",
    [
        ["return nn.GRUCell(5, carry_init=nn.initializers.ones).initialize_carry(key, shape)"],
        ["return nn.ConvLSTMCell(5, (3,)).initialize_carry(key, shape)"],
        [
            "cell = nn.GRUCell(self.width)",
            "if shape[0] > 2:",
            "    cell = nn.SimpleCell(self.width)",
            "return cell.initialize_carry(key, shape)",
        ],
        ["return nn.GRUCell(self.width).initialize_carry(self.make_rng('params'), shape)"],
    ],
)
def test_other_cells_stay(lines: list[str]) -> None:
    text = rewritten(method(*lines)).after["program.py"]
    assert "jnp.zeros" not in text


def test_a_cell_that_runs_too_stays() -> None:
    lines = [
        "cell = nn.GRUCell(self.width)",
        "carry = cell.initialize_carry(key, shape)",
        "return cell(carry, jnp.ones((4, 3)))[0]",
    ]
    assert "cell.initialize_carry(shape, rngs=" in body(*lines)
