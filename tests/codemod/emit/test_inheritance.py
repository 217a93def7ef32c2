"""The width that `super().__call__` returns, where only the layers of the base class know it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

TRUNK = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Trunk(nn.Module):
    sizes: tuple = (6, 4)

    def finish(self, x):
        return x

    @nn.compact
    def __call__(self, x):
        for size in self.sizes:
            x = nn.Dense(size)(x)
        return self.finish(x)

CLASSES

x = jax.random.normal(jax.random.key(0), (4, 3))
model = Head()
params = model.init(jax.random.key(1), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""

HEAD = """
class Head(BASE):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(super().__call__(x))
"""

DOUBLED = """
class Head(Trunk):
    def finish(self, x):
        return jnp.concatenate([x, x], axis=-1)

    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(super().__call__(x))
"""

BETWEEN = """
class Between(Trunk):
    pass

"""


def test_the_base_tells_what_it_returns(tmp_path: Path) -> None:
    done = rewritten(TRUNK.replace("CLASSES", HEAD.replace("BASE", "Trunk")))
    assert "self.linear = nnx.Linear(self.out_features, 1, rngs=rngs)" in done.after["program.py"]
    check(done, tmp_path)


@pytest.mark.parametrize("classes", [DOUBLED, BETWEEN + HEAD.replace("BASE", "Between")])
def test_a_base_that_may_return_another_width_is_declined(classes: str) -> None:
    done = rewritten(TRUNK.replace("CLASSES", classes))
    assert "self.out_features" not in done.after["program.py"]
    messages = [d.message for o in done.outcomes.values() for d in o.report.diagnostics]
    assert any("only layers of a base class know" in message for message in messages)
