"""Layers that have a local name before they are attributes."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    width: int = 4

    def setup(self):
BODY

    def __call__(self, x):
        return self.second(self.first(x))


x = jax.random.normal(jax.random.key(1), (6, 3))
model = Net()
variables = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.square(model.apply(variables, x)).sum()))
"""


@pytest.mark.parametrize(
    "body",
    [
        [
            "one = nn.Dense(5)",
            "two = nn.Dense(self.width)",
            "self.first = one",
            "self.second = two",
        ],
        [
            "one = nn.Dense(5)",
            "two = nn.Dense(self.width)",
            "self.second = two",
            "self.first = one",
        ],
        [
            "one = nn.Dense(5)",
            "",
            "# the second one",
            "self.second = nn.Dense(2)",
            "self.first = one",
        ],
    ],
)
def test_an_attribute_is_set_where_its_layer_is_made(body: list[str], tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("BODY", "\n".join(f"        {line}" for line in body)))
    assert done.statuses["Net"] == "rewritten"
    assert "self.first = nnx.Linear(" in done.after["program.py"]
    check(done, tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        ["one = nn.Dense(3)", "self.first = one", "self.second = one"],
        [
            "one = nn.Dense(3)",
            "if True:",
            "    one = nn.Dense(3)",
            "self.first = self.second = one",
        ],
    ],
)
def test_what_has_other_uses_keeps_its_name(body: list[str], tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("BODY", "\n".join(f"        {line}" for line in body)))
    assert "one = " in done.after["program.py"]
    check(done, tmp_path)
