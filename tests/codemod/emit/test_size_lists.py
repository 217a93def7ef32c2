"""Lists of sizes beside lists of arrays: what they follow, and what they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

TOWER = """
import jax
import jax.numpy as jnp
from flax import linen as nn


class Tower(nn.Module):
    widths: tuple = (4, 6)

    @nn.compact
    def __call__(self, x):
        skips = []
        for width in self.widths:
            x = nn.Dense(width)(x)
            skips.append(x)
        for width in reversed(self.widths):
            TAKE
            x = nn.Dense(width)(x)
        return x


model = Tower()
x = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
params = model.init(jax.random.PRNGKey(0), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


@pytest.mark.parametrize(
    "take",
    [
        "x = jnp.concatenate([x, skips.pop()], axis=-1)",
        "x = jnp.concatenate([x, skips[-1]], axis=-1)",
        "x = jnp.concatenate([x, skips[0]], axis=-1)",
        "skip = skips.pop(); x = jnp.concatenate([x, skip, skip], axis=-1)",
    ],
)
def test_what_is_taken_has_the_width_that_was_put_there(take: str, tmp_path: Path) -> None:
    done = rewritten(TOWER.replace("TAKE", take))
    assert "class Tower(nnx.Module)" in done.after["program.py"]
    check(done, tmp_path)


@pytest.mark.parametrize(
    "take",
    [
        "x = jnp.concatenate([x, skips.pop()], axis=-1) if width > 5 else x",
        "x = jnp.concatenate([x, skips.pop(0)], axis=-1)",
        "x = jnp.concatenate([x, take(skips)], axis=-1)",
        "skips.reverse(); x = jnp.concatenate([x, skips.pop()], axis=-1)",
    ],
)
def test_what_a_list_of_sizes_cannot_follow_stays(take: str) -> None:
    helper = "def take(items):\n    return items.pop()\n\n\nclass Tower"
    source = TOWER.replace("TAKE", take).replace("class Tower", helper, 1)
    done = rewritten(source)
    assert "class Tower(nn.Module)" in done.after["program.py"]
