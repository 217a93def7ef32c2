"""Arguments that a local holds as a tuple are written into the calls that unpack it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import haiku as hk
import jax
import jax.numpy as jnp


class Net(hk.Module):
    def __init__(self, name=None):
        super().__init__(name=name)
        self.linear = hk.Linear(4)
        self.norm = hk.BatchNorm(True, True, 0.9)

    def __call__(self, x, is_training, test_local_stats=False):
        BODY
        return self.norm(self.linear(x), *args)


@hk.transform_with_state
def model(x, is_training):
    return Net()(x, is_training)


x = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
params, state = model.init(jax.random.PRNGKey(0), x, True)
params = jax.tree.map(lambda p: jnp.linspace(-1.0, 1.0, p.size).reshape(p.shape), params)
for is_training in (True, False):
    y, state = model.apply(params, state, None, x, is_training)
    print('RESULT', float(jnp.abs(y).sum()))
"""


@pytest.mark.parametrize(
    ("body", "follows"),
    [
        ("args = (is_training, test_local_stats)", True),
        ("args = (is_training, False)", True),
        ("args = (is_training, test_local_stats)\n        x = x * len(args)", False),
        ("args = (is_training, test_local_stats)\n        is_training = True", False),
        ("args = (is_training, test_local_stats)\n        args = args[:1]", False),
        ("args = (is_training, x.ndim > 5)", False),
    ],
)
def test_arguments_that_a_local_holds(body: str, follows: bool, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("BODY", body))
    assert (done.statuses["Net"] == "rewritten") is follows
    if follows:
        assert "args" not in done.after["program.py"]
        check(done, tmp_path)
