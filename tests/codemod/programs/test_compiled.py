"""Arguments of compiled functions that are static or donated."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax.training.train_state import TrainState


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.Dropout(0.1, deterministic=not train)(nn.Dense(4)(x))
        return nn.Dense(2)(x)


DECORATOR
def step(state, batch, rng, times, scale=1.0):
    def loss_fn(params):
        y = state.apply_fn({'params': params}, batch, True, rngs={'dropout': rng})
        return sum((scale * y ** 2).mean() for _ in range(times))

    loss, grads = jax.value_and_grad(loss_fn)(state.params)
    return state.apply_gradients(grads=grads), loss


x = jax.random.normal(jax.random.key(0), (4, 3))
model = Net()
params = model.init(jax.random.key(1), x, False)['params']
state = TrainState.create(apply_fn=model.apply, params=params, tx=optax.sgd(0.1))
CALL
for i in range(2):
    state, loss = step(state, x, jax.random.key(i), 2)
print('RESULT', float(jnp.abs(model.apply({'params': state.params}, x, False)).sum()) > 0)
"""


@pytest.mark.parametrize(
    ("arguments", "new"),
    [
        ("static_argnums=3", "static_argnums=3"),
        ("static_argnums=(3, 4)", "static_argnums=(3, 4)"),
        ("static_argnames='times'", "static_argnames='times'"),
        ("static_argnames=('times', 'scale')", "static_argnames=('times', 'scale')"),
        ("donate_argnums=0, static_argnums=[3]", "donate_argnums=(0, 1), static_argnums=(3,)"),
        ("static_argnums=3, donate_argnums=(2,)", "static_argnums=3"),
    ],
)
@pytest.mark.parametrize("called", [False, True])
def test_arguments_keep_what_they_are(
    arguments: str, new: str, called: bool, tmp_path: Path
) -> None:
    decorator = "" if called else f"@functools.partial(jax.jit, {arguments})"
    call = f"step = jax.jit(step, {arguments})" if called else ""
    done = rewritten(PROGRAM.replace("DECORATOR", decorator).replace("CALL", call))
    assert done.statuses == {"Net": "rewritten"}
    assert f"{'step' if called else 'nnx.jit'}, {new})" in done.after["program.py"]
    check(done, tmp_path)


def test_a_static_model_is_not_static_any_more(tmp_path: Path) -> None:
    program = PROGRAM.replace("DECORATOR", "@functools.partial(jax.jit, static_argnums=(0, 4))")
    program = program.replace("def step(state", "def step(model, state").replace("CALL", "")
    program = program.replace("state.apply_fn(", "model.apply(").replace(
        "step(state", "step(model, state"
    )
    done = rewritten(program)
    assert "static_argnums=(3,)" in done.after["program.py"]
    check(done, tmp_path)


@pytest.mark.parametrize("numbers", ["PLACES", "-1"])
def test_numbers_that_are_not_written_out_keep_the_program(numbers: str) -> None:
    program = PROGRAM.replace("DECORATOR", f"@functools.partial(jax.jit, static_argnums={numbers})")
    program = program.replace("CALL", "").replace(
        "class Net", "PLACES = tuple([3])\n\n\nclass Net", 1
    )
    done = rewritten(program)
    assert f"static_argnums={numbers}" in done.after["program.py"]
    assert "PR101" in done.codes or "PR103" in done.codes


@pytest.mark.parametrize(
    ("numbers", "decorator"),
    [("2", "@nnx.jit"), ("(2, 3)", "@functools.partial(nnx.jit, static_argnums=(2,))")],
)
def test_a_static_flag_goes_with_its_parameter(
    numbers: str, decorator: str, tmp_path: Path
) -> None:
    program = PROGRAM[: PROGRAM.index("DECORATOR")] + PREDICT.replace("NUMBERS", numbers)
    done = rewritten(program)
    assert decorator in done.after["program.py"]
    check(done, tmp_path)


PREDICT = """@functools.partial(jax.jit, static_argnums=NUMBERS)
def predict(params, batch, train, times=2):
    return times * model.apply(params, batch, train)


x = jax.random.normal(jax.random.key(0), (4, 3))
model = Net()
params = model.init(jax.random.key(1), x, False)
print('RESULT', float(jnp.abs(predict(params, x, False)).sum()))
print('RESULT', float(jnp.abs(predict(params, x, False, 3)).sum()))
"""
