"""What keeps its width: arrays with other numbers in some places, and arrays joined with one of unknown shape."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


def strange(x):
    return jnp.stack(tuple(row for row in x))  # nobody knows how many


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        n = x.shape[0]
        y = LINE
        return nn.Dense(3)(y)


x = jnp.linspace(-1.0, 1.0, 2 * 5 * 4).reshape(2, 5, 4)
model = Net()
params = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


@pytest.mark.parametrize(
    ("line", "width"),
    [
        ("x.at[:, 0].set(0.5)", "in_features"),
        ("x.at[0].add(x[1]).at[1].multiply(2.0)", "in_features"),
        ("x.at[:, :, 1:].get()", "in_features - 1"),
        ("jnp.tile(x, (n, 1, 2))", "2 * in_features"),
        ("jnp.concatenate([x, strange(x)], axis=1)", "in_features"),
        ("jnp.reshape(strange(x), (n, 4, 5))", "5"),
        ("x @ jnp.swapaxes(x[:, :3], 1, 2)", "3"),
    ],
)
def test_widths(line: str, width: str, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("LINE", line))
    assert done.statuses == {"Net": "rewritten"}
    assert f"nnx.Linear({width}, 3, rngs=rngs)" in done.after["program.py"]
    check(done, tmp_path)


@pytest.mark.parametrize("line", ["x.at[0].strange(1.0)"])
def test_what_is_not_known_stays(line: str) -> None:
    assert rewritten(PROGRAM.replace("LINE", line)).statuses == {"Net": "kept"}
