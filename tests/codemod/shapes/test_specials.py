"""Functions of jax.numpy whose shapes are no plain broadcast."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

UNEVEN = """
import haiku as hk
import jax
import jax.numpy as jnp


class Net(hk.Module):
    def __call__(self, x):
        first, *_, last = parts = jnp.array_split(x, COUNT, axis=-1)
        last = hk.Linear(2)(last)
        whole = hk.Linear(3)(jnp.concatenate(parts, axis=-1))
        return hk.Linear(4)(first).sum() + last.sum() + whole.sum()


net = hk.without_apply_rng(hk.transform(lambda x: Net()(x)))
x = jax.random.normal(jax.random.PRNGKey(1), (2, 7))
params = net.init(jax.random.PRNGKey(0), x)
print('RESULT', float(jnp.abs(net.apply(params, x)).sum()))
"""


@pytest.mark.parametrize("count", [2, 3, 7])
def test_parts_of_unequal_size(count: int, tmp_path: Path) -> None:
    done = rewritten(UNEVEN.replace("COUNT", str(count)))
    assert done.statuses["Net"] == "rewritten"
    assert "nnx.Linear(in_features, 3," in done.after["program.py"]
    check(done, tmp_path)
