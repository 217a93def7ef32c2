"""Methods under `nn.scan`."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

MODULE = """
import functools

import jax
import jax.numpy as jnp
from flax import linen as nn


class Net(nn.Module):
    @functools.partial(nn.scan, SCAN)
    @nn.compact
    def __call__(self, carry, PARAMETERS):
        BODY


if __name__ == "__main__":
    params = Net().init(jax.random.key(0), jnp.ones((2, 3)), INPUTS)
    print("RESULT", Net().apply(params, jnp.ones((2, 3)), INPUTS)[0].sum())
"""
OVER_TIME = "variable_broadcast='params', split_rngs={'params': False}"


def net(
    scan: str = OVER_TIME,
    parameters: str = "x",
    body: str = "return nn.Dense(3)(carry + x), x",
    inputs: str = "jnp.ones((5, 2, 3))",
) -> str:
    text = MODULE.replace("SCAN", scan).replace("PARAMETERS", parameters)
    return text.replace("BODY", body).replace("INPUTS", inputs)


@pytest.mark.parametrize(
    ("source", "decorator"),
    [
        (net(), "in_axes=(None, nnx.Carry, 0), out_axes=(nnx.Carry, 0)"),
        (
            net(
                f"{OVER_TIME}, in_axes=1, out_axes=1",
                "x, y",
                "return nn.Dense(3)(carry + x), y",
                "jnp.ones((2, 5, 3)), jnp.ones((2, 5))",
            ),
            "in_axes=(None, nnx.Carry, 1, 1), out_axes=(nnx.Carry, 1)",
        ),
    ],
)
def test_the_method_is_scanned(source: str, decorator: str) -> None:
    text = rewritten(source).after["program.py"]
    assert f"    @nnx.scan({decorator})\n    def __call__(self, carry" in text
    assert "nnx.Linear(3, 3, rngs=rngs)" in text


@pytest.mark.parametrize(
    "source",
    [
        net("variable_axes={'params': 0}, split_rngs={'params': True}, length=5"),
        net(f"{OVER_TIME}, reverse=True"),
        net(f"{OVER_TIME}, length=5"),
        net(parameters="x=None"),
        net("variable_broadcast='params', variable_carry='batch_stats'"),
        net(body="return nn.Dropout(0.5, deterministic=False)(nn.Dense(3)(carry + x)), x"),
    ],
)
def test_what_has_no_equal_stays(source: str) -> None:
    assert rewritten(source).after["program.py"] == source


READER = """
import functools

from flax import linen as nn


class Step(nn.Module):
    width: int

    @nn.compact
    def __call__(self, carry, x):
        y = nn.tanh(nn.Dense(self.width)(x) + carry)
        return y, y


class Reader(nn.Module):
    width: int

    BODY
"""


@pytest.mark.parametrize(
    "body",
    [
        """@functools.partial(nn.scan, variable_broadcast='params', in_axes=1, out_axes=1)
    @nn.compact
    def __call__(self, carry, x):
        return nn.LSTMCell(self.width)(carry, x)""",
        """@nn.compact
    def __call__(self, x):
        step = nn.scan(Step, variable_broadcast='params', in_axes=1, out_axes=1)(self.width)
        carry, y = step(0.0, x)
        return y""",
    ],
)
def test_a_step_of_an_input_that_nothing_calls_has_a_batch(body: str) -> None:
    done = rewritten(READER.replace("BODY", body))
    assert done.statuses == {"Step": "rewritten", "Reader": "rewritten"}
    reader = done.after["program.py"].split("class Reader")[1]
    assert "def __init__(self, in_features: int, width: int" in reader
