"""The dtype of an array, where a parameter or a layer is made in it."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

NET = """
from typing import Any
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    dtype: Any = jnp.float32
    word: str = 'float32'
    none: Any = None

    @nn.compact
    def __call__(self, x):
        BODY
        return x * self.param('scale', nn.initializers.ones, (x.shape[-1],), x.dtype)
"""


@pytest.mark.parametrize(
    ("body", "dtype"),
    [
        ("x = nn.relu(x)", "jnp.float32"),
        ("x = nn.Dense(3, dtype=self.dtype)(x)", "dtype"),
        ("x = nn.relu(nn.Dense(3, dtype=self.word)(x)) * 2.0", "word"),
        ("x = x.astype(self.dtype)", "dtype"),
        ("x = jnp.asarray(x, self.word)", "word"),
        ("x = jnp.array(x, dtype=self.dtype)", "dtype"),
        ("x = jnp.concatenate([x.astype(self.dtype)] * 2, axis=-1)", "dtype"),
        ("x = x.astype(self.dtype) + jnp.ones(x.shape)", "jnp.float32"),
        ("x = nn.LayerNorm()(x.astype(self.dtype))", "jnp.float32"),
        ("x = nn.Dense(3)(x.astype(jnp.bfloat16))", "jnp.float32"),
        ("x = nn.Dense(3, dtype=None)(x.astype(jnp.bfloat16))", "jnp.float32"),
        ("x = nn.Dense(3, dtype=jnp.bfloat16)(x)", "jnp.bfloat16"),
        ("x = nn.Dropout(0.5, deterministic=True)(x.astype('bfloat16'))", "jnp.bfloat16"),
        ("x = x + self.param('b', nn.initializers.ones, (1,), self.dtype)", "jnp.float32"),
        ("x = jnp.where(x > 0, x.astype(self.dtype), jnp.zeros(x.shape, self.dtype))", "dtype"),
    ],
)
def test_dtype_of_an_array(body: str, dtype: str) -> None:
    text = rewritten(NET.replace("BODY", body)).after["program.py"]
    written = text.replace(" ", "").replace("\n", "").replace(",)", ")")
    assert f"),{dtype}))" in written


@pytest.mark.parametrize(
    "body",
    [
        "x = nn.Dense(3, dtype=self.none)(x)",
        "x = x.astype(self.dtype) * nn.Dense(1, dtype=self.word)(x)",
        "kind = self.dtype if self.word == 'half' else jnp.float16; x = x.astype(kind)",
        "x = nn.Dense(3, dtype=self.dtype)(x) if self.word == 'half' else x.astype(jnp.float16)",
    ],
)
def test_a_dtype_that_reading_cannot_tell(body: str) -> None:
    found = rewritten(NET.replace("BODY", body))
    assert "class Net(nn.Module)" in found.after["program.py"]
    assert "NX101" in found.codes


HANDED = """
import flax.linen as nn
import jax.numpy as jnp


class Inner(nn.Module):
    @nn.compact
    def __call__(self, x):
        return x * self.param('scale', nn.initializers.ones, (x.shape[-1],), x.dtype)


class Outer(nn.Module):
    dtype: str = 'float32'

    @nn.compact
    def __call__(self, x):
        return Inner()(GIVEN)
"""


@pytest.mark.parametrize(
    ("given", "follows"),
    [("x.astype(self.dtype)", False), ("x.astype(jnp.float32)", True), ("nn.relu(x)", True)],
)
def test_a_dtype_that_another_class_chooses(given: str, follows: bool) -> None:
    text = rewritten(HANDED.replace("GIVEN", given)).after["program.py"]
    assert ("class Inner(nnx.Module)" in text) is follows
