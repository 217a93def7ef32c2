"""Assertions tell the shape of an array of which reading knows no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


def contract(x, y):
    letters = 'abcdefg'[: x.ndim]
    return jnp.einsum('{},{}Z->{}Z'.format(letters, letters[-1], letters[:-1]), x, y)


class Inner(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        kernel = self.param('kernel', nn.initializers.lecun_normal(), (x.shape[-1], self.width))
        y = contract(x, kernel)
        ASSERTION
        return y


class Net(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        y = Inner(self.width)(x)
        return nn.Dense(2)(y)


x = jnp.linspace(-1.0, 1.0, 2 * 5 * 3).reshape(2, 5, 3)
model = Net(7)
params = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


@pytest.mark.parametrize(
    "assertion",
    [
        "assert y.shape == x.shape[:-1] + (self.width,)",
        "assert (*x.shape[:-1], self.width) == y.shape",
    ],
)
def test_an_assertion_tells_a_shape(assertion: str, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("ASSERTION", assertion))
    assert done.statuses == {"Inner": "rewritten", "Net": "rewritten"}
    assert "nnx.Linear(width, 2, rngs=rngs)" in done.after["program.py"]
    check(done, tmp_path)
