"""What the code of a class does with its fields, and what the search makes of that."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import pytest

from nnx_codemod.codemod.parity.child import search, uses

SOURCE = """
from typing import Any, Mapping, Sequence

import flax.linen as nn


class Scaled(nn.Module):
    filters: int
    scale: float = 1.0

    def __call__(self, x, train=False):
        return x


class Plain(nn.Module):
    width: int

    def __call__(self, x):
        return x


class Net(nn.Module):
    block: Any
    norm_fn: Any
    act: Any
    widths: Any
    first: Any
    pool: Any
    depth: int
    rest: Any
    dense: Any
    conv: Any
    out_dim: Sequence[int]

    def __call__(self, x, features):
        x = self.dense(8, use_bias=False)(self.conv(8, (3, 3))(x)) + features.mean()
        for width in self.widths:
            x = self.block(filters=width)(x, train=True)
            x = self.act(self.norm_fn()(x))
        if self.pool == "mean":
            x = x.mean(1)
        elif self.pool in ("max", "min"):
            x = x.max(1)
        return x + self.first[0] + self.depth + self.rest


class Held:
    def __init__(self, sizes, active, config: Mapping[str, int], kind=None):
        if kind == "mean" or kind == "max":
            self._config = dict(config)
        self._sizes = sizes
        self._active = active
        self.count = len(sizes)

    def __call__(self, x):
        return self._active(x)


class Configured:
    def __init__(self, config, shared, table, array, bank: int, name=None):
        self.config = config
        self.shared = shared
        self.table = table
        self.array = array
        self.bank = bank

    def __call__(self, x):
        c, bank = self.config, self.bank
        table = self.table
        if c.gated and not self.shared.frozen:
            x = x * c.dropout_rate
        x = x.reshape(-1, c.num_head, c.inner.out_channels)
        x = x + table.get("a", 1) + self.array.mean() + bank.size
        return self.config.act(x) if c.mode == "plain" else x
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    file: Path = tmp_path_factory.mktemp("uses") / "net.py"
    file.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("net_of_uses", file)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["net_of_uses"] = made  # `inspect` reads a class's text by its module
    spec.loader.exec_module(made)
    return made


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("block", ["py:module.Scaled", "py:nn.LayerNorm"]),
        ("dense", ["py:nn.Dense"]),
        ("conv", ["py:nn.Conv", "py:module.Scaled", "py:module.Plain"]),
        ("out_dim", [[8, 8], [1, 1], [2, 2], 8]),
        ("norm_fn", ["py:nn.LayerNorm"]),
        ("act", ["py:jax.nn.relu"]),
        ("widths", [[8, 8], [1, 1], [2, 2]]),
        ("first", [[8, 8], [1, 1], [2, 2]]),
        ("pool", ["mean", "max", "min"]),
        ("depth", [2, 1]),
        ("rest", [8, 4, [8, 8], 2]),
    ],
)
def test_fields_by_their_uses(module: ModuleType, name: str, options: list[Any]) -> None:
    parameter = inspect.signature(module.Net).parameters[name]
    assert search._field(parameter, module, uses.of(module.Net).get(name)) == options


def test_wide_fields_for_groups_and_initialisers_that_may_not_be_left_out() -> None:
    class Made:
        def __init__(
            self, width: int, sizes: list[int], rate: float, w_init: Any = None
        ) -> None: ...

    found = list(search._fields(Made, {"rate"}, inspect))
    assert found[:2] == [{"width": 8, "sizes": [8, 8]}, {"width": 32, "sizes": [32, 32]}]
    assert found[-1].keys() == {"width", "sizes", "w_init"}


def test_texts_that_may_not_be_left_out_and_tables(module: ModuleType) -> None:
    found = list(search._fields(module.Held, set(), module))
    assert found[-1] == {"sizes": [8, 8], "active": "py:jax.nn.relu", "config": {}, "kind": "max"}
    assert {"sizes": [8, 8], "active": "py:jax.nn.relu", "config": {}, "kind": "mean"} in found


def test_settings_that_are_read_off_a_field(module: ModuleType) -> None:
    used = uses.of(module.Configured)
    parameters = inspect.signature(module.Configured).parameters
    found = {n: search._field(parameters[n], module, used.get(n)) for n in parameters}
    first, second = found["config"]
    made: Any = eval(first[3:], {"load": importlib.import_module, "jax": jax})
    assert (made.gated, made.dropout_rate, made.num_head, made.mode) == (False, 0.1, 2, "plain")
    assert made.inner.out_channels == 8
    assert made.act is jax.nn.relu
    assert "gated=True" in second
    assert found["shared"][1] == "py:load('types').SimpleNamespace(frozen=True)"
    assert found["table"] == found["array"] == found["bank"] == [8, 4, [8, 8], 2]


def test_an_array_may_be_called_as_a_size_is(module: ModuleType) -> None:
    call = module.Net.__call__
    given = next(iter(search._inputs(search._required(call, {"self"}), call, module)))
    assert given["features"] == "f32[2,8]"

    def attend(query: Any, key: Any, value: Any, node_features: jax.Array, size: Any) -> None: ...

    given = next(iter(search._inputs(search._required(attend, set()), attend, module)))
    assert given["key"] == given["node_features"] == given["value"] == "f32[2,8]"
    assert given["size"] == 8


def test_parameters_of_a_constructor(module: ModuleType) -> None:
    found = uses.of(module.Held)
    assert found["sizes"].sequence and len(found["active"].calls) == 1


def test_what_has_no_text() -> None:
    assert uses.of(int) == {} and uses.of(len) == {} and uses.of(None) == {}
