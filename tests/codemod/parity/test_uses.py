"""What the code of a class does with its fields, and what the search makes of that."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from nnx_codemod.codemod.parity.child import search, uses

SOURCE = """
from typing import Any

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

    def __call__(self, x):
        for width in self.widths:
            x = self.block(filters=width)(x, train=True)
            x = self.act(self.norm_fn()(x))
        if self.pool == "mean":
            x = x.mean(1)
        elif self.pool in ("max", "min"):
            x = x.max(1)
        return x + self.first[0] + self.depth + self.rest


class Held:
    def __init__(self, sizes, active):
        self._sizes = sizes
        self._active = active
        self.count = len(sizes)

    def __call__(self, x):
        return self._active(x)
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


def test_parameters_of_a_constructor(module: ModuleType) -> None:
    found = uses.of(module.Held)
    assert found["sizes"].sequence and len(found["active"].calls) == 1


def test_what_has_no_text() -> None:
    assert uses.of(int) == {} and uses.of(len) == {} and uses.of(None) == {}
