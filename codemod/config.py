"""What a run is asked to do: the flags, on top of `[tool.nnx-codemod]` in the repository's pyproject.toml."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

Names = Literal["pythonic", "original"]
ModeFlags = Literal["drop", "keep"]
TABLE = "nnx-codemod"
SAMPLES = "samples"  # cases for `verify`, which reads them itself
LINE_LENGTH = 100


class ConfigError(Exception):
    """A configuration that cannot be followed; the message is one line and names the file."""


@dataclass(frozen=True)
class Options:
    """The choices that every stage follows.

    `select` and `ignore` hold rule codes or prefixes of codes; `exclude` holds patterns as in a .gitignore file,
    relative to `root`, the folder of the configuration. `line_length` is what emitted code keeps to, in characters; None
    stands for what the files keep to.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    names: Names = "pythonic"
    mode_flags: ModeFlags = "drop"
    line_length: int | None = None
    exclude: tuple[str, ...] = ()
    root: Path | None = None

    @property
    def limit(self) -> int:
        """The longest line of emitted code, in characters."""
        return self.line_length or LINE_LENGTH

    def chosen(self, code: str) -> bool:
        """Whether a rule with this code is to be applied."""
        wanted = not self.select or code.startswith(self.select)
        return wanted and not (self.ignore and code.startswith(self.ignore))


def find_pyproject(path: Path) -> Path | None:
    """The pyproject.toml in the folder of `path` or the nearest above it, inside its git repository if it has one."""
    start = path if path.is_dir() else path.parent
    for folder in [start, *start.parents]:
        if (folder / "pyproject.toml").is_file():
            return folder / "pyproject.toml"
        if (folder / ".git").exists():
            return None
    return None


def load(path: Path, flags: Mapping[str, Any] | None = None) -> Options:
    """The options for the files under `path`; a flag that is not None beats the configuration.

    Raises ConfigError.
    """
    file = find_pyproject(path.absolute())
    options = read(file) if file else Options()
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    return replace(options, **given)


def read(file: Path) -> Options:
    """The options that a pyproject.toml states; raises ConfigError."""
    try:
        document = tomllib.loads(file.read_bytes().decode())
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}") from None
    tools = document.get("tool")
    tools = tools if isinstance(tools, dict) else {}
    table = tools.get(TABLE, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{file}: [tool.{TABLE}] is not a table")
    given = {_known(key, file): value for key, value in table.items() if key != SAMPLES}
    checked = {
        name: _CHECKS[name](value, f"{file}: {_spelling(name)}") for name, value in given.items()
    }
    return Options(**{"line_length": _line_length(tools), **checked, "root": file.parent})


def _spelling(name: str) -> str:
    return name.replace("_", "-")


def _known(key: str, file: Path) -> str:
    """The option that a key sets."""
    if key.replace("-", "_") in _CHECKS:
        return key.replace("-", "_")
    near = difflib.get_close_matches(key.replace("_", "-"), map(_spelling, _CHECKS), n=1)
    hint = (
        f", did you mean {near[0]}?"
        if near
        else f", the keys are {', '.join(map(_spelling, _CHECKS))}"
    )
    raise ConfigError(f"{file}: [tool.{TABLE}] has no key {key}{hint}")


def _words(value: object, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise ConfigError(f"{where} must be a list of strings, not {value!r}")


def _choice(*choices: str) -> Callable[[object, str], str]:
    def check(value: object, where: str) -> str:
        if isinstance(value, str) and value in choices:
            return value
        raise ConfigError(f"{where} must be {' or '.join(choices)}, not {value!r}")

    return check


def _length(value: object, where: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise ConfigError(f"{where} must be a positive number, not {value!r}")


_CHECKS: dict[str, Callable[[object, str], Any]] = {
    "select": _words,
    "ignore": _words,
    "names": _choice("pythonic", "original"),
    "mode_flags": _choice("drop", "keep"),
    "line_length": _length,
    "exclude": _words,
}
assert _CHECKS.keys() == {field.name for field in fields(Options)} - {"root"}


def _line_length(tools: Mapping[str, Any]) -> int | None:
    """The line length that the repository's formatter is set to."""
    for tool, key in (("ruff", "line-length"), ("black", "line-length"), ("black", "line_length")):
        table = tools.get(tool)
        length = table.get(key) if isinstance(table, dict) else None
        if isinstance(length, int) and not isinstance(length, bool) and length > 0:
            return length
    return None
