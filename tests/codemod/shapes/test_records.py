"""Copies of records: what `replace` changes, and what it keeps."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

PROGRAM = """
import dataclasses
import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct


@DECORATOR
class Holder:
    params: dict
    step: int


x = jnp.ones((2, 3))
model = nn.Dense(4)
first = Holder(model.init(jax.random.key(0), x)["params"], 0)
second = REPLACED
print(model.apply({"params": second.params}, x).sum(), second.step)
"""


@pytest.mark.parametrize(
    ("decorator", "replaced", "follows"),
    [
        ("struct.dataclass", "first.replace(step=1)", True),
        ("dataclasses.dataclass", "dataclasses.replace(first, step=1)", True),
        ("struct.dataclass", "first.replace(params=jax.tree.map(jnp.abs, first.params))", True),
        ("struct.dataclass", "first.replace(params=unknown(first))", False),
    ],
)
def test_the_parameters_of_a_copy_are_known(decorator: str, replaced: str, follows: bool) -> None:
    program = PROGRAM.replace("DECORATOR", decorator).replace("REPLACED", replaced)
    text = rewritten(program).after["program.py"]
    assert ("linen" not in text) is follows
