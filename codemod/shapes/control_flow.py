"""JAX's control flow, and `jax.vmap`, over functions of the user's: what they return has the shapes that those return.

What runs in them is noted, as that is on its own to JAX (`enclosed.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .dims import Dim
from .enclosed import noting, recorded
from .values import (
    UNKNOWN,
    Array,
    Behaviour,
    Bound,
    Constant,
    External,
    Function,
    Items,
    LayerObject,
    Object,
    Partial,
    Table,
    Unknown,
    Value,
    as_dim,
)

if TYPE_CHECKING:
    from .interpreter import Handler, Interpreter

Args = Sequence[Value]
Kwargs = Mapping[str, Value]


def is_users(value: Value) -> bool:
    """Whether a value is a function that the interpreter can run."""
    while isinstance(value, Partial):
        value = value.function
    return isinstance(value, Function | Behaviour) or (
        isinstance(value, Bound) and isinstance(value.function, Function)
    )


def _argument(args: Args, kwargs: Kwargs, place: int, name: str, default: Value = UNKNOWN) -> Value:
    return args[place] if len(args) > place else kwargs.get(name, default)


# ---- structure -------------------------------------------------------------------------------------------


def over_arrays(value: Value, change: Callable[[Array], Value]) -> Value:
    """A value with each array in it changed."""
    match value:
        case Array():
            return change(value)
        case Items(items=items):
            return replace(value, items=[over_arrays(item, change) for item in items])
        case Table(items=table):
            return Table({key: over_arrays(item, change) for key, item in table.items()})
    return value


def first_axis(value: Value) -> Dim | None:
    """The length of the leading axis of the arrays in a value."""
    match value:
        case Array(shape=shape) if shape:
            return shape[0]
        case Items(items=items):
            return next((n for item in items if (n := first_axis(item)) is not None), None)
        case Table(items=table):
            return next((n for item in table.values() if (n := first_axis(item)) is not None), None)
    return None


def _without_axis(axis: int) -> Callable[[Array], Value]:
    def change(array: Array) -> Value:
        if array.shape is None or not -len(array.shape) <= axis < len(array.shape):
            return Array(None, array.dtype)
        at = axis % len(array.shape)
        return Array((*array.shape[:at], *array.shape[at + 1 :]), array.dtype)

    return change


def _with_axis(length: Dim | None, axis: int = 0) -> Callable[[Array], Value]:
    def change(array: Array) -> Value:
        if array.shape is None or length is None:
            return Array(None, array.dtype)
        at = axis if axis >= 0 else len(array.shape) + 1 + axis
        return Array((*array.shape[:at], length, *array.shape[at:]), array.dtype)

    return change


# ---- control flow --------------------------------------------------------------------------------------------


def _scan(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value | None:
    body = _argument(args, kwargs, 0, "f")
    if not is_users(body):
        return None
    carry, xs = _argument(args, kwargs, 1, "init"), _argument(args, kwargs, 2, "xs", Constant(None))
    length = as_dim(kwargs.get("length")) or first_axis(xs)
    result = interp.call(body, [carry, over_arrays(xs, _without_axis(0))], {}, None)
    if not isinstance(result, Items) or len(result.items) != 2:
        return UNKNOWN
    return Items(
        [_carried(result.items[0], carry), over_arrays(result.items[1], _with_axis(length))]
    )


def _carried(after: Value, before: Value) -> Value:
    """What a loop carries, or either branch returns: it has the same shapes after as before."""
    known = isinstance(after, Array) and after.shape is not None
    return before if isinstance(after, Array | Unknown) and not known else after


def _fori_loop(
    interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs
) -> Value | None:
    body = _argument(args, kwargs, 2, "body_fun")
    if not is_users(body):
        return None
    start = _argument(args, kwargs, 3, "init_val")
    return _carried(interp.call(body, [Array((), "int32"), start], {}, None), start)


def _map(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value | None:
    body, xs = _argument(args, kwargs, 0, "f"), _argument(args, kwargs, 1, "xs")
    if not is_users(body):
        return None
    return over_arrays(
        interp.call(body, [over_arrays(xs, _without_axis(0))], {}, None), _with_axis(first_axis(xs))
    )


def _associative_scan(
    interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs
) -> Value | None:
    """Each element has the shape of what it is made of."""
    return _argument(args, kwargs, 1, "elems")


def _while_loop(
    interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs
) -> Value | None:
    condition, body = _argument(args, kwargs, 0, "cond_fun"), _argument(args, kwargs, 1, "body_fun")
    if not is_users(body):
        return None
    start = _argument(args, kwargs, 2, "init_val")
    interp.call(condition, [start], {}, None)
    return _carried(interp.call(body, [start], {}, None), start)


def _cond(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value | None:
    if len(args) < 3 or not (is_users(args[1]) or is_users(args[2])):
        return None
    otherwise = interp.call(args[2], list(args[3:]), {}, None)
    return _carried(interp.call(args[1], list(args[3:]), {}, None), otherwise)


# ---- vmap ------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Mapped(Behaviour):
    """`jax.vmap(f)`; `site` is that call, or the function that has it as a decorator."""

    site: ast.AST | None
    function: Value
    in_axes: Value
    out_axes: Value

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        if self._drops_flags(args):
            return UNKNOWN
        axes = self.in_axes.items if isinstance(self.in_axes, Items) else [self.in_axes] * len(args)
        lengths: list[Dim] = []
        try:
            inner = [_one(arg, axis, lengths) for arg, axis in zip(args, axes, strict=True)]
            given = {name: _one(arg, Constant(0), lengths) for name, arg in kwargs.items()}
            result = recorded(
                interp, self.site, lambda: interp.call(self.function, inner, given, node)
            )
            return _all(result, self.out_axes, lengths[0] if lengths else None)
        except ValueError:
            return UNKNOWN

    def _drops_flags(self, args: Args) -> bool:
        """Whether a module is mapped over some arguments only, one of which may be a flag, which a rewrite leaves out."""
        function = self.function.target if isinstance(self.function, Bound) else self.function
        given = all(isinstance(arg, Array | Items | Table) for arg in args)
        module = isinstance(function, LayerObject | Object)
        return module and isinstance(self.in_axes, Items) and not given


def _one(value: Value, axes: Value, lengths: list[Dim]) -> Value:
    """One of what is mapped over; `lengths` gets how many there are. Raises ValueError where that is not told."""
    match value, axes:
        case _, Constant(value=None):
            return value
        case _, Constant(value=int(axis)):
            lengths += _lengths(value, axis)
            return over_arrays(value, _without_axis(axis))
        case Items(items=items), Items(items=each) if len(items) == len(each):
            return replace(
                value, items=[_one(i, a, lengths) for i, a in zip(items, each, strict=True)]
            )
    raise ValueError


def _all(value: Value, axes: Value, length: Dim | None) -> Value:
    """What a mapped function returns, of what it returns for one. Raises ValueError where that is not told."""
    match value, axes:
        case _, Constant(value=None):
            return value
        case _, Constant(value=int(axis)):
            return over_arrays(value, _with_axis(length, axis))
        case Items(items=items), Items(items=each) if len(items) == len(each):
            return replace(
                value, items=[_all(i, a, length) for i, a in zip(items, each, strict=True)]
            )
    raise ValueError


def _lengths(value: Value, axis: int) -> list[Dim]:
    """How many of an axis the arrays of a value have."""
    found: list[Dim] = []

    def note(array: Array) -> Value:
        if array.shape is not None and -len(array.shape) <= axis < len(array.shape):
            found.append(array.shape[axis])
        return array

    over_arrays(value, note)
    return found


def _vmap(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value | None:
    function = _argument(args, kwargs, 0, "fun")
    if not is_users(function) and not isinstance(function, Bound | External | LayerObject | Object):
        return None
    site = node or (function.node if isinstance(function, Function) else None)
    in_axes = _argument(args, kwargs, 1, "in_axes", Constant(0))
    return Mapped(site, function, in_axes, _argument(args, kwargs, 2, "out_axes", Constant(0)))


HANDLERS: dict[str, Handler] = {
    "jax.lax.scan": noting(_scan),
    "jax.lax.map": noting(_map),
    "jax.lax.associative_scan": _associative_scan,
    "jax.lax.fori_loop": noting(_fori_loop),
    "jax.lax.while_loop": noting(_while_loop),
    "jax.lax.cond": noting(_cond),
    "jax.vmap": _vmap,
}
