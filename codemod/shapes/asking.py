"""What `jax.eval_shape` says of a call of a library function.

JAX is asked once for all calls that differ in the names of their symbols alone: it costs more than all other reading.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .dims import SYMBOL, Dim, is_dim, is_symbolic, substitute, symbol_of
from .values import (
    UNKNOWN,
    Array,
    Constant,
    Items,
    Size,
    Table,
    Value,
    from_dim,
)

Function = Callable[..., Any]


@dataclass(frozen=True)
class Slot:
    """Stands among the arguments for an array, until `jax.eval_shape` supplies the traced one."""

    at: int


@dataclass(frozen=True)
class Method:
    """A method of an array as a function."""

    name: str

    def __call__(self, array: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(array, self.name)(*args, **kwargs)


@dataclass(frozen=True)
class Complaint:
    """What JAX says where it refuses a call."""

    text: str

    @property
    def is_undecided(self) -> bool:
        """Whether it would depend on the numbers behind the symbols."""
        return self.text.startswith("InconclusiveDimensionOperation")


def ask(function: Function, args: Any, kwargs: Any, arrays: Sequence[Any]) -> Value | Complaint:
    """The value that a call returns; `arrays` are the shapes that the slots among its arguments stand for."""
    found = names_in([array.shape for array in arrays], args, kwargs)
    if not arrays and not found:
        return _constant(function, args, kwargs)
    plain = {name: f"s{number}_" for number, name in enumerate(found, start=1)}
    question = _question(function, args, kwargs, arrays, plain)
    answer = _answers.get(question) if question is not None else None
    if answer is None:
        to_plain = {name: _symbol(each) for name, each in plain.items()}
        move = functools.partial(_moved, sizes=to_plain)
        moved = [_like(array, move(array.shape)) for array in arrays]
        answer = _asked(function, move(args), move(kwargs), moved)
        if question is not None:
            _answers[question] = answer
    return _renamed(answer, {each: found[name] for name, each in plain.items()})


_answers: dict[Any, Value | Complaint] = {}  # facts about JAX: they hold for every project


def _asked(function: Function, args: Any, kwargs: Any, arrays: list[Any]) -> Value | Complaint:
    import jax

    said: list[Value] = []

    def traced(leaves: list[Any]) -> None:
        fill = functools.partial(_fill, leaves=leaves)
        result = function(
            *[map_leaves(fill, a) for a in args],
            **{k: map_leaves(fill, v) for k, v in kwargs.items()},
        )
        said.append(_value(result))

    carrier = [] if arrays else [_carrier(args, kwargs)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are meant for who runs the program
            jax.eval_shape(traced, arrays or carrier)
    except Exception as error:
        text = str(error).splitlines()[0][:160] if str(error) else ""
        return Complaint(f"{type(error).__name__}: {text}")
    return said[-1]


# ---- calls without arrays and symbols -----------------------------------------------------------------------


def _constant(function: Function, args: Any, kwargs: Any) -> Value:
    """What a call makes of numbers, where that is an array or plain arithmetic."""
    question = _question(function, args, kwargs, (), {})
    answer = _answers.get(question) if question is not None else None
    if answer is None:
        answer = _made(function, args, kwargs)
        if question is not None:
            _answers[question] = answer
    assert not isinstance(answer, Complaint)
    return _renamed_value(answer, {})


def _made(function: Function, args: Any, kwargs: Any) -> Value:
    import jax

    said: list[Value] = []

    def traced() -> None:
        result = function(*args, **kwargs)
        said.append(_value(result) if _is_of_arrays(result) else UNKNOWN)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            jax.eval_shape(traced)
        return said[-1]
    except Exception:  # not array code (a constructor, say)
        return _computed(function, args, kwargs)


def _computed(function: Function, args: Any, kwargs: Any) -> Value:
    if getattr(function, "__module__", "") in ("math", "operator", "builtins", "_operator"):
        try:
            return _value(function(*args, **kwargs))
        except Exception:  # the program would raise here
            return UNKNOWN
    return UNKNOWN


def _is_of_arrays(result: Any) -> bool:
    import jax

    return all(
        hasattr(leaf, "shape") and hasattr(leaf, "dtype") for leaf in jax.tree.leaves(result)
    )


# ---- questions ------------------------------------------------------------------------------------------------


def _question(
    function: Function, args: Any, kwargs: Any, arrays: Sequence[Any], plain: Mapping[str, str]
) -> Any:
    """What distinguishes one call from another, None for a function that no second call can be of."""
    if not isinstance(function, Method) and "<" in getattr(function, "__qualname__", "<"):
        return None
    told = functools.partial(_told, plain=plain)
    try:
        shapes = tuple((told(tuple(array.shape)), array.dtype) for array in arrays)
        question = (function, told(args), told(kwargs), shapes)
        hash(question)
    except TypeError:
        return None
    return question


def _told(tree: Any, plain: Mapping[str, str]) -> Any:
    if isinstance(tree, list | tuple):
        return (type(tree), *[_told(item, plain) for item in tree])
    if isinstance(tree, dict):
        return tuple((key, _told(item, plain)) for key, item in tree.items())
    if isinstance(tree, slice):
        return (slice, *[_told(part, plain) for part in (tree.start, tree.stop, tree.step)])
    if is_symbolic(tree):
        return (type(tree), _respelled(str(tree), plain))
    return (type(tree), tree)


def _respelled(text: str, spelling: Mapping[str, str]) -> str:
    return SYMBOL.sub(lambda found: spelling.get(found[0], found[0]), text)


# ---- symbols --------------------------------------------------------------------------------------------------


@functools.cache
def _scope() -> Any:
    from jax import export

    return export.SymbolicScope()


@functools.cache
def _symbol(name: str) -> Dim:
    """A symbol of the scope that all questions are asked in."""
    from jax import export

    (dim,) = export.symbolic_shape(name, scope=_scope())
    return dim


def names_in(*trees: Any) -> dict[str, Dim]:
    """The symbols of sizes in some trees, in the order in which they occur, each as a size."""
    found: dict[str, Dim] = {}
    for dim in symbolic_in(trees):
        for name in SYMBOL.findall(str(dim)):
            if name not in found:
                found[name] = symbol_of(dim, name)
    return found


def symbolic_in(tree: Any) -> list[Dim]:
    """The sizes in a tree that are no numbers."""
    if isinstance(tree, list | tuple):
        return [dim for item in tree for dim in symbolic_in(item)]
    if isinstance(tree, dict):
        return [dim for item in tree.values() for dim in symbolic_in(item)]
    if isinstance(tree, slice):
        return symbolic_in((tree.start, tree.stop, tree.step))
    return [tree] if is_symbolic(tree) else []


def _moved(tree: Any, sizes: Mapping[str, Dim]) -> Any:
    """A tree with its sizes in other symbols."""
    return map_leaves(lambda leaf: _replaced(leaf, sizes) if is_symbolic(leaf) else leaf, tree)


def _replaced(dim: Dim, sizes: Mapping[str, Dim]) -> Dim:
    if isinstance(dim, int):
        return dim
    text = str(dim)
    return sizes[text] if text in sizes else substitute(dim, sizes)


def _renamed(answer: Value | Complaint, sizes: Mapping[str, Dim]) -> Value | Complaint:
    if isinstance(answer, Complaint):
        return Complaint(_respelled(answer.text, {name: str(dim) for name, dim in sizes.items()}))
    return _renamed_value(answer, sizes)


def _renamed_value(value: Value, sizes: Mapping[str, Dim]) -> Value:
    """A value of its own with the sizes of the asker."""
    match value:
        case Array(shape=shape, dtype=dtype) if shape is not None:
            return Array(tuple(_replaced(dim, sizes) for dim in shape), dtype)
        case Items(items=items, kind=kind, names=fields):
            return Items([_renamed_value(item, sizes) for item in items], kind, fields)
        case Table(items=table):
            return Table({key: _renamed_value(item, sizes) for key, item in table.items()})
        case Size(dim=dim):
            return from_dim(_replaced(dim, sizes))
    return value


def _carrier(*trees: Any) -> Any:
    """An array whose shape carries the symbols, which JAX must meet in some input."""
    import jax

    make: Any = jax.ShapeDtypeStruct  # untyped in JAX
    return make(tuple(symbolic_in(list(trees))), "float32")


# ---- trees ----------------------------------------------------------------------------------------------------


def _like(array: Any, shape: Any) -> Any:
    import jax

    make: Any = jax.ShapeDtypeStruct  # untyped in JAX
    return make(tuple(shape), array.dtype)


def _fill(leaf: Any, leaves: list[Any]) -> Any:
    return leaves[leaf.at] if isinstance(leaf, Slot) else leaf


def map_leaves(function: Callable[[Any], Any], tree: Any) -> Any:
    """A tree of lists, tuples and dicts with each leaf replaced."""
    if isinstance(tree, list):
        return [map_leaves(function, item) for item in tree]
    if isinstance(tree, tuple):
        return tuple(map_leaves(function, item) for item in tree)
    if isinstance(tree, dict):
        return {key: map_leaves(function, item) for key, item in tree.items()}
    if isinstance(tree, slice):
        return slice(*[map_leaves(function, part) for part in (tree.start, tree.stop, tree.step)])
    return function(tree)


def _value(result: Any) -> Value:
    """What JAX computed, or a tree of that, as a value."""
    if hasattr(result, "shape") and hasattr(result, "dtype"):
        return Array(tuple(result.shape), str(result.dtype))
    if isinstance(result, tuple):
        fields = getattr(result, "_fields", ())
        return Items([_value(item) for item in result], "tuple", tuple(fields))
    if isinstance(result, list):
        return Items([_value(item) for item in result], "list")
    if isinstance(result, dict):
        return Table({key: _value(item) for key, item in result.items()})
    if is_dim(result):
        return from_dim(result)
    if isinstance(result, str | float | bool | bytes):
        return Constant(result)
    return UNKNOWN
