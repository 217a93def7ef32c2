"""What functions define inside of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from nnx_codemod.codemod.parity.child import case, within
from nnx_codemod.codemod.parity.child.failure import Failure

TEXT = """
import functools

scale = 3


def transform(function):
    return None


def main(width):
    depth = width

    @transform
    def plain(x):
        def inner(y):
            return y * scale

        return inner(x)

    @functools.cache
    def cached(x):
        return x

    def reading(x):
        return x * depth

    def defaulting(x, by=width):
        return x * by

    class Small:
        size = scale

    return plain, cached, reading, defaulting, Small


def other():
    class Two: pass

    def twice(x): return x


def another():
    def twice(x): return 2 * x
"""


@pytest.fixture
def module(tmp_path: Path) -> ModuleType:
    file = tmp_path / "inner_functions.py"
    file.write_text(TEXT)
    spec = importlib.util.spec_from_file_location("inner_functions", file)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_what_reads_nothing_of_the_function_is_defined_without_it(module: ModuleType) -> None:
    assert case.attribute(module, "plain")(4) == 12
    assert hasattr(within.defined(module, "cached"), "cache_info")
    small = within.defined(module, "Small")
    assert (small.size, small.__module__) == (3, "inner_functions")
    assert not hasattr(module, "plain")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("reading", "reads `depth` there"),
        ("defaulting", "NameError"),
        ("twice", "several functions make one"),
        ("main.plain", "made inside a function"),
        ("nothing", "made inside a function"),
    ],
)
def test_anything_else_is_told(module: ModuleType, name: str, why: str) -> None:
    with pytest.raises(Failure, match=why):
        case.attribute(module, name)
