"""What a class compares a field with shows which module classes the field may hold."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

TEXT = """
import flax.linen as nn


class Block(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x):
        return nn.relu(nn.Dense(self.features)(x))


class Early(Block):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.features)(nn.relu(x))


class Net(nn.Module):
    block: nn.Module
    widths: tuple = (4, 6)

    @nn.compact
    def __call__(self, x):
        TEST
        for width in self.widths:
            x = self.block(features=width)(x)
        return nn.Dense(2)(x)
"""


@pytest.mark.parametrize(
    "test",
    [
        "x = x if self.block == Early else nn.relu(x)",
        "x = x if self.block in (Block, Early) else nn.relu(x)",
        "x = x if issubclass(self.block, Early) else nn.relu(x)",
    ],
)
def test_a_field_is_compared(test: str) -> None:
    done = rewritten(TEXT.replace("TEST", test))
    assert done.statuses["Net"] == "rewritten"
    assert "block(in_features, features=width, rngs=rngs)" in done.after["program.py"]


@pytest.mark.parametrize(
    "test", ["x = nn.relu(x)", "x = x if self.block == unknown else nn.relu(x)"]
)
def test_nothing_shows_the_class(test: str) -> None:
    assert rewritten(TEXT.replace("TEST", test)).statuses["Net"] != "rewritten"
