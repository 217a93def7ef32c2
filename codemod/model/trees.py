"""Where a path in an original's tree of variables is in the rewritten module."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..rule import Layer
from .module import ModuleModel

_BRACES = re.compile(r"\{([^{}]*)\}")
STATE_TYPES = {"params": "nnx.Param", "batch_stats": "nnx.BatchStat", "cache": "nnx.Cache"}


def locate(
    model: ModuleModel | Layer, framework: str, path: Sequence[str], root: str = ""
) -> str | None:
    """The attribute path of a variable, as text behind the module's name; None where it is not known."""
    parts = haiku_parts(path, root) if framework == "haiku" else list(path)
    if isinstance(model, Layer):
        plain = _unscoped(parts)
        return next(
            (v.target.replace("/", ".") for v in model.variables if v.source.split("/") == plain),
            None,
        )
    sources = [(v, [p for part in v.source for p in part.split("/")]) for v in model.variables]
    fitting = [(v, found) for v, source in sources if (found := _match(source, parts)) is not None]
    if not fitting:
        loose = _unscoped(parts)
        fitting = [
            (v, found)
            for v, source in sources
            if (found := _match(_unscoped(source), loose)) is not None
        ]
    if len(fitting) != 1:
        return None  # unknown, or another one in another configuration
    (variable, indices), *_ = fitting
    target = ".".join(p for part in variable.target for p in part.split("/"))
    return _filled(target, indices)


def haiku_parts(path: Sequence[str], root: str) -> list[str]:
    """`('model/~/block/linear', 'w')` without the root's own name."""
    parts = [part for piece in path for part in piece.split("/")]
    return parts[1:] if parts and parts[0] == root else parts


def _unscoped(parts: Sequence[str]) -> list[str]:
    """A path without Haiku's marks of methods, which the names of library modules leave out."""
    return [part for part in parts if not part.startswith("~")]


def _match(source: Sequence[str], parts: Sequence[str]) -> dict[str, str] | None:
    """What stands for the expressions of a source path, by their text; None where it does not match."""
    if len(source) != len(parts):
        return None
    indices: dict[str, str] = {}
    for pattern, part in zip(source, parts, strict=True):
        expressions = _BRACES.findall(pattern)
        text = r"(\d+)".join(re.escape(piece) for piece in _BRACES.split(pattern)[::2])
        found = re.fullmatch(text, part)
        if found is None and expressions and part == _BRACES.sub("", pattern).removesuffix("_"):
            # Haiku's first of several has no number.
            indices.update(dict.fromkeys(expressions, "0"))
            continue
        if found is None:
            return None
        indices.update(zip(expressions, found.groups(), strict=True))
    return indices


def _filled(target: str, indices: Mapping[str, str]) -> str | None:
    """A target at these indices; None where they do not tell which it is."""
    for expression, index in indices.items():
        if f"{{{expression}}}" not in target:
            return None
        target = target.replace(f"{{{expression}}}", index)
    return None if "{" in target else target
