"""Functions outside of modules that make models: they take the sizes that the constructors need."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Mlp(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(nn.relu(nn.Dense(self.width)(x)))


class Line(nn.Module):
    bias: bool = True

    @nn.compact
    def __call__(self, x):
        return nn.Dense(1, use_bias=self.bias)(x)


FACTORY


x = jax.random.normal(jax.random.key(0), (4, 3))
model = MAKE
params = model.init(jax.random.key(1), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""

ONE = """
def make(width):
    return Mlp(width)
"""

CHOICE = """
def make(kind, width=5):
    if kind == 'mlp':
        return Mlp(width)
    return Line(bias=False)
"""

CHAIN = """
def small(width=2):
    model = Mlp(width=width)
    return model


def make(scale):
    return small(width=2 * scale)
"""

EXPRESSION = """
def make(deep):
    return Mlp(4) if deep else Line(False)
"""

KEYWORD_ONLY = """
def make(*, width: int = 4):
    return Mlp(width)
"""


@pytest.mark.parametrize(
    ("factory", "make"),
    [
        (ONE, "make(4)"),
        (ONE, "make(width=4)"),
        (CHOICE, "make('mlp')"),
        (CHOICE, "make(kind='line', width=3)"),
        (CHAIN, "make(3)"),
        (EXPRESSION, "make(True)"),
        (KEYWORD_ONLY, "make()"),
        (KEYWORD_ONLY, "make(width=6)"),
    ],
)
def test_factories_hand_sizes_on(factory: str, make: str, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("FACTORY", factory.strip()).replace("MAKE", make))
    assert done.statuses == {"Mlp": "rewritten", "Line": "rewritten"}
    assert not done.codes
    text = done.after["program.py"]
    assert "rngs: nnx.Rngs" in text.split("def make")[1].split("\n")[0]
    check(done, tmp_path)


def test_a_factory_in_another_file(tmp_path: Path) -> None:
    head, rest = PROGRAM.split("FACTORY")
    imports = "import jax\nimport jax.numpy as jnp\n\nimport models\n"
    done = rewritten(
        {
            "models.py": head.strip() + "\n\n" + ONE,
            "program.py": imports + rest.replace("MAKE", "models.make(4)"),
        }
    )
    assert done.statuses == {"Mlp": "rewritten", "Line": "rewritten"}
    assert not done.codes
    check(done, tmp_path)


def test_a_factory_that_keeps_models_for_itself_is_none(tmp_path: Path) -> None:
    factory = """
MODELS = {}


def make(width):
    MODELS[width] = Mlp(width)
    return MODELS[width]
"""
    done = rewritten(PROGRAM.replace("FACTORY", factory.strip()).replace("MAKE", "make(4)"))
    assert "rngs" not in done.after["program.py"].split("def make")[1].split("\n")[0]
    check(done, tmp_path)


LOSS = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(4)(x)


x = jnp.ones((2, 3))
model = Net()
params = model.init(jax.random.key(0), x)


def loss(params):
    return (model.apply(params, x) ** 2).mean()


print("RESULT", float(jax.grad(loss)(params)["params"]["Dense_0"]["kernel"].sum()))
print("RESULT", float(loss(params)))
"""


def test_what_a_method_of_a_result_is_leaves_no_trace() -> None:
    done = rewritten(
        LOSS.replace('["params"]["Dense_0"]["kernel"].sum()', "").replace(
            "float(jax.grad(loss)(params))", "jax.grad(loss)(params) is None"
        )
    )
    assert done.statuses == {"Net": "rewritten"}
    assert "return (model(x) ** 2).mean()" in done.after["program.py"]
