"""Tests of what an earlier branch gave or left out, asked in another function."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


def run(widen, x):
    y = x
    if TEST:
        y = widen(x)
    return y


class Net(nn.Module):
    width: int
    wide: bool = True

    @nn.compact
    def __call__(self, x):
        if self.wide:
            widen = WIDE
        else:
            widen = NARROW
        y = run(widen, x)
        return nn.Dense(2)(y)


x = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
for wide in (True, False):
    model = Net(7, wide)
    params = model.init(jax.random.key(0), x)
    print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


@pytest.mark.parametrize("test", ["widen is not None", "widen", "not (widen is None)"])
@pytest.mark.parametrize("layers", [("nn.Dense(self.width)", "None"), ("None", "nn.Dense(5)")])
def test_the_branch_that_gave_it_decides_the_size(
    test: str, layers: tuple[str, str], tmp_path: Path
) -> None:
    wide, narrow = layers
    done = rewritten(PROGRAM.replace("TEST", test).replace("WIDE", wide).replace("NARROW", narrow))
    assert done.statuses == {"Net": "rewritten"}
    size = (
        "(width if wide else in_features)" if narrow == "None" else "(in_features if wide else 5)"
    )
    assert f"nnx.Linear({size[1:-1]}, 2, rngs=rngs)" in done.after["program.py"]
    check(done, tmp_path)


def test_what_is_returned_early(tmp_path: Path) -> None:
    turned = PROGRAM.replace(
        "if TEST:\n        y = widen(x)", "if widen is None:\n        return y\n    y = widen(x)"
    )
    done = rewritten(turned.replace("WIDE", "nn.Dense(self.width)").replace("NARROW", "None"))
    assert done.statuses == {"Net": "rewritten"}
    check(done, tmp_path)
