"""Where a path in an original's tree of variables is in the rewritten module."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..model.module import ModuleModel
from ..rule import Layer

STATE_TYPES = {"params": "nnx.Param", "batch_stats": "nnx.BatchStat", "cache": "nnx.Cache"}


def locate(
    model: ModuleModel | Layer, framework: str, path: Sequence[str], root: str = ""
) -> str | None:
    """The attribute path of a variable, as text behind the module's name; None where it is not known."""
    parts = haiku_parts(path, root) if framework == "haiku" else list(path)
    if isinstance(model, Layer):
        return next(
            (v.target.replace("/", ".") for v in model.variables if [v.source] == parts), None
        )
    for variable in model.variables:
        source = [p for part in variable.source for p in part.split("/")]
        indices = _match(source, parts)
        if indices is not None:
            target = ".".join(p for part in variable.target for p in part.split("/"))
            return _filled(target, indices)
    return None


def haiku_parts(path: Sequence[str], root: str) -> list[str]:
    """`('model/block/linear', 'w')` without the root's own name and the `~` of constructors."""
    parts = [part for piece in path for part in piece.split("/") if part != "~"]
    return parts[1:] if parts and parts[0] == root else parts


def _match(source: Sequence[str], parts: Sequence[str]) -> list[str] | None:
    """The indices for the `{i}` of a source path, None where it does not match."""
    if len(source) != len(parts):
        return None
    indices: list[str] = []
    for pattern, part in zip(source, parts, strict=True):
        if "{i}" not in pattern:
            if pattern != part:
                return None
            continue
        found = re.fullmatch(re.escape(pattern).replace(r"\{i\}", r"(\d+)"), part)
        if found is None and pattern.endswith("_{i}") and part == pattern.removesuffix("_{i}"):
            indices.append("0")  # Haiku's first of several has no number
            continue
        if found is None:
            return None
        indices.append(found.group(1))
    return indices


def _filled(target: str, indices: Sequence[str]) -> str:
    for index in indices:
        target = target.replace("{i}", index, 1)
    return target
