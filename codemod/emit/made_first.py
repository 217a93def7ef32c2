"""A layer that asks another for the size of what it returns is made behind it, where nothing speaks against that.

A method may make its head before its trunk, as sizes are not needed there before the call; a constructor cannot.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Sequence

from ..chains import stored_names

_TELLS = re.compile(r"\bself\.(\w+)\.out_features\b")


def in_order(body: Sequence[str]) -> list[str]:
    """The lines of a constructor, each statement that asks a layer for its size behind the one that makes the layer."""
    lines = "\n".join(body).split("\n") if body else []
    for _ in lines:  # each turn moves one statement down
        moved = _with_one_moved(lines)
        if moved is None:
            return lines
        lines = moved
    return list(body)  # they ask each other


def _with_one_moved(lines: list[str]) -> list[str] | None:
    try:
        statements = ast.parse(textwrap.dedent("\n".join(lines))).body
    except SyntaxError:  # a branch of a method begins in the middle
        return None
    made: dict[str, int] = {}
    for at, statement in enumerate(statements):
        made.setdefault(_made(statement) or "", at)
    for at, statement in reversed(list(enumerate(statements))):  # they keep their order
        segment = "\n".join(lines[_start(statement) : _end(statement)])
        asked = set(_TELLS.findall(segment))
        last = max((made.get(name, at) for name in asked), default=at)
        if last > at and _is_free(statement, statements[at + 1 : last + 1], asked):
            start = _start(statement)
            while start and lines[start - 1].lstrip().startswith("#"):
                start -= 1
            end, behind = _end(statement), _end(statements[last])
            return [*lines[:start], *lines[end:behind], *lines[start:end], *lines[behind:]]
    return None


def _is_free(statement: ast.stmt, others: Sequence[ast.stmt], asked: set[str]) -> bool:
    """Whether a statement that makes a layer means the same behind some others, and they without it."""
    name = _made(statement)
    if name is None:
        return False
    read = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    own = {node.attr for node in ast.walk(statement) if isinstance(node, ast.Attribute)}
    for other in others:
        attributes = [node for node in ast.walk(other) if isinstance(node, ast.Attribute)]
        set_anew = {n.attr for n in attributes if isinstance(n.ctx, ast.Store)} & own
        if stored_names(other) & read or any(n.attr == name for n in attributes):
            return False
        if set_anew - asked or any(isinstance(node, ast.Return) for node in ast.walk(other)):
            return False
    return True


def _made(statement: ast.stmt) -> str | None:
    """The attribute that a statement gives what it makes."""
    match statement:
        case ast.Assign(
            targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=ast.Call()
        ):
            return name
    return None


def _start(statement: ast.stmt) -> int:
    return statement.lineno - 1


def _end(statement: ast.stmt) -> int:
    return statement.end_lineno or statement.lineno
