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
