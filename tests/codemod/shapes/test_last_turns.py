"""Loops whose last turn leaves something that no other turn gets."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from nnx_codemod.codemod.shapes import last_turns
from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    sizes: tuple = (5, 4, 3)
    pooled: bool = True

    @nn.compact
    def __call__(self, x):
        LOOP
            x = nn.Dense(size)(x)
BODY
        return x


x = jax.random.normal(jax.random.key(1), (6, 3))
model = Net()
variables = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.square(model.apply(variables, x)).sum()))
"""
OVER = "for i, size in enumerate(self.sizes):"


@pytest.mark.parametrize(
    ("loop", "test", "side"),
    [
        ("for i, x in enumerate(xs)", "i < len(xs) - 1", True),
        ("for i, x in enumerate(xs)", "i + 1 < len(xs)", True),
        ("for i, x in enumerate(xs)", "len(xs) - 1 > i", True),
        ("for i, x in enumerate(xs)", "i + 1 != len(xs)", True),
        ("for i, x in enumerate(xs)", "i + 1 != len(xs) or final", True),
        ("for i, x in enumerate(xs)", "i == len(xs) - 1", False),
        ("for i, x in enumerate(xs)", "i == len(xs) - 1 and final", False),
        ("for i, x in enumerate(xs)", "not i == len(xs) - 1", True),
        ("for i in range(n)", "i != n - 1", True),
        ("for i in range(len(xs))", "i >= len(xs) - 1", False),
        ("for i, x in enumerate(xs)", "i == len(xs) - 1 or final", None),
        ("for i, x in enumerate(xs)", "i < len(xs) - 1 and final", None),
        ("for i, x in enumerate(xs)", "i <= len(xs) - 1", None),
        ("for i, x in enumerate(xs)", "i < len(xs) - 2", None),
        ("for i, x in enumerate(xs)", "i == len(ys) - 1", None),
        ("for i, x in enumerate(xs, 1)", "i < len(xs) - 1", None),
        ("for i in range(1, n)", "i != n - 1", None),
    ],
)
def test_sides_of_the_last_turn(loop: str, test: str, side: bool | None) -> None:
    """A side that other turns may take, too, is none."""
    node = ast.parse(f"{loop}:\n    if {test}:\n        pass\n").body[0]
    assert isinstance(node, ast.For)
    found = last_turns.passed_by(node)
    assert list(found.values()) == ([] if side is None else [side])


@pytest.mark.parametrize(
    ("loop", "body", "follows"),
    [
        (OVER, ["x = nn.relu(x) if i < len(self.sizes) - 1 else x.sum(-1)"], True),
        (OVER, ["if i + 1 == len(self.sizes) and self.pooled:", "    x = x.mean(0)"], True),
        (OVER, ["if i + 1 == len(self.sizes):", "    return x.sum(axis=-1)"], False),
        (OVER, ["if i + 1 < len(self.sizes):", "    x = jnp.repeat(x, 2, axis=-1)"], True),
        (OVER, ["if i == 0:", "    x = x[None]"], False),
    ],
)
def test_what_the_last_turn_leaves_no_other_gets(
    loop: str, body: list[str], follows: bool, tmp_path: Path
) -> None:
    lines = "\n".join(f"            {line}" for line in body)
    done = rewritten(PROGRAM.replace("LOOP", loop).replace("BODY", lines))
    assert done.statuses["Net"] == ("rewritten" if follows else "kept")
    check(done, tmp_path)
