"""Scanned and mapped modules that `setup` makes and other methods call."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Layer(nn.Module):
    @nn.compact
    def __call__(self, x, shift=0.0, train=False):
        y = nn.Dense(4)(x) + shift
        return nn.Dropout(0.5, deterministic=not train)(y), None


class Mapped(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        return nn.Dropout(0.5, deterministic=not train)(nn.Dense(3)(x))


class Net(nn.Module):
    def setup(self):
        MADE

    def body(self, x, train):
        return BODY

    def __call__(self, x, train=False):
        return self.body(x, train)


x = jax.random.normal(jax.random.key(1), (2, 4))
model = Net()
params = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


LAYERS = """self.layers = nn.scan(
            Layer, variable_axes={'params': 0}, split_rngs={'params': True}, in_axes=nn.broadcast, length=2
        )()"""
HEADS = """self.heads = nn.vmap(
            Mapped, variable_axes={'params': 0}, split_rngs={'params': True}, in_axes=None, axis_size=3
        )()"""


def program(made: str, body: str) -> str:
    return PROGRAM.replace("MADE", made).replace("BODY", body)


@pytest.mark.parametrize(
    ("made", "body", "after"),
    [
        (LAYERS, "self.layers(x, jnp.tanh(1.0))[0]", "layer(carry, jnp.tanh(1.0))"),
        (LAYERS, "self.layers(nn.relu(x), nn.tanh(1.0), train)[0]", "nnx.tanh(1.0), train)"),
        (HEADS, "self.heads(x)", "in_axes=(0, None), out_axes=0"),
        (HEADS, "self.heads(x, train)", "return vmap_head(self.heads, x)"),
    ],
    ids=["scanned", "with a flag", "mapped", "mapped with a flag"],
)
def test_the_transform_moves_to_the_call(made: str, body: str, after: str, tmp_path: Path) -> None:
    done = rewritten(program(made, body))
    assert "Net" in done.statuses and done.statuses["Net"] == "rewritten"
    assert after in done.after["program.py"]
    assert "linen" not in done.after["program.py"]
    check(done, tmp_path)


@pytest.mark.parametrize(
    ("made", "body"),
    [
        (LAYERS, "(lambda f: f(x))(self.layers)[0]"),
        (LAYERS, "self.layers(*(x,))[0]"),
        (HEADS, "self.heads(*[x])"),
    ],
    ids=["handed on", "unpacked", "mapped"],
)
def test_what_no_transform_is_written_for_stays(made: str, body: str, tmp_path: Path) -> None:
    done = rewritten(program(made, body))
    assert done.statuses["Net"] == "kept"
    check(done, tmp_path)
