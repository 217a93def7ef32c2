"""Tests of what an earlier branch decided: a layer or function that is there or None.

A constructor can ask what that branch asked, wherever the test itself is: in a function of a library, say.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from .values import NONE, Either, Value

if TYPE_CHECKING:
    from .scopes import Environment

Branch = ast.If | ast.IfExp


def of(node: ast.If, env: Environment) -> tuple[Branch, bool]:
    """The branch that decided the test of `node`, and whether its body is where the test holds; else `node` itself."""
    asked = _asked(node.test)
    value = env.lookup(asked[0]) if asked is not None else None
    branch = _decided(value)
    if asked is None or branch is None or not isinstance(value, Either):
        return node, True
    is_there = value.values[0] != NONE
    return branch, is_there is asked[1]


def _decided(value: Value | None) -> Branch | None:
    match value:
        case Either(values=[one, two], decided=branch) if (one == NONE) != (two == NONE):
            return branch
    return None


def _asked(test: ast.expr) -> tuple[str, bool] | None:
    """The name that a test asks about, and whether the test holds where it is not None."""
    match test:
        case ast.Name(id=name):
            return name, True
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _asked(operand)
            return None if inner is None else (inner[0], not inner[1])
        case ast.Compare(
            left=ast.Name(id=name), ops=[op], comparators=[ast.Constant(value=None)]
        ) if isinstance(op, ast.Is | ast.IsNot):
            return name, isinstance(op, ast.IsNot)
    return None
