"""Lifted transforms of modules: `nn.scan` of a class, `hk.scan` of a module.

A lifted class makes the plain module; a call of it runs the module on one step, without the scanned axis, and stacks
what comes out. The carry keeps its shape.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..signatures import parameters
from . import joins
from .scopes import Environment
from .values import (
    NONE,
    UNKNOWN,
    Array,
    Behaviour,
    Class,
    Constant,
    Either,
    External,
    Function,
    Items,
    LayerObject,
    Object,
    Partial,
    Table,
    Value,
    as_dim,
)

if TYPE_CHECKING:
    from .interpreter import Handler, Interpreter

TRANSFORMS = frozenset(  # what gives another class for a class
    f"flax.linen.{name}"
    for name in ("remat", "checkpoint", "remat_scan", "scan", "vmap", "jit", "map_variables")
)


@dataclass(eq=False)
class Lifted(Behaviour):
    """A class in a lifted transform. `stacked` says that each of `length` steps has parameters of its own."""

    target: Value
    stacked: bool = False
    length: ast.expr | None = None
    node: ast.Call | None = None

    def module(self, made: Object | LayerObject) -> Value:
        """What an instance does when it is called."""
        raise NotImplementedError

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
            (interp.derived if self.is_apart(interp) else interp.lifted)[node] = self
        return self.module(made)

    def is_apart(self, interp: Interpreter) -> bool:
        """Whether a function that has ended has lifted the class."""
        return False


@dataclass(eq=False)
class LiftedModule(Behaviour):
    """An instance of a lifted class."""

    module: Object | LayerObject

    def attribute(self, interp: Interpreter, name: str, node: ast.AST) -> Value:
        from . import calls

        return calls.attribute(interp, self.module, name, node)


@dataclass(eq=False)
class Rematerialized(Behaviour):
    """`nn.remat(Cls, ...)`: a class like the one it is given, but for what its gradients keep in memory."""

    target: Value
    node: ast.Call

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        made = interp.call(self.target, args, kwargs, node)
        if node is not None:
            interp.derived[node] = self
        return made

    def join(self, other: Value) -> Value | None:
        """A class that one way rematerialises is made alike in both."""
        return self if other is self.target else None


@dataclass(eq=False)
class Scanned(Lifted):
    """`nn.scan(Cls, ...)`: over time with shared parameters, or over layers with stacked ones."""

    in_axis: int | None = 0  # None: all inputs go to each step as they are
    out_axis: int = 0

    def module(self, made: Object | LayerObject) -> Value:
        return ScannedModule(made, self)


@dataclass(eq=False)
class ScannedModule(LiftedModule):
    """An instance of a scanned class."""

    lift: Scanned

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        return scan(interp, self.module, args, self.lift.in_axis, self.lift.out_axis)


@dataclass(eq=False)
class Mapped(Lifted):
    """`nn.vmap(Cls, ...)`: one module for each index, or one for all; an axis of None is not mapped over."""

    in_axes: tuple[int | None, ...] | int | None = 0
    out_axis: int = 0
    function: ast.AST | None = None  # the function, no method, that lifts it
    always: bool = True  # else a branch may have left the class as it is

    def module(self, made: Object | LayerObject) -> Value:
        return MappedModule(made, self)

    def join(self, other: Value) -> Value | None:
        """A class that a function lifts in one branch: one site makes both."""
        apart = other is self.target and self.function is not None
        return dataclasses.replace(self, always=False) if apart else None

    def is_apart(self, interp: Interpreter) -> bool:
        return self.function is not None and all(
            frame.function is not self.function for frame in interp.frames
        )

    def axis(self, place: int) -> int | None:
        """The axis of an argument that is mapped over."""
        if isinstance(self.in_axes, tuple):
            return self.in_axes[place] if place < len(self.in_axes) else None
        return self.in_axes


@dataclass(eq=False)
class MappedModule(LiftedModule):
    """An instance of a mapped class."""

    lift: Mapped

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        if not self.lift.always:
            plain = interp.call(self.module, args, kwargs, node)
            lifted = MappedModule(self.module, dataclasses.replace(self.lift, always=True))
            there = interp.call(lifted, args, kwargs, node)
            return joins.join(interp, self.lift.node or ast.Pass(), "", plain, there)
        axes = [self.lift.axis(place) for place in range(len(args))]
        steps = [v if a is None else without_axis(v, a) for v, a in zip(args, axes, strict=True)]
        result = interp.call(self.module, steps, kwargs, node)
        extents = [_extent(v, a) for v, a in zip(args, axes, strict=True) if a is not None]
        length = next((n for n in extents if n is not None), None)
        if length is None and self.lift.length is not None:
            length = as_dim(interp.facts.value(self.lift.length))
        if length is None:
            length = interp.symbols.unknown("how many a vmap maps over")
        return with_axis(result, self.lift.out_axis, length)


def scan(
    interp: Interpreter, function: Value, args: Sequence[Value], in_axis: int | None, out_axis: int
) -> Value:
    """One step of `function(carry, x)`, its outputs stacked."""
    carry, *inputs = args
    steps = [value if in_axis is None else without_axis(value, in_axis) for value in inputs]
    result = interp.call(function, [carry, *steps], {}, None)
    if not isinstance(result, Items) or len(result.items) != 2:
        return Items([carry, UNKNOWN])
    _same_shape(interp, carry, result.items[0])
    extents = [] if in_axis is None else [_extent(value, in_axis) for value in inputs]
    length = next((n for n in extents if n is not None), None)
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
    stacked = (
        isinstance(axes, Table)
        and "params" in axes.items
        and all(axis == Constant(0) for axis in axes.items.values())
    )
    if shared == stacked or not _splits(kwargs.get("split_rngs"), stacked):
        return None
    in_axis, out_axis = (kwargs.get(name, Constant(0)) for name in ("in_axes", "out_axes"))
    if stacked and _broadcast(in_axis):
        in_axis = NONE
    elif in_axis == NONE:
        return None
    if not isinstance(in_axis, Constant) or not isinstance(out_axis, Constant):
        return None
    length = next((k.value for k in node.keywords if k.arg == "length"), None)
    if stacked and length is None:
        return None
    return Scanned(args[0], stacked, length, node, in_axis.value, int(out_axis.value or 0))


def _broadcast(axes: Value) -> bool:
    """Whether `in_axes` hands all inputs to each step as they are."""
    parts = axes.items if isinstance(axes, Items) else [axes]
    return bool(parts) and all(part == External("flax.linen.broadcast") for part in parts)


def linen_remat(
    interp: Interpreter, node: ast.Call | None, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """`nn.remat(Cls, ...)` of a module class of the user's."""
    if node is None or not args or not _is_module_class(args[0]):
        return None
    return Rematerialized(args[0], node)


def _is_module_class(value: Value) -> bool:
    from . import classes

    if isinstance(value, Rematerialized):
        return _is_module_class(value.target)
    if isinstance(value, Partial):
        return not value.args and _is_module_class(value.function)
    if isinstance(value, Either):
        return all(_is_module_class(option) for option in value.values)
    return isinstance(value, Class) and classes.framework(value) is not None


def lifts_in(function: ast.FunctionDef, environment: Environment) -> Iterator[ast.Call]:
    """Where a function gives a parameter of its own to a lifted transform."""
    names = {parameter.name for parameter in parameters(function.args)}
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Name() | ast.Attribute() as head, args=[ast.Name(id=name), *_]):
                if name in names and _qualified(head, environment) in TRANSFORMS:
                    yield node


def _qualified(head: ast.Name | ast.Attribute, environment: Environment) -> str | None:
    chain = ast.unparse(head).split(".")
    found = environment.lookup(chain[0])
    return ".".join([found.name, *chain[1:]]) if isinstance(found, External) else None


@dataclass(eq=False)
class Given(Behaviour):
    """What a function that lifts classes is given, all of it rewritten."""

    targets: Sequence[Class]


def classes_in(value: Value) -> Iterator[Class]:
    """The module classes that what a lifted transform is given may be, or is made of."""
    match value:
        case Class():
            yield value
        case Rematerialized(target=inner) | Lifted(target=inner) | Partial(function=inner):
            yield from classes_in(inner)
        case Either(values=values):
            for option in values:
                yield from classes_in(option)


def linen_vmap(
    interp: Interpreter, node: ast.Call | None, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """`nn.vmap(Cls, ...)` with parameters for each index, or shared by all; any other is left unknown."""
    if len(args) != 1 or node is None or set(kwargs) - _VMAP_ARGUMENTS:
        return None
    axes, splits = kwargs.get("variable_axes"), kwargs.get("split_rngs")
    if not isinstance(axes, Table) or not isinstance(splits, Table):
        return None
    stacked = bool(axes.items) and all(a == Constant(0) for a in axes.items.values())
    shared = all(a == Constant(None) for a in axes.items.values())
    drawn = all(split == Constant(stacked) for split in splits.items.values())
    if stacked == shared or not drawn or (stacked and "params" not in splits.items):
        return None
    in_axes, out_axis = _axes(kwargs.get("in_axes", Constant(0))), kwargs.get("out_axes")
    if in_axes is False or not isinstance(out_axis or Constant(0), Constant):
        return None
    length = next((k.value for k in node.keywords if k.arg == "axis_size"), None)
    if stacked and length is None:
        return None
    out = out_axis.value if isinstance(out_axis, Constant) else 0
    function = _running(interp)
    if (isinstance(args[0], Partial) and args[0].args) or (function is not None and shared):
        return None
    return Mapped(args[0], stacked, length, node, in_axes, int(out or 0), function)


def _running(interp: Interpreter) -> ast.AST | None:
    frame = interp.frames[-1] if interp.frames else None
    return frame.function if frame is not None and frame.self_value is None else None


_VMAP_ARGUMENTS = {"variable_axes", "split_rngs", "in_axes", "out_axes", "axis_size"}


def _axes(value: Value) -> tuple[int | None, ...] | int | Literal[False] | None:
    """The axes that `in_axes` says; False where it says more than one for an argument."""
    match value:
        case Constant(value=int() | None as axis):
            return axis
        case Items(items=items) if all(isinstance(item, Constant) for item in items):
            return tuple(getattr(item, "value", None) for item in items)
    return False


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


def _noting(handler: Handler) -> Handler:
    """The handler of a lifted transform, which also notes what classes it is given, and whether it knows the result."""

    def noting(
        interp: Interpreter,
        node: ast.Call | None,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
    ) -> Value | None:
        found = handler(interp, node, args, kwargs)
        given = list(classes_in(args[0])) if args else []
        if node is not None and given:
            interp.lift_targets.setdefault(node, []).append((given, found is not None))
        return found

    return noting


def install(interp: Interpreter) -> None:
    """Adds the handlers."""
    interp.handlers["flax.linen.scan"] = linen_scan
    interp.handlers["flax.linen.remat"] = _noting(linen_remat)
    interp.handlers["flax.linen.checkpoint"] = _noting(linen_remat)
    interp.handlers["flax.linen.partitioning.remat"] = _noting(linen_remat)
    interp.handlers["flax.linen.vmap"] = _noting(linen_vmap)
    interp.handlers["haiku.scan"] = haiku_scan
    interp.handlers["haiku.experimental.layer_stack"] = layer_stack
    interp.handlers["haiku.layer_stack"] = layer_stack
