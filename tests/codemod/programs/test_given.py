"""Functions that initialise a model that they are given: where their callers make it, and where they cannot."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

PROGRAM = """
import jax
import jax.numpy as jnp
from flax import linen as nn


def initial(model, key, x):
    return model.init(key, x)


MAKE
x = jnp.ones((2, 3))
INIT
print(model.apply(params, x))
"""
MAKE = "model = nn.Dense(4)"
INIT = "params = initial(model, jax.random.key(0), x)"


@pytest.mark.parametrize(
    ("make", "init", "follows"),
    [
        (MAKE, INIT, True),
        (MAKE, "params = initial(x=x, key=jax.random.key(0), model=model)", True),
        (MAKE, "params = dict(initial(model, jax.random.key(0), x))", False),
        (MAKE, f"if x.size:\n    {INIT}", False),  # made on one way only
        (f"{MAKE}\nprint(model)\nx = 0", INIT, False),  # it is spoken of before
        ("model = net = nn.Dense(4)", INIT, False),  # two names
    ],
)
def test_the_model_is_made_where_it_was_initialised(make: str, init: str, follows: bool) -> None:
    text = rewritten(PROGRAM.replace("MAKE", make).replace("INIT", init)).after["program.py"]
    made = "x = jnp.ones((2, 3))\nmodel = nnx.Linear(3, 4, rngs=nnx.Rngs("
    assert (made in text) is follows
    assert ("def initial" in text) is not follows


KEYS = """
import haiku as hk
import jax
import jax.numpy as jnp
from flax import linen as nn

keys = hk.PRNGSequence(0)


def initial(model, key, x):
    params = model.init(key, x)
    return params, EXTRA


x = jnp.ones((2, 3))
model = nn.Dense(4)
params, extra = initial(model, next(keys), x)
print(model.apply(params, x), extra)
"""


def test_a_key_that_only_initialised_is_drawn_once() -> None:
    text = rewritten(KEYS.replace("EXTRA", "x.sum()")).after["program.py"]
    assert text.count("next(keys)") == 1 and "nnx.Rngs(next(keys))" in text


def test_a_key_with_another_use_is_not_drawn_twice() -> None:
    text = rewritten(KEYS.replace("EXTRA", "jax.random.normal(key, x.shape)")).after["program.py"]
    assert text.count("next(keys)") == 1
