"""What a method takes from a list that a loop has filled: `skips.pop()`, `skips[-1]`.

Which turn has put it there only running tells. Where turns may differ in the last axis, that of what is taken is a `Listed`
size: the constructor keeps a list of sizes beside the method's list of arrays.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .dims import Choice, Dim, Expression, Listed, Output, Running, Unexplained, same
from .values import Array, Items, Size, Unknown, Value

if TYPE_CHECKING:
    from .interpreter import Interpreter

_WHY = "what one turn of a loop put into a list"


def taken(interp: Interpreter, node: ast.expr | None, owner: Items) -> Value:
    """Any one item of a list that may hold each of its items many times, as `node` takes it."""
    from .operators import element

    name = _list_of(node)
    found = walked(interp, node, name, owner) if node is not None and name is not None else None
    if found is None:
        item = element(interp, owner)
        return item if _is_last(node) else of_some_turn(interp, node, item)
    return found


def walked(interp: Interpreter, node: ast.expr, name: str, owner: Items) -> Array | None:
    """Any one of the arrays of a list, as `node` takes it; None where they are not alike."""
    arrays = [item for item in owner.items if isinstance(item, Array)]
    if len(arrays) < len(owner.items) or not _of_one_rank(arrays):
        return None
    dims = [
        _common(interp, node, name, [_shape(item)[axis] for item in arrays], axis - len(shape))
        for shape in [_shape(arrays[0])]
        for axis in range(len(shape))
    ]
    return replace(arrays[0], shape=tuple(dims))


def of_some_turn(interp: Interpreter, node: ast.expr | None, value: Value) -> Value:
    """What one turn of a loop put into a list, which need not be the last: sizes of the turn are not known."""

    def known(dim: Dim) -> Dim:
        return interp.symbols.unknown(_WHY) if differs(interp, [dim]) else dim

    match value:
        case Unknown(loop=loop) if loop is not None:
            return Unknown()
        case Size(dim=dim):
            return Size(known(dim))
        case Array(shape=shape) if shape is not None:
            return replace(value, shape=tuple(known(dim) for dim in shape))
    return value


def _list_of(node: ast.expr | None) -> str | None:
    """The local list that `skips.pop()` or `skips[i]` takes something from."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="pop"), args=[]):
            return name
        case ast.Subscript(value=ast.Name(id=name)):
            return name
    return None


def _is_last(node: ast.expr | None) -> bool:
    """Whether what is taken is what the last turn has put there."""
    match node:
        case ast.Subscript(slice=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1))):
            return True
    return isinstance(node, ast.Call)


def _of_one_rank(arrays: Sequence[Array]) -> bool:
    return len({len(item.shape) if item.shape else None for item in arrays} | {None}) == 2


def _shape(array: Array) -> tuple[Dim, ...]:
    assert array.shape is not None
    return array.shape


def _common(interp: Interpreter, node: ast.expr, name: str, dims: Sequence[Dim], axis: int) -> Dim:
    """The size of one axis, counted from the end, of what the turns have put into a list."""
    dims = [interp.symbols.resolve(dim) for dim in dims]
    if all(same(dim, dims[0]) for dim in dims) and not differs(interp, dims):
        return dims[0]
    origin = Listed(name, node) if axis == -1 else Unexplained(_WHY)
    return interp.symbols.new(origin, ("listed", node, axis, interp.root))


def differs(interp: Interpreter, dims: Sequence[Dim]) -> bool:
    """Whether sizes may be others in each turn."""
    return any(
        isinstance(origin, Running | Choice | Listed)
        or (isinstance(origin, Output) and _is_repeated(interp, origin.site))
        or (isinstance(origin, Expression) and origin.loop is not None)
        for dim in dims
        for origin in interp.symbols.origins_of(dim).values()
    )


def _is_repeated(interp: Interpreter, site: ast.AST) -> bool:
    """Whether a loop makes the module that a site makes."""
    module = interp.project.home(site)
    parents = module.source.parents if module is not None else {}
    node: ast.AST | None = site
    while node is not None and not isinstance(node, ast.FunctionDef):
        if isinstance(node, ast.For | ast.While):
            return True
        node = parents.get(node)
    return False
