"""Inputs that may be an array or something around one: `if isinstance(x, Tokens): x = x.values`."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from .transport import substituted


def asked(function: ast.FunctionDef, parameter: str) -> list[ast.Call]:
    """Where a method asks what kind of thing a parameter is."""
    return [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("isinstance", "hasattr")
        and node.args
        and isinstance(node.args[0], ast.Name)
        and node.args[0].id == parameter
    ]


def found(function: ast.FunctionDef, parameter: str) -> ast.If | None:
    """The one statement that asks what kind of thing a parameter is, and takes the array out of it."""
    told = asked(function, parameter)
    for statement in function.body:
        if isinstance(statement, ast.If) and told == [statement.test]:
            stored = [
                node.lineno
                for node in ast.walk(function)
                if isinstance(node, ast.Name)
                and node.id == parameter
                and isinstance(node.ctx, ast.Store)
                and node.lineno < statement.lineno
            ]
            if not stored and _taken_out(statement, parameter) is not None:
                return statement
    return None


def kinds(statement: ast.If) -> list[ast.Name]:
    """The names of the kinds that such a statement asks for."""
    assert isinstance(statement.test, ast.Call)
    return [
        node
        for arg in statement.test.args[1:]
        for node in ast.walk(arg)
        if isinstance(node, ast.Name)
    ]


def sized(source: str, unpacked: Mapping[str, ast.If | None]) -> str:
    """A size of such an input, whichever of both it is."""
    for parameter, statement in unpacked.items():
        value = _taken_out(statement, parameter) if statement is not None else None
        if statement is not None and value is not None:
            either = f"({ast.unparse(value)} if {ast.unparse(statement.test)} else {parameter})"
            source = substituted(source, {parameter: either})
    return source


def _taken_out(statement: ast.If, parameter: str) -> ast.expr | None:
    """What the parameter becomes in the branch: something of its own, `x = x.values` or `x, mask = x.values, x.mask`."""
    for each in statement.body:
        match each:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == parameter:
                return value if _is_part(value, parameter) else None
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                pairs = zip(names, values, strict=False)
                for target, value in pairs:
                    if isinstance(target, ast.Name) and target.id == parameter:
                        return value if _is_part(value, parameter) else None
    return None


def _is_part(value: ast.expr, parameter: str) -> bool:
    """Whether an expression is a chain of attributes and constant subscripts of a parameter."""
    while isinstance(value, ast.Attribute) or (
        isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant)
    ):
        value = value.value
    return isinstance(value, ast.Name) and value.id == parameter
