"""Programs that keep their parameters as trees."""

from __future__ import annotations

from pathlib import Path

from nnx_codemod.tests.programs import check, rewritten

LONG = """
import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.training.train_state import TrainState
import optax


class Net(nn.Module):
    @nn.compact
    def __call__(self, first, both):
        x, scale = both
        return nn.Dense(3)(jnp.concatenate([first, x], axis=-1)) * scale


def make(learning_rate):
    def train(key):
        network = Net()
        first_of_all_inputs = jnp.ones((2, 1))
        params = network.init(key, first_of_all_inputs, (jnp.ones((2, 4)), 1.0))
        state = TrainState.create(
            apply_fn=network.apply, params=params, tx=optax.sgd(learning_rate)
        )

        def update(state, scale):
            def loss(params, every_other_input):
                out = network.apply(params, first_of_all_inputs, (every_other_input + 1.0, scale))
                return jnp.square(out).mean()

            value, grads = jax.value_and_grad(loss)(state.params, jnp.ones((2, 4)))
            return state.apply_gradients(grads=grads), value

        return jax.lax.scan(update, state, jnp.arange(3.0))[1]

    return train


print('RESULT', float(make(0.1)(jax.random.key(0)).sum()))
"""


def test_a_call_that_loses_its_parameters_is_broken_without_them(tmp_path: Path) -> None:
    done = rewritten(LONG)
    assert done.statuses == {"Net": "rewritten"}
    new = """\
                out = nnx.merge(graphdef, params)(
                    first_of_all_inputs, (every_other_input + 1.0, scale)
                )
"""
    assert new in done.after["program.py"]
    check(done, tmp_path)
