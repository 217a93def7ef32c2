"""Lists that a loop fills with one array a turn: they are as long as the loop is, and that is a size.

Only lists whose arrays are alike in all turns: of others, what stands where matters.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from .listed import differs
from .scopes import Environment
from .values import Array, Items, Repeated, Value, count_of

if TYPE_CHECKING:
    from .interpreter import Interpreter

_ADDS = frozenset(("append", "extend", "insert", "pop", "remove", "clear", "reverse", "sort"))


def lists(
    interp: Interpreter,
    loop: ast.For | ast.AsyncFor | ast.While,
    iterable: Value,
    before: Mapping[str, Value],
    env: Environment,
) -> None:
    """Binds the names of such lists, once a loop of unknown length has run, to what tells the length."""
    count = None if isinstance(loop, ast.While) else count_of(iterable)
    if count is None or any(isinstance(n, ast.Break | ast.Continue) for n in ast.walk(loop)):
        return
    for name in _filled(loop):
        value = env.names.get(name)
        if value is not before.get(name) or not isinstance(value, Items) or len(value.items) != 1:
            continue
        (item,) = value.items
        if not isinstance(item, Array) or item.shape is None or differs(interp, item.shape):
            continue
        if _is_filled_here_alone(name, loop, env):
            env.names[name] = Repeated(item, count=count)


def _filled(loop: ast.For | ast.AsyncFor | ast.While) -> Iterator[str]:
    """The lists that each turn adds one thing to."""
    for statement in loop.body:
        match statement:
            case ast.Expr(
                value=ast.Call(
                    func=ast.Attribute(value=ast.Name(id=name), attr="append"),
                    args=[_],
                    keywords=[],
                )
            ):
                yield name


def _is_filled_here_alone(name: str, loop: ast.AST, env: Environment) -> bool:
    """Whether a list starts empty before each run of a loop, and nothing but one statement changes it."""
    parents = env.module.source.parents
    changes = 0
    for node in ast.walk(env.node) if env.node is not None else ():
        if not isinstance(node, ast.Name) or node.id != name:
            continue
        above = parents.get(node)
        if isinstance(node.ctx, ast.Store):
            starts = isinstance(above, ast.Assign) and ast.unparse(above.value) in ("[]", "list()")
            if not starts or _loop_around(above, parents) is not _loop_around(loop, parents):
                return False
        elif isinstance(above, ast.Subscript) and not isinstance(above.ctx, ast.Load):
            return False
        elif isinstance(above, ast.Attribute) and above.attr in _ADDS:
            changes += 1
    return changes == 1


def _loop_around(node: ast.AST | None, parents: Mapping[ast.AST, ast.AST]) -> ast.AST | None:
    above = parents.get(node) if node is not None else None
    while above is not None and not isinstance(above, ast.For | ast.AsyncFor | ast.While):
        above = parents.get(above)
    return above
