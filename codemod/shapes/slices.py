"""Parts of arrays at places that only running tells: `jax.lax.dynamic_slice`, `jnp.take` and their like.

Where a slice starts is no matter of shape.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .binding import bind_signature
from .dims import Dim
from .real_calls import resolve, run
from .values import Array, Constant, Items, Value, as_dim

if TYPE_CHECKING:
    from .interpreter import Interpreter

Args = Sequence[Value]
Kwargs = Mapping[str, Value]

_ALONG_AXIS = "jax.numpy.take_along_axis"


def _sliced(interp: Interpreter, node: ast.AST, args: Args, kwargs: Kwargs) -> Value | None:
    bound = bind_signature(("operand", "start_indices", "slice_sizes"), args, kwargs)
    operand, sizes = bound.get("operand"), bound.get("slice_sizes")
    if not isinstance(operand, Array) or not isinstance(sizes, Items) or sizes.open:
        return None
    return Array(tuple(_extent(interp, size) for size in sizes.items), operand.dtype)


def _sliced_in_dim(interp: Interpreter, node: ast.AST, args: Args, kwargs: Kwargs) -> Value | None:
    names = ("operand", "start_index", "slice_size", "axis")
    bound = bind_signature(names, args, kwargs)
    return _along(bound, [_extent(interp, bound.get("slice_size"))])


def _at_index(interp: Interpreter, node: ast.AST, args: Args, kwargs: Kwargs) -> Value | None:
    bound = bind_signature(("operand", "index", "axis", "keepdims"), args, kwargs)
    keeps = bound.get("keepdims", Constant(True))
    if not isinstance(keeps, Constant):
        return None
    return _along(bound, [1] if keeps.value else [])


def _along(bound: Mapping[str, Value], extents: list[Dim]) -> Value | None:
    """The operand with one axis of another size, or without it."""
    operand, axis = bound.get("operand"), bound.get("axis", Constant(0))
    if not isinstance(operand, Array) or not operand.shape or not isinstance(axis, Constant):
        return None
    rank = len(operand.shape)
    if not isinstance(axis.value, int) or not -rank <= axis.value < rank:
        return None
    at = axis.value % rank
    return Array((*operand.shape[:at], *extents, *operand.shape[at + 1 :]), operand.dtype)


def _extent(interp: Interpreter, size: Value | None) -> Dim:
    known = as_dim(size)
    return interp.symbols.unknown("the size of a slice") if known is None else known


def _updated(interp: Interpreter, node: ast.AST, args: Args, kwargs: Kwargs) -> Value | None:
    operand = kwargs.get("operand", args[0] if args else None)
    return operand if isinstance(operand, Array) else None


def _taken(
    name: str, interp: Interpreter, node: ast.AST, args: Args, kwargs: Kwargs
) -> Value | None:
    """`jnp.take` and its like: an input that is used as indices is one of integers."""
    indices = args[1] if len(args) > 1 else None
    if not isinstance(indices, Array) or indices.dtype != "float32":
        return None
    given = [args[0], replace(indices, dtype="int32"), *args[2:]]
    return run(interp, node, resolve(name), given, kwargs)


def _along_axis(interp: Interpreter, node: ast.AST, args: Args, kwargs: Kwargs) -> Value | None:
    """`take_along_axis(x, indices, axis)`: the sizes of `x` but on that axis, which has as many as there are indices."""
    bound = bind_signature(("arr", "indices", "axis"), args, kwargs)
    array, indices, where = bound.get("arr"), bound.get("indices"), bound.get("axis")
    taken = indices.shape if isinstance(indices, Array) else None
    if not isinstance(array, Array) or not array.shape or 1 in array.shape or where is None:
        return _taken(_ALONG_AXIS, interp, node, args, kwargs)
    if taken is not None and len(taken) != len(array.shape):
        # A wrong guess, of which JAX complains.
        return _taken(_ALONG_AXIS, interp, node, args, kwargs)
    at = where.value if isinstance(where, Constant) else None
    if not isinstance(at, int) or not -len(array.shape) <= at < len(array.shape):
        return None
    count = taken[at] if taken is not None else interp.symbols.unknown("how many are taken")
    return _along({"operand": array, "axis": where}, [count])


Special = Callable[["Interpreter", ast.AST, Args, Kwargs], Value | None]

SPECIAL: dict[str, Special] = {
    "jax.numpy.take": functools.partial(_taken, "jax.numpy.take"),
    _ALONG_AXIS: _along_axis,
    "jax.lax.dynamic_slice": _sliced,
    "jax.lax.dynamic_slice_in_dim": _sliced_in_dim,
    "jax.lax.dynamic_index_in_dim": _at_index,
    **{
        f"jax.lax.dynamic_update_{kind}": _updated
        for kind in ("slice", "slice_in_dim", "index_in_dim")
    },
}
