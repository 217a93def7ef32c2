"""Activations that are looked up by name."""

from __future__ import annotations

import inspect

import flax.linen
import pytest
from flax import nnx

from nnx_codemod.tests.programs import rewritten

TEXT = """
import flax.linen as nn


class Net(nn.Module):
    activation: str = "relu"

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(4)(x)
        LINES
        return nn.Dense(4)(x)
"""


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("x = getattr(nn, self.activation)(x)", "rewritten"),
        ("act = getattr(nn, self.activation); x = act(x)", "rewritten"),
        ("x = getattr(nn, self.activation)()(x)", "kept"),
        ("layer = getattr(nn, self.activation); x = layer(4)(x)", "kept"),
        ("x = getattr(nn, self.activation)(features=4)(x)", "kept"),
    ],
)
def test_a_function_is_looked_up_in_nnx(lines: str, status: str) -> None:
    done = rewritten(TEXT.replace("LINES", lines))
    assert done.statuses == {"Net": status}
    assert ("getattr(nnx, self.activation)" in done.after["program.py"]) == (status == "rewritten")


def test_nnx_has_the_activations_of_linen_under_their_names() -> None:
    names = [
        name
        for name, value in vars(flax.linen.activation).items()
        if callable(value) and name in vars(flax.linen) and not inspect.isclass(value)
    ]
    assert len(names) > 20
    others = {name for name in names if getattr(nnx, name, None) is not getattr(flax.linen, name)}
    assert others == {"compact", "normalize"}  # a decorator, and what JAX calls `standardize` now
