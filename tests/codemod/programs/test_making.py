"""Models that are made where `init_with_output` was called, or before something is asked of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

HEAD = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Cell(nn.Module):
    width: int

    @nn.compact
    def __call__(self, carry, x):
        y = MIDDLE
        return nn.tanh(nn.Dense(self.width)(y) + carry)

    def first(self, shape):
        return jnp.zeros((*shape[:-1], self.width))


x = jnp.linspace(-1.0, 1.0, 12).reshape(4, 3)
"""

EARLY = """
def run():
    key = jax.random.key(0)
    model = Cell(5)
    carry = model.first(x.shape)
    params = model.init(key, carry, x)
    return model.apply(params, carry, x)


print('RESULT', float(jnp.abs(run()).sum()))
"""

WITH_OUTPUT = """
def run():
    key = jax.random.key(0)
    model = Cell(5)
    carry = model.first(x.shape)
    y, variables = model.init_with_output(key, carry, x)
    return y + model.apply(variables, carry, x)


print('RESULT', float(jnp.abs(run()).sum()))
"""


@pytest.mark.parametrize("program", [EARLY, WITH_OUTPUT])
def test_a_model_is_made_before_its_methods_run(program: str, tmp_path: Path) -> None:
    done = rewritten((HEAD + program).replace("MIDDLE", "x"))
    text = done.after["program.py"]
    made, asked = text.index("model = Cell(x.shape[-1], 5,"), text.index("carry = model.first")
    assert made < asked
    check(done, tmp_path)


def test_a_sample_that_needs_the_unbound_model_stays(tmp_path: Path) -> None:
    program = EARLY.replace("x.shape", "(4, 3)").replace(
        "params =", "x = jnp.ones((4, model.width))\n    params ="
    )
    done = rewritten((HEAD + program).replace("MIDDLE", "x"))
    assert "params = model.init(key, carry, x)" in done.after["program.py"]
    check(done, tmp_path)


def test_statistics_that_init_leaves_alone_keep_the_program_as_it_is(tmp_path: Path) -> None:
    middle = "nn.BatchNorm(use_running_average=False)(x)"
    program = WITH_OUTPUT.replace(
        "model.apply(variables, carry, x)",
        "model.apply(variables, carry, x, mutable=['batch_stats'])[0]",
    )
    done = rewritten((HEAD + program).replace("MIDDLE", middle))
    assert "model.init_with_output(key, carry, x)" in done.after["program.py"]
    check(done, tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "print('RESULT', float(jnp.abs(Cell(5).init_with_output(jax.random.key(0), 0.0, x)[0]).sum()))",
        "y, *rest = Cell(5).init_with_output(jax.random.key(0), 0.0, x)\nprint('RESULT', len(rest))",
        "v = Cell(5).init_with_output(jax.random.key(0), 0.0, x)[1]\nprint('RESULT', len(v))",
        "pair = Cell(5).init_with_output(jax.random.key(0), 0.0, x)\nprint('RESULT', len(pair))",
    ],
)
def test_an_output_without_a_name_of_its_own_keeps_the_program(line: str, tmp_path: Path) -> None:
    done = rewritten((HEAD + line + "\n").replace("MIDDLE", "x"))
    assert ".init_with_output(jax.random.key(0), 0.0, x)" in done.after["program.py"]
    check(done, tmp_path)
