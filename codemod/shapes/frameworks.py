"""What Linen's module methods and Haiku's functions mean to the interpreter."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from . import (
    applied,
    control_flow,
    dtypes,
    enclosed,
    joins,
    library,
    lifts,
    named,
    numpy_random,
    operators,
    scanned_functions,
)
from .binding import bind_signature
from .facts import VariableMade
from .specials import KEY
from .values import (
    FALSE,
    FLAG,
    NONE,
    UNKNOWN,
    Array,
    Constant,
    Either,
    External,
    Items,
    Object,
    OpenShape,
    Repeated,
    Size,
    Unknown,
    Value,
    Variable,
    as_dim,
    as_shape,
    from_dim,
)

if TYPE_CHECKING:
    from .interpreter import Handler, Interpreter

Args = Sequence[Value]
Kwargs = Mapping[str, Value]


def install(interp: Interpreter) -> None:
    """Adds the handlers of both frameworks."""
    interp.handlers.update(_LINEN)
    interp.handlers.update(_HAIKU)
    lifts.install(interp)
    scanned_functions.install(interp)
    numpy_random.install(interp)
    interp.handlers.update(control_flow.HANDLERS)
    interp.handlers.update(applied.HANDLERS)
    interp.handlers.update(enclosed.HANDLERS)
    interp.handlers["importlib.import_module"] = named.imported
    interp.handlers["builtins.super_of_library"] = lambda interp, node, args, kwargs: NONE


def _made(
    interp: Interpreter,
    node: ast.Call | None,
    kind: str,
    name: Value | None,
    collection: str,
    arguments: Mapping[str, Value],
    result: Value,
    owner: Object | None,
) -> Value:
    if kind != "set_state":
        interp.count_creation()
    if node is not None and interp.recording:
        text = name.value if isinstance(name, Constant) else None
        made = VariableMade(
            kind, node, text, collection, dict(arguments), result, owner, interp.stack
        )
        interp.facts.variables[node].append(made)
    return result


# ---- Linen -------------------------------------------------------------------------------------------------


def _param(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    owner, rest = args[0], args[1:]
    bound = bind_signature(("name", "init_fn"), rest, kwargs)
    init_args = list(rest[2:])
    result = _initialised(interp, bound.get("init_fn", UNKNOWN), [KEY, *init_args], node)
    return _made(
        interp,
        node,
        "param",
        bound.get("name"),
        "params",
        bound,
        result,
        owner if isinstance(owner, Object) else None,
    )


def _variable(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    owner, rest = args[0], args[1:]
    bound = bind_signature(("col", "name", "init_fn"), rest, kwargs)
    value = _initialised(interp, bound.get("init_fn", UNKNOWN), list(rest[3:]), node)
    collection = bound.get("col")
    result = Variable(node, value) if node is not None else UNKNOWN
    return _made(
        interp,
        node,
        "variable",
        bound.get("name"),
        str(collection.value) if isinstance(collection, Constant) else "",
        bound,
        result,
        owner if isinstance(owner, Object) else None,
    )


def _initialised(
    interp: Interpreter, init: Value, args: list[Value], node: ast.Call | None
) -> Value:
    """What an initialiser returns: an array of the shape that it is given, if it is one of the usual kind."""
    from .values import Bound, Function, Partial

    if isinstance(init, Function | Partial | Bound):
        result = interp.call(init, args, {}, None)
        if isinstance(result, Array) and result.shape is not None:
            return result
        if isinstance(result, Constant):
            return Array((), "int32" if isinstance(result.value, int) else "float32")
    known = [place for place, value in enumerate(args) if isinstance(value, Items)]
    kind = dtypes.said_of_call(interp, node or ast.Pass(), args, {}, known[0] + 1 if known else 2)
    for value in args:
        shape = as_shape(value) if isinstance(value, Items) else None
        if shape is not None:
            return Array(shape, kind or "float32")
        if isinstance(value, Items):
            dims = [operators.dim_of(interp, item) for item in value.items]
            if all(dim is not None for dim in dims):
                return Array(tuple(dims), kind or "float32")
    asked = args[1] if len(args) > 1 and args[0] is KEY else UNKNOWN
    if not isinstance(init, Function | Partial | Bound) and isinstance(asked, Size):
        return Array((asked.dim,), kind or "float32")  # a vector as long as that
    if isinstance(init, External) and args and not isinstance(args[0], Array):
        return library.call(interp, node, init.name, args, {})
    return Array(None)


def _make_rng(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    owner = args[0] if isinstance(args[0], Object) else None
    name = kwargs.get("name", args[1] if len(args) > 1 else Constant("params"))
    return _made(interp, node, "rng", name, "rngs", {}, KEY, owner)


def _sow(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    owner = args[0] if isinstance(args[0], Object) else None
    bound = bind_signature(("col", "name", "value", "reduce_fn", "init_fn"), args[1:], kwargs)
    return _made(interp, node, "sow", bound.get("name"), "intermediates", bound, NONE, owner)


def _perturb(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    return args[2] if len(args) > 2 else kwargs.get("value", UNKNOWN)


def _false(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    return FALSE


def _none(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    return NONE


def _is_initializing(
    interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs
) -> Value:
    """True in `setup`, which becomes the constructor, and false in what runs afterwards."""
    return Constant(any(getattr(frame.function, "name", "") == "setup" for frame in interp.frames))


def _flag(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    return Unknown(None, FLAG)


def _merge_param(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    """The one of two values that is not None; for sizes, a choice between them."""
    bound = bind_signature(("name", "a", "b"), args, kwargs)
    first, second = bound.get("a", UNKNOWN), bound.get("b", UNKNOWN)
    if NONE in (first, second):
        return second if first == NONE else first
    options = first.values if isinstance(first, Either) else (first,)
    one, two = as_dim(next((o for o in options if o != NONE), None)), as_dim(second)
    if one is not None and two is not None and node is not None:
        return from_dim(joins.join_dims(interp, node, "", 0, one, two))
    return Unknown(None, FLAG)


def _attend(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    return UNKNOWN


_LINEN: dict[str, Handler] = {
    "flax.linen.Module.param": _param,
    "flax.linen.Module.variable": _variable,
    "flax.linen.Module.make_rng": _make_rng,
    "flax.linen.Module.sow": _sow,
    "flax.linen.Module.perturb": _perturb,
    "flax.linen.Module.is_initializing": _is_initializing,
    "flax.linen.Module.is_mutable_collection": _flag,
    "flax.linen.Module.has_variable": _flag,
    "flax.linen.Module.has_rng": _flag,
    "flax.linen.merge_param": _merge_param,
    "flax.linen.module.merge_param": _merge_param,
}


# ---- Haiku -------------------------------------------------------------------------------------------------


def _owner(interp: Interpreter) -> Object | None:
    from .classes import framework

    for frame in reversed(interp.frames):
        if frame.self_value is not None and framework(frame.self_value.cls) == "haiku":
            return frame.self_value
    return None


def _get_parameter(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    bound = bind_signature(("name", "shape", "dtype", "init"), args, kwargs)
    result = _shaped(interp, bound)
    return _made(interp, node, "param", bound.get("name"), "params", bound, result, _owner(interp))


def _shaped(interp: Interpreter, bound: Mapping[str, Value]) -> Array:
    shape = bound.get("shape", Items([]))
    dtype = bound.get("dtype")
    kind = dtype.name.rsplit(".", 1)[-1] if isinstance(dtype, External) else "float32"
    if isinstance(shape, OpenShape):
        return Array(None, kind, last=shape.last)
    if isinstance(shape, Constant | Size) and (size := as_dim(shape)) is not None:
        return Array((size,), kind)
    if not isinstance(shape, Items):
        return Array(None)
    dims = [operators.dim_of(interp, item) for item in shape.items]
    if any(dim is None for dim in dims):
        return Array(None, kind, last=None if shape.open else dims[-1])
    return Array(tuple(dims), kind)


def _get_state(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    bound = bind_signature(("name", "shape", "dtype", "init"), args, kwargs)
    return _made(
        interp,
        node,
        "state",
        bound.get("name"),
        "state",
        bound,
        _shaped(interp, bound),
        _owner(interp),
    )


def _set_state(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    bound = bind_signature(("name", "value"), args, kwargs)
    return _made(interp, node, "set_state", bound.get("name"), "state", bound, NONE, _owner(interp))


def _next_rng_key(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    return _made(interp, node, "rng", None, "rngs", {}, KEY, _owner(interp))


def _next_rng_keys(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    _made(interp, node, "rng", None, "rngs", {}, KEY, _owner(interp))
    return Repeated(KEY)


_HAIKU: dict[str, Handler] = {
    "haiku.get_parameter": _get_parameter,
    "haiku.get_state": _get_state,
    "haiku.set_state": _set_state,
    "haiku.next_rng_key": _next_rng_key,
    "haiku.maybe_next_rng_key": _next_rng_key,
    "haiku.next_rng_keys": _next_rng_keys,
    "haiku.running_init": _false,
    "haiku.mixed_precision.current_policy": _none,
}
