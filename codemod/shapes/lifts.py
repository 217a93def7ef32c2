"""Lifted transforms of modules: `nn.scan` of a class, `hk.scan` of a module.

A lifted class makes the plain module; a call of it runs the module on one step, without the scanned axis, and stacks
what comes out. The carry keeps its shape.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .values import (
    UNKNOWN,
    Array,
    Behaviour,
    Constant,
    Function,
    Items,
    LayerObject,
    Object,
    Table,
    Value,
)

if TYPE_CHECKING:
    from .interpreter import Interpreter


@dataclass(eq=False)
class Scanned(Behaviour):
    """`nn.scan(Cls, ...)`: over time with shared parameters, or over layers with stacked ones."""

    target: Value
    in_axis: int = 0
    out_axis: int = 0
    stacked: bool = False
    length: ast.expr | None = None
    node: ast.Call | None = None

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        made = interp.call(
            self.target, args, {k: v for k, v in kwargs.items() if k != "name"}, node
        )
        if not isinstance(made, Object | LayerObject):
            return UNKNOWN
        if node is not None:
            interp.lifted[node] = self
        return ScannedModule(self, made)


@dataclass(eq=False)
class ScannedModule(Behaviour):
    """An instance of a scanned class."""

    lift: Scanned
    module: Object | LayerObject

    def attribute(self, interp: Interpreter, name: str, node: ast.AST) -> Value:
        from . import calls

        return calls.attribute(interp, self.module, name, node)

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        return scan(interp, self.module, args, self.lift.in_axis, self.lift.out_axis)


def scan(
    interp: Interpreter, function: Value, args: Sequence[Value], in_axis: int, out_axis: int
) -> Value:
    """One step of `function(carry, x)`, its outputs stacked."""
    carry, *inputs = args
    steps = [without_axis(value, in_axis) for value in inputs]
    result = interp.call(function, [carry, *steps], {}, None)
    if not isinstance(result, Items) or len(result.items) != 2:
        return Items([carry, UNKNOWN])
    _same_shape(interp, carry, result.items[0])
    length = next((n for value in inputs if (n := _extent(value, in_axis)) is not None), None)
    if length is None:
        length = interp.symbols.unknown("the length of a scan")
    return Items([carry, with_axis(result.items[1], out_axis, length)])


def _same_shape(interp: Interpreter, before: Value, after: Value) -> None:
    """The carry keeps its shape."""
    match before, after:
        case Array(shape=one), Array(shape=two) if (
            one is not None and two is not None and len(one) == len(two)
        ):
            for a, b in zip(one, two, strict=True):
                interp.symbols.equate(a, b)
        case Items(items=one_items), Items(items=two_items) if len(one_items) == len(two_items):
            for a_item, b_item in zip(one_items, two_items, strict=True):
                _same_shape(interp, a_item, b_item)


def without_axis(value: Value, axis: int) -> Value:
    """A value without its scanned axis, containers leaf by leaf."""
    match value:
        case Array(shape=shape, dtype=dtype) if shape:
            at = axis % len(shape)
            return Array((*shape[:at], *shape[at + 1 :]), dtype)
        case Items(items=items, kind=kind, names=names, cls=cls):
            return Items([without_axis(item, axis) for item in items], kind, names, cls)
        case Table(items=items):
            return Table({key: without_axis(item, axis) for key, item in items.items()})
    return value


def with_axis(value: Value, axis: int, length: object) -> Value:
    """A value with a new axis of a length, containers leaf by leaf."""
    match value:
        case Array(shape=shape, dtype=dtype) if shape is not None:
            return Array((*shape[:axis], length, *shape[axis:]), dtype)
        case Items(items=items, kind=kind, names=names, cls=cls):
            return Items([with_axis(item, axis, length) for item in items], kind, names, cls)
    return value


def _extent(value: Value, axis: int) -> object:
    match value:
        case Array(shape=shape) if shape:
            return shape[axis % len(shape)]
        case Items(items=items):
            return next((n for item in items if (n := _extent(item, axis)) is not None), None)
    return None


# ---- handlers --------------------------------------------------------------------------------------------


def linen_scan(
    interp: Interpreter, node: ast.Call | None, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """`nn.scan(Cls, ...)` in the two forms that have an equal in NNX; any other is left unknown."""
    if not args or node is None or set(kwargs) - _SCAN_ARGUMENTS:
        return None
    shared = (
        kwargs.get("variable_broadcast") == Constant("params") and "variable_axes" not in kwargs
    )
    axes = kwargs.get("variable_axes")
    stacked = isinstance(axes, Table) and axes.items == {"params": Constant(0)}
    if shared == stacked or not _splits(kwargs.get("split_rngs"), stacked):
        return None
    in_axis, out_axis = (kwargs.get(name, Constant(0)) for name in ("in_axes", "out_axes"))
    if not isinstance(in_axis, Constant) or not isinstance(out_axis, Constant):
        return None
    length = next((k.value for k in node.keywords if k.arg == "length"), None)
    if stacked and length is None:
        return None
    return Scanned(
        args[0], int(in_axis.value or 0), int(out_axis.value or 0), stacked, length, node
    )


_SCAN_ARGUMENTS = {
    "variable_broadcast",
    "variable_axes",
    "split_rngs",
    "in_axes",
    "out_axes",
    "length",
}


def _splits(value: Value | None, stacked: bool) -> bool:
    """Whether parameters are drawn once (shared) or per layer (stacked), as NNX does in each form."""
    if not isinstance(value, Table):
        return not stacked
    return value.items.get("params", Constant(False)) == Constant(stacked)


def haiku_scan(
    interp: Interpreter, node: ast.Call | None, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """`hk.scan(f, carry, xs)`."""
    if len(args) < 3 or kwargs:
        return None
    return scan(interp, args[0], args[1:3], 0, 0)


@dataclass(eq=False)
class LayerStack(Behaviour):
    """`hk.experimental.layer_stack(n)`: a decorator."""

    length: ast.expr

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        if (
            len(args) != 1
            or not isinstance(args[0], Function)
            or not isinstance(args[0].node, ast.FunctionDef)
        ):
            return UNKNOWN
        if len(args[0].node.args.args) != 1:
            return UNKNOWN
        interp.stacked[args[0].node] = self.length
        return StackedFunction(args[0])


@dataclass(eq=False)
class StackedFunction(Behaviour):
    """A function of one array that is applied once per layer."""

    function: Function

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        result = interp.call(self.function, args, kwargs, None)
        if args:
            _same_shape(interp, args[0], result)
        return result


def layer_stack(
    interp: Interpreter, node: ast.Call | None, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """`hk.experimental.layer_stack(n)`, without its options."""
    if node is None or len(node.args) != 1 or node.keywords:
        return None
    return LayerStack(node.args[0])


def install(interp: Interpreter) -> None:
    """Adds the handlers."""
    interp.handlers["flax.linen.scan"] = linen_scan
    interp.handlers["haiku.scan"] = haiku_scan
    interp.handlers["haiku.experimental.layer_stack"] = layer_stack
    interp.handlers["haiku.layer_stack"] = layer_stack
