"""How far the code at the top of a file is run."""

from __future__ import annotations

from nnx_codemod.tests.programs import rewritten

LONG = """
import flax.linen as nn
import jax.numpy as jnp


def step_0(x):
    return x


STEPS
print(step_9(1))


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(4)(x)
"""
STEPS = "\n\n".join(
    f"def step_{n}(x):\n    x = step_{n - 1}(x)\n    x = step_{n - 1}(x)\n"
    f"    x = step_{n - 1}(x)\n    return step_{n - 1}(x)\n"
    for n in range(1, 10)
)


def test_what_is_defined_below_a_long_run() -> None:
    done = rewritten(LONG.replace("STEPS", STEPS))
    assert done.statuses["Net"] == "rewritten"
