"""JAX's transforms and control flow over the user's functions, and functions over trees of parameters."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..shapes.dims import Dim
from ..shapes.values import (
    UNKNOWN,
    Array,
    Behaviour,
    Bound,
    Constant,
    Function,
    Items,
    LayerObject,
    Object,
    Partial,
    Table,
    Value,
    as_dim,
)
from .kinds import Gradients, Tree, Updates

if TYPE_CHECKING:
    from ..shapes.interpreter import Handler, Interpreter
    from .explore import Explorer

Args = Sequence[Value]
Kwargs = Mapping[str, Value]

DERIVED = -1  # the version of a tree that is made from others: never the newest of its net


def install(explorer: Explorer) -> None:
    """Adds the handlers."""
    add = explorer.interp.handlers
    add["jax.lax.scan"] = _scan
    add["jax.lax.fori_loop"] = _fori_loop
    add["jax.lax.while_loop"] = _while_loop
    add["jax.lax.cond"] = _cond
    add["jax.vmap"] = _vmap
    add["jax.tree.map"] = _tree_map(explorer)
    add["jax.tree.leaves"] = _leaves(explorer)
    add["optax.incremental_update"] = add["optax.periodic_update"] = _mixed
    add["jax.lax.stop_gradient"] = _same
    add["jax.device_put"] = add["jax.device_get"] = add["jax.block_until_ready"] = _same


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
    return Items([result.items[0], over_arrays(result.items[1], _with_axis(length))])


def _fori_loop(
    interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs
) -> Value | None:
    body = _argument(args, kwargs, 2, "body_fun")
    if not is_users(body):
        return None
    return interp.call(body, [Array((), "int32"), _argument(args, kwargs, 3, "init_val")], {}, None)


def _while_loop(
    interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs
) -> Value | None:
    condition, body = _argument(args, kwargs, 0, "cond_fun"), _argument(args, kwargs, 1, "body_fun")
    if not is_users(body):
        return None
    start = _argument(args, kwargs, 2, "init_val")
    interp.call(condition, [start], {}, None)
    return interp.call(body, [start], {}, None)


def _cond(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value | None:
    if len(args) < 3 or not (is_users(args[1]) or is_users(args[2])):
        return None
    interp.call(args[2], list(args[3:]), {}, None)
    return interp.call(args[1], list(args[3:]), {}, None)


# ---- vmap ------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Mapped(Behaviour):
    """`jax.vmap(f)`."""

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
        length: Dim | None = None
        inner: list[Value] = []
        for place, arg in enumerate(args):
            axis = self._axis(place)
            if axis is None:
                inner.append(arg)
                continue
            if length is None:
                length = first_axis(arg)
            inner.append(over_arrays(arg, _without_axis(axis)))
        result = interp.call(self.function, inner, kwargs, node)
        out = (
            self.out_axes.value
            if isinstance(self.out_axes, Constant) and isinstance(self.out_axes.value, int)
            else 0
        )
        return over_arrays(result, _with_axis(length, out))

    def _axis(self, place: int) -> int | None:
        axes = self.in_axes
        if isinstance(axes, Items):
            axes = axes.items[place] if place < len(axes.items) else UNKNOWN
        if isinstance(axes, Constant):
            return axes.value if isinstance(axes.value, int) else None
        return 0


def _vmap(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value | None:
    function = _argument(args, kwargs, 0, "fun")
    if not is_users(function) and not isinstance(function, Bound | LayerObject | Object):
        return None
    in_axes = _argument(args, kwargs, 1, "in_axes", Constant(0))
    return Mapped(function, in_axes, _argument(args, kwargs, 2, "out_axes", Constant(0)))


# ---- trees -----------------------------------------------------------------------------------------------------


def _tree_map(explorer: Explorer) -> Handler:
    def handle(
        interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs
    ) -> Value | None:
        trees = [arg for arg in args[1:] if isinstance(arg, Tree)]
        steps = [arg for arg in args[1:] if isinstance(arg, Gradients | Updates)]
        if not trees:
            return Updates(steps[0].net) if steps else None
        first = trees[0]
        if steps and steps[0].net is first.net:
            explorer.read(first, node or ast.Pass())
            return Tree(first.net, first.collections, first.path, first.net.advance())
        return replace(first, version=DERIVED)

    return handle


def _leaves(explorer: Explorer) -> Handler:
    def handle(
        interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs
    ) -> Value | None:
        tree = args[0] if args else None
        if not (isinstance(tree, Tree) and tree.version == DERIVED):  # one of its own, made here
            explorer.read(tree, node or ast.Pass())
        return UNKNOWN if isinstance(tree, Tree) else None

    return handle


def _mixed(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value | None:
    old = _argument(args, kwargs, 1, "old_tensors")
    return replace(old, version=DERIVED) if isinstance(old, Tree) else None


def _same(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value | None:
    return args[0] if args and isinstance(args[0], Tree | Items | Table) else None
