"""Keys that modules keep: those that are split alone become draws."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

PROGRAM = """
import haiku as hk
import jax


class Noisy(hk.Module):
    def __init__(self, name=None):
        super().__init__(name=name)
        self.key = hk.next_rng_key()

    def __call__(self, x):
        BODY
        return x + jax.random.normal(key, x.shape)


class Net(hk.Module):
    def __call__(self, x):
        noisy = Noisy()
        return OUT
"""


@pytest.mark.parametrize(
    ("body", "out", "follows"),
    [
        ("self.key, key = jax.random.split(self.key)", "noisy(x)", True),
        ("self.key, key = jax.random.split(self.key, 2)", "noisy(noisy(x))", True),
        ("key = self.key", "noisy(x)", False),
        ("self.key, key = jax.random.split(key=self.key)", "noisy(x)", False),
        ("key, self.key = jax.random.split(self.key)", "noisy(x)", False),
        ("self.key, key = jax.random.split(self.key)", "noisy(x) + noisy.key.sum()", False),
    ],
)
def test_keys_that_are_split_become_draws(body: str, out: str, follows: bool) -> None:
    text = rewritten(PROGRAM.replace("BODY", body).replace("OUT", out)).after["program.py"]
    assert ("class Noisy(nnx.Module)" in text) is follows
    assert ("_, key = jax.random.split(self.rngs()" in text) is follows


HEIR = """
import haiku as hk
import jax


class Noisy(hk.Module):
    def __init__(self, name=None):
        super().__init__(name=name)
        self.key = hk.next_rng_key()

    def __call__(self, x):
        self.key, key = jax.random.split(self.key)
        return x + jax.random.normal(key, x.shape)


class Same(Noisy):
    def __call__(self, x):
        return x + jax.random.normal(self.key, x.shape)
"""


def test_a_key_that_an_heir_reads_stays() -> None:
    assert "class Noisy(hk.Module)" in rewritten(HEIR).after["program.py"]
