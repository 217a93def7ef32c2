"""Calls of what reading cannot tell."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

MODULE = """
import flax.linen as nn
from collections.abc import Callable
from elsewhere import strange


class Net(nn.Module):
    heads: int
    act: Callable

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(CALL)
"""


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("self.act(x)", "rewritten"),  # an activation
        ("self.act(x, self.heads)", "kept"),
        ("self.act(x, x)", "kept"),
        ("strange(x)", "kept"),
        ("strange(x, self.heads)", "kept"),
    ],
)
def test_unknown_functions(call: str, status: str) -> None:
    assert rewritten(MODULE.replace("CALL", call)).statuses == {"Net": status}


RECORD = """
from typing import NamedTuple

import haiku as hk
import jax


class Pair(NamedTuple):
  left: jax.Array
  right: jax.Array


class Net(hk.Module):
  def __call__(self, x: jax.Array):
    pair = Pair(x, x)
    pair = pair._replace(left=hk.Linear(5)(pair.left))
    return hk.Linear(2)(pair.left)
"""


def test_a_record_with_a_new_field_has_it() -> None:
    text = rewritten(RECORD).after["program.py"]
    assert "self.linear2 = nnx.Linear(5, 2" in text
