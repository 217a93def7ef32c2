"""Which float an array holds: one that an argument or a field chooses is `SOME_FLOAT`, as another call may choose another.

The class that is read knows its own fields: `float:dtype` is the float that its field `dtype` says.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..chains import is_own
from .values import (
    NONE,
    SOME_FLOAT,
    UNKNOWN,
    WORD,
    Array,
    Constant,
    External,
    Items,
    LayerObject,
    Table,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from .interpreter import Interpreter

_KNOWN = frozenset("float16 bfloat16 float32 float64 int8 int16 int32 int64 uint8 uint32".split())
FIELD = "a dtype of a field"
_WIDE = ("float32", "float64")  # what comes of these and a narrower one is known


class OfArray(str):
    """The name of a dtype that was read off an array: no other call gives another."""


def dtype_name(value: Value | None) -> str | None:
    """The NumPy name of a dtype, as a value says it."""
    if isinstance(value, External):
        name = value.name.rsplit(".", 1)[-1]
        return name if name in _KNOWN else ("bool" if name in ("bool", "bool_") else None)
    if isinstance(value, Constant) and isinstance(value.value, str):
        return value.value
    return None


def is_known(kind: str | None) -> bool:
    """Whether a dtype is one, and always the same."""
    return kind is not None and kind.partition(":")[0] != SOME_FLOAT


def anywhere(kind: str | None) -> str | None:
    """A dtype as another class than the one that is read may know it."""
    return kind if kind is None or is_known(kind) else SOME_FLOAT


def attribute(interp: Interpreter, array: Array) -> Value:
    """`x.dtype`."""
    if array.dtype is None or is_known(array.dtype):
        return External(OfArray(f"jax.numpy.{array.dtype}")) if array.dtype else UNKNOWN
    field = array.dtype.partition(":")[2]
    return Unknown(field, FIELD) if field and _is_root(interp) else UNKNOWN


def _is_root(interp: Interpreter) -> bool:
    """Whether the code that runs is a method of the class that is read."""
    owner = interp.frames[-1].self_value if interp.frames else None
    return owner is not None and owner is interp.root_object


def said(interp: Interpreter, node: ast.expr | None, value: Value | None) -> str:
    """The dtype that an argument says; `SOME_FLOAT` where its text leaves that to arguments, locals or what may be None."""
    name = dtype_name(value)
    if name is not None and "float" not in name:
        return name
    match value:
        case External(name=OfArray()) if name is not None:
            return name
        case Unknown(text=str(field), why=why) if why == FIELD:
            return f"{SOME_FLOAT}:{field}"
    match node:
        case ast.Constant() if name is not None:
            return name
        case ast.Name(id=text) | ast.Attribute(attr=text) if text == name:
            return name
        case ast.Attribute(attr=field) if is_own(node) and _is_root(interp):
            is_word = isinstance(value, Unknown) and value.why == WORD
            return f"{SOME_FLOAT}:{field}" if name is not None or is_word else SOME_FLOAT
    return SOME_FLOAT


def together(kinds: Sequence[str | None]) -> str | None:
    """The float that arrays of some dtypes give together; None where none of them is one."""
    floats = [kind for kind in kinds if kind and "float" in kind]
    wide = [kind for kind in floats if kind in _WIDE]
    if wide:
        return max(wide)
    if not all(map(is_known, floats)):
        return floats[0] if len(set(floats)) == 1 else SOME_FLOAT
    return max(floats, key=lambda kind: (int(kind[-2:]), kind)) if floats else None


def of_answer(
    interp: Interpreter,
    node: ast.AST,
    answer: Value,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
) -> Value:
    """What a library function returns, where it was asked with a dtype that may be another."""
    asked = _asked(interp, node, args, kwargs)
    if asked is not None:
        return with_float(answer, asked) if "float" in asked else answer
    kinds = [array.dtype for array in _arrays([*args, *kwargs.values()])]
    found = together(kinds)
    return answer if found is None or is_known(found) else with_float(answer, found)


def of_layer(interp: Interpreter, layer: LayerObject, result: Value | None) -> Value | None:
    """What a layer of Linen returns: its `dtype`, or what its input and its parameters give together."""
    rule = layer.rule
    names = (*rule.signature, *rule.keyword_only)
    if result is None or not rule.source.startswith("flax.linen.") or "param_dtype" not in names:
        return result
    written, given = _keyword(layer.site, "dtype"), layer.arguments.get("dtype")
    kept = layer.arguments.get("param_dtype")
    if given is not None and not (isinstance(written, ast.Constant) and written.value is None):
        return with_float(result, said(interp, written, given))
    param = "float32" if kept is None else said(interp, _keyword(layer.site, "param_dtype"), kept)
    return _promoted(result, param)


def said_of_call(
    interp: Interpreter,
    node: ast.AST,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    place: int = 0,
) -> str | None:
    """The dtype that a call says, by its name or at a place; None where it says none."""
    if "dtype" in kwargs:
        return _said_if_any(interp, _keyword(node, "dtype"), kwargs["dtype"])
    if len(args) <= place:
        return None
    return _said_if_any(interp, _written(node, args, place), args[place])


def _said_if_any(interp: Interpreter, node: ast.expr | None, value: Value) -> str | None:
    """The dtype that an argument says; None where it is None for certain."""
    return said(interp, node, value) if value != NONE or is_own(node) else None


def either(one: str | None, other: str | None) -> str | None:
    """The dtype of one of two arrays, where reading cannot tell which."""
    if one and other and one != other and "float" in one and "float" in other:
        return SOME_FLOAT
    return one or other


def _asked(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> str | None:
    """The dtype that a call is given."""
    for name in ("dtype", "preferred_element_type"):
        if name in kwargs:
            return _said_if_any(interp, _keyword(node, name), kwargs[name])
    for place, value in enumerate(args):
        if isinstance(value, External | Constant) and dtype_name(value) in _KNOWN:
            return said(interp, _written(node, args, place), value)
    return None


def _written(node: ast.AST, args: Sequence[Value], place: int) -> ast.expr | None:
    """The text of a positional argument; an array whose method is called comes before those of the call."""
    if not isinstance(node, ast.Call) or any(isinstance(a, ast.Starred) for a in node.args):
        return None
    found = place - len(args) + len(node.args)
    return node.args[found] if 0 <= found < len(node.args) else None


def _keyword(call: ast.AST | None, name: str) -> ast.expr | None:
    keywords = call.keywords if isinstance(call, ast.Call) else []
    return next((keyword.value for keyword in keywords if keyword.arg == name), None)


def _arrays(values: Sequence[Value]) -> Iterator[Array]:
    for value in values:
        match value:
            case Array():
                yield value
            case Items(items=items):
                yield from _arrays(items)
            case Table(items=table):
                yield from _arrays(list(table.values()))


def with_float(value: Value, kind: str) -> Value:
    """A value with one dtype for all floats in it."""
    return _each_float(value, lambda old: kind)


def _promoted(value: Value, kind: str | None) -> Value:
    return _each_float(value, lambda old: together([old, kind]) or old)


def _each_float(value: Value, change: Callable[[str], str]) -> Value:
    match value:
        case Array(dtype=str(kind)) if "float" in kind:
            return replace(value, dtype=change(kind))
        case Items(items=items):
            return replace(value, items=[_each_float(item, change) for item in items])
        case Table(items=table):
            return replace(value, items={k: _each_float(v, change) for k, v in table.items()})
    return value
