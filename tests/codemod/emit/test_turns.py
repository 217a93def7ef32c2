"""Layers of one loop whose size another loop decides."""

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
    sizes: Sequence[int]

    def setup(self):
        self.blocks = [nn.Dense(size) for size in self.sizes]
        self.norms = [nn.LayerNorm() for NORMS]

    def __call__(self, x):
        for block, norm in zip(self.blocks, self.norms):
            x = norm(block(x))
        return x


x = jax.random.normal(jax.random.key(1), (4, 3))
model = Net(sizes=(4, 6))
params = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


@pytest.mark.parametrize(
    "norms",
    ["_ in self.sizes", "size in self.sizes", "i, _ in enumerate(self.sizes)"],
)
def test_loops_over_the_same_sequence_share_its_items(norms: str, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("NORMS", norms))
    assert done.statuses == {"Net": "rewritten"}
    assert "nnx.LayerNorm(size, rngs=rngs) for size in sizes]" in done.after["program.py"]
    check(done, tmp_path)


@pytest.mark.parametrize("norms", ["_ in range(len(self.sizes))", "_ in range(2)"])
def test_the_item_of_another_loop_is_not_read_after_it(norms: str, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("NORMS", norms))
    assert done.statuses == {"Net": "kept"}
    assert "`size` of another loop" in done.outcomes["program.py"].report.diagnostics[0].message
    check(done, tmp_path)
