"""Instances of classes from outside of the tree that code calls."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from nnx_codemod.codemod.shapes.values import External
from nnx_codemod.codemod.strangers import makers, strangers
from nnx_codemod.tests.programs import check, rewritten


def meaning(node: ast.expr) -> object:
    return External(ast.unparse(node))


@pytest.mark.parametrize(
    ("code", "heads"),
    [
        ("y = lib.Net(8)(x)", ["lib.Net"]),
        ("net = lib.Net(8)\ny = net(x)", ["lib.Net"]),
        ("net = lib.Net(8)\ny = net.mean()", []),
        ("y = lib.make(8)(x)", []),
        ("y = optax.Adam(8)(x)", []),
        ("y = collections.Counter(8)(x)", []),
    ],
)
def test_strangers(code: str, heads: list[str]) -> None:
    assert [ast.unparse(head) for head in strangers(ast.parse(code), meaning)] == heads


@pytest.mark.parametrize(
    ("code", "heads"),
    [
        ("self.core = self.make(8)\ny = self.core(x)", ["self.make"]),
        ("self.core = self.make(8)\ny = self.core + x", []),
        ("cores = [make(8), other(8)]\nfor core in cores:\n  x = core(x)", ["make", "other"]),
        ("self.cores = [self.make(n) for n in sizes]\ny = self.cores[0](x)", ["self.make"]),
        (
            "self.sizes = [self.count(n) for n in names]\nfor size in self.sizes:\n  x = x * size",
            [],
        ),
        (
            "self.core = self.make(8) if deep else self.other()\ny = self.core(x)",
            ["self.make", "self.other"],
        ),
    ],
)
def test_makers(code: str, heads: list[str]) -> None:
    assert [ast.unparse(head) for head in makers(ast.parse(code))] == heads


HANDED_ON = """
import flax.linen as nn
import jax
import jax.numpy as jnp
from fractions import Fraction
import missing


class Net(nn.Module):
    width: int = 3
    shift: float = 1.0

    @nn.compact
    def __call__(self, x):
        return run(HANDED, self, nn.Dense(self.width)(x))


def run(Layer, self, x):
    return RETURNED
"""


@pytest.mark.parametrize(
    ("handed", "returned", "status"),
    [
        ("missing.Linear", "Layer(4)(x) + self.shift", "kept"),
        ("missing.Linear", "isinstance(x, Layer) * self.shift", "rewritten"),
        ("missing.Mode.TRAIN", "x * (Layer == 1) + self.shift", "rewritten"),
        ("Fraction", "Layer(4)(x) + self.shift", "rewritten"),
    ],
)
def test_a_class_that_is_handed_on_and_made_may_be_a_module(
    handed: str, returned: str, status: str
) -> None:
    done = rewritten(HANDED_ON.replace("HANDED", handed).replace("RETURNED", returned))
    assert done.statuses == {"Net": status}


def test_functions_may_call_a_module_self(tmp_path: Path) -> None:
    use = """
x = jax.random.normal(jax.random.key(1), (5, 4))
model = Net()
variables = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.square(model.apply(variables, x)).sum()))
"""
    text = HANDED_ON.replace("import missing\n", "").replace("HANDED", "jnp.tanh")
    done = rewritten(text.replace("RETURNED", "Layer(x) + self.shift") + use)
    assert done.statuses == {"Net": "rewritten"}
    check(done, tmp_path)
