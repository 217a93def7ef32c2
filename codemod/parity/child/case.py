"""A case's values, from the text that it is written in."""

from __future__ import annotations

import importlib
import importlib.machinery
import os
import re
import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from . import absl_flags, dropped, standins, within
from .failure import Failure, describe
from .subject import wide

_ARRAY = re.compile(r"^\s*(bf16|[fiuc]\d+|bool|key)\s*\[([\d,\s]*)\]\s*(?:<\s*(\d+))?\s*$")
_KINDS = {
    "f16": "float16",
    "bf16": "bfloat16",
    "f32": "float32",
    "f64": "float64",
    "c64": "complex64",
    "c128": "complex128",
    "bool": "bool",
    **{
        f"{kind}{bits}": f"{name}{bits}"
        for kind, name in (("i", "int"), ("u", "uint"))
        for bits in (8, 16, 32, 64)
    },
}


@dataclass
class Values:
    """A case, evaluated: constructor arguments, the call's positional and keyword arguments."""

    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    inputs: list[Any] = field(default_factory=list)
    call: dict[str, Any] = field(default_factory=dict)


def is_array(text: str) -> bool:
    """Whether a text says an array, such as "f32[2,8]" or "i32[2,6]<100"."""
    found = _ARRAY.match(text)
    return found is not None and (found.group(1) in _KINDS or found.group(1) == "key")


def evaluate(case: dict[str, Any], module: ModuleType, seed: int, names: dict[str, Any]) -> Values:
    """The values of a case; raises Failure where an expression fails. `names` are in scope besides the usual ones."""
    reader = Reader(module, seed, names)
    try:
        return Values(
            [reader.value(item, arrays=False) for item in case.get("args", [])],
            {
                name: reader.value(item, arrays=False)
                for name, item in case.get("kwargs", {}).items()
            },
            [reader.value(item) for item in case.get("inputs", [])],
            {name: reader.value(item) for name, item in case.get("call", {}).items()},
        )
    except Exception as error:
        raise Failure("case", f"the case cannot be evaluated: {describe(error)}") from error


class Reader:
    """Turns the values of one case into Python objects; its arrays are drawn one after the other from a seed."""

    def __init__(self, module: ModuleType, seed: int, names: dict[str, Any]) -> None:
        import functools

        import jax
        import jax.numpy as jnp
        import numpy as np

        self._draws = np.random.default_rng(seed)
        self._scope: dict[str, Any] = {
            "jax": jax,
            "jnp": jnp,
            "np": np,
            "functools": functools,
            "module": module,
            "load": importlib.import_module,
            "draw": self.array,
            **names,
        }

    def value(self, item: Any, arrays: bool = True) -> Any:
        """One value; texts that say arrays are taken for them only if `arrays`."""
        if isinstance(item, str):
            if item.startswith("py:"):
                return _widened(eval(item[3:], dict(self._scope)))
            return self.array(item) if arrays and is_array(item) else item
        if isinstance(item, list):
            return [self.value(inner, arrays) for inner in item]
        if isinstance(item, dict):
            return {name: self.value(inner, arrays) for name, inner in item.items()}
        return item

    def array(self, text: str) -> Any:
        """Normal draws for floats, integers below the bound (2 where none is given), coin tosses for bools."""
        import jax
        import jax.numpy as jnp

        found = _ARRAY.match(text)
        assert found is not None
        kind, sizes, below = found.groups()
        shape = tuple(int(size) for size in sizes.split(",") if size.strip())
        if kind == "key":
            return jax.random.key(0)
        name = _KINDS[kind]
        if kind == "bool" or kind[0] in "iu":
            return jnp.asarray(self._draws.integers(0, int(below or 2), shape), name)
        drawn = self._draws.standard_normal(shape)
        if kind[0] == "c":
            drawn = drawn + 1j * self._draws.standard_normal(shape)
        return _widened(jnp.asarray(drawn, name))


def _widened(value: Any) -> Any:
    """A value with its float32 arrays as float64 where JAX computes in that."""
    import jax
    import numpy as np

    if not wide():
        return value
    if isinstance(value, (np.ndarray, jax.Array)) and value.dtype == np.float32:
        return value.astype(np.float64)
    if type(value) in (list, tuple):
        return type(value)(_widened(inner) for inner in value)
    if type(value) is dict:
        return {name: _widened(inner) for name, inner in value.items()}
    return value


# ---- importing ---------------------------------------------------------------------------------------


def load(name: str, paths: list[str], tree: str) -> ModuleType:
    """Imports a module of the user's tree; what an earlier case imported from any tree is forgotten first.

    Raises Failure.
    """
    if standins.folders:
        _given.update(standins.folders)
        _last.clear()
        standins.folders.clear()
    _forget(tree, paths)
    sys.path[:] = [*paths, *(path for path in sys.path if path not in _given)]
    _given.update(paths)
    dropped.put_back()
    module = _imported(name, tree)
    absl_flags.settle()
    return module


def _imported(name: str, tree: str) -> ModuleType:
    try:
        return standins.load(name, tree)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        again = _in_package(name, tree) if "." not in name else _without_packages(name, tree)
        if again is not None:
            return again
        raise Failure("imports", describe(error)) from error


_PACKAGE = "package_of_the_tree"


def _in_package(name: str, tree: str) -> ModuleType | None:
    """A file of the tree's root imported as part of a package, for one whose imports are relative; None if that fails, too."""
    found = importlib.machinery.PathFinder.find_spec(name)
    if found is None or not found.origin or name in sys.modules:
        return None
    folder = os.path.dirname(found.origin)
    for old in [m for m in sys.modules if m == _PACKAGE or m.startswith(f"{_PACKAGE}.")]:
        del sys.modules[old]
    package = ModuleType(_PACKAGE)
    package.__path__ = [folder]
    sys.modules[_PACKAGE] = package
    try:
        return standins.load(f"{_PACKAGE}.{name}", tree)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return None


def _without_packages(name: str, tree: str) -> ModuleType | None:
    """The module imported without running the `__init__.py` of the tree's packages that it is in; None if that fails, too."""
    *packages, _ = name.split(".")
    root = os.path.realpath(tree) + os.sep
    for count in range(1, len(packages) + 1):
        package = ".".join(packages[:count])
        if package in sys.modules:
            continue
        found = importlib.machinery.PathFinder.find_spec(
            package,
            list(getattr(sys.modules.get(package.rpartition(".")[0]), "__path__", sys.path)),
        )
        folders = list(found.submodule_search_locations or ()) if found is not None else []
        if not any(os.path.realpath(folder).startswith(root) for folder in folders):
            return None
        bare = ModuleType(package)
        bare.__path__ = folders
        sys.modules[package] = bare
    try:
        return standins.load(name, tree)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return None


_given: set[str] = set()  # paths that a case put on sys.path
_last: list[list[str]] = []


def _forget(tree: str, paths: list[str]) -> None:
    """Drops the tree's modules, unless the last case had the same paths."""
    if _last and _last[-1] == paths:
        return
    _last[:] = [paths]
    root = os.path.realpath(tree) + os.sep
    gone = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        folders = list(getattr(module, "__path__", None) or []) if not file else []
        place = file or (folders[0] if folders else None)
        if place and os.path.realpath(place).startswith(root):
            gone.append(name)
    for name in gone:  # all at once: a folder without `__init__.py` asks its parent where it lies
        del sys.modules[name]
    absl_flags.forget(gone)
    importlib.invalidate_caches()


def attribute(module: ModuleType, name: str) -> Any:
    """What a dotted name in a module stands for, be it defined inside a function; raises Failure."""
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            return within.defined(module, name)
    return found
