"""Statements that read arrays of a rank that an earlier branch decided: each is run once for either.

What holds for one rank need not hold for the other. A size that only one of them tells is not told at all.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from .dims import same
from .dtypes import either
from .values import Array, Ranks, Size, Value, as_dim

if TYPE_CHECKING:
    from .interpreter import Interpreter
    from .scopes import Environment

LEAVES = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return)
MOST = 4  # ranks of one array
WHY = "the rank of an array decides it"


def ranks(interp: Interpreter, node: ast.AST, left: Array, right: Array) -> Ranks | None:
    """An array of either rank, where `node` decides and both have the same last axis."""
    decided = node if isinstance(node, ast.If | ast.IfExp) else interp.forks.get(node)
    one, two = left.features, right.features
    if decided is None or one is None or two is None or _options(left) + _options(right) > MOST:
        return None
    one, two = interp.symbols.resolve(one), interp.symbols.resolve(two)
    if not same(one, two) or not (_is_whole(left) and _is_whole(right)):
        return None
    interp.has_ranks = True
    dtype = either(left.dtype, right.dtype)
    return Ranks(None, dtype, left.optional or right.optional, one, (left, right), decided)


def _options(array: Array) -> int:
    return sum(map(_options, array.options)) if isinstance(array, Ranks) else 1


def _is_whole(array: Array) -> bool:
    return array.shape is not None or isinstance(array, Ranks)


def deciding(statement: ast.stmt, env: Environment) -> ast.AST | None:
    """The branch that decides the rank of something that a statement reads, if there is one."""
    held = {name: value for name, value in env.names.items() if isinstance(value, Ranks)}
    for node in ast.walk(statement) if held else ():
        if isinstance(node, ast.Name):
            found = held.get(node.id)
            reads = isinstance(node.ctx, ast.Load) or isinstance(statement, ast.AugAssign)
            if found is not None and reads:
                return found.decided
    return None


def run(interp: Interpreter, statement: ast.stmt, decided: ast.AST, env: Environment) -> str | None:
    """Runs a statement for either rank that `decided` may have given to what it reads."""
    interp.forks[statement] = decided
    before = {node: len(values) for node, values in interp.facts.values.items()}
    seen: list[dict[ast.AST, Value]] = []

    def take(place: int) -> str | None:
        for name, value in list(env.names.items()):
            if isinstance(value, Ranks) and value.decided is decided:
                env.names[name] = value.options[place]
        leaving = interp.execute_one(statement, env)
        seen.append(
            {
                node: values[-1]
                for node, values in interp.facts.values.items()
                if len(values) > before.get(node, 0)
            }
        )
        return leaving

    leaving = interp.branch(statement, env, lambda: take(0), lambda: take(1))
    _forget_differences(interp, *seen)
    return leaving


def _forget_differences(
    interp: Interpreter, first: dict[ast.AST, Value], second: dict[ast.AST, Value]
) -> None:
    """A size that an expression has for one rank and not for the other is not its size."""
    for node, value in second.items():
        one, two = as_dim(first.get(node)), as_dim(value)
        if one is None or two is None:
            continue
        if not same(interp.symbols.resolve(one), interp.symbols.resolve(two)):
            interp.record(node, Size(interp.symbols.unknown(WHY)))
