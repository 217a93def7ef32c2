"""Programs that are not certain enough for the stateful form keep their trees, and no update is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(x)


def main():
    net = Net()
    x = jnp.linspace(-1.0, 1.0, 12).reshape(3, 4)
    params = net.init(jax.random.key(0), x)
    init, apply_gradients = optax.sgd(0.1)
    state = init(params)

    def loss(params):
        return (net.apply(params, x) ** 2).sum()

    STEP

    for _ in range(3):
        print('RESULT', float(loss(params)))
        params, state = step(params, state)


main()
"""


RETURNED = "return optax.apply_updates(params, updates), state"
ASSIGNED = "params = optax.apply_updates(params, updates)\nreturn params, state"


@pytest.mark.parametrize("last", [RETURNED, ASSIGNED])
def test_updates_of_an_unpacked_optimiser_are_not_lost(last: str, tmp_path: Path) -> None:
    lines = ["@jax.jit", "def step(params, state):", "    grads = jax.grad(loss)(params)"]
    lines += ["    updates, state = apply_gradients(grads, state)"]
    lines += [f"    {line}" for line in last.split("\n")]
    done = rewritten(PROGRAM.replace("STEP", "\n    ".join(lines)))
    assert done.statuses == {"Net": "rewritten"}
    losses = [float(line.split()[1]) for line in check(done, tmp_path)]
    assert losses[0] > losses[1] > losses[2]
