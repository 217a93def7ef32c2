"""Models of Linen that are bound to variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Part(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(x)


class Net(nn.Module):
    def setup(self):
        self.first = Part()
        self.second = nn.Dense(2)

    def code(self, x):
        return self.first(x)

    def __call__(self, x, train=False):
        return self.second(self.code(x))LAYER


x = jnp.ones((2, 4))
model = Net()
params = model.init(jax.random.key(0), x)['params']
bound = model.bind({'params': params})
UPDATE
print('RESULT', USE)
"""

UPDATE = """
@jax.jit
def step(params):
    grads = jax.grad(lambda p: model.apply({'params': p}, x).sum())(params)
    return jax.tree.map(lambda p, g: p - 0.1 * g, params, grads)


params = step(params)
print('RESULT', float(model.apply({'params': params}, x).sum()))
"""


def program(use: str, update: str = "", layer: str = "") -> str:
    return PROGRAM.replace("USE", use).replace("UPDATE", update).replace("LAYER", layer)


@pytest.mark.parametrize(
    ("use", "after"),
    [
        ("float(bound(x).sum())", "float(model(x).sum())"),
        ("float(bound.code(x).sum())", "float(model.code(x).sum())"),
        ("float(bound.first(x).sum())", "float(model.first(x).sum())"),
    ],
)
def test_a_bound_model_is_the_model(use: str, after: str, tmp_path: Path) -> None:
    done = rewritten(program(use))
    assert after in done.after["program.py"]
    assert "bind" not in done.after["program.py"]
    check(done, tmp_path)


@pytest.mark.parametrize(
    "use",
    [
        "float(bound(x).sum())",
        "float(bound.first(x).sum())",
        "float(bound.second.variables['params']['kernel'].sum())",
    ],
)
def test_a_model_that_is_bound_to_older_variables_stays(use: str, tmp_path: Path) -> None:
    done = rewritten(program(use, UPDATE))
    assert "model.bind(" in done.after["program.py"]
    check(done, tmp_path)


@pytest.mark.parametrize("use", ["float(bound(x, False).sum())", "float(bound.code(x).sum())"])
def test_a_bound_model_of_several_modes_stays(use: str, tmp_path: Path) -> None:
    layer = " + nn.Dropout(0.5, deterministic=not train)(jnp.ones(2))"
    done = rewritten(
        program(use, layer=layer).replace("def __call__", "@nn.compact\n    def __call__")
    )
    assert "model.bind(" in done.after["program.py"]
    check(done, tmp_path)


def test_a_lambda_that_apply_runs_keeps_its_program(tmp_path: Path) -> None:
    method = "lambda net, x: net.code(x)"
    done = rewritten(
        program("1").replace(
            "model.bind({'params': params})",
            f"model.apply({{'params': params}}, x, method={method})",
        )
    )
    assert f"method={method}" in done.after["program.py"]
    assert "`apply` runs a function of the model, and no method" in [
        d.message for o in done.outcomes.values() for d in o.report.diagnostics
    ]
    check(done, tmp_path)
