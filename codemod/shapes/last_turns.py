"""Branches that only the last turn of a loop takes.

`if i < len(sizes) - 1: x = act(x)`, with something else behind `else`: what that leaves, no later turn gets.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .values import Array, Value

if TYPE_CHECKING:
    from .interpreter import Interpreter

Branch = ast.If | ast.IfExp


def passed_by(loop: ast.For | ast.AsyncFor | ast.While) -> dict[ast.AST, bool]:
    """The branches of which one side runs in the last turn alone, each with the test's outcome in all others."""
    counter, count = _counted(loop)
    if counter is None or count is None:
        return {}
    return {
        node: side
        for statement in loop.body
        for node in ast.walk(statement)
        if isinstance(node, Branch) and (side := _earlier(node.test, counter, count)) is not None
    }


def _counted(loop: ast.For | ast.AsyncFor | ast.While) -> tuple[str | None, str | None]:
    """What counts the turns from zero, and how many there are, as text."""
    match loop:
        case ast.For(
            target=ast.Tuple(elts=[ast.Name(id=counter), _]),
            iter=ast.Call(func=ast.Name(id="enumerate"), args=[over], keywords=[]),
        ):
            return counter, f"len({ast.unparse(over)})"
        case ast.For(
            target=ast.Name(id=counter),
            iter=ast.Call(func=ast.Name(id="range"), args=[count], keywords=[]),
        ):
            return counter, ast.unparse(count)
    return None, None


def _earlier(test: ast.expr, counter: str, count: str) -> bool | None:
    """What a test is in all turns but the last, where its other outcome belongs to the last alone."""
    match test:
        case ast.BoolOp(op=op, values=values):
            outcome = isinstance(op, ast.Or)  # one part that holds is enough for `or`
            parts = [_earlier(value, counter, count) for value in values]
            return outcome if outcome in parts else None
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _earlier(operand, counter, count)
            return None if inner is None else not inner
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _compared(ast.unparse(left), op, ast.unparse(right), counter, count)
    return None


def _compared(left: str, op: ast.cmpop, right: str, counter: str, count: str) -> bool | None:
    last = [(counter, f"{count} - 1"), (f"{counter} + 1", count)]
    if (left, right) in last:
        return {ast.Lt: True, ast.NotEq: True, ast.Eq: False, ast.GtE: False}.get(type(op))
    if (right, left) in last:
        return {ast.Gt: True, ast.NotEq: True, ast.Eq: False, ast.LtE: False}.get(type(op))
    return None


@contextmanager
def left_out(interp: Interpreter, sides: Mapping[ast.AST, bool]) -> Iterator[None]:
    """Takes no branch that is the last turn's alone."""
    bound, around = interp.symbols.snapshot(), interp.passed_by
    interp.passed_by = {**around, **sides}
    try:
        yield
    finally:
        interp.symbols.restore(bound)
        interp.passed_by = around


def handed_on(
    head: Mapping[str, Value], end: Mapping[str, Value], earlier: Mapping[str, Value]
) -> Mapping[str, Value]:
    """The names as the next turn gets them.

    `head` holds them before a turn, `end` after any, `earlier` after one that is not the last: what counts for an array
    whose axes the last turn alone would lose.
    """
    lost = [name for name, value in head.items() if _is_lost(value, end.get(name, value))]
    return {**end, **{name: earlier[name] for name in lost if name in earlier}}


def _is_lost(start: Value, end: Value) -> bool:
    """Whether the axes of an array are known before a turn, and are no more after it."""
    if not isinstance(start, Array) or start.shape is None:
        return False
    return not isinstance(end, Array) or end.shape is None or len(end.shape) != len(start.shape)
