"""Classes whose new text would not do are refused, and the program runs on."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod.config import Options
from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    width: int = 4

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(self.width)(x)
        BODY


x = jax.random.normal(jax.random.key(0), (4, 6))
model = Net()
params = model.init(jax.random.key(1), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


@pytest.mark.parametrize(
    "body",
    [
        "return nn.module._get_local_method_names and x",
        "return x if nn.Module.is_initializing(self) else 2 * x",
        "assert isinstance(nn.Dense(3), nn.Module)\n        return x",
        "nn.share_scope(self, nn.Dense(3, parent=None))\n        return x",
        "return nn.map_variables(nn.Dense, 'params', lambda v: v, init=True)(3)(x)",
    ],
)
def test_names_of_linen_that_would_be_left_keep_the_class(body: str, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("BODY", body))
    text = done.after["program.py"]
    if done.statuses != {"Net": "kept"}:
        assert "nn." not in text.replace("jax.nn.", "")
    else:
        assert done.codes and text == done.before["program.py"]


def test_what_stays_runs_as_before(tmp_path: Path) -> None:
    body = "return nn.map_variables(nn.Dense, 'params', lambda v: v, init=True)(3)(x)"
    done = rewritten(PROGRAM.replace("BODY", body))
    assert done.statuses == {"Net": "kept"}
    check(done, tmp_path)


def test_a_name_of_linen_in_an_annotation_is_no_use_of_it(tmp_path: Path) -> None:
    text = PROGRAM.replace("def __call__(self, x):", "def __call__(self, x) -> 'nn.Module':")
    done = rewritten(text.replace("BODY", "return x"))
    assert done.statuses == {"Net": "rewritten"}
    check(done, tmp_path)


def test_a_class_that_uses_one_that_stays_is_named() -> None:
    stays = """
class Odd(nn.Module):
    @nn.compact
    def __call__(self, x):
        while x.shape[-1] > 2:
            x = nn.Dense(x.shape[-1] - 2)(x)
        return x


class Net"""
    text = PROGRAM.replace("class Net", stays.strip(), 1).replace("BODY", "return Odd()(x)")
    done = rewritten(text)
    assert done.statuses == {"Odd": "kept", "Net": "kept"}
    assert done.after == done.before


def test_a_name_of_linen_does_not_move_into_the_constructor(tmp_path: Path) -> None:
    body = (
        "mapped = nn.map_variables(nn.Dense, 'params', lambda v: v, init=True)\n"
        "        return mapped(3)(x)"
    )
    done = rewritten(PROGRAM.replace("BODY", body))
    assert done.statuses == {"Net": "kept"}
    check(done, tmp_path)


def test_what_only_a_linen_module_has_keeps_the_class(tmp_path: Path) -> None:
    body = "return x * jax.random.normal(self.scope.make_rng('params'), x.shape)"
    done = rewritten(PROGRAM.replace("BODY", body))
    assert done.statuses == {"Net": "kept"}
    messages = [d.message for o in done.outcomes.values() for d in o.report.diagnostics]
    assert "`self.scope`" in "".join(messages)


GIVEN = """
import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp


class Cell(nn.Module):
    width: int
    layer: Any

    @nn.compact
    def __call__(self, x):
        return nn.relu(self.layer(self.width, use_bias=False)(x))


class Comb(nn.Module):
    cell: Any
    layer: Any = nn.Dense

    @nn.compact
    def __call__(self, x, train: bool = True):
        layer = functools.partial(self.layer, dtype=x.dtype)
        for width in (3, 5):
            x = self.cell(width, layer=layer)(x)
        return nn.Dropout(0.5, deterministic=not train)(x)

"""


def test_a_class_that_nothing_gives_is_not_guessed() -> None:
    done = rewritten(GIVEN)
    assert set(done.statuses.values()) == {"kept"}
    assert "NX101" in done.codes


RUN = """
x = jax.random.normal(jax.random.key(0), (4, 6))
model = ShortComb()
params = model.init(jax.random.key(1), x, train=False)
print('RESULT', float(jnp.abs(model.apply(params, x, train=False)).sum()))
"""


@pytest.mark.parametrize("rest", ["", RUN])
def test_a_partial_at_the_top_shows_the_class_that_it_gives(rest: str, tmp_path: Path) -> None:
    done = rewritten(GIVEN + "ShortComb = functools.partial(Comb, cell=Cell)\n" + rest)
    assert done.statuses == {"Cell": "rewritten", "Comb": "rewritten"}
    if rest:
        check(done, tmp_path)


def test_layers_that_want_different_sizes_are_not_made_by_one_call() -> None:
    partials = """
ShortComb = functools.partial(Comb, cell=Cell)
OtherComb = functools.partial(Comb, cell=Cell, layer=nn.LayerNorm)
"""
    done = rewritten(GIVEN + partials)
    assert done.statuses["Cell"] == "kept"


@pytest.mark.parametrize("made", ["ShortComb", "LocalComb"])
def test_a_layer_that_is_told_its_places_may_come_in_the_place_of_another(
    made: str, tmp_path: Path
) -> None:
    partials = """
ShortComb = functools.partial(Comb, cell=Cell, layer=functools.partial(nn.Conv, kernel_size=(1,)))
LocalComb = functools.partial(Comb, cell=Cell, layer=functools.partial(nn.ConvLocal, kernel_size=(1,)))
"""
    run = RUN.replace("ShortComb", made).replace("(4, 6)", "(4, 5, 6)")
    done = rewritten(GIVEN + partials + run)
    assert done.statuses == {"Cell": "rewritten", "Comb": "rewritten"}
    check(done, tmp_path)


def test_a_list_that_the_inputs_fill_is_not_taken_to_be_empty(tmp_path: Path) -> None:
    body = """shape = []
        for axis in range(x.ndim):
            shape.append(x.shape[axis] if axis == self.width - 3 else 1)
        return x + self.param('offset', nn.initializers.normal(1.0), shape)"""
    done = rewritten(PROGRAM.replace("BODY", body))
    assert done.statuses == {"Net": "kept"}
    check(done, tmp_path)


@pytest.mark.parametrize("arguments", ["width=4, train=self.train", "**settings"])
def test_a_flag_in_a_field_stays_where_what_stays_gives_it(arguments: str, tmp_path: Path) -> None:
    body = """settings = dict(width=4, train=self.width > 9)
        x = Hazy(ARGUMENTS)(x)
        while x.shape[-1] > 2:
            x = nn.Dense(x.shape[-1] - 2)(x)
        return x""".replace("ARGUMENTS", arguments.replace("self.train", "self.width > 9"))
    hazy = """class Hazy(nn.Module):
    width: int
    train: bool = True

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(self.width)(x)
        return nn.Dropout(0.5, deterministic=not self.train)(x)


class Net"""
    done = rewritten(PROGRAM.replace("BODY", body).replace("class Net", hazy))
    assert done.statuses == {"Hazy": "rewritten", "Net": "bridged"}
    check(done, tmp_path)


HANDED = """
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp


class Inner(nn.Module):
    norm: type

    @nn.compact
    def __call__(self, x):
        return self.norm()(nn.Dense(3)(x))


class Outer(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool):
        norm = functools.partial(nn.BatchNorm, use_running_average=not train)
        return nn.Dense(1)(Inner(norm)(norm()(x)))


x = jax.random.normal(jax.random.key(0), (4, 6))
model = Outer()
variables = model.init(jax.random.key(1), x, False)
print('RESULT', float(jnp.abs(model.apply(variables, x, False)).sum()))
"""


@pytest.mark.parametrize(("flags", "status"), [("drop", "rewritten"), ("keep", "kept")])
def test_a_flag_in_a_partial_that_is_handed_on_is_not_lost(
    flags: str, status: str, tmp_path: Path
) -> None:
    done = rewritten(HANDED, Options(mode_flags=flags))
    assert done.statuses["Outer"] == status
    if status == "rewritten":
        check(done, tmp_path)
