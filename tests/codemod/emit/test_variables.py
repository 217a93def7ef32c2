"""What initialisers of parameters become in the constructor."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

TABLE = """
import flax.linen as nn
import jax
import jax.numpy as jnp


def table(width, length):
    return jnp.sin(jnp.arange(length * width, dtype=float)).reshape(1, length, width)


class Net(nn.Module):
    width: int = 3

    @nn.compact
    def __call__(self, x):
        w = self.param('w', INIT, (1, 4 + 1, self.width))
        return x @ w[0].T


x = jax.random.normal(jax.random.key(1), (2, 3))
model = Net()
variables = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.abs(model.apply(variables, x)).sum()))
"""


@pytest.mark.parametrize(
    ("init", "text"),
    [
        (
            "lambda key, shape: table(shape[2], shape[1])",
            "self.w = nnx.Param(table(width, 4 + 1))",
        ),
        (
            "lambda key, shape: table(shape[-1], shape[1]) * shape[1]",
            "self.w = nnx.Param(table(width, 4 + 1) * (4 + 1))",
        ),
        (
            "lambda key, shape: table(shape[2], shape[1]).reshape(shape)",
            "(lambda key, shape: table(shape[2], shape[1]).reshape(shape))(",
        ),
    ],
)
def test_what_a_lambda_takes_of_a_shape(init: str, text: str, tmp_path: Path) -> None:
    done = rewritten(TABLE.replace("INIT", init))
    assert text in done.after["program.py"], done.after["program.py"]
    check(done, tmp_path)
