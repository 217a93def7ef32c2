"""Attributes that a constructor reads before it sets them."""

from __future__ import annotations

import ast

from .chains import is_own


def read_too_early(cls: ast.ClassDef) -> str | None:
    """The first attribute of `self` that `__init__` sets only further down than it reads it, None where none is."""
    constructor = next(
        (n for n in cls.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None
    )
    if constructor is None:
        return None
    own = [node for node in ast.walk(constructor) if is_own(node)]
    set_at: dict[str, int] = {}
    for node in own:
        if isinstance(node.ctx, ast.Store):
            set_at[node.attr] = min(node.lineno, set_at.get(node.attr, node.lineno))
    early = [
        node
        for node in own
        if isinstance(node.ctx, ast.Load) and node.lineno < set_at.get(node.attr, 0)
    ]
    return min(early, key=lambda node: node.lineno).attr if early else None
