"""Cases from the configuration: `[[tool.nnx-codemod.samples]]`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import SAMPLES, TABLE, ConfigError, find_pyproject

_KEYS = frozenset(("module", "path", "args", "kwargs", "inputs", "call", "method"))


@dataclass(frozen=True)
class Sample:
    """A configured case: the module's import path, the class or function in it, a folder for sys.path, and the case.

    `case` has the keys "origin", "args", "kwargs", "inputs", "call" and "method".
    """

    module: str
    name: str
    path: str
    case: dict[str, Any]


def samples(tree: Path) -> list[Sample]:
    """The samples in the pyproject.toml of a tree; raises ConfigError."""
    file = find_pyproject(tree)
    if file is None:
        return []
    try:
        document = tomllib.loads(file.read_bytes().decode())
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}") from None
    table = document.get("tool", {}).get(TABLE, {})
    listed = table.get(SAMPLES, []) if isinstance(table, dict) else []
    if not isinstance(listed, list):
        raise ConfigError(f"{file}: samples must be an array of tables")
    return [_sample(one, f"{file}: sample {number}") for number, one in enumerate(listed, 1)]


def _sample(given: Any, where: str) -> Sample:
    """One sample; raises ConfigError."""
    if not isinstance(given, Mapping):
        raise ConfigError(f"{where} is not a table")
    unknown = sorted(set(given) - _KEYS)
    if unknown:
        raise ConfigError(
            f"{where} has no key {unknown[0]}, the keys are {', '.join(sorted(_KEYS))}"
        )
    module, _, name = _text(given, "module", "", where).partition(":")
    if not (module and name):
        raise ConfigError(f'{where}: module must be written as "package.module:Class"')
    case = {
        "origin": "configuration",
        "args": _of(given, "args", list, where),
        "kwargs": _of(given, "kwargs", dict, where),
        "inputs": _of(given, "inputs", list, where),
        "call": _of(given, "call", dict, where),
        "method": _text(given, "method", "__call__", where),
    }
    return Sample(module, name, _text(given, "path", ".", where), case)


def _text(given: Mapping[str, Any], key: str, default: str, where: str) -> str:
    value = given.get(key, default)
    if not isinstance(value, str):
        raise ConfigError(f"{where}: {key} must be a string, not {value!r}")
    return value


def _of(given: Mapping[str, Any], key: str, kind: type, where: str) -> Any:
    value = given.get(key, kind())
    if not isinstance(value, kind):
        shown = "an array" if kind is list else "a table"
        raise ConfigError(f"{where}: {key} must be {shown}, not {value!r}")
    return value
