"""Functions that make layers and that nobody followed keep a class as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


def train(x, width):
    return nn.relu(nn.Dense(width)(x))


def double(x):
    return 2 * x


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train_more=False):
        x = nn.Dense(4)(x)
        BODY


x = jax.random.normal(jax.random.key(1), (4, 3))
model = Net()
params = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


@pytest.mark.parametrize(
    "body",
    [
        "return jax.tree.map(lambda v: train(v, 3), [x])[0]",
        "import operator\\n        return operator.call(train, x, 3)",
    ],
)
def test_a_function_that_makes_layers_and_is_handed_on(body: str, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("BODY", body.replace("\\n", "\n")))
    assert done.statuses == {"Net": "kept"}
    check(done, tmp_path)


@pytest.mark.parametrize(
    "body", ["return jax.tree.map(double, [x])[0]", "train = double(x)\n        return train"]
)
def test_other_functions_and_names_are_no_reason(body: str, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("BODY", body))
    assert done.statuses == {"Net": "rewritten"}
    check(done, tmp_path)


BOXED = """
import flax.linen as nn


def init(sharded):
    partition = nn.with_partitioning if sharded else lambda x, y: x
    return partition(nn.initializers.ones, (None, 'data'))


class Net(nn.Module):
    sharded: bool = True

    @nn.compact
    def __call__(self, x):
        return nn.Dense(4, kernel_init=init(self.sharded))(x)
"""


@pytest.mark.parametrize("sharded", [True, False])
def test_boxes_that_a_function_hands_on_keep_a_class(sharded: bool) -> None:
    boxed = "nn.with_partitioning if sharded"
    text = BOXED if sharded else BOXED.replace(boxed, "(lambda x, y: x) if sharded")
    assert rewritten(text).statuses == {"Net": "kept" if sharded else "rewritten"}
