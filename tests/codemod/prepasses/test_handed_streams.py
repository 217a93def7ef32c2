"""`self.make_rng` that a module hands to a function, and keys that functions within its methods draw."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

NET = """
import flax.linen as nn
import jax
import jax.numpy as jnp


def noise(shape, make_rng, name='a'):
    BODY


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Dense(3)(x)
        return x + noise(x.shape, self.make_rng)
"""


@pytest.mark.parametrize(
    ("body", "follows"),
    [
        ("return jax.random.normal(make_rng('a'), shape)", True),
        ("return jax.random.normal(make_rng('a'), shape) + jax.random.normal(make_rng('a'))", True),
        (
            "return jax.random.normal(make_rng('a'), shape) + jax.random.normal(make_rng('b'))",
            False,
        ),
        ("return jax.random.normal(make_rng(name), shape)", False),
        ("return jax.random.normal(jax.jit(make_rng)('a'), shape)", False),
        ("return (lambda make_rng: make_rng)(jax.random.normal(make_rng('a'), shape))", False),
        (
            "make_rng = lambda name: jax.random.key(0); return jax.random.normal(make_rng('a'))",
            False,
        ),
    ],
)
def test_what_a_function_does_with_it(body: str, follows: bool) -> None:
    text = rewritten(NET.replace("BODY", body)).after["program.py"]
    assert ("noise(x.shape, lambda _: self.a_rng())" in text) is follows
    assert ("noise(x.shape, self.make_rng)" in text) is not follows


WITHIN = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, many=2):
        BODY
        return nn.Dense(3)(draw())
"""


@pytest.mark.parametrize(
    ("body", "follows"),
    [
        ("draw = lambda: x + jax.random.normal(self.make_rng('a'), x.shape)", True),
        ("draw = lambda: (lambda: x + jax.random.normal(self.make_rng('a'), x.shape))()", True),
        (
            "for _ in range(many):\n            draw = lambda: x * jax.random.normal(self.make_rng('a'), x.shape)",
            False,
        ),
        ("draw = lambda self=self: x * jax.random.normal(self.make_rng('a'), x.shape)", False),
        ("draw = lambda: x * self.param('a', nn.initializers.ones, (1,))", False),
    ],
)
def test_keys_drawn_within_a_method(body: str, follows: bool) -> None:
    text = rewritten(WITHIN.replace("BODY", body)).after["program.py"]
    assert ("self.a_rng = rngs.a.fork()" in text) is follows
    assert ("class Net(nnx.Module)" in text) is follows
