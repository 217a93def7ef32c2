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


CASES = """
import pickle
import unittest

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


class Cases(unittest.TestCase):
    def test_follows(self):
        model = Scorer()
        params = model.init(jax.random.key(0), x)
        self.assertEqual(model.apply(params, x).shape, (4, 2))

    def test_stays(self):
        model = Other()
        params = model.init(jax.random.key(0), x)
        y = model.apply(pickle.loads(pickle.dumps(params)), x)
        self.assertEqual(y.shape, (4, 2))
EXTRA

print('RESULT', len(unittest.main(argv=['cases'], exit=False).result.errors))
"""

FOLLOWED = "model = Scorer(in_features=x.shape[-1], rngs=nnx.Rngs(0))"


@pytest.mark.parametrize(
    "extra",
    [
        "",
        # what all of them read is no model
        """
    def setUp(self):
        self.shape = (4, 2)

    def test_shape(self):
        self.assertEqual(len(self.shape), 2)
""",
    ],
)
def test_the_methods_of_a_class_are_programs_of_their_own(extra: str, tmp_path: Path) -> None:
    program = CASES if not extra else CASES.replace("shape, (4, 2))", "shape, self.shape)")
    done = rewritten(program.replace("EXTRA", extra))
    text = done.after["program.py"]
    assert FOLLOWED in text and "Other().init" not in text
    assert "model.apply(pickle.loads" in text
    check(done, tmp_path)


@pytest.mark.parametrize(
    "extra",
    [
        # the methods share what models go through
        """
    def setUp(self):
        self.make = lambda: (Scorer(), Other())

    def test_both(self):
        one, two = self.make()
        params = one.init(jax.random.key(0), x), two.init(jax.random.key(0), x)
        self.other = one.apply(pickle.loads(pickle.dumps(params[0])), x)
""",
    ],
)
def test_methods_that_share_a_model_stay_together(extra: str, tmp_path: Path) -> None:
    done = rewritten(CASES.replace("EXTRA", extra))
    assert FOLLOWED not in done.after["program.py"]
    check(done, tmp_path)
