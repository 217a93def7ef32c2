"""Attributes and locals that a constructor reads before it sets them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from .chains import is_own, stored_names


def read_too_early(cls: ast.ClassDef) -> str | None:
    """The first attribute of `self` that `__init__` sets only further down than it reads it, None where none is."""
    constructor = _constructor(cls)
    if constructor is None:
        return None
    set_at: dict[str, _Place] = {}
    for node in ast.walk(constructor):
        for name, place in _stores(node):
            set_at[name] = min(place, set_at.get(name, place))
    early = [
        node
        for node in ast.walk(constructor)
        if is_own(node)
        and isinstance(node.ctx, ast.Load)
        and (node.lineno, node.col_offset) < set_at.get(node.attr, (0, 0))
    ]
    return min(early, key=lambda node: node.lineno).attr if early else None


_Place = tuple[int, int]


def _stores(node: ast.AST) -> Iterator[tuple[str, _Place]]:
    """The attributes of `self` that a node sets, and from where on each is set: an assignment reads its value first."""
    match node:
        case ast.Assign(targets=targets):
            place = (node.end_lineno or 0, node.end_col_offset or 0)
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            targets, place = [target], (node.end_lineno or 0, node.end_col_offset or 0)
        case ast.For(target=target) | ast.withitem(optional_vars=ast.expr() as target):
            targets, place = [target], (target.end_lineno or 0, target.end_col_offset or 0)
        case _:
            return
    for part in [part for target in targets for part in ast.walk(target)]:
        if is_own(part) and isinstance(part.ctx, ast.Store):
            yield part.attr, place


def unbound_local(cls: ast.ClassDef) -> str | None:
    """The first local of `__init__` that it only binds further down than it reads it, None where none is."""
    constructor = _constructor(cls)
    if constructor is None:
        return None
    bound_at: dict[str, _Place] = {}
    reads: list[ast.Name] = []
    ends, changed = _ends_of_bindings(constructor)
    for node, later in _own_names(constructor.body, frozenset(), frozenset()):
        if isinstance(node.ctx, ast.Load) or node in changed:
            reads += [node] if node.id not in later else []
        if not isinstance(node.ctx, ast.Load):
            place = ends.get(node, (node.lineno, node.col_offset))
            bound_at[node.id] = min(place, bound_at.get(node.id, place))
    given = {node.arg for node in ast.walk(constructor.args) if isinstance(node, ast.arg)}
    early = [
        n
        for n in reads
        if n.id not in given and (n.lineno, n.col_offset) < bound_at.get(n.id, (0, 0))
    ]
    return min(early, key=lambda node: node.lineno).id if early else None


def _ends_of_bindings(
    function: ast.FunctionDef,
) -> tuple[dict[ast.AST, _Place], set[ast.AST]]:
    """From where on each name that is assigned has its value, and the names that `+=` reads as it sets them."""
    ends: dict[ast.AST, _Place] = {}
    changed: set[ast.AST] = set()
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=targets):
                pass
            case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
                targets = [target]
                changed |= {target} if isinstance(node, ast.AugAssign) else set()
            case _:
                continue
        end = (node.end_lineno or 0, node.end_col_offset or 0)
        ends.update({part: end for target in targets for part in ast.walk(target)})
    return ends, changed


def _constructor(cls: ast.ClassDef) -> ast.FunctionDef | None:
    methods = (n for n in cls.body if isinstance(n, ast.FunctionDef))
    return next((method for method in methods if method.name == "__init__"), None)


def _own_names(
    nodes: Iterable[ast.AST], looped: frozenset[str], later: frozenset[str]
) -> Iterator[tuple[ast.Name, frozenset[str]]]:
    """The names of a function's own scope, each with those that an earlier turn of a loop around it may have bound.

    `looped` are the names that loops bind, `later` those of them that are read under a test which the turns decide.
    """
    for node in nodes:
        if isinstance(node, ast.Name):
            yield node, later
        elif not isinstance(node, _SCOPES):
            inside, decided = looped, later
            if isinstance(node, ast.For | ast.While):
                inside |= stored_names(node)
            tests = [node.test] if isinstance(node, ast.If | ast.IfExp | ast.While) else []
            read = {n.id for test in tests for n in ast.walk(test) if isinstance(n, ast.Name)}
            if read & inside or isinstance(node, ast.Try):
                decided |= inside
            yield from _own_names(ast.iter_child_nodes(node), inside, decided)


_SCOPES = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)
