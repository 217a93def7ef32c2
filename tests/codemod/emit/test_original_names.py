"""`--names original`: Linen's automatic names as attributes."""

from __future__ import annotations

import re
from pathlib import Path

import jax
import numpy as np
import pytest

from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.run import examine

HEAD = "from flax import linen as nn\n\n\n"
NET = """class Block(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x):
        return nn.relu(nn.Dense(self.features)(x))


class Net(nn.Module):
    deep: bool = True

    @nn.compact
    def __call__(self, x):
        hidden = nn.Dense(8)
        x = nn.LayerNorm()(hidden(x))
        if self.deep:
            x = nn.Dense(8)(x)
        else:
            x = nn.Dense(9)(x)
        x = Block(4)(Block(5)(x))
        for _ in range(2):
            x = nn.Dense(4)(x)
        x = nn.Dropout(0.5, deterministic=True)(x)
        return nn.Dense(2)(nn.Dense(3, name="head")(x))
"""


def rewritten(folder: Path, text: str, names: str = "original") -> str:
    file = folder / "net.py"
    file.write_text(HEAD + text)
    (outcome,) = examine([file], Options(names=names)).outcomes  # type: ignore[arg-type]
    assert not outcome.report.diagnostics
    assert outcome.new_text is not None
    return outcome.new_text


def attributes(text: str) -> set[str]:
    """What constructors set to layers."""
    return set(re.findall(r"self\.(\w+) = (?:nnx\.|Block)", text))


def test_automatic_names_stay(tmp_path: Path) -> None:
    text = rewritten(tmp_path, NET)
    assert attributes(text) == {
        "Dense_0",
        "LayerNorm_0",
        "Dense_1",
        "Block_0",
        "Block_1",
        "linears",
        "linear3",  # after a loop, Linen counts on from what it made
        "Dropout_0",
        "head",
    }
    # Block(4) is made first, and counted first.
    assert "self.Block_0 = Block(5, 4, rngs=rngs)" in text
    assert "x = self.Block_0(self.Block_1(x))" in text


def test_the_default_is_as_a_person_would_choose(tmp_path: Path) -> None:
    assert not any("_0" in name for name in attributes(rewritten(tmp_path, NET, "pythonic")))


@pytest.mark.parametrize("deep", [False, True])
def test_it_runs(tmp_path: Path, deep: bool) -> None:
    from flax import nnx

    scope: dict[str, object] = {}
    exec(rewritten(tmp_path, NET), scope)
    net = scope["Net"](4, deep, rngs=nnx.Rngs(0))  # type: ignore[operator]
    assert net(np.ones((2, 4), np.float32)).shape == (2, 2)
    assert net.Dense_1.out_features == (8 if deep else 9)
    assert jax.tree.leaves(nnx.state(net, nnx.Param))


def test_names_in_setup_and_given_ones_stay(tmp_path: Path) -> None:
    text = rewritten(
        tmp_path,
        "class Net(nn.Module):\n    def setup(self):\n        self.first = nn.Dense(3)\n"
        "        self.rest = [nn.Dense(3) for _ in range(2)]\n\n    def __call__(self, x):\n"
        "        x = self.first(x)\n        for layer in self.rest:\n            x = layer(x)\n"
        "        return x\n",
    )
    assert attributes(text) == {"first", "rest"}


def test_a_field_of_the_same_name(tmp_path: Path) -> None:
    text = rewritten(
        tmp_path,
        "class Net(nn.Module):\n    Dense_0: int = 3\n\n    @nn.compact\n    def __call__(self, x):\n"
        "        return nn.Dense(self.Dense_0)(x) * self.Dense_0\n",
    )
    assert "self.linear = nnx.Linear(in_features, Dense_0, rngs=rngs)" in text
