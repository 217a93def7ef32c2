"""Rates that are 0 in evaluation, handed to modules: the mode takes their place where they only drop."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

PROGRAM = """
import haiku as hk


class Inner(hk.Module):
    def __init__(self, rate, name=None):
        super().__init__(name=name)
        self.rate = rate

    def __call__(self, x):
        BODY


class Outer(hk.Module):
    def __init__(self, rate, name=None):
        super().__init__(name=name)
        self.rate = rate

    def __call__(self, x, is_training):
        rate = self.rate if is_training else 0.0
        return Inner(rate)(x)
"""


@pytest.mark.parametrize(
    ("body", "follows"),
    [
        ("return hk.dropout(hk.next_rng_key(), self.rate, x)", True),
        ("if self.rate > 0:\n            x = hk.dropout(hk.next_rng_key(), self.rate, x)\n        return x", True),
        ("if self.rate > 0:\n            x = hk.dropout(hk.next_rng_key(), self.rate, 2 * x)\n        return x", False),
        ("if self.rate > 0:\n            x = 2 * hk.dropout(hk.next_rng_key(), self.rate, x)\n        return x", False),
        ("return self.rate * hk.dropout(hk.next_rng_key(), self.rate, x)", False),
        ("return self.rate + x", False),
        ("return hk.dropout(hk.next_rng_key(), 0.1, x, self.rate)", False),
    ],
)  # fmt: skip
def test_a_rate_of_a_module_that_only_drops(body: str, follows: bool) -> None:
    text = rewritten(PROGRAM.replace("BODY", body)).after["program.py"]
    assert ("self.inner = Inner(rate, rngs=rngs)" in text) is follows, text


GUARDED = """
import haiku as hk


class Net(hk.Module):
    def __call__(self, x, is_training):
        x = hk.Linear(4)(x)
        y = 3 * x
        GUARDED
        return x
"""


@pytest.mark.parametrize(
    ("guarded", "goes"),
    [
        ("if is_training:\n            x = hk.dropout(hk.next_rng_key(), 0.5, x)", True),
        ("if is_training:\n            x = hk.dropout(hk.next_rng_key(), 0.5, 2 * x)", False),
        ("if is_training:\n            x = hk.dropout(hk.next_rng_key(), 0.5, y)", False),
        ("if is_training:\n            x = hk.dropout(hk.next_rng_key(), rate=0.5, x=x)", True),
    ],
)
def test_a_guarded_dropout_of_something_else_is_no_mode(guarded: str, goes: bool) -> None:
    text = rewritten(GUARDED.replace("GUARDED", guarded)).after["program.py"]
    assert ("def __call__(self, x):" in text) is goes, text


DETERMINISTIC = """
import flax.linen as nn


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.Dense(4)(x)
        rate = 0.5
        DROPPED
        return x
"""


@pytest.mark.parametrize(
    ("dropped", "goes"),
    [
        ("x = nn.Dropout(0.5 if train else 0.0, deterministic=False)(x)", True),
        ("x = nn.Dropout(0.5 if train else 0.0)(x, deterministic=False)", False),
        ("x = nn.Dropout(0.5)(x, False) if train else x", False),
        ("if train:\n            x = nn.Dropout(0.5)(x, deterministic=False)", False),
        ("if train:\n            x = nn.Dropout(0.5, deterministic=False)(x)", True),
    ],
)
def test_a_call_that_says_that_it_drops_keeps_the_flag(dropped: str, goes: bool) -> None:
    text = rewritten(DETERMINISTIC.replace("DROPPED", dropped)).after["program.py"]
    assert ("def __call__(self, x):" in text) is goes, text
