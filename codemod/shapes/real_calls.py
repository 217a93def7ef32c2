"""Hands abstract values to a real function of a known library; NumPy's are answered by `jax.numpy`."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import dtypes
from .asking import Complaint, Slot, ask
from .values import (
    NONE,
    SOME_FLOAT,
    UNKNOWN,
    Array,
    Constant,
    Either,
    External,
    Items,
    Size,
    Table,
    Unknown,
    Value,
    as_shape,
)

if TYPE_CHECKING:
    from .interpreter import Interpreter

# Only these are ever imported and run.
LIBRARIES = ("jax", "numpy", "math", "einops", "optax", "flax", "operator", "chex")
_DTYPE_ARGUMENTS = {
    "dtype",
    "precision",
    "preferred_element_type",
    "out_sharding",
    "promote_dtype",
    "out_type",
}


_VALUES = {"constant_values", "initial"}  # they have no part in a shape


class Unconvertible(Exception):
    """A value that cannot be handed to a real function."""


def resolve(name: str) -> Any:
    """The object behind a qualified name of a known library; NumPy's arrays functions are `jax.numpy`'s."""
    if name.split(".")[0] not in LIBRARIES:
        raise Unconvertible(name)
    if name.startswith("numpy.") and not name.startswith("numpy.random"):
        try:
            return _import("jax." + name)
        except (AttributeError, ImportError):
            pass
    try:
        return _import(name)
    except (AttributeError, ImportError) as error:
        raise Unconvertible(name) from error


@functools.cache
def _import(name: str) -> Any:
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        with _quietly():
            try:
                found = importlib.import_module(".".join(parts[:cut]))
            except ImportError:
                continue
            for part in parts[cut:]:
                found = getattr(found, part)
        return found
    raise ImportError(name)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """What libraries say as they are imported is meant for those who run them."""
    from absl import logging  # by which Flax and those that it imports speak

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)


def run(
    interp: Interpreter,
    node: ast.AST,
    function: Callable[..., Any],
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    elementwise: bool = False,
) -> Value:
    """`jax.eval_shape` on abstract values; an unknown where it cannot be asked, a trouble where it refuses."""
    known = _without_unknown_dtype(function, args)
    answer = _answer(interp, node, function, known, kwargs, elementwise)
    if len(known) < len(args):
        last = dtypes.said_of_call(interp, node, args, {}, len(args) - 1)
        return dtypes.with_float(answer, last or SOME_FLOAT)
    return dtypes.of_answer(interp, node, answer, args, kwargs)


def _answer(
    interp: Interpreter,
    node: ast.AST,
    function: Callable[..., Any],
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    elementwise: bool,
) -> Value:
    kwargs = {
        k: v
        for k, v in kwargs.items()
        if not (k in _DTYPE_ARGUMENTS and not isinstance(v, External))
        and not (k in _VALUES and isinstance(v, Unknown | Either))
    }
    arrays: list[Any] = []
    try:
        real_args = [_convert(interp, value, arrays) for value in args]
        real_kwargs = {key: _convert(interp, value, arrays) for key, value in kwargs.items()}
    except Unconvertible:
        return _pooled(interp, function, args) or _without_knowing(args, kwargs, elementwise)
    answer = ask(function, real_args, real_kwargs, arrays)
    if isinstance(answer, Complaint):
        found = _pooled(interp, function, args) or _padded(function, args)
        if answer.is_undecided:
            return found if found is not None else UNKNOWN
        interp.trouble(node, answer.text)
        return UNKNOWN
    return answer


def _pooled(
    interp: Interpreter, function: Callable[..., Any], args: Sequence[Value]
) -> Array | None:
    """What a pooling over a window of unknown size returns: batch and channels stay."""
    match args:
        case [Array(shape=shape, dtype=dtype), *_] if shape is not None and len(shape) > 2:
            if getattr(function, "__module__", "") != "flax.linen.pooling":
                return None
            between = [interp.symbols.unknown("the size of a window") for _ in shape[1:-1]]
            return Array((shape[0], *between, shape[-1]), dtype)
    return None


def _padded(function: Callable[..., Any], args: Sequence[Value]) -> Array | None:
    """What `jnp.pad` returns for widths of which the signs are not known."""
    match args:
        case [Array(shape=shape, dtype=dtype), Items(items=widths), *_] if shape is not None:
            sides = [as_shape(each) or () for each in widths]
            if getattr(function, "__name__", "") == "pad" and len(sides) == len(shape):
                if all(len(side) == 2 for side in sides):
                    grown = (dim + one + two for dim, (one, two) in zip(shape, sides, strict=True))
                    return Array(tuple(grown), dtype)
    return None


def _without_unknown_dtype(function: Callable[..., Any], args: Sequence[Value]) -> Sequence[Value]:
    """Arguments without a last one that only says a dtype, where reading cannot tell which."""
    if not args or not isinstance(args[-1], Unknown | Either):
        return args
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return args
    place = len(args) - 1
    return args[:-1] if place < len(names) and names[place] in _DTYPE_ARGUMENTS else args


def _without_knowing(
    args: Sequence[Value], kwargs: Mapping[str, Value], elementwise: bool
) -> Value:
    arrays = [value for value in [*args, *kwargs.values()] if isinstance(value, Array)]
    if elementwise and len(arrays) == 1 and args and args[0] is arrays[0]:
        return Array(arrays[0].shape, arrays[0].dtype, last=arrays[0].last)
    return Array(None) if arrays else UNKNOWN


def _convert(interp: Interpreter, value: Value, arrays: list[Any]) -> Any:
    import jax

    match value:
        case Constant(value=known):
            return known
        case Size(dim=dim):
            return interp.symbols.resolve(dim)
        case Array(shape=shape, dtype=kind) if shape is not None and kind != "key":
            resolved = tuple(interp.symbols.resolve(dim) for dim in shape)
            make: Any = jax.ShapeDtypeStruct  # untyped in JAX
            known = value.dtype if dtypes.is_known(value.dtype) else None
            arrays.append(make(resolved, known or "float32"))
            return Slot(len(arrays) - 1)
        case Items(items=items, kind=kind, open=False):
            inner = [_convert(interp, item, arrays) for item in items]
            return slice(*inner) if kind == "slice" else (inner if kind == "list" else tuple(inner))
        case Table(items=table):
            return {key: _convert(interp, item, arrays) for key, item in table.items()}
        case External(name=name):
            return resolve(name)
        case Either(values=values):
            known_values = [option for option in values if option != NONE]
            if len(known_values) == 1:
                return _convert(interp, known_values[0], arrays)
    raise Unconvertible
