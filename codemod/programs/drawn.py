"""Samples that are drawn: what makes them runs as often as it did where `init` got them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

_SAME = ("jax.", "numpy.")
_OTHER = ("numpy.random.",)


def moves_on(sample: ast.expr) -> bool:
    """Whether a sample takes the next of an iterator, which everything after it would miss."""
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "next"
        for node in ast.walk(sample)
    )


def differs(sample: ast.expr, qualified: Callable[[ast.expr], str | None]) -> bool:
    """Whether a sample may be another one, or cost its time again, when it is evaluated a second time."""
    calls = [node for node in ast.walk(sample) if isinstance(node, ast.Call)]
    return any(not _is_same(qualified(call.func) or "") for call in calls)


def _is_same(name: str) -> bool:
    return name.startswith(_SAME) and not name.startswith(_OTHER)


def samples(init: ast.Call) -> Iterable[ast.expr]:
    """The inputs that `init` gets."""
    return [*init.args[1:], *[keyword.value for keyword in init.keywords]]
