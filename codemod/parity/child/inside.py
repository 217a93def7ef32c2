"""The job `inside`: cases for the modules that a module makes, from a run of it."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any

from . import abstract
from .case import Values
from .recording import describe
from .subject import Subject

_KINDS = {"float": "f", "int": "i", "uint": "u", "complex": "c", "bfloat": "bf"}


class Unwritten(Exception):
    """A value that no case can say."""


def inside(
    job: dict[str, Any], thing: Any, module: Any, cased: Callable[..., Any]
) -> dict[str, Any]:
    """The cases of the modules of the tree that run inside of the job's subject."""
    found: list[dict[str, Any]] = []
    root = os.path.realpath(job["tree"]) + os.sep
    linen = job["class"]["source"] == "linen"
    made: dict[
        int, tuple[Any, Any, dict[str, Any]]
    ] = {}  # constructor arguments of Haiku's modules

    def intercept(function: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
        one = context.module
        if context.method_name == "__init__":
            made[id(one)] = one, list(args), dict(kwargs)
        elif type(one) is not thing and _file(type(one)).startswith(root):
            built = ([], _fields(one)) if linen else made.get(id(one), (one, [], {}))[1:]
            _add(found, one, built, context.method_name, args, kwargs)
        return function(*args, **kwargs)

    def maker(_: Any, values: Values, method: str, reported: dict[str, Any]) -> Subject:
        found.clear()
        abstract.init(thing, values, method, reported, linen, intercept=intercept)
        return Subject({}, {}, lambda p, s, x, mode: ([], {}), [], lambda seed: {})

    given, _ = cased(job, module, thing, maker)
    return {"status": "ok", "case": given, "inside": found}


def _file(cls: type) -> str:
    try:
        return os.path.realpath(inspect.getsourcefile(cls) or "")
    except (TypeError, OSError):
        return ""


def _add(
    found: list[dict[str, Any]], one: Any, built: Any, method: str, args: Any, kwargs: Any
) -> None:
    cls = type(one)
    if any((f["file"], f["name"]) == (_file(cls), cls.__qualname__) for f in found):
        return
    try:
        case = {
            "origin": "code",
            "args": [written(value) for value in built[0]],
            "kwargs": {name: written(value) for name, value in built[1].items()},
            "inputs": [given(value) for value in args],
            "call": {name: given(value) for name, value in kwargs.items()},
            "method": method,
        }
    except Unwritten:
        return
    found.append({"file": _file(cls), "name": cls.__qualname__, "case": case})


def _fields(one: Any) -> dict[str, Any]:
    """The fields of a dataclass that have other values than by default."""
    return {
        f.name: getattr(one, f.name)
        for f in dataclasses.fields(one)
        if f.init and f.name not in ("parent", "name") and getattr(one, f.name) is not f.default
    }


# ---- values ------------------------------------------------------------------------------------------


def given(value: Any) -> Any:
    """An argument of a call, as a case has it; raises Unwritten."""
    shown = describe(value)
    if shown is not None and "shape" in shown:
        return _array(shown)
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return [given(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): given(item) for name, item in value.items()}
    return written(value)


def _array(shown: dict[str, Any]) -> str:
    if shown["dtype"] == "key":
        return "key[]"
    sizes = ",".join(map(str, shown["shape"]))
    if shown["dtype"] == "bool":
        return f"bool[{sizes}]"
    name = shown["dtype"].rstrip("0123456789")
    if name not in _KINDS:
        raise Unwritten(shown["dtype"])
    return f"{_KINDS[name]}{shown['dtype'][len(name) :]}[{sizes}]"


def written(value: Any) -> Any:
    """A value of the constructor, as a case has it; raises Unwritten."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str) and not value.startswith("py:"):
        return value
    return f"py:{_text(value)}"


def _text(value: Any) -> str:
    """An expression for a value."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        inner = ", ".join(_text(item) for item in value)
        comma = "," if len(value) == 1 else ""
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{comma})"
    # Linen freezes the dicts that its modules have as fields.
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return f"{{{', '.join(f'{name!r}: {_text(item)}' for name, item in value.items())}}}"
    if isinstance(value, functools.partial):
        parts = [_text(value.func), *map(_text, value.args)]
        parts += [f"{name}={_text(item)}" for name, item in value.keywords.items()]
        return f"functools.partial({', '.join(parts)})"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = [f"{name}={_text(item)}" for name, item in _fields(value).items()]
        return f"{_named(type(value))}({', '.join(parts)})"
    return _named(value)


_LIBRARIES = {"flax.linen": "nn", "haiku": "hk", "jax.numpy": "jnp", "jax": "jax", "numpy": "np"}


def _named(value: Any) -> str:
    """A class or function by its name, which has to lead back to it."""
    import importlib

    name = getattr(value, "__qualname__", getattr(value, "__name__", ""))
    home = getattr(value, "__module__", "") or ""
    for library, short in _LIBRARIES.items():
        try:
            if name and getattr(importlib.import_module(library), name, None) is value:
                return f"{short}.{name}"
        except ImportError:
            continue
    if not name or "<" in name or not home:
        raise Unwritten(repr(value))
    found: Any = importlib.import_module(home)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not value:
        raise Unwritten(repr(value))
    return f"load({home!r}).{name}"
