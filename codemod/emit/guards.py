"""Simplifies tests of which some parts are known."""

from __future__ import annotations

import ast
from collections.abc import Callable

from ..edits import Edits

Known = Callable[[ast.expr], "bool | None"]


def simplify(test: ast.expr, known: Known, edits: Edits) -> bool | str | None:
    """The outcome of a test, its shorter text, or None where nothing is known about it."""
    outcome = known(test)
    if outcome is not None:
        return outcome
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = simplify(operand, known, edits)
            if isinstance(inner, bool):
                return not inner
            return None if inner is None else f"not {inner}"
        case ast.BoolOp(op=op, values=values):
            return _junction(isinstance(op, ast.And), values, known, edits)
    return None


def _junction(
    conjunction: bool, values: list[ast.expr], known: Known, edits: Edits
) -> bool | str | None:
    outcomes = [simplify(value, known, edits) for value in values]
    if (not conjunction) in outcomes:
        return not conjunction
    left = [
        outcome if isinstance(outcome, str) else edits.render(value)
        for value, outcome in zip(values, outcomes, strict=True)
        if not isinstance(outcome, bool)
    ]
    if not left:
        return conjunction
    if all(outcome is None for outcome in outcomes):
        return None
    return (" and " if conjunction else " or ").join(left)
