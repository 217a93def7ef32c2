"""Unified diffs that `git apply` and `patch` take."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

_LINE = re.compile(r"[^\n]*\n|[^\n]+")  # what diff calls a line; a carriage return is a part of it
_QUOTED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"})


def unified(path: str, before: str | None, after: str) -> str:
    """The diff from one text of a file to the next, empty where they are equal; `before` is None for a new file."""
    lines = difflib.unified_diff(
        _LINE.findall(before or ""),
        _LINE.findall(after),
        "/dev/null" if before is None else _name("a", path),
        _name("b", path),
    )
    return "".join(_terminated(lines))


def _name(side: str, path: str) -> str:
    """A path as git writes it: below `a/` or `b/`, quoted or marked off where it holds odd characters."""
    name = f"{side}/{path.lstrip('/')}"
    quoted = name.translate(_QUOTED)
    if quoted != name:
        return f'"{quoted}"'
    return f"{name}\t" if " " in name else name


def _terminated(lines: Iterator[str]) -> Iterator[str]:
    """The lines of a diff, one that has no line feed in its text marked as git marks it."""
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
