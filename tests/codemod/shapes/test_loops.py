"""Lists that grow in loops: what is read of them has no size that the first turn tells."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

PROGRAM = """
import jax.numpy as jnp
from flax import linen as nn


class Net(nn.Module):
    depth: int = 3

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(4)(x)
        kept = [x]
        for _ in range(self.depth):
            h = nn.relu(nn.Dense(4)(READ))
            kept.append(h)
        return AFTER
"""


@pytest.mark.parametrize(
    ("read", "after", "follows"),
    [
        ("kept[-1]", "kept", True),
        ("x", "sum(kept)", True),
        ("jnp.concatenate(kept, -1)", "x", False),
        ("x", "nn.Dense(2)(jnp.stack(kept, -1))", False),
        ("x", "nn.Dense(2)(jnp.concatenate(kept, -1))", False),
        ("x", "nn.Dense(2)(jnp.stack(kept, 1))", True),
        ("x", "nn.Dense(2)(jnp.concatenate(kept, 0))", True),
        ("x", "nn.Dense(2)(jnp.stack([x * i for i in range(self.depth)], -1))", False),
        ("x", "nn.Dense(2)(jnp.stack([x * i for i in range(self.depth)], 1))", True),
    ],
)
def test_a_list_that_grows_has_no_known_length(read: str, after: str, follows: bool) -> None:
    done = rewritten(PROGRAM.replace("READ", read).replace("AFTER", after))
    assert (done.statuses["Net"] == "rewritten") is follows


TURNS = """
import haiku as hk


class Net(hk.Module):
  def __init__(self, features, depth=3, name=None):
    super().__init__(name=name)
    width = int(features * 2)
    self.layers = []
    for index in range(depth):
      self.layers.append(hk.Linear(width))
      CHANGE

  def __call__(self, x):
    for layer in self.layers:
      x = layer(x)
    return x
"""


@pytest.mark.parametrize(
    ("change", "follows"),
    [
        ("width = int(features * 2)", True),
        ("print(width)", True),
        ("width = features", False),
        ("width = features if index > 1 else width", False),
        ("width = width + features", False),
    ],
)
def test_a_number_that_a_turn_changes_is_not_what_it_was(change: str, follows: bool) -> None:
    done = rewritten(TURNS.replace("CHANGE", change))
    assert (done.statuses["Net"] == "rewritten") is follows
