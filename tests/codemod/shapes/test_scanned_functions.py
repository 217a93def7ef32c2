"""Functions that are scanned over the stacked layers of a module that they are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Layer(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x, train=False):
        return nn.Dropout(0.5, deterministic=not train)(nn.tanh(nn.Dense(self.width)(x)))


class Net(nn.Module):
    depth: int = 3

    @nn.compact
    def __call__(self, x, gates, train=False):
        x = nn.Dense(4)(x)
        layer = Layer(4, name='layer')
BODY
        return nn.Dense(2)(x)


x = jax.random.normal(jax.random.key(1), (5, 3))
gates = jnp.asarray([[1.0], [0.5], [2.0]])
model = Net()
variables = model.init(jax.random.key(0), x, gates)
print('RESULT', float(jnp.square(model.apply(variables, x, gates)).sum()))
"""
OPTIONS = (
    "variable_axes={'params': 0}, split_rngs={'params': True, 'dropout': True}, length=self.depth"
)


def scan(function: str, given: str, options: str = OPTIONS) -> str:
    return f"x, _ = nn.scan({function}, {options})({given})"


PLAIN = "lambda layer, x, _: (layer(x), None)"


@pytest.mark.parametrize(
    ("lines", "follows"),
    [
        ([scan(PLAIN, "layer, x, ()")], True),
        ([scan("lambda layer, x, _: (layer(x, train), None)", "layer, x, ()")], True),
        ([scan("lambda layer, x, gate: (layer(x) * gate, x.sum())", "layer, x, gates")], True),
        (
            [
                "def body(layer, x, gate):",
                "    y = layer(x)",
                "    return x + gate * y, None",
                scan("body", "layer, x, gates"),
            ],
            True,
        ),
        (
            [
                scan(
                    "lambda layer, x, gates: (layer(x) * gates.sum(), None)",
                    "layer, x, gates",
                    f"{OPTIONS}, in_axes=nn.broadcast",
                )
            ],
            True,
        ),
        ([scan(PLAIN, "layer, x, ()"), "x = layer(x) if self.depth == 1 else x"], False),
        ([f"scanned = nn.scan({PLAIN}, {OPTIONS})", "x, _ = scanned(layer, x, ())"], False),
        (
            [
                scan(
                    PLAIN,
                    "layer, x, ()",
                    "variable_broadcast='params', split_rngs={'params': False}, length=self.depth",
                )
            ],
            False,
        ),
    ],
)
def test_layers_of_a_scanned_function_are_stacked(
    lines: list[str], follows: bool, tmp_path: Path
) -> None:
    body = "\n".join(f"        {line}" for line in lines)
    done = rewritten(PROGRAM.replace("BODY", body))
    assert done.statuses["Net"] == ("rewritten" if follows else "bridged")
    check(done, tmp_path)
