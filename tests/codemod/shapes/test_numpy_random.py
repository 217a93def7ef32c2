"""Samples that NumPy's generators draw have known shapes."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(x.astype(jnp.float32))


SETUP
x = DRAW
model = Net()
params = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


@pytest.mark.parametrize(
    ("setup", "draw"),
    [
        ("rng = np.random.RandomState(0)", "rng.randn(4, 3)"),
        ("rng = np.random.RandomState(0)", "rng.rand(4, 3)"),
        ("rng = np.random.RandomState(0)", "rng.uniform(-1, 1, (4, 3))"),
        ("rng = np.random.RandomState(0)", "rng.randint(0, 5, size=(4, 3))"),
        ("rng = np.random.default_rng(0)", "rng.normal(size=(4, 3))"),
        ("rng = np.random.default_rng(0)", "rng.standard_normal((4, 3))"),
        ("rng = np.random.default_rng(0)", "rng.integers(0, 5, (4, 3))"),
        ("rng = np.random.default_rng(0)", "rng.permutation(np.ones((4, 3)))"),
        ("np.random.seed(0)", "np.random.normal(0.0, 1.0, (4, 3))"),
        ("np.random.seed(0)", "np.random.randn(4, 3)"),
    ],
)
def test_draws(setup: str, draw: str, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("SETUP", setup).replace("DRAW", draw))
    assert done.statuses == {"Net": "rewritten"}
    assert "x.shape[-1]" in done.after["program.py"] or "Net(3" in done.after["program.py"]
    check(done, tmp_path)


def test_a_shape_that_is_not_said_is_not_guessed() -> None:
    done = rewritten(
        PROGRAM.replace("SETUP", "rng = np.random.RandomState(0)").replace(
            "DRAW", "rng.choice(5, size=tuple([4, 3]))"
        )
    )
    assert "Net(in_features=4" not in done.after["program.py"]
