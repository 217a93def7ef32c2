"""Loops over lists of arrays that another loop has filled: `for skip in reversed(skips)`, `zip(widths, skips)`.

The constructor goes through its list of sizes in the same way, so that each turn has the size of its own array.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from . import listed
from .values import Items

if TYPE_CHECKING:
    from .interpreter import Interpreter
    from .scopes import Environment

_ORDERS = ("reversed", "list", "tuple")


def bind(interp: Interpreter, node: ast.For | ast.AsyncFor, env: Environment) -> None:
    """Gives the loop variables that stand for items of such lists the sizes of any turn."""
    for target, name in pairs(node.target, node.iter):
        owner = env.lookup(name.id)
        if isinstance(owner, Items) and owner.open and owner.kind == "list":
            item = listed.walked(interp, target, name.id, owner)
            if item is not None:
                interp.assign(target, item, env)
                interp.facts.walked.add(target)


def pairs(target: ast.expr, iterable: ast.expr) -> Iterator[tuple[ast.Name, ast.Name]]:
    """The loop variables that stand for an item of a local list each, with its name."""
    match target, iterable:
        case ast.Name(), ast.Name():
            yield target, iterable
        case ast.Tuple(elts=[_, item]), ast.Call(func=ast.Name(id="enumerate"), args=[inner, *_]):
            yield from pairs(item, inner)
        case ast.Tuple(elts=items), ast.Call(func=ast.Name(id="zip"), args=args):
            for item, inner in zip(items, args, strict=False):
                yield from pairs(item, inner)
        case _:
            whole = _ordered(iterable)
            if whole is not None:
                yield from pairs(target, whole)


def leaves(iterable: ast.expr) -> Iterator[ast.expr]:
    """The sequences that an iterable of such a loop goes through, and the numbers that say how."""
    match iterable:
        case ast.Call(func=ast.Name(id="zip" | "enumerate"), args=args, keywords=keywords):
            for inner in [*args, *[keyword.value for keyword in keywords]]:
                yield from leaves(inner)
        case ast.Subscript(value=inner, slice=ast.Slice(lower=lower, upper=upper, step=step)):
            yield from leaves(inner)
            yield from (bound for bound in (lower, upper, step) if bound is not None)
        case _:
            whole = _ordered(iterable)
            yield from [iterable] if whole is None else leaves(whole)


def _ordered(iterable: ast.expr) -> ast.expr | None:
    """What `reversed(x)`, `list(x)` or `x[::-1]` goes through."""
    match iterable:
        case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in _ORDERS:
            return inner
        case ast.Subscript(value=inner, slice=ast.Slice()):
            return inner
    return None
