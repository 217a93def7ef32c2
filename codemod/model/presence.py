"""Attributes that hold a module or None, as one test in the constructor decides."""

from __future__ import annotations

import ast
from collections.abc import Callable

from ..chains import is_own

Statements = list[ast.stmt]


def decided_by_test(
    cls: ast.ClassDef, function: ast.FunctionDef, is_module: Callable[[ast.expr], bool]
) -> dict[str, ast.expr]:
    """The attributes that are None unless a test holds, with the test; only tests that hold or not for good."""
    found: dict[str, ast.expr] = {}
    for place, statement in enumerate(function.body):
        match statement:
            case ast.If(test=test, body=body, orelse=orelse):
                for name, made in _own_assignments(body).items():
                    absent = _own_assignments(orelse if orelse else function.body[:place])
                    if is_module(made) and _is_none(absent.get(name)):
                        found[name] = test
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)],
                value=ast.IfExp(test=test, body=made, orelse=other),
            ) if is_module(made) and _is_none(other):
                found[name] = test
    return {
        name: test
        for name, test in found.items()
        if _stands(test, cls, function)
        and _times_set(cls, name) <= (2 if _by_branch(function, name) else 1)
    }


def _own_assignments(body: Statements) -> dict[str, ast.expr]:
    """What plain statements assign to attributes of `self`."""
    found: dict[str, ast.expr] = {}
    for statement in body:
        match statement:
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=value
            ):
                found[name] = value
    return found


def _is_none(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _by_branch(function: ast.FunctionDef, name: str) -> bool:
    return not isinstance(_own_assignments(function.body).get(name), ast.IfExp)


def _stands(test: ast.expr, cls: ast.ClassDef, function: ast.FunctionDef) -> bool:
    """Whether a test reads only parameters and attributes that keep their values, and asks nothing of them."""
    spec = function.args
    parameters = {a.arg for a in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]}
    changed = {
        n.id
        for n in ast.walk(function)
        if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)
    }
    nodes = list(ast.walk(test))
    if any(isinstance(n, ast.Call | ast.Subscript) for n in nodes):
        return False
    kept = all(_times_set(cls, n.attr) <= 1 for n in nodes if isinstance(n, ast.Attribute))
    return kept and all(n.id in parameters - changed for n in nodes if isinstance(n, ast.Name))


def _times_set(cls: ast.ClassDef, name: str) -> int:
    return sum(
        is_own(n) and n.attr == name and isinstance(n.ctx, ast.Store | ast.Del)
        for n in ast.walk(cls)
    )
