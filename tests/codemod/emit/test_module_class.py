"""Attributes of a rewritten class: one name of the source for one thing, or told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    wide: bool = True

    @nn.compact
    def __call__(self, x):
        BODY


x = jax.random.normal(jax.random.key(0), (4, 3))
for wide in (True, False):
    model = Net(wide=wide)
    params = model.init(jax.random.key(1), x)
    print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


def program(body: str) -> str:
    return PROGRAM.replace("BODY", body.strip().replace("\n", "\n        "))


ONE_THING = """
if self.wide:
    layer = nn.Dense(8)
else:
    layer = nn.Dense(4)
return layer(x)
"""

TWO_THINGS = """
layer = nn.Dense(8)
x = layer(x)
layer = nn.Dense(4)
return layer(x)
"""

THING_AND_LIST = """
layer = nn.Dense(5)
x = layer(x)
for size in (4, 3):
    layer = nn.Dense(size)
    x = layer(x)
return x
"""

TWO_IN_BRANCHES = """
if self.wide:
    layer = nn.Dense(8)
    x = layer(x)
    layer = nn.LayerNorm()
    x = layer(x)
return x + 1.0
"""

NAMED_AS_A_FIELD = """
wide = nn.Dense(8)
return wide(x) if self.wide else x
"""


@pytest.mark.parametrize(
    "body", [ONE_THING, TWO_THINGS, THING_AND_LIST, TWO_IN_BRANCHES, NAMED_AS_A_FIELD]
)
def test_sites_of_one_name(body: str, tmp_path: Path) -> None:
    done = rewritten(program(body))
    assert done.statuses == {"Net": "rewritten"}
    check(done, tmp_path)


def test_one_thing_made_in_two_ways_is_one_attribute() -> None:
    text = rewritten(program(ONE_THING)).after["program.py"]
    assert text.count("self.layer = nnx.Linear(in_features, ") == 2
    assert "self.layer(x)" in text


def test_two_things_are_told_apart() -> None:
    text = rewritten(program(TWO_THINGS)).after["program.py"]
    assert "self.layer1 = " in text and "self.layer2 = " in text


FILLED = """
import haiku as hk
import jax
import jax.numpy as jnp


class Tower(hk.Module):
    def __init__(self, width: int, depth: int = 2, name=None):
        super().__init__(name=name)
        self._layers = []
        for i in range(depth):
            FILL

    def __call__(self, x):
        for layer in self._layers:
            x = jax.nn.relu(layer(x))
        return x


model = hk.without_apply_rng(hk.transform(lambda x: Tower(6)(x)))
x = jnp.linspace(-1.0, 2.0, 6).reshape(2, 3)
params = model.init(jax.random.PRNGKey(0), x)
print("RESULT", float(jnp.abs(model.apply(params, x)).sum()))
"""


@pytest.mark.parametrize(
    "fill",
    [
        "self._layers.append(hk.Linear(width))",
        "self._layers.append(hk.Linear(width, name=f'layer_{i}'))",
        "self._layers += [hk.Linear(width)]",
    ],
)
def test_a_list_on_self_that_is_filled(tmp_path: Path, fill: str) -> None:
    done = rewritten(FILLED.replace("FILL", fill))
    assert done.statuses == {"Tower": "rewritten"}
    check(done, tmp_path)


@pytest.mark.parametrize(
    "fill",
    [
        "self._layers.insert(0, hk.Linear(width))",
        "self._layers = self._layers + [hk.Linear(width)]",
    ],
)
def test_a_list_that_is_filled_in_other_ways_stays(fill: str) -> None:
    assert rewritten(FILLED.replace("FILL", fill)).statuses == {"Tower": "kept"}


CHANGING = """
import haiku as hk
import jax


class Net(hk.Module):
    def __init__(self, width: int, name=None):
        super().__init__(name=name)
        self.width = width
        self.kept = START

    def __call__(self, x):
        CHANGE
        return hk.Linear(self.width)(x)


model = hk.transform(lambda x: Net(6)(x))
"""


@pytest.mark.parametrize(
    ("start", "change", "status"),
    [
        ("hk.next_rng_key()", "self.kept = jax.random.fold_in(self.kept, 1)", "kept"),
        ("jax.random.normal(hk.next_rng_key())", "x = x * self.kept", "kept"),
        ("0", "self.kept += 1", "kept"),
        ("None", "self.kept = x.shape[-1]", "rewritten"),
    ],
)
def test_what_a_call_makes_of_an_attribute(start: str, change: str, status: str) -> None:
    """Haiku makes modules anew for each run, so that what they keep starts over."""
    text = CHANGING.replace("START", start).replace("CHANGE", change)
    assert rewritten(text).statuses["Net"] == status


REFUSING = """
import haiku as hk


class Net(hk.Module):
    def __init__(self, width=None, mode='a', name=None):
        super().__init__(name=name)
        self._width = width
        self._mode = mode

    def __call__(self, x):
        if self._mode == 'a':
            width = x.shape[-1]
        elif TEST:
            width = 3
        else:
            raise ValueError(f'unknown {self._mode}')
        return hk.Linear(width)(x)
"""


@pytest.mark.parametrize(
    ("test", "moves"), [("self._mode == 'b'", True), ("x.shape[0] > 2", False)]
)
def test_what_a_call_refuses_of_the_fields_the_constructor_refuses(test: str, moves: bool) -> None:
    text = rewritten(REFUSING.replace("TEST", test)).after["program.py"]
    assert ("    def __call__(self, x):\n        return self.linear(x)" in text) is moves
    assert ("raise ValueError(f'unknown {mode}')" in text) is moves
