"""Methods that make layers and that a local stands for are called as themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import haiku as hk
import jax
import jax.numpy as jnp


class Net(hk.Module):
    def __call__(self, x):
        BODY

    def part(self, x, width, name):
        return hk.Linear(width, name=name)(x)


model = hk.without_apply_rng(hk.transform(lambda x: Net()(x)))
x = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
params = model.init(jax.random.PRNGKey(0), x)
params = jax.tree.map(lambda p: jnp.linspace(-1.0, 1.0, p.size).reshape(p.shape), params)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


@pytest.mark.parametrize(
    ("body", "follows"),
    [
        ("part = self.part\nreturn part(part(x, 4, 'one'), 5, 'two')", True),
        ("part = self.part\nreturn sum([f(x, 4, 'one') for f in (part, part)])", False),
        ("part = self.part\npart = jax.jit(part)\nreturn part(part(x, 4, 'one'), 5, 'two')", False),
    ],
)
def test_methods_that_a_local_stands_for(body: str, follows: bool, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("BODY", body.replace("\n", "\n        ")))
    assert (done.statuses["Net"] == "rewritten") is follows
    if follows:
        assert "part =" not in done.after["program.py"]
        check(done, tmp_path)
