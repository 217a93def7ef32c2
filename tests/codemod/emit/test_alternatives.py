"""One place that makes modules of several classes."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

TEXT = """
import flax.linen as nn
import jax.numpy as jnp


class Plain(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.features)(x)


class Other(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x):
        return OTHER


class Net(nn.Module):
    kind: str

    @nn.compact
    def __call__(self, x):
        block = FIRST if self.kind == 'a' else SECOND
        x = block(5)(x)
        return nn.Dense(2)(x)
"""


@pytest.mark.parametrize("order", [("Plain", "Other"), ("Other", "Plain")])
@pytest.mark.parametrize(
    ("other", "follows"),
    [
        ("nn.Dense(self.features)(nn.relu(x))", True),
        # Nothing tells this one the size of its input, or it asks for no random numbers.
        ("nn.Embed(9, self.features)(jnp.zeros(x.shape[:1], int))", False),
        ("nn.relu(x)[:, : self.features]", False),
    ],
)
def test_constructors_have_to_be_alike(order: tuple[str, str], other: str, follows: bool) -> None:
    text = TEXT.replace("FIRST", order[0]).replace("SECOND", order[1]).replace("OTHER", other)
    done = rewritten(text)
    assert (done.statuses["Net"] == "rewritten") == follows
