"""Lists that a loop fills with one array a turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    width: int
    depth: int

    @nn.compact
    def __call__(self, x):
        BODY
        return nn.Dense(2)(x)


x = jax.random.normal(jax.random.key(0), (4, 3))
model = Net(5, 3)
params = model.init(jax.random.key(1), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""

LAYER = "x = nn.tanh(nn.Dense(self.width)(x))"


def program(*lines: str) -> str:
    return PROGRAM.replace("BODY", "\n        ".join(lines))


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        (
            [
                "outs = []",
                "for _ in range(self.depth):",
                f"    {LAYER}",
                "    outs.append(x)",
                "x = jnp.concatenate(outs, axis=-1)",
            ],
            "width * depth",
        ),
        (
            [
                "outs = []",
                "for i in range(self.depth):",
                f"    {LAYER}",
                "    outs.append(x + i)",
                "x = jnp.stack(outs, axis=1).sum(1) + outs[-1]",
            ],
            "width",
        ),
        (
            [
                "x = nn.Dense(self.width)(x)",
                "for _ in range(2):",
                "    outs = []",
                "    for _ in range(self.depth):",
                "        x = jnp.tanh(x)",
                "        outs.append(x[:, :2])",
                "    y = jnp.concatenate(outs, axis=-1)",
                "x = y",
            ],
            "2 * depth",
        ),
    ],
)
def test_the_length_is_a_size(lines: list[str], size: str, tmp_path: Path) -> None:
    done = rewritten(program(*lines))
    assert done.statuses == {"Net": "rewritten"}
    assert f"nnx.Linear({size}, 2, rngs=rngs)" in done.after["program.py"]
    check(done, tmp_path)


@pytest.mark.parametrize(
    "lines",
    [
        ["outs = [x]", "for _ in range(self.depth):", f"    {LAYER}", "    outs.append(x)"],
        [
            "outs = []",
            "for _ in range(self.depth):",
            f"    {LAYER}",
            "    outs.append(x)",
            "outs.append(x)",
        ],
        [
            "outs = []",
            "for i in range(self.depth):",
            f"    {LAYER}",
            "    if i % 2:",
            "        outs.append(x)",
        ],
        [
            "outs = []",
            "for i in range(self.depth):",
            f"    {LAYER}",
            "    outs.append(x)",
            "    if i > 0:",
            "        break",
        ],
        [
            "outs = []",
            "for _ in range(2):",
            "    for _ in range(self.depth):",
            f"        {LAYER}",
            "        outs.append(x)",
        ],
        [
            "outs = []",
            "for i in range(self.depth):",
            "    x = nn.Dense(self.width + i)(x)",
            "    outs.append(x)",
        ],
    ],
)
def test_other_lists_have_no_such_length(lines: list[str], tmp_path: Path) -> None:
    done = rewritten(program(*lines, "x = jnp.concatenate(outs, axis=-1)"))
    check(done, tmp_path)
    assert "width * depth" not in done.after["program.py"]
