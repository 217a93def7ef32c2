"""What two ways of getting there leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    gated: bool = True

    @nn.compact
    def __call__(self, x, y=None):
        parts = [x]
BODY
        return nn.Dense(2)(jnp.concatenate(parts, axis=-1))


x = jax.random.normal(jax.random.key(1), (6, 3))
y = jax.random.normal(jax.random.key(2), (6, 4))
model = Net()
variables = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.square(model.apply(variables, x)).sum()))
other = Net(gated=False)
variables = other.init(jax.random.key(0), x, y)
print('RESULT', float(jnp.square(other.apply(variables, x, y)).sum()))
"""


@pytest.mark.parametrize(
    ("body", "size"),
    [
        (["if y is not None:", "    parts.append(y)"], "in_features + (y_features if y_features"),
        (["if y is None:", "    pass", "else:", "    parts += [y]"], "y_features"),
        (["if self.gated:", "    parts.append(x)"], "in_features + (in_features if gated"),
        (["if self.gated:", "    parts.append(x)", "else:", "    parts.append(2 * x)"], "2 *"),
    ],
)
def test_what_one_branch_appends_counts_in_its_case_alone(
    body: list[str], size: str, tmp_path: Path
) -> None:
    lines = "\n".join(f"        {line}" for line in body)
    done = rewritten(PROGRAM.replace("BODY", lines))
    assert done.statuses["Net"] == "rewritten"
    assert size in done.after["program.py"]
    check(done, tmp_path)
