"""Layers that a comprehension makes and calls, and lists of what layers return."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
from typing import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    sizes: Sequence[int] = (2, 3)

    @nn.compact
    def __call__(self, x):
        BODY


x = jax.random.normal(jax.random.key(0), (4, 5))
net = Net()
params = net.init(jax.random.key(1), x)
print('RESULT', [float(jnp.abs(y).sum()) for y in jax.tree.leaves(net.apply(params, x))])
"""


def program(*lines: str) -> str:
    return PROGRAM.replace("BODY", "\n        ".join(lines))


@pytest.mark.parametrize(
    "lines",
    [
        ("return [nn.Dense(n)(x) for n in self.sizes]",),
        ("return {f'out_{n}': nn.Dense(n)(x) for n in self.sizes if n > 2}",),
        ("x = [nn.relu(nn.Dense(n)(x)) for n in self.sizes]", "return x"),
        (
            "ys = [nn.Dense(n)(x) for i, n in enumerate(self.sizes)]",
            "zs = [nn.Dense(3)(x) * i for i in range(2)]",
            "return ys + zs + [nn.Dense(2)(x)]",
        ),
        ("outputs = nn.Dense(5)(x)", "return tuple([nn.Dense(n)(outputs) for n in self.sizes])"),
        ("ys = []", "for n in self.sizes:", "    ys.append(nn.Dense(n)(x))", "return ys"),
    ],
)
def test_what_is_called_in_turns_follows(lines: tuple[str, ...], tmp_path: Path) -> None:
    done = rewritten(program(*lines))
    assert done.statuses == {"Net": "rewritten"}
    check(done, tmp_path)


@pytest.mark.parametrize(
    "lines",
    [
        (
            "ys = [nn.Dense(n)(x) for n in self.sizes]",
            "return [nn.Dense(1)(y) for y in ys]",
        ),
        (
            "ys = []",
            "for n in self.sizes:",
            "    ys.append(nn.Dense(n)(x))",
            "for y in ys:",
            "    x = x + nn.Dense(5)(y)",
            "return x",
        ),
        (
            "ys = []",
            "for n in self.sizes:",
            "    ys.append(nn.Dense(n)(x))",
            "return nn.Dense(len(ys))(x)",
        ),
        ("n = 2", "ys = [nn.Dense(n)(x) for n in self.sizes]", "return ys, n"),
        ("return nn.Dense(2)(x).sum() + sum([nn.Dense(1)(x) for n in self.sizes])",),
    ],
)
def test_what_runs_over_what_layers_return_is_right_or_stays(
    lines: tuple[str, ...], tmp_path: Path
) -> None:
    check(rewritten(program(*lines)), tmp_path)


def test_a_class_that_stays_keeps_its_comprehensions() -> None:
    done = rewritten(
        program("ys = [nn.Dense(n)(x) for n in self.sizes]", "return self.scope and ys")
    )
    assert done.statuses == {"Net": "kept"}
    assert "ys = [nn.Dense(n)(x) for n in self.sizes]" in done.after["program.py"]
