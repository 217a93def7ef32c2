"""Arrays whose ranks an earlier branch decides."""

from __future__ import annotations

import pytest

from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.project import Project
from nnx_codemod.codemod.rewriting import rewrite_project
from nnx_codemod.codemod.rulebook import Rulebook
from nnx_codemod.codemod.source import Source
from nnx_codemod.rules import catalogue

TEXT = """
import jax.numpy as jnp
from flax import linen as nn


class Reader(nn.Module):
    flat: bool = True

    @nn.compact
    def __call__(self, images):
        x = nn.Conv(4, (3, 3))(images)
        if self.flat:
            n, h, w, c = x.shape
            x = x.reshape(n, h * w, c)
        {last}
"""


def rewritten(last: str) -> bool:
    """Whether the class follows, with this for its last statement."""
    source = Source("module.py", TEXT.format(last=last).encode())
    outcome = rewrite_project(Project.of([source]), Rulebook(catalogue()), Options())
    text = outcome.files[0].new_text
    return text is not None and "class Reader(nnx.Module)" in text


@pytest.mark.parametrize(
    ("last", "follows"),
    [
        ("return nn.Dense(2)(x[:, 0])", True),
        ("return nn.Dense(2)(jnp.mean(x, axis=tuple(range(1, x.ndim - 1))))", True),
        # What the two ranks tell differently is not told.
        ("return nn.Dense(x.shape[1])(x)", False),
        ("return nn.Dense(2)(x[..., 0])", False),
        ("return nn.Dense(2)(jnp.swapaxes(x, 1, -1))", False),
    ],
)
def test_what_either_rank_tells(last: str, follows: bool) -> None:
    assert rewritten(last) == follows
