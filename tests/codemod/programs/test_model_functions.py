"""Functions that programs have Linen run on a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax.training.train_state import TrainState


class Net(nn.Module):
    width: int = 4

    def setup(self):
        self.body = nn.Dense(self.width)
        self.head = nn.Dense(2)

    def __call__(self, x):
        return self.head(self.features(x))

    def features(self, x):
        return nn.tanh(self.body(x))


def both(net, x):
    return BODY


model = Net()
x = jax.random.normal(jax.random.key(1), (4, 3))
state = TrainState.create(
    apply_fn=model.apply, params=model.init(jax.random.key(0), x)['params'], tx=optax.sgd(0.1)
)
grads = jax.grad(lambda params: model.apply({'params': params}, x).sum())(state.params)
state = state.apply_gradients(grads=grads)
out = CALL
print('RESULT', float(jnp.sum(out)))
"""
RUN = "net(x).sum() + net.features(x).sum()"
APPLY = "nn.apply(both, model)({'params': state.params}, x)"


@pytest.mark.parametrize(
    ("call", "body", "status"),
    [
        (APPLY, RUN, "rewritten"),
        ("model.apply({'params': state.params}, x, method=both)", RUN, "rewritten"),
        ("nn.apply(both, model)({'params': state.params}, x=x)", RUN, "rewritten"),
        (APPLY, "net.body(x).sum()", "kept"),
        (APPLY, "net.variables['params']['head']['bias'].sum()", "kept"),
        ("nn.apply(both, model, mutable=['cache'])({'params': state.params}, x)[0]", RUN, "kept"),
        ("model.apply({'params': state.params}, x, method=lambda net, x: net(x))", RUN, "bridged"),
    ],
)
def test_a_function_that_runs_methods_is_called(
    call: str, body: str, status: str, tmp_path: Path
) -> None:
    done = rewritten(PROGRAM.replace("CALL", call).replace("BODY", body))
    assert ("both(model, x" in done.after["program.py"]) is (status == "rewritten")
    check(done, tmp_path)


SPLIT = """
import haiku as hk
import jax
import jax.numpy as jnp
import optax


def main():
    @hk.transform
    def model(x):
        return hk.dropout(hk.next_rng_key(), 0.0, hk.Linear(2)(x))

    x = jnp.ones((4, 3))
    params = model.init(jax.random.key(0), x)

    def loss(params, key):
        return jnp.square(model.apply(params, key, x)).sum()

    print('RESULT', float(loss(params, jax.random.key(1))))


if __name__ == '__main__':
    main()
"""


def test_a_function_that_is_called_model(tmp_path: Path) -> None:
    check(rewritten(SPLIT), tmp_path)
