"""Sizes in terms of names that a turn of a loop has changed by then."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

LOOP = """
import jax
import jax.numpy as jnp
from flax import linen as nn


class Tower(nn.Module):
    depth: int = 2
    width: int = 8

    @nn.compact
    def __call__(self, x):
        width = self.width
        for i in range(self.depth):
            BODY
        return nn.Dense(3)(x)


model = Tower()
x = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
params = model.init(jax.random.PRNGKey(0), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


def _tower(*lines: str) -> str:
    return LOOP.replace("BODY", ("\n" + " " * 12).join(lines))


@pytest.mark.parametrize(
    "lines",
    [
        ("x = nn.Dense(width)(x)", "width = width // 2", "x = nn.LayerNorm()(x)"),
        ("x = nn.Dense(width)(x)", "width *= 2"),
        ("x = nn.Dense(width)(x)", "width = width + 1", "x = nn.Dense(width)(x)"),
        (
            "x = nn.Dense(width)(x)",
            "if i < 1:",
            "    x = nn.Dense(width // 2)(x)",
            "    width //= 2",
        ),
        ("x = nn.Dense(width)(x)", "width -= 1", "x = nn.Dense(5)(jnp.concatenate([x, x], -1))"),
    ],
)
def test_layers_have_the_width_of_what_they_are_given(
    lines: tuple[str, ...], tmp_path: Path
) -> None:
    done = rewritten(_tower(*lines))
    assert "class Tower(nnx.Module)" in done.after["program.py"]
    check(done, tmp_path)


def test_a_width_that_nothing_tells_any_more() -> None:
    source = _tower("x = jnp.ones((2, width))", "width //= 2", "x = nn.LayerNorm()(x)")
    done = rewritten(source)
    assert "class Tower(nn.Module)" in done.after["program.py"]
