"""Subclasses of layers, and sizes that a layer tells: what cannot be written stays with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.engine import rewrite
from nnx_codemod.codemod.source import Source

HEAD = """
from typing import Union

import flax.linen as nn
import jax.numpy as jnp


"""
USE = """


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return Own(4)(x)
"""

CHANGES = {
    "a parameter of its own": """
class Own(nn.Dense):
    @nn.compact
    def __call__(self, x):
        return x @ self.param('kernel', nn.initializers.ones, (3, 4))
""",
    "a default of its own": """
class Own(nn.Dense):
    use_bias: bool = False
""",
    "an attribute under another name": """
class Own(nn.Dense):
    def __call__(self, x):
        return super().__call__(x) / self.features
""",
    "a parameter that is dropped": """
class Own(nn.Dense):
    def param(self, name, *args):
        if name == 'bias':
            return 0.0
        return super().param(name, *args)
""",
}


def statuses(folder: Path, text: str) -> dict[str, str]:
    """What became of each class."""
    path = folder / "models.py"
    path.write_text(HEAD.lstrip() + text.strip() + "\n")
    (outcome,) = rewrite([Source(path)], Options())
    return {c.name: c.status for c in outcome.report.classes}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_other_changes_of_a_layer_stay(tmp_path: Path, change: str) -> None:
    assert statuses(tmp_path, change + USE) == {"Own": "kept", "Net": "kept"}


LATE = """
class Net(nn.Module):
    width: Union[int, bool] = 4

    def setup(self):
        self.head = nn.Dense(3)
        self.body = nn.Dense(5 if self.width is True else self.width)

    def __call__(self, x):
        return self.head(self.body(x))
"""


def test_a_layer_that_tells_its_size_is_made_first(tmp_path: Path) -> None:
    assert statuses(tmp_path, LATE) == {"Net": "kept"}
    lines = LATE.split("\n")
    head, body = (next(line for line in lines if name in line) for name in ("head =", "body ="))
    early = LATE.replace(head, "").replace(body, f"{body}\n{head}")
    assert statuses(tmp_path, early) == {"Net": "rewritten"}
