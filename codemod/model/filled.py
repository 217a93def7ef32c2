"""Attributes that a module's method changes: those that it fills in where the constructor was given none, and others."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Filled:
    """`if self.width is None: self.width = x.shape[-1]`, at the top of a method that alone reads the attribute."""

    attribute: str
    parameter: str
    function: ast.FunctionDef
    statement: ast.If
    value: ast.expr


def changed_attributes(
    cls: ast.ClassDef, parameters: Mapping[str, str]
) -> tuple[list[Filled], set[str]]:
    """What methods fill in, and which other attributes of `parameters` they set."""
    methods = [n for n in cls.body if isinstance(n, ast.FunctionDef) and n.name != "__init__"]
    stores = {
        node: function
        for function in methods
        for node in changes(function)
        if _own(node) in parameters
    }
    found: list[Filled] = []
    for function in methods:
        for statement in function.body:
            fill = _fill(statement, function, parameters)
            if fill is not None and _alone(fill, methods):
                found.append(fill)
    filled = {fill.attribute for fill in found}
    return found, {name for node in stores if (name := _own(node)) is not None} - filled


def changes(tree: ast.AST) -> Iterator[ast.Attribute]:
    """The attributes that a piece of code sets or deletes; `x.y: Table` alone does neither."""
    told = {
        node.target for node in ast.walk(tree) if isinstance(node, ast.AnnAssign) and not node.value
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            if node not in told:
                yield node


def _fill(
    statement: ast.stmt, function: ast.FunctionDef, parameters: Mapping[str, str]
) -> Filled | None:
    match statement:
        case ast.If(
            test=ast.Compare(left=asked, ops=[ast.Is()], comparators=[ast.Constant(value=None)]),
            body=[ast.Assign(targets=[target], value=value)],
            orelse=[],
        ):
            name = _own(target)
            if name is not None and name == _own(asked) and name in parameters:
                return Filled(name, parameters[name], function, statement, value)
    return None


def _alone(fill: Filled, methods: list[ast.FunctionDef]) -> bool:
    """Whether nothing else sets the attribute, and nothing reads it before it is filled in, or in another method."""
    inside = set(ast.walk(fill.statement))
    for function in methods:
        for node in ast.walk(function):
            if _own(node) != fill.attribute or node in inside:
                continue
            loads = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
            later = getattr(node, "lineno", 0) > fill.statement.lineno
            if not loads or not later or function is not fill.function:
                return False
    return True


def _own(node: ast.AST) -> str | None:
    """`name` in `self.name`."""
    match node:
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return name
    return None
