"""Haiku's functions that call what they are given: unrolls, control flow, and functions of functions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import joins
from .arrays import product
from .binding import bind_signature
from .dims import Dim
from .specials import KEY
from .values import (
    NONE,
    TRUE,
    UNKNOWN,
    Array,
    Behaviour,
    Constant,
    Items,
    Repeated,
    Shape,
    Table,
    Value,
)

if TYPE_CHECKING:
    from .interpreter import Handler, Interpreter

Args = Sequence[Value]
Kwargs = Mapping[str, Value]


def arrays_of(value: Value) -> list[Array]:
    """The arrays in a structure, in order."""
    if isinstance(value, Array):
        return [value]
    inner = value.items if isinstance(value, Items) else []
    inner = list(value.items.values()) if isinstance(value, Table) else inner
    return [array for item in inner for array in arrays_of(item)]


def reshaped(value: Value, change: Callable[[Shape], Shape]) -> Value:
    """A structure with the shape of every array changed."""
    if isinstance(value, Array):
        return value if value.shape is None else Array(change(value.shape), value.dtype)
    if isinstance(value, Items):
        items = [reshaped(item, change) for item in value.items]
        return Items(items, value.kind, value.names, value.cls, value.open)
    if isinstance(value, Table):
        return Table({key: reshaped(item, change) for key, item in value.items.items()})
    return value


def _without(axis: int) -> Callable[[Shape], Shape]:
    return lambda shape: (*shape[:axis], *shape[axis + 1 :])


def _with(axis: int, size: Dim) -> Callable[[Shape], Shape]:
    return lambda shape: (*shape[:axis], size, *shape[axis:]) if axis <= len(shape) else shape


# ---- unrolls ---------------------------------------------------------------------------------------------


def _unroll(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    names = (
        "core",
        "input_sequence",
        "initial_state",
        "time_major",
        "reverse",
        "return_all_states",
    )
    bound = bind_signature(names, args, kwargs)
    axis = 0 if bound.get("time_major", TRUE) == TRUE else 1
    sequence = bound.get("input_sequence", UNKNOWN)
    known = [array.shape for array in arrays_of(sequence) if array.shape is not None]
    if not known or len(known[0]) <= axis:
        return Items([Array(None), Array(None)])
    step = reshaped(sequence, _without(axis))
    state = bound.get("initial_state", UNKNOWN)
    saved = interp.stack
    if node is not None:  # where the core is run from
        interp.stack = (*saved, node)
    try:
        made = interp.call(bound.get("core", UNKNOWN), [step, state], {}, None)
    finally:
        interp.stack = saved
    found = interp.known_items(made, 2)
    output, last = found if found is not None and len(found) == 2 else (Array(None), state)
    grow = _with(axis, known[0][axis])
    every = bound.get("return_all_states") == TRUE
    return Items([reshaped(output, grow), reshaped(last, grow) if every else last])


def _lstm_state(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    bound = bind_signature(("hidden", "cell"), args, kwargs)
    parts = [bound.get("hidden", UNKNOWN), bound.get("cell", UNKNOWN)]
    return Items(parts, names=("hidden", "cell"))


def _keys(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    return Repeated(KEY)


# ---- functions of functions --------------------------------------------------------------------------------


@dataclass(eq=False)
class BatchApplied(Behaviour):
    """`hk.BatchApply(f)`: `f` on inputs whose first axes are merged. `num_dims` is None where it is unknown."""

    function: Value
    num_dims: int | None

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        count = self.num_dims
        shapes = [a.shape for v in [*args, *kwargs.values()] for a in arrays_of(v)]
        leading = next(
            (s[:count] for s in shapes if s is not None and count and len(s) >= count), None
        )
        if count is None or leading is None:
            return Array(None)

        def merge(shape: Shape) -> Shape:
            return (product(shape[:count]), *shape[count:]) if len(shape) >= count else shape

        merged = [reshaped(value, merge) for value in args]
        named = {name: reshaped(value, merge) for name, value in kwargs.items()}
        result = interp.call(self.function, merged, named, None)
        return reshaped(result, lambda shape: (*leading, *shape[1:]))


@dataclass(eq=False)
class ExpandApplied(Behaviour):
    """`hk.expand_apply(f)`: `f` on inputs with another axis, of size 1."""

    function: Value
    axis: int

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        def expand(shape: Shape) -> Shape:
            return (1, *shape) if self.axis == 0 else (*shape, 1)

        wider = [reshaped(value, expand) for value in args]
        named = {name: reshaped(value, expand) for name, value in kwargs.items()}
        result = interp.call(self.function, wider, named, None)
        return reshaped(result, lambda shape: shape[1:] if self.axis == 0 else shape[:-1])


def _batch_apply(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    bound = bind_signature(("f", "num_dims"), args, kwargs)
    count = bound.get("num_dims", Constant(2))
    known = count.value if isinstance(count, Constant) and isinstance(count.value, int) else None
    return BatchApplied(bound.get("f", UNKNOWN), known)


def _expand_apply(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    bound = bind_signature(("f", "axis"), args, kwargs)
    return ExpandApplied(
        bound.get("f", UNKNOWN), 0 if bound.get("axis", Constant(0)) == Constant(0) else -1
    )


# ---- control flow --------------------------------------------------------------------------------------------


def _joined(interp: Interpreter, node: ast.Call | None, results: Sequence[Value]) -> Value:
    found = results[0] if results else UNKNOWN
    for other in results[1:]:
        found = joins.join(interp, node or ast.Pass(), "result", found, other)
    return found


def _cond(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    bound = bind_signature(("pred", "true_fun", "false_fun"), args[:3], kwargs)
    branches = [bound.get("true_fun", UNKNOWN), bound.get("false_fun", UNKNOWN)]
    return _joined(interp, node, [interp.call(f, list(args[3:]), {}, None) for f in branches])


def _switch(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    bound = bind_signature(("index", "branches"), args[:2], kwargs)
    branches = interp.known_items(bound.get("branches", NONE)) or []
    return _joined(interp, node, [interp.call(f, list(args[2:]), {}, None) for f in branches])


def _while_loop(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    bound = bind_signature(("cond_fun", "body_fun", "init_val"), args, kwargs)
    start = bound.get("init_val", UNKNOWN)
    interp.call(bound.get("cond_fun", UNKNOWN), [start], {}, None)
    interp.call(bound.get("body_fun", UNKNOWN), [start], {}, None)
    return start


def _fori_loop(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    bound = bind_signature(("lower", "upper", "body_fun", "init_val"), args, kwargs)
    start = bound.get("init_val", UNKNOWN)
    interp.call(bound.get("body_fun", UNKNOWN), [Array((), "int32"), start], {}, None)
    return start


HANDLERS: dict[str, Handler] = {
    "haiku.dynamic_unroll": _unroll,
    "haiku.static_unroll": _unroll,
    "haiku.LSTMState": _lstm_state,
    "haiku.PRNGSequence": _keys,
    "haiku.BatchApply": _batch_apply,
    "haiku.expand_apply": _expand_apply,
    "haiku.cond": _cond,
    "haiku.switch": _switch,
    "haiku.while_loop": _while_loop,
    "haiku.fori_loop": _fori_loop,
}
