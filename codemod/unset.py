"""Attributes and locals that a constructor reads before it sets them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from .chains import is_own


def read_too_early(cls: ast.ClassDef) -> str | None:
    """The first attribute of `self` that `__init__` sets only further down than it reads it, None where none is."""
    constructor = _constructor(cls)
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


def unbound_local(cls: ast.ClassDef) -> str | None:
    """The first local of `__init__` that it only binds further down than it reads it, None where none is."""
    constructor = _constructor(cls)
    if constructor is None:
        return None
    bound_at: dict[str, int] = {}
    reads: list[ast.Name] = []
    for node, looped in _own_names(constructor.body, frozenset()):
        if isinstance(node.ctx, ast.Load):
            reads += [node] if node.id not in looped else []
        else:
            bound_at[node.id] = min(node.lineno, bound_at.get(node.id, node.lineno))
    given = {node.arg for node in ast.walk(constructor.args) if isinstance(node, ast.arg)}
    early = [n for n in reads if n.id not in given and n.lineno < bound_at.get(n.id, 0)]
    return min(early, key=lambda node: node.lineno).id if early else None


def _constructor(cls: ast.ClassDef) -> ast.FunctionDef | None:
    methods = (n for n in cls.body if isinstance(n, ast.FunctionDef))
    return next((method for method in methods if method.name == "__init__"), None)


def _own_names(
    nodes: Iterable[ast.AST], looped: frozenset[str]
) -> Iterator[tuple[ast.Name, frozenset[str]]]:
    """The names of a function's own scope, each with those that a loop around it binds."""
    for node in nodes:
        if isinstance(node, ast.Name):
            yield node, looped
        elif not isinstance(node, _SCOPES):
            inside = looped
            if isinstance(node, ast.For | ast.While):
                names = (n for n in ast.walk(node) if isinstance(n, ast.Name))
                inside |= {n.id for n in names if isinstance(n.ctx, ast.Store)}
            yield from _own_names(ast.iter_child_nodes(node), inside)


_SCOPES = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)
