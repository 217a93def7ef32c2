"""A class is worked out anew where what it went by has changed, and only there."""

from __future__ import annotations

from collections import Counter

import pytest

from nnx_codemod.codemod import class_rewrites
from nnx_codemod.codemod.emit.module_class import ClassEmitter, Emitted
from nnx_codemod.tests.programs import Rewritten, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Alone(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        return nn.Dropout(0.5, deterministic=not train)(nn.Dense(3)(x))


class Part(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.Dense(self.width)(x)
        return nn.BatchNorm(use_running_average=not train)(x)


class Whole(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool):
        return Part(4)(x, train)


class Stays(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool):
        y = nn.map_variables(nn.Dense, 'params', lambda v: v, init=True)(3)(x)
        return Whole()(x, train).sum() + y


class Above(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool):
        return nn.Dense(2)(Stays()(x, train)[None])


def run_alone(x):
    model = Alone()
    variables = model.init(jax.random.key(0), x, False)
    return model.apply(variables, x, False).sum()


def run_above(x):
    model = Above()
    variables = model.init(jax.random.key(0), x, False)
    return model.apply(variables, x, False).sum()


print('RESULT', run_alone(jnp.ones((2, 3))), run_above(jnp.ones((2, 3))))
"""


@pytest.fixture
def emissions(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each class is worked out."""
    counted: Counter[str] = Counter()
    emit = ClassEmitter.emit

    def counting(self: ClassEmitter) -> Emitted:
        counted[self.cls.name] += 1
        return emit(self)

    monkeypatch.setattr(ClassEmitter, "emit", counting)
    return counted


def told(done: Rewritten) -> tuple[object, ...]:
    return done.after, done.statuses, done.codes


def test_nothing_is_worked_out_twice_for_what_does_not_concern_it(
    emissions: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered = rewritten(PROGRAM)
    few = Counter(emissions)
    emissions.clear()
    monkeypatch.setattr(class_rewrites._Memory, "holds", lambda *given: False)
    anew = rewritten(PROGRAM)
    assert told(remembered) == told(anew)
    assert few["Alone"] == 1 < emissions["Alone"]
    assert few["Part"] == emissions["Part"] == 2  # it keeps its flags for a class that stays
    assert few["Stays"] == emissions["Stays"] == 2  # what it makes is another module then
