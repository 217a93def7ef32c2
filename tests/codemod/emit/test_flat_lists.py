"""Several loops, one inside the other, fill one list: the width that runs through it starts before all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

HAIKU = """
import haiku as hk
import jax
import jax.numpy as jnp


class Net(hk.Module):
    def __init__(self, widths=(8, 6), depths=(1, 2), name=None):
        super().__init__(name=name)
        self.stem = hk.Linear(5)
        self.blocks = []
        for width, depth in zip(widths, depths):
            FILLED
        self.head = hk.Linear(2)

    def __call__(self, x):
        x = self.stem(x)
        RUN
        return self.head(x)


model = hk.transform(lambda x: Net()(x))
x = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
params = model.init(jax.random.PRNGKey(0), x)
params = jax.tree.map(lambda p: jnp.linspace(-1.0, 1.0, p.size).reshape(p.shape), params)
print('RESULT', float(jnp.abs(model.apply(params, None, x)).sum()))
"""
LINEN = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    widths: tuple = (8, 6)
    depths: tuple = (1, 2)

    def setup(self):
        self.stem = nn.Dense(5)
        blocks = []
        for width, depth in zip(self.widths, self.depths):
            FILLED
        self.blocks = blocks
        self.head = nn.Dense(2)

    def __call__(self, x):
        x = self.stem(x)
        RUN
        return self.head(x)


model = Net()
x = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
params = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""
FLAT = "for block in self.blocks:\n            x = block(x)"
NESTED = (
    "for blocks in self.blocks:\n            for block in blocks:\n                x = block(x)"
)


@pytest.mark.parametrize(
    ("program", "filled", "run"),
    [
        (HAIKU, "for _ in range(depth):\n                self.blocks.append(hk.Linear(width))", FLAT),
        (HAIKU, "for _ in range(depth):\n                self.blocks += [hk.Linear(width)]", FLAT),
        (HAIKU, "for _ in range(depth):\n                self.blocks.append(hk.Linear(width))\n            self.blocks.append(hk.Linear(width // 2))", FLAT),
        (HAIKU, "self.blocks.append(hk.Linear(width))", FLAT),
        (HAIKU, "group = []\n            for _ in range(depth):\n                group.append(hk.Linear(width))\n            self.blocks.append(group)", NESTED),
        (LINEN, "for _ in range(depth):\n                blocks.append(nn.Dense(width))", FLAT),
        (LINEN, "for i in range(depth):\n                for j in range(2):\n                    blocks.append(nn.Dense(width + j))", FLAT),
    ],
)  # fmt: skip
def test_a_width_runs_through_a_list_that_several_loops_fill(
    program: str, filled: str, run: str, tmp_path: Path
) -> None:
    done = rewritten(program.replace("FILLED", filled).replace("RUN", run))
    assert done.statuses == {"Net": "rewritten"}
    check(done, tmp_path)
