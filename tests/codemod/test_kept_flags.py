"""Classes that code which stays calls keep their flags, or their bridges set the mode by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp


class Block(nn.Module):
    features: int
    norm: Any

    @nn.compact
    def __call__(self, x):
        return nn.relu(self.norm()(nn.Dense(self.features)(x)))


class Tower(nn.Module):
    features: int = 4

    @nn.compact
    def __call__(self, x, SIGNATURE):
        norm = functools.partial(nn.BatchNorm, use_running_average=AVERAGE, momentum=0.5)
        x = Block(self.features, norm)(x)
        EXTRA
        return nn.Dropout(0.5, deterministic=AVERAGE)(x)


class Growing(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        while x.shape[-1] > 4:
            x = nn.Dense(x.shape[-1] - 1)(x)
        return Tower()(x, CALL)


x = jax.random.normal(jax.random.key(0), (8, 6))
model = Growing()
variables = model.init({'params': jax.random.key(1), 'dropout': jax.random.key(2)}, x, True)
rngs = {'dropout': jax.random.key(3)}
y, changed = model.apply(variables, x, True, rngs=rngs, mutable=['batch_stats'])
print('RESULT train', bool(y.shape == (8, 4)))
variables = {**variables, **changed}
print('RESULT eval', float(jnp.abs(model.apply(variables, x, False)).sum()))
"""


def program(signature: str, average: str, call: str, extra: str = "x = 2 * x") -> str:
    text = PROGRAM.replace("SIGNATURE", signature).replace("AVERAGE", average)
    return text.replace("CALL", call).replace("EXTRA", extra)


@pytest.mark.parametrize(
    ("signature", "average", "call", "told"),
    [
        ("train: bool = True", "not train", "train", "net, x, train=True: net(x, training=train)"),
        ("*, train", "not train", "train=train", "net, x, *, train: net(x, training=train)"),
        (
            "frozen: bool, bias=None",
            "frozen",
            "not train, bias=1.0",
            "net, x, frozen, bias=None: net(x, bias, training=not frozen)",
        ),
    ],
)
def test_a_norm_handed_on_has_the_bridge_set_the_mode(
    signature: str, average: str, call: str, told: str, tmp_path: Path
) -> None:
    done = rewritten(program(signature, average, call))
    assert done.statuses == {"Block": "rewritten", "Tower": "rewritten", "Growing": "bridged"}
    assert f"call_as=lambda {told}" in " ".join(done.after["program.py"].split())
    check(done, tmp_path)


def test_a_flag_that_is_more_than_a_mode_is_no_mode_of_a_bridge(tmp_path: Path) -> None:
    done = rewritten(
        program("train: bool", "not train", "train", "x = x + 1.0 if train else x"),
    )
    assert "call_as" not in done.after["program.py"]
    check(done, tmp_path)


def test_two_flags_are_no_one_mode_of_a_bridge(tmp_path: Path) -> None:
    text = program("train: bool, deterministic: bool", "not train", "train, not train")
    text = text.replace("deterministic=not train", "deterministic=deterministic")
    done = rewritten(text)
    assert "call_as" not in done.after["program.py"]
    check(done, tmp_path)


RATES = """
import haiku as hk
import jax
import jax.numpy as jnp


class Inner(hk.Module):
    def __init__(self, rate, name=None):
        super().__init__(name=name)
        self.rate = rate

    def __call__(self, x):
        return hk.dropout(hk.next_rng_key(), self.rate, hk.Linear(4)(x))


class Block(hk.Module):
    def __init__(self, rate=0.5, name=None):
        super().__init__(name=name)
        self.rate = rate

    def __call__(self, x, SIGNATURE):
        rate = CHOSEN
        return EXTRA + Inner(rate)(x)


class Growing(hk.Module):
    def __call__(self, x, train):
        while x.shape[-1] > 4:
            x = hk.Linear(x.shape[-1] - 1)(x)
        return Block()(x, CALL)


x = jax.random.normal(jax.random.PRNGKey(0), (8, 6))
model = hk.transform(lambda x, train: Growing()(x, train))
params = model.init(jax.random.PRNGKey(1), x, True)
params = jax.tree.map(lambda p: jnp.linspace(-1.0, 1.0, p.size).reshape(p.shape), params)
trained = model.apply(params, jax.random.PRNGKey(2), x, True)
print('RESULT eval', float(jnp.abs(model.apply(params, jax.random.PRNGKey(3), x, False)).sum()))
print('RESULT train', trained.shape)
"""


@pytest.mark.parametrize(
    ("signature", "chosen", "call", "extra", "told"),
    [
        ("train", "self.rate if train else 0.0", "train", "2 * x", "net, x, train: net(x, training=train)"),
        ("deterministic", "0.0 if deterministic else self.rate", "not train", "2 * x", "net, x, deterministic: net(x, training=not deterministic)"),
        ("train", "self.rate if train else 0.1", "train", "2 * x", None),
        ("train", "self.rate if train else 0.0", "train", "(2 * x if train else 2.0 * x)", None),
    ],
)  # fmt: skip
def test_a_rate_that_a_flag_chooses_has_the_bridge_set_the_mode(
    signature: str, chosen: str, call: str, extra: str, told: str | None, tmp_path: Path
) -> None:
    text = RATES.replace("SIGNATURE", signature).replace("CHOSEN", chosen)
    done = rewritten(text.replace("CALL", call).replace("EXTRA", extra))
    assert done.statuses["Block"] == ("rewritten" if told else "bridged")
    after = " ".join(done.after["program.py"].split())
    assert (f"call_as=lambda {told}" in after) if told else "call_as" not in after
    if told:
        check(done, tmp_path)
