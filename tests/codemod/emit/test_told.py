"""Arguments that only some uses of a layer need."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, memory):
        BODY


x = jax.random.normal(jax.random.key(1), (2, 5, 8))
memory = jax.random.normal(jax.random.key(2), (2, 7, 6))
model = Net()
params = model.init(jax.random.key(0), x, memory)
print('RESULT', float(jnp.abs(model.apply(params, x, memory)).astype(jnp.float32).sum()))
"""


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return nn.MultiHeadAttention(2)(x, memory)", "in_kv_features=memory_features"),
        ("return nn.LayerNorm(dtype=jnp.bfloat16)(x)", "promote_dtype=keep_dtypes"),
        ("return nn.DenseGeneral(3, axis=(-2, -1))(x)", "(in_length, in_features)"),
    ],
)
def test_an_argument_is_told(body: str, told: str, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("BODY", body))
    assert done.statuses == {"Net": "rewritten"}
    assert told in done.after["program.py"]
    check(done, tmp_path)


@pytest.mark.parametrize(
    "body",
    ["return nn.MultiHeadAttention(2)(x, x)", "return nn.LayerNorm()(x)"],
)
def test_where_nothing_asks_for_it_nothing_is_told(body: str, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("BODY", body))
    assert "in_kv_features" not in done.after["program.py"]
    assert "promote_dtype" not in done.after["program.py"]
    check(done, tmp_path)


def test_calls_that_differ_keep_the_class(tmp_path: Path) -> None:
    body = (
        "layer = nn.MultiHeadAttention(2)\n        return layer(x, x) + layer(x, memory[..., :5])"
    )
    text = PROGRAM.replace("BODY", body).replace("memory[..., :5]", "memory")
    done = rewritten(text.replace("(2, 7, 6)", "(2, 7, 8)"))
    assert done.statuses == {"Net": "kept"}
    check(done, tmp_path)


@pytest.mark.parametrize(
    ("value", "status"),
    [("values", "rewritten"), ("jnp.concatenate([memory, memory], axis=-1)", "kept")],
)
def test_keys_and_values_have_one_width(value: str, status: str, tmp_path: Path) -> None:
    text = PROGRAM.replace("BODY", f"return nn.MultiHeadAttention(2)(x, memory, {value})")
    text = text.replace("(self, x, memory)", "(self, x, memory, values)")
    done = rewritten(text.replace(", x, memory)", ", x, memory, memory)"))
    assert done.statuses == {"Net": status}
    check(done, tmp_path)


HALF = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    dtype: type = jnp.float32

    @nn.compact
    def __call__(self, x):
        return nn.LayerNorm(dtype=self.dtype)(100 * x)


x = jax.random.normal(jax.random.key(1), (2, 5, 8))
model = Net(jnp.bfloat16)
params = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).astype(jnp.float32).sum()))
other = Net(dtype=jnp.float32)
params = other.init(jax.random.key(0), x)
print('RESULT', float(jnp.abs(other.apply(params, x)).sum()))
"""


def test_what_half_precision_needs_is_given_to_all(tmp_path: Path) -> None:
    done = rewritten(HALF)
    assert done.statuses == {"Net": "rewritten"}
    check(done, tmp_path)
    assert "promote_dtype=keep_dtypes" in done.after["program.py"]
