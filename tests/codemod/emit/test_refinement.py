"""Subclasses of layers, and sizes that a layer tells: what cannot be written stays with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.engine import rewrite
from nnx_codemod.codemod.source import Source
from nnx_codemod.tests.programs import check, rewritten

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


ASKS = """
import flax.linen as nn
import jax
import jax.numpy as jnp
from typing import Union


class Net(nn.Module):
    width: Union[int, bool] = 4

    def setup(self):
        ONE
        OTHER

    def __call__(self, x):
        return self.head(self.body(x))


x = jax.random.normal(jax.random.key(1), (6, 3))
model = Net()
variables = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.square(model.apply(variables, x)).sum()))
"""
HEAD_OF_NET = "self.head = nn.Dense(3)"
BODY_OF_NET = "self.body = nn.Dense(5 if self.width is True else self.width)"


@pytest.mark.parametrize(("one", "other"), [(HEAD_OF_NET, BODY_OF_NET), (BODY_OF_NET, HEAD_OF_NET)])
def test_a_layer_that_tells_its_size_is_made_first(one: str, other: str, tmp_path: Path) -> None:
    done = rewritten(ASKS.replace("ONE", one).replace("OTHER", other))
    assert done.statuses == {"Net": "rewritten"}
    text = done.after["program.py"]
    assert text.index("self.body = ") < text.index("self.head = ")
    check(done, tmp_path)
