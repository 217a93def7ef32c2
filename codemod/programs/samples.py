"""Sizes as a program writes them where it makes a sample input."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from ..chains import stored_names

_SHAPE_FIRST = frozenset(("ones", "zeros", "empty", "full"))
_SHAPE_SECOND = frozenset(("normal", "uniform", "randint", "bernoulli", "truncated_normal"))


def written_size(source: str, arguments: Mapping[str, ast.expr]) -> ast.expr | None:
    """The expression of a size such as `x.shape[-1]` where the sample for `x` spells its shape out."""
    match ast.parse(source, mode="eval").body:
        case ast.Subscript(
            value=ast.Attribute(value=ast.Name(id=name), attr="shape"), slice=index
        ) if name in arguments:
            shape = _shape(arguments[name])
            at = _integer(index)
            if shape is not None and at is not None and -len(shape) <= at < len(shape):
                return shape[at]
    return None


def _shape(sample: ast.expr) -> list[ast.expr] | None:
    """The sizes in `jnp.ones((1, n))` and the like."""
    if not isinstance(sample, ast.Call) or not isinstance(sample.func, ast.Attribute):
        return None
    place = (
        0 if sample.func.attr in _SHAPE_FIRST else 1 if sample.func.attr in _SHAPE_SECOND else None
    )
    if place is None:
        return None
    named = [k.value for k in sample.keywords if k.arg in ("shape", "size")]
    found = sample.args[place] if len(sample.args) > place else next(iter(named), None)
    if isinstance(found, ast.Tuple | ast.List) and not any(
        isinstance(e, ast.Starred) for e in found.elts
    ):
        return found.elts
    return None


def _integer(node: ast.expr) -> int | None:
    match node:
        case ast.Constant(value=int() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as value)):
            return -value
    return None


def local_names(node: ast.expr, parents: Mapping[ast.AST, ast.AST]) -> set[str]:
    """The names in an expression that functions around it bind: what they are differs from call to call."""
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    bound: set[str] = set()
    for function in _functions_around(node, parents):
        bound |= {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
        bound |= stored_names(function)
    return names & bound


def _functions_around(
    node: ast.AST, parents: Mapping[ast.AST, ast.AST]
) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda]:
    while node in parents:
        node = parents[node]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
