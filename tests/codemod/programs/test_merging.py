"""Programs that merge their models: trainers that hand `apply` on, models that run transforms."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

TRAINER = """
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax.training.train_state import TrainState


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        return nn.Dense(2)(nn.Dropout(0.0, deterministic=not train)(nn.Dense(3)(x)))


class Trainer:
    def __init__(self, x):
        self.net = Net()
        BEGIN
        params = self.net.init(jax.random.key(0), x, False)['params']
        self.state = TrainState.create(apply_fn=self.net.apply, params=params, tx=optax.sgd(0.1))

    def loss(self, state, x, key):
        def of(params):
            APPLY

        return jax.value_and_grad(of)(state.params)

    def fit(self, x):
        loss, grads = self.loss(self.state, x, jax.random.key(1))
        self.state = self.state.apply_gradients(grads=grads)
        return loss


def outside(state, x):
    OUTSIDE


x = jnp.ones((2, 4))
trainer = Trainer(x)
print('RESULT', float(trainer.fit(x)), float(trainer.fit(x)), float(outside(trainer.state, x)))
"""

OWN = "return state.apply_fn({'params': params}, x, True, rngs={'dropout': key}).sum()"
STEP = "return state.step"


def program(begin: str = "", apply: str = OWN, outside: str = STEP) -> str:
    return TRAINER.replace("BEGIN", begin).replace("APPLY", apply).replace("OUTSIDE", outside)


def test_where_a_train_state_is_asked_to_apply_the_module_is_merged(tmp_path: Path) -> None:
    done = rewritten(program())
    after = done.after["program.py"]
    assert "apply_fn=None" in after
    assert "nnx.merge(self.graphdef, params, self.rng_state, copy=True)" in after
    check(done, tmp_path)


def test_attributes_that_a_trainer_has_already_keep_their_names(tmp_path: Path) -> None:
    done = rewritten(program("self.rng_state = 1"))
    assert "self.rng_state2 = nnx.split(" in done.after["program.py"]
    check(done, tmp_path)


@pytest.mark.parametrize(
    ("apply", "outside"),
    [
        (OWN, "return state.apply_fn({'params': state.params}, x, False).sum()"),
        (OWN, "return 0 if callable(state.apply_fn) else 1"),
        (
            f"def inner(self):\n                {OWN}\n\n            return inner(state)",
            STEP,
        ),
    ],
    ids=["called outside", "asked for", "under another self"],
)
def test_what_is_asked_for_elsewhere_stays_a_function(
    apply: str, outside: str, tmp_path: Path
) -> None:
    done = rewritten(program(apply=apply, outside=outside))
    assert "apply_fn=self.net.apply" in done.after["program.py"]
    check(done, tmp_path)


CRITICS = """
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax


class Value(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(nn.tanh(x))


class Values(nn.Module):
    @nn.compact
    def __call__(self, x):
        values = nn.vmap(
            Value, variable_axes={'params': 0}, split_rngs={'params': True}, in_axes=None, axis_size=3
        )
        return values()(x).mean()


class Actor(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(4)(x)


x = jax.random.normal(jax.random.key(0), (2, 4))
actor, values = Actor(), Values()
actor_params = actor.init(jax.random.key(1), x)
values_params = values.init(jax.random.key(2), x)


tx = optax.sgd(0.1)
opt_state = tx.init(actor_params)


@jax.jit
def step(actor_params, opt_state):
    def loss(params):
        return values.apply(values_params, actor.apply(params, x))

    grads = jax.grad(loss)(actor_params)
    updates, opt_state = tx.update(grads, opt_state)
    return optax.apply_updates(actor_params, updates), opt_state


for _ in range(2):
    actor_params, opt_state = step(actor_params, opt_state)
slope = jax.grad(lambda params: values.apply(params, x))(values_params)
print('RESULT', float(values.apply(values_params, actor.apply(actor_params, x))))
print('RESULT', float(sum(jnp.abs(leaf).sum() for leaf in jax.tree.leaves(slope))))
"""


def test_a_model_that_runs_transforms_is_merged_anew_in_every_trace(tmp_path: Path) -> None:
    done = rewritten(CRITICS)
    assert set(done.statuses.values()) == {"rewritten"}
    assert "nnx.merge(values_graphdef, values_params, copy=True)(" in done.after["program.py"]
    assert "nnx.merge(actor_graphdef, actor_params)(" in done.after["program.py"]
    check(done, tmp_path)


STATE = """
from typing import Any, Callable

import flax


class State(flax.struct.PyTreeNode):
    apply_fn: Callable = flax.struct.field(pytree_node=False)
    params: Any = None

    @classmethod
    def create(cls, model, params):
        return cls(apply_fn=model.apply, params=params)

    def __call__(self, x):
        return self.apply_fn({'params': self.params}, x)
"""
NET = """
import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import jax_utils


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(x)


x = jax.random.normal(jax.random.key(1), (2, 3))
model = Net()
params = model.init(jax.random.key(0), x)['params']
state = State.create(model, params)
state = jax_utils.unreplicate(jax_utils.replicate(state))
print('RESULT', float(jnp.abs(state(x)).sum()))
"""


@pytest.mark.parametrize(
    "files",
    [
        {"program.py": STATE + NET},
        {"program.py": f"from states import State\n{NET}", "states.py": STATE},
    ],
)
def test_apply_that_is_kept_for_calls_out_of_sight_keeps_the_program(
    files: dict[str, str], tmp_path: Path
) -> None:
    done = rewritten(files)
    assert done.statuses["Net"] == "rewritten"
    (told, *_) = done.outcomes["program.py"].report.diagnostics
    assert "model.apply" in told.message
    assert "model.init(" in done.after["program.py"]
    check(done, tmp_path)


RECORD = """
from typing import Any, NamedTuple


class Networks(NamedTuple):
    init: Any
    apply: Any


def make_networks():
    net = Net()
    return Networks(init=lambda key: net.init(key, jnp.ones((1, 3))), apply=net.apply)


networks = make_networks()
variables = networks.init(jax.random.key(0))
loss = jax.jit(lambda variables: jnp.abs(networks.apply(variables, x)).sum())
print('RESULT', float(loss(variables)))
"""


def test_apply_of_a_record_is_a_function_of_the_trees(tmp_path: Path) -> None:
    done = rewritten(NET[: NET.index("model =")] + RECORD)
    assert done.statuses["Net"] == "rewritten"
    assert not done.outcomes["program.py"].report.diagnostics
    check(done, tmp_path)
