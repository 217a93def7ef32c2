"""What the ways of a branch return has a size that the branch decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Widen(nn.Module):
    width: int
    widen: bool = True

    @nn.compact
    def __call__(self, x):
        BODY


class Net(nn.Module):
    width: int
    widen: bool

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(Widen(self.width, self.widen)(x))


x = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
wide = Net(4, True)
params = wide.init(jax.random.key(0), x)
print('RESULT', float(jnp.abs(wide.apply(params, x)).sum()))
narrow = Net(4, False)
params = narrow.init(jax.random.key(0), x)
print('RESULT', float(jnp.abs(narrow.apply(params, x)).sum()))
"""
WIDE = "nn.Dense(self.width)(x)"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            f"if self.widen:\n    return {WIDE}\nelse:\n    return x",
            "width if widen else in_features",
        ),
        (f"if self.widen:\n    return {WIDE}\nreturn x", "width if widen else in_features"),
        (f"if not self.widen:\n    return x\nreturn {WIDE}", "width if widen else in_features"),
        (
            f"if self.widen:\n    x = 2 * x\nelse:\n    return x\nreturn {WIDE}",
            "width if widen else in_features",
        ),
        (
            f"if self.widen:\n    if self.width > 9:\n        return x\n    else:\n        return {WIDE}\nreturn x",
            "in_features if width > 9 else width",
        ),
    ],
)
def test_branches_that_return(body: str, told: str, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("BODY", body.replace("\n", "\n        ")))
    assert done.statuses == {"Widen": "rewritten", "Net": "rewritten"}
    assert told in done.after["program.py"]
    check(done, tmp_path)
