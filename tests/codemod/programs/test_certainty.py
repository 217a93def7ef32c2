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


RETURNED_UPDATES = """
import haiku as hk
import jax
import jax.numpy as jnp


class Net(hk.Module):
    def __call__(self, x):
        return hk.Linear(4)(x)


x = jnp.ones((2, 3))
net = hk.without_apply_rng(hk.transform(lambda x: Net()(x)))
params = net.init(jax.random.PRNGKey(0), x)


@jax.jit
def step(params, x):
    def loss_fn(params):
        return (net.apply(params, x) ** 2).mean()

    grads = jax.grad(loss_fn)(params)
    return UPDATED


for _ in range(2):
    CALL
print("RESULT", float(net.apply(params, x).sum()))
"""


@pytest.mark.parametrize(
    ("updated", "call"),
    [
        ("jax.tree.map(lambda p, g: p - 0.1 * g, params, grads)", "params = step(params, x)"),
        (
            "jax.tree.map(lambda p, g: p - 0.1 * g, params, grads), x.sum()",
            "params, total = step(params, x)",
        ),
    ],
)
def test_parameters_that_are_updated_on_the_way_out(
    updated: str, call: str, tmp_path: Path
) -> None:
    done = rewritten(RETURNED_UPDATES.replace("UPDATED", updated).replace("CALL", call))
    assert done.statuses == {"Net": "rewritten"}
    check(done, tmp_path)


def test_an_update_and_its_state_alone_are_returned(tmp_path: Path) -> None:
    source = RETURNED_UPDATES.replace("import jax\n", "import jax\nimport optax\n", 1)
    source = source.replace("(params, x):\n    def", "(params, state, x):\n    def")
    source = source.replace(
        "    return UPDATED",
        "    updates, state = tx.update(grads, state)\n"
        "    return optax.apply_updates(params, updates), state",
    )
    source = source.replace("CALL", "params, state = step(params, state, x)")
    source = source.replace(
        "\n\n\n@jax", "\ntx = optax.adam(0.1)\nstate = tx.init(params)\n\n\n@jax"
    )
    done = rewritten(source)
    assert done.statuses == {"Net": "rewritten"}
    check(done, tmp_path)


FIRST_AND_LAST = """
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax.training.train_state import TrainState


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(nn.relu(nn.Dense(3)(x)))


net = Net()
x = jax.random.normal(jax.random.key(1), (4, 3))
params = net.init(jax.random.key(0), x)['params']
state = TrainState.create(apply_fn=net.apply, params=params, tx=optax.sgd(0.1))


@jax.jit
def step(state, x):
    loss = lambda params: (state.apply_fn({'params': params}, x) ** 2).mean()
    return state.apply_gradients(grads=jax.grad(loss)(state.params))


for _ in range(3):
    state = step(state, x)
moved = state.params['Dense_0']['kernel'] - params['Dense_0']['kernel']
print('RESULT', float(jnp.abs(moved).max()))
"""


def test_parameters_that_are_read_after_they_moved_on_are_the_old_ones(tmp_path: Path) -> None:
    done = rewritten(FIRST_AND_LAST)
    assert done.statuses == {"Net": "rewritten"}
    (line,) = check(done, tmp_path)
    assert float(line.split()[1]) > 0
