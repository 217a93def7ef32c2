"""What JAX does with trees of arrays: `jax.tree.map` and its like, for trees whose structure is known."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .values import (
    NONE,
    UNKNOWN,
    Array,
    Behaviour,
    Constant,
    Function,
    Items,
    Partial,
    Size,
    Table,
    Value,
)

if TYPE_CHECKING:
    from .interpreter import Interpreter

_Leaf = Callable[[Sequence[Value]], Value]


def mapped(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """`jax.tree.map(f, tree, ...)` with a function of the user's; None where a tree is not known."""
    if len(args) < 2 or not isinstance(args[0], Function | Partial) or "is_leaf" in kwargs:
        return None
    function = args[0]
    try:
        return _zipped(lambda leaves: interp.call(function, list(leaves), {}, None), args[1:])
    except _UnknownTree:
        return None


def leaves(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """`jax.tree.leaves(tree)`; None where the tree is not known.

    Where an array may be missing, so may its leaf, and what is made of all leaves.
    """
    if len(args) != 1 or kwargs:
        return None
    found: list[Value] = []

    def keep(at: Sequence[Value]) -> Value:
        found.extend(at)
        return at[0]

    try:
        _zipped(keep, args)
    except _MayBeMissing:
        return UNKNOWN
    except _UnknownTree:
        return None
    return Items(found, "list")


@dataclass(eq=False)
class Structure(Behaviour):
    """What `jax.tree.structure(tree)` is: a tree, of which the leaves do not matter."""

    tree: Value
    count: int  # of the leaves


def structure(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """`jax.tree.structure(tree)`; None where the tree is not known."""
    found = leaves(interp, node, args, kwargs)
    return Structure(args[0], len(found.items)) if isinstance(found, Items) else None


def flattened(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """`jax.tree.flatten(tree)`; None where the tree is not known."""
    found = leaves(interp, node, args, kwargs)
    if not isinstance(found, Items):
        return found
    return Items([found, Structure(args[0], len(found.items))])


def unflattened(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """`jax.tree.unflatten(structure, leaves)`, for as many leaves as there are."""
    if len(args) != 2 or not isinstance(args[0], Structure) or not isinstance(args[1], Items):
        return None
    if args[1].open or len(args[1].items) != args[0].count:
        return None
    given = iter(args[1].items)
    return _zipped(lambda _: next(given), [args[0].tree])


def axes_of_leaves(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """`jax.api_util.flatten_axes(name, structure, axes)`, where one number is meant for all leaves."""
    if len(args) != 3 or kwargs or not isinstance(args[1], Structure):
        return None
    axis = args[2]
    if not isinstance(axis, Constant) or not isinstance(axis.value, int):
        return None
    return Items([axis] * args[1].count, "list")


class _UnknownTree(Exception):
    """A part of a tree of which it is not known whether it is a leaf."""


class _MayBeMissing(_UnknownTree):
    """A part of a tree may be None."""


def _zipped(function: _Leaf, trees: Sequence[Value]) -> Value:
    """A tree with the structure of the first, of what a function makes of the leaves of all."""
    first, *others = trees
    match first:
        case Array(optional=False) | Size() | Constant(value=bool() | int() | float()):
            return function(trees)
        case Array(optional=True):
            raise _MayBeMissing
        case Constant(value=None):
            return NONE
        case Items(items=items, open=False):
            columns = [_parts(other, len(items)) for other in others]
            mapped_items = [
                _zipped(function, [item, *(column[at] for column in columns)])
                for at, item in enumerate(items)
            ]
            return Items(mapped_items, first.kind, first.names, first.cls)
        case Table(items=table):
            rest = [_entries(other, table) for other in others]
            # JAX goes through the keys of a dict in their order, as `sorted` has it
            keys = sorted(table, key=str)
            made = {key: _zipped(function, [table[key], *(r[key] for r in rest)]) for key in keys}
            return Table({key: made[key] for key in table})
    raise _UnknownTree


def _parts(value: Value, count: int) -> list[Value]:
    if isinstance(value, Items) and not value.open and len(value.items) == count:
        return value.items
    raise _UnknownTree


def _entries(value: Value, like: Mapping[object, Value]) -> Mapping[object, Value]:
    if isinstance(value, Table) and value.items.keys() == like.keys():
        return value.items
    raise _UnknownTree


SPECIAL = {
    "jax.tree.map": mapped,
    "jax.tree.leaves": leaves,
    "jax.tree.structure": structure,
    "jax.tree.flatten": flattened,
    "jax.tree.unflatten": unflattened,
    "jax.api_util.flatten_axes": axes_of_leaves,
}
