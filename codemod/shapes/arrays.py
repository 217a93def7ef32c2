"""Operations on arrays that JAX cannot decide on symbols, and that the running program decides.

An even split or a reshape follows from the fact that the program runs.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .dims import Dim, InputAxis, is_symbolic, names, same
from .real_calls import run
from .values import (
    NONE,
    UNKNOWN,
    Array,
    Constant,
    Items,
    OpenShape,
    Shape,
    Unknown,
    Value,
    as_dim,
    as_shape,
)

if TYPE_CHECKING:
    from .interpreter import Interpreter


def product(dims: Sequence[Dim]) -> Dim:
    return functools.reduce(operator.mul, dims, 1)


def reshape(interp: Interpreter, node: ast.AST, array: Array, target: Value) -> Value:
    """A reshape; one size may be -1, the others are taken at their word."""
    whole = target.items[0] if isinstance(target, Items) and len(target.items) == 1 else target
    if isinstance(whole, OpenShape):
        return Array(None, array.dtype, last=whole.last)
    if isinstance(whole, Unknown) and whole.text is None:
        return Array(None, array.dtype)  # a shape, or a size
    shape = reshape_target(interp, target)
    if shape is None:
        return Array(None, array.dtype)
    if array.shape is not None:
        _doubt_reshape(interp, node, array.shape, shape)
    if not any(isinstance(dim, int) and dim == -1 for dim in shape):
        return Array(shape, array.dtype)
    if array.shape is None:
        filled = tuple(
            interp.symbols.unknown("the size of a reshape") if isinstance(d, int) and d == -1 else d
            for d in shape
        )
        return Array(filled, array.dtype)
    rest = [dim for dim in shape if not (isinstance(dim, int) and dim == -1)]
    source = [interp.symbols.resolve(dim) for dim in array.shape]
    for dim in list(rest):
        match = next((d for d in source if same(d, dim)), None)
        if match is not None:
            source.remove(match)
            rest.remove(dim)
    total, known = product(source), product(rest)
    inferred = total // known if not same(known, 1) else total
    return Array(
        tuple(inferred if isinstance(d, int) and d == -1 else d for d in shape), array.dtype
    )


def _doubt_reshape(interp: Interpreter, node: ast.AST, before: Shape, after: Shape) -> None:
    """Speaks against a reshape that brings in an axis of an input which its array has not got."""
    had = {name for dim in before for name in names(interp.symbols.resolve(dim))}
    for dim in after:
        for name in names(interp.symbols.resolve(dim)) if is_symbolic(dim) else ():
            if isinstance(interp.symbols.origins[name], InputAxis) and name not in had:
                interp.trouble(node, "a reshape to an axis that the array has not got")
                return


def reshape_target(interp: Interpreter, target: Value) -> Shape | None:
    if isinstance(target, Items) and len(target.items) == 1 and isinstance(target.items[0], Items):
        target = target.items[0]
    shape = as_shape(target)
    if shape is not None:
        return tuple(interp.symbols.resolve(dim) for dim in shape)
    if not isinstance(target, Items):
        return None
    from .operators import dim_of

    dims = [dim_of(interp, item) for item in target.items]
    return tuple(interp.symbols.unknown("the size of a reshape") if d is None else d for d in dims)


def matmul(interp: Interpreter, node: ast.AST, left: Value, right: Value) -> Value:
    from .operators import agree, broadcast, promoted

    if not (isinstance(left, Array) and isinstance(right, Array) and left.shape and right.shape):
        return Array(None)
    contracted = right.shape[-2] if len(right.shape) > 1 else right.shape[-1]
    if agree(interp, node, [left.shape[-1], contracted]) is None:
        return UNKNOWN
    if len(left.shape) > 2 and len(right.shape) > 2:
        lead = broadcast(interp, node, left.shape[:-2], right.shape[:-2])  # equal where they must
        return (
            UNKNOWN
            if lead is None
            else Array((*lead, left.shape[-2], right.shape[-1]), promoted(left, right))
        )
    import jax.numpy as jnp

    return run(interp, node, jnp.matmul, [left, right], {})


def index(interp: Interpreter, node: ast.AST, array: Array, key: Value) -> Value:
    if array.shape is None:
        return Array(None, array.dtype)
    simple = _simple_index(interp, array.shape, key)
    if simple is not None:
        return Array(simple, array.dtype)
    gathered = _gathered(interp, array, key)
    if gathered is not None:
        return gathered
    return run(interp, node, operator.getitem, [array, _as_indices(key)], {})


def _as_indices(key: Value) -> Value:
    """What indexes an array holds integers in a program that runs: that it does not was a guess."""
    match key:
        case Items(items=items, kind=kind) if kind != "slice":
            return dataclasses.replace(key, items=[_as_indices(item) for item in items])
        case Array(dtype=str() as dtype) if dtype.startswith(("float", "bfloat")):
            return dataclasses.replace(key, dtype="int32")
    return key


def _simple_index(interp: Interpreter, shape: Shape, key: Value) -> Shape | None:
    """Indices made of `...`, `:`, None and unknown or traced integers, which need no JAX."""
    keys = list(key.items) if isinstance(key, Items) and key.kind == "tuple" else [key]
    plain = [k for k in keys if k not in (NONE, Constant(...))]
    if len(plain) > len(shape) or keys.count(Constant(...)) > 1:
        return None
    if Constant(...) in keys:
        at = keys.index(Constant(...))
        keys[at : at + 1] = [_ALL] * (len(shape) - len(plain))
    keys += [_ALL] * (len(shape) - len([k for k in keys if k != NONE]))
    result: list[Dim] = []
    axis = 0
    for item in keys:
        if item == NONE:
            result.append(1)
            continue
        dim = shape[axis]
        axis += 1
        if (
            isinstance(item, Items)
            and item.kind == "slice"
            and all(part == NONE for part in item.items)
        ):
            result.append(dim)
        elif isinstance(item, Items) and item.kind == "slice":
            size = _slice_size(interp, dim, item)
            if size is None:
                return None
            result.append(size)
        elif (
            as_dim(item) is None
            and not (isinstance(item, Array) and item.shape == ())
            and not _is_number(item)
        ):
            return None
    return tuple(result)


_ALL = Items([NONE, NONE, NONE], "slice")


def _gathered(interp: Interpreter, array: Array, key: Value) -> Array | None:
    """`ys[jnp.arange(n), last]`: arrays of integers for the leading axes, nothing for the others.

    The arrays have one shape in a program that runs, whatever reading knows of each.
    """
    keys = key.items if isinstance(key, Items) and key.kind == "tuple" else [key]
    if array.shape is None or not 1 < len(keys) < len(array.shape):
        return None
    if not all(isinstance(k, Array) and _may_be_integers(k) for k in keys):
        return None
    rest = array.shape[len(keys) :]
    shapes = [k.shape for k in keys if isinstance(k, Array)]
    ranks = {None if shape is None else len(shape) for shape in shapes}
    if len(ranks) > 1 or None in ranks:
        return Array(None, array.dtype, last=rest[-1])
    first, *others = [shape for shape in shapes if shape is not None]
    if not all(interp.symbols.equate(a, b) for o in others for a, b in zip(first, o, strict=True)):
        return None
    return Array((*first, *rest), array.dtype)


def _may_be_integers(value: Array) -> bool:
    """Whether an array may index: what an input holds is a guess, but booleans change the rank."""
    return value.dtype is None or not str(value.dtype).startswith("bool")


def _is_number(item: Value) -> bool:
    return isinstance(item, Unknown) and item.text is not None


def _slice_size(interp: Interpreter, dim: Dim, item: Items) -> Dim | None:
    """The length of `a[lower:upper]`: the bounds are taken to lie within the axis."""
    lower, upper, step = item.items
    if step == Constant(-1) and lower == upper == NONE:
        return dim  # the other way round
    if step != NONE:
        return None
    low = 0 if lower == NONE else as_dim(lower)
    high = dim if upper == NONE else as_dim(upper)
    if low is None or high is None:
        return interp.symbols.unknown("the length of a slice")
    if isinstance(dim, int) and isinstance(low, int) and isinstance(high, int):
        return len(range(*slice(low, high).indices(dim)))
    low = dim + low if isinstance(low, int) and low < 0 else low
    high = dim + high if isinstance(high, int) and high < 0 else high
    return high - low
