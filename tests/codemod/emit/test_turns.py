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


APART = """
import haiku as hk
import jax
import jax.numpy as jnp


class Net(hk.Module):
    def __init__(self, channels=(4, 6)):
        super().__init__()
        self.layers = [hk.Linear(c) for c in channels]

    def METHOD(self, x):
        for layer in self.layers:
            x = hk.BatchNorm(True, True, 0.9)(layer(x), True)
        return x
    OTHER


net = hk.without_apply_rng(hk.transform_with_state(lambda x: Net()(x)))
x = jax.random.uniform(jax.random.PRNGKey(0), (4, 3))
params, state = net.init(jax.random.PRNGKey(1), x)
print('RESULT', float(jnp.abs(net.apply(params, state, x)[0]).sum()))
"""


@pytest.mark.parametrize(
    ("method", "other"),
    [("__call__", ""), ("run", "def __call__(self, x):\n        return self.run(x)")],
)
def test_the_item_of_a_loop_of_the_constructor_is_not_read_in_calls(
    method: str, other: str, tmp_path: Path
) -> None:
    program = APART.replace("METHOD", method).replace("OTHER", other)
    done = rewritten(program)
    assert done.statuses == {"Net": "kept"}
    assert "`c` of another loop" in done.outcomes["program.py"].report.diagnostics[0].message
    check(done, tmp_path)


INDEXED = PROGRAM.replace(
    "[nn.Dense(size) for size in self.sizes]",
    "[nn.Dense(self.sizes[i]) for i in range(len(self.sizes))]",
)


def test_an_item_by_the_index_of_another_loop_is_not_read_after_it(tmp_path: Path) -> None:
    text = INDEXED.replace("NORMS", "_ in self.sizes")
    done = rewritten(text)
    assert done.statuses == {"Net": "kept"}
    assert "`sizes[i]` of another loop" in done.outcomes["program.py"].report.diagnostics[0].message
    check(done, tmp_path)


def test_an_item_by_the_index_of_loops_over_the_same_range_is(tmp_path: Path) -> None:
    done = rewritten(INDEXED.replace("NORMS", "i in range(len(self.sizes))"))
    assert done.statuses == {"Net": "rewritten"}
    check(done, tmp_path)
