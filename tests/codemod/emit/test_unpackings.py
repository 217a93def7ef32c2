"""Inputs that may be an array or something around one, at a bridge."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

HEAD = """
import flax
import flax.linen as nn
import jax
import jax.numpy as jnp


@flax.struct.dataclass
class Tokens:
    values: jax.Array
    mask: jax.Array


class Pool(nn.Module):
    @nn.compact
    def __call__(self, x):
        UNPACKED
        x = x if mask is None else x * mask[..., None]
        return nn.Dense(3)(x)
"""
USER = """

class Stays(nn.Module):
    pool: bool = True

    def setup(self):
        if self.pool:
            self.head = Pool()
        self.other = nn.Dense(2 + len(self.scope.path))

    def __call__(self, x):
        return self.other(self.head(x))


x = jax.random.normal(jax.random.key(1), (5, 3))
model = Stays()
for given in (x, Tokens(x, jnp.asarray([1.0, 0.0, 1.0, 1.0, 0.0]))):
    variables = model.init(jax.random.key(0), given)
    print('RESULT', float(model.apply(variables, given).sum()))
"""
TAKEN = """if isinstance(x, Tokens):
            x, mask = x.values, x.mask
        else:
            mask = None"""
TWICE = TAKEN + "\n        mask = 2 * mask if isinstance(x, Tokens) else mask"


@pytest.mark.parametrize(("text", "status"), [(TAKEN, "rewritten"), (TWICE, "kept")])
def test_the_size_is_that_of_either(text: str, status: str, tmp_path: Path) -> None:
    done = rewritten(HEAD.replace("UNPACKED", text) + USER)
    assert done.statuses["Pool"] == status
    check(done, tmp_path)


@pytest.mark.parametrize("imported", ["Pool, Tokens", "Pool, Tokens as Kind"])
def test_the_kind_has_its_name_where_the_bridge_is(imported: str, tmp_path: Path) -> None:
    user = USER if "Kind" not in imported else USER.replace("Tokens", "Kind")
    imports = "import flax.linen as nn\nimport jax\nimport jax.numpy as jnp\n\n"
    files = {
        "program.py": f"{imports}from pool import {imported}\n{user}",
        "pool.py": HEAD.replace("UNPACKED", TAKEN),
    }
    done = rewritten(files)
    assert done.statuses["Pool"] == "rewritten"
    check(done, tmp_path)
