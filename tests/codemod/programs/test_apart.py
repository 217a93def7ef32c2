"""Programs of one file, some of which can follow."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

HEAD = """
import pickle

import flax.linen as nn
import jax
import jax.numpy as jnp

x = jnp.linspace(-1.0, 1.0, 12).reshape(4, 3)


class Scorer(nn.Module):
    width: int = 2

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.width)(x)


class Other(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(nn.tanh(x))


def shown(y):
    print('RESULT', float(jnp.abs(y).sum()))


def stays():
    model = Other()
    params = model.init(jax.random.key(0), x)
    shown(model.apply(pickle.loads(pickle.dumps(params)), x))

"""

FOLLOWS = """
def follows():
    model = Scorer()
    params = model.init(jax.random.key(0), x)
    shown(model.apply(params, x))


follows()
stays()
"""

WITH_THE_SAME_CLASS = """
def follows():
    model = Other()
    params = model.init(jax.random.key(0), x)
    shown(model.apply(params, x))


follows()
stays()
"""

THROUGH_A_FUNCTION = """
def applied(model, params):
    shown(model.apply(params, x))


def follows():
    model, other = Scorer(), Other()
    applied(model, model.init(jax.random.key(0), x))
    params = other.init(jax.random.key(0), x)
    applied(other, pickle.loads(pickle.dumps(params)))


follows()
stays()
"""


def test_a_program_follows_where_another_stays(tmp_path: Path) -> None:
    done = rewritten(HEAD + FOLLOWS)
    assert done.statuses["Scorer"] == "rewritten"
    text = done.after["program.py"]
    assert "shown(model(x))" in text
    assert "shown(model.apply(pickle.loads(pickle.dumps(params)), x))" in text
    check(done, tmp_path)


@pytest.mark.parametrize("rest", [WITH_THE_SAME_CLASS, THROUGH_A_FUNCTION])
def test_programs_that_share_models_stay_together(rest: str, tmp_path: Path) -> None:
    done = rewritten(HEAD + rest)
    assert "shown(model(x))" not in done.after["program.py"]
    check(done, tmp_path)
