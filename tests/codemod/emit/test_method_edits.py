"""What methods read instead of the layers that they made."""

from __future__ import annotations

from pathlib import Path

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        layer = nn.Dense(4)
        x = layer(x)
        twice = lambda layer: layer * 2

        def shifted(layer, by=1.0):
            return layer + by

        return shifted(twice(x))


x = jax.random.normal(jax.random.key(1), (5, 4))
model = Net()
variables = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.square(model.apply(variables, x)).sum()))
"""


def test_parameters_of_inner_functions_are_no_layers(tmp_path: Path) -> None:
    done = rewritten(PROGRAM)
    assert done.statuses == {"Net": "rewritten"}
    assert "lambda layer: layer * 2" in done.after["program.py"]
    check(done, tmp_path)
