"""Sizes that a constructor takes or computes: their names, and what no loop may overwrite."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    sizes: tuple[int, ...] = (5, 4)
    out: int | None = None

    @nn.compact
    def __call__(self, x):
        inputs = x
        BODY


x = jax.random.normal(jax.random.key(0), (4, 3))
model = Net()
params = model.init(jax.random.key(1), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
model = Net(sizes=(7,), out=6)
params = model.init(jax.random.key(1), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""

LOOP = """
for size in self.sizes:
    x = nn.relu(nn.Dense(size)(x))
"""


def program(body: str) -> str:
    return PROGRAM.replace("BODY", body.strip().replace("\n", "\n        "))


@pytest.mark.parametrize(
    "last",
    [
        "return nn.Dense(2)(x)",
        "return nn.Dense(inputs.shape[-1])(x) + inputs",
        "return nn.Dense(2)(jnp.concatenate([inputs, x], axis=-1))",
        "return nn.Dense(2)(x) + nn.Dense(2)(inputs)",
        "x = nn.Dense(3)(x) + inputs\nreturn nn.Dense(inputs.shape[-1])(x)",
        "return nn.Dense(self.out or 5)(x)",
        "return nn.Dense(self.out or inputs.shape[-1])(x)",
        "return nn.Dense(2)(nn.Dense(self.out or x.shape[-1])(x))",
        "return nn.Dense(2 * inputs.shape[-1] + 1)(x)",
        "for size in self.sizes[:1]:\n    x = nn.Dense(size)(x)\nreturn nn.Dense(2)(x)",
    ],
)
def test_a_size_after_a_loop(last: str, tmp_path: Path) -> None:
    done = rewritten(program(LOOP + last))
    assert done.statuses == {"Net": "rewritten"}
    check(done, tmp_path)


def test_a_layer_in_the_loop_reads_the_first_size(tmp_path: Path) -> None:
    body = """
for size in self.sizes:
    x = nn.Dense(size)(x)
    inputs = nn.Dense(inputs.shape[-1])(inputs)
    x = nn.Dense(size)(jnp.concatenate([x, inputs], axis=-1))
return x
"""
    done = rewritten(program(body))
    assert done.statuses == {"Net": "rewritten"}
    check(done, tmp_path)


def test_the_first_size_is_kept_apart_from_the_running_one() -> None:
    text = rewritten(program(LOOP + "return nn.Dense(inputs.shape[-1])(x)")).after["program.py"]
    lines = [line.strip() for line in text.splitlines()]
    assert not any(line.startswith("in_features = ") for line in lines)


FLAT = """
import flax.linen as nn
import jax.numpy as jnp


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        BODY
"""


@pytest.mark.parametrize(
    ("body", "sizes"),
    [
        ("return nn.Dense(3)(x.reshape(x.shape[0], -1))", {"in_features": "x[0].size"}),
        ("return nn.Dense(3)(jnp.ravel(x))", {"in_features": "x.size"}),
        ("return nn.Dense(3)(x)", {"in_features": "x.shape[-1]"}),
        (  # One layer sees the last axis alone: the axes stay apart.
            "y = nn.Conv(2, (3, 3))(x)\nreturn nn.Dense(3)(x.reshape(x.shape[0], -1)) + y.sum()",
            {
                "in_height": "x.shape[1]",
                "in_width": "x.shape[2]",
                "in_features": "x.shape[-1]",
            },
        ),
    ],
)
def test_a_flattened_input_has_one_size(body: str, sizes: dict[str, str]) -> None:
    done = rewritten(FLAT.replace("BODY", body.replace("\n", "\n        ")))
    (report,) = done.outcomes["program.py"].report.classes
    assert {a.name: a.from_ for a in report.added_parameters} == sizes


PARTS = """
import haiku as hk
import jax
import jax.numpy as jnp


class Sums(hk.Module):
    def __init__(self, num_axes: int, name=None):
        super().__init__(name=name)
        self.num_axes = num_axes

    def __call__(self, x):
        SHAPE
        w = hk.get_parameter('w', shape, init=hk.initializers.TruncatedNormal())
        return (x * w).sum()


def forward(x):
    return USE


x = jax.random.normal(jax.random.key(0), (4, 3, 2))
model = hk.transform(forward)
params = model.init(jax.random.key(1), x)
print('RESULT', float(model.apply(params, None, x)))
"""


@pytest.mark.parametrize(
    "shape", ["shape = x.shape[-self.num_axes:]", "shape = x.shape[1 + self.num_axes:]"]
)
@pytest.mark.parametrize("use", ["Sums(1)(x)", "Sums(2)(x) + Sums(1)(x)"])
def test_as_many_axes_as_a_field_says(tmp_path: Path, shape: str, use: str) -> None:
    done = rewritten(PARTS.replace("SHAPE", shape).replace("USE", use))
    assert set(done.statuses.values()) == {"rewritten"}
    check(done, tmp_path)


def test_a_part_that_nothing_tells_is_no_size() -> None:
    text = PARTS.replace("SHAPE", "shape = x.shape[int(x.sum()):]").replace("USE", "Sums(1)(x)")
    assert rewritten(text).statuses == {"Sums": "kept"}


FLATTENED = """
import haiku as hk
import jax


class Encoder(hk.Module):
    def __init__(self, size: int, name=None):
        super().__init__(name=name)
        self.size = size

    def __call__(self, x: jax.Array):
        return hk.Linear(self.size)(hk.Flatten()(x))
"""


def test_an_input_that_is_flattened_may_have_any_rank() -> None:
    """No call tells its rank: the size is one for all."""
    (outcome, *_) = rewritten(FLATTENED).outcomes.values()
    (report,) = outcome.report.classes
    assert [(a.name, a.from_) for a in report.added_parameters] == [("in_features", "x[0].size")]
