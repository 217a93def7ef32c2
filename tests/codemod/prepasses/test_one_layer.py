"""Layers that both sides of a branch make, alike but for one argument."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    sizes: tuple = (5, 4, 3)
    scale: float | None = 0.1

    @nn.compact
    def __call__(self, x, scaled=True):
        for i, size in enumerate(self.sizes):
            if TEST:
                FIRST
            else:
                SECOND
            x = nn.tanh(x)
        return x


x = jax.random.normal(jax.random.key(1), (6, 3))
for model in (Net(), Net(scale=None)):
    variables = model.init(jax.random.key(0), x)
    print('RESULT', float(jnp.square(model.apply(variables, x)).sum()))
"""
LAST = "i + 1 == len(self.sizes) and self.scale is not None"
PLAIN = "x = nn.Dense(size, kernel_init=nn.initializers.lecun_normal())(x)"
SCALED = "x = nn.Dense(size, kernel_init=nn.initializers.normal(self.scale))(x)"


@pytest.mark.parametrize(
    ("test", "first", "second", "once"),
    [
        (LAST, SCALED, PLAIN, True),
        (
            "i == 0",
            "x = nn.Dense(size, use_bias=False)(x)",
            "x = nn.Dense(size, use_bias=True)(x)",
            True,
        ),
        (
            "scaled",
            "x = nn.Dense(size, use_bias=False)(x)",
            "x = nn.Dense(size, use_bias=True)(x)",
            False,
        ),
        (LAST, "x = nn.Dense(size)(x)", "x = nn.Dense(size, use_bias=False)(x)", False),
        (LAST, "x = nn.Dense(size)(x)", "x = nn.Dense(size)(2 * x)", False),
        (
            LAST,
            "x = nn.Dense(size, use_bias=False)(x)",
            "x = nn.Dense(2 * size, use_bias=True)(x)",
            False,
        ),
        (LAST, "x = nn.Dense(size, name=f'a{i}')(x)", "x = nn.Dense(size, name=f'b{i}')(x)", False),
    ],
)
def test_one_layer_stands_for_both(
    test: str, first: str, second: str, once: bool, tmp_path: Path
) -> None:
    """Only where one argument differs, and fields and the loop decide."""
    text = PROGRAM.replace("TEST", test).replace("FIRST", first).replace("SECOND", second)
    done = rewritten(
        text.replace("for model in (Net(), Net(scale=None)):", "for model in (Net(),):")
    )
    after = done.after["program.py"]
    assert (after.count("nnx.Linear(") == 1 and "for linear in self.linears" in after) == once
    check(done, tmp_path)
