"""What a name is after two ways of getting there."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from . import dtypes, forks, parts
from .dims import Choice, Dim, Unexplained, same
from .values import (
    NONE,
    UNKNOWN,
    Appended,
    Array,
    Behaviour,
    Constant,
    Either,
    Function,
    Items,
    LayerObject,
    Object,
    Repeated,
    Shape,
    Size,
    Table,
    Unknown,
    Value,
    as_dim,
    from_dim,
)

if TYPE_CHECKING:
    from .interpreter import Interpreter


def join(
    interp: Interpreter, node: ast.AST, name: str, left: Value | None, right: Value | None
) -> Value:
    """A value that stands for both. A name that one side lacks is what the other side has."""
    if left is None or right is None:
        return left or right or UNKNOWN
    if left is right or left == right:
        return left
    for value, other in ((left, right), (right, left)):
        joined = value.join(other) if isinstance(value, Behaviour) else None
        if joined is not None:
            return joined
    one, two = as_dim(left), as_dim(right)
    if one is not None and two is not None and not _bools(left, right):
        return from_dim(join_dims(interp, node, name, 0, one, two))
    stands_in = _stand_in(interp, left, right)
    if stands_in is not None:
        return from_dim(join_dims(interp, node, name, 0, *stands_in))
    part = parts.join(interp, node, left, right)
    if part is not None:
        return part
    match left, right:
        case Array(), Array():
            return _arrays(interp, node, name, left, right)
        case Array(shape=shape, dtype=dtype), Constant(value=None):
            return Array(shape, dtype, optional=True)
        case Constant(value=None), Array(shape=shape, dtype=dtype):
            return Array(shape, dtype, optional=True)
        case (Array(), Unknown()) | (Unknown(), Array()):
            return Array(None)
        case Items(items=a, kind=kind), Items(items=b) if len(a) == len(b) and kind == right.kind:
            items = [
                join(interp, node, f"{name}_{i}", x, y)
                for i, (x, y) in enumerate(zip(a, b, strict=True))
            ]
            return Items(items, kind, left.names, left.cls)
        case Table(items=one_items), Table(items=two_items):
            keys = {**one_items, **two_items}
            return Table(
                {k: join(interp, node, name, one_items.get(k), two_items.get(k)) for k in keys}
            )
        case Repeated(item=a_item), Repeated(item=b_item):
            return Repeated(join(interp, node, name, a_item, b_item), left.text or right.text)
        case (Unknown(text=str()), LayerObject()) | (LayerObject(), Unknown(text=str())):
            return either(left, right)  # a layer, or what a field holds in its place
        case _ if is_told(left) or is_told(right):
            return either(left, right)
        case (
            LayerObject() | Object() | Behaviour() as one,
            LayerObject() | Object() | Behaviour() | Either() as two,
        ) | (
            Either() as one,
            LayerObject() | Object() | Behaviour() as two,
        ) if isinstance(node, ast.If | ast.IfExp):
            return _decided(node, either(one, two))
        case (Function() | LayerObject() | Object() | Behaviour(), Constant(value=None)) | (
            Constant(value=None),
            Function() | LayerObject() | Object() | Behaviour(),
        ) if isinstance(node, ast.If | ast.IfExp):
            return Either((left, right), node)
        case (Unknown(), _) | (_, Unknown()):
            return UNKNOWN
    return either(left, right)


def _stand_in(interp: Interpreter, left: Value, right: Value) -> tuple[Dim, Dim] | None:
    """A size that is read off a shape, and what a constructor was given, which is then a size as well."""
    from .operators import dim_of

    match left, right:
        case (Size(), Unknown(text=str(), told="")) | (Unknown(text=str(), told=""), Size()):
            one, two = dim_of(interp, left), dim_of(interp, right)
            return None if one is None or two is None else (one, two)
    return None


def is_told(value: Value) -> bool:
    """Whether a rule says more of a value than that it is not known."""
    return isinstance(value, Unknown) and bool(value.told)


def either(*values: Value) -> Value:
    """One of several; alternatives are listed once."""
    flat: list[Value] = []
    for value in values:
        for option in value.values if isinstance(value, Either) else (value,):
            if not any(option is known or option == known for known in flat):
                flat.append(option)
    if all(isinstance(option, Constant) for option in flat):
        return UNKNOWN if NONE not in flat and len(flat) > 8 else Either(tuple(flat))
    return flat[0] if len(flat) == 1 else Either(tuple(flat))


def _decided(node: ast.If | ast.IfExp, found: Value) -> Value:
    """One of two layers, with the statement that decides; one of them may come from a field that may be empty."""
    if not isinstance(found, Either) or len([v for v in found.values if v != NONE]) != 2:
        return found
    return Either(found.values, node)


def _bools(*values: Value) -> bool:
    return any(isinstance(value, Constant) and isinstance(value.value, bool) for value in values)


def _arrays(interp: Interpreter, node: ast.AST, name: str, left: Array, right: Array) -> Array:
    dtype = dtypes.either(left.dtype, right.dtype)
    optional = left.optional or right.optional
    if left.shape is None or right.shape is None or len(left.shape) != len(right.shape):
        ranks = forks.ranks(interp, node, left, right)
        if ranks is not None:
            return ranks
        one, two = left.features, right.features
        known = one is not None and two is not None
        last = join_dims(interp, node, name, -1, one, two) if known else None
        return Array(None, dtype, optional, last)
    shape: Shape = tuple(
        join_dims(interp, node, name, axis - len(left.shape), a, b)
        for axis, (a, b) in enumerate(zip(left.shape, right.shape, strict=True))
    )
    return Array(shape, dtype, optional)


def join_dims(
    interp: Interpreter, node: ast.AST, name: str, axis: int, left: Dim, right: Dim
) -> Dim:
    """One symbol for a size that differs between the two ways."""
    left, right = interp.symbols.resolve(left), interp.symbols.resolve(right)
    if same(left, right):
        return left
    if node in interp.forks:
        return interp.symbols.unknown(forks.WHY)
    key = ("choice", node, name, axis, str(left), str(right))
    if isinstance(node, ast.Pass):  # no branch that a constructor could repeat
        return interp.symbols.new(Unexplained("which of several items it is"), key)
    dim = interp.symbols.new(Choice(node, name, axis), key)
    interp.facts.choices[str(dim)] = (left, right)
    interp.symbols.options[str(dim)] = (left, right)
    return dim


def _appended(item: Value, node: ast.AST, held: bool) -> Value:
    """An item that a list has after one side of a branch alone."""
    if type(item) is not Array or item.shape is None or not isinstance(node, ast.If):
        return item
    return Appended(item.shape, item.dtype, item.optional, item.last, node, held)


def join_states(interp: Interpreter, node: ast.AST, left: Any, right: Any) -> Any:
    """The contents of a container that two branches left in different states."""
    if isinstance(left, list) and isinstance(right, list):
        if len(left) == len(right):
            return [join(interp, node, "", a, b) for a, b in zip(left, right, strict=True)]
        longer, shorter = (left, right) if len(left) > len(right) else (right, left)
        more = [_appended(item, node, longer is left) for item in longer[len(shorter) :]]
        return [*longer[: len(shorter)], *more]
    if isinstance(left, dict) and isinstance(right, dict):
        return {
            key: join(interp, node, str(key), left.get(key), right.get(key))
            for key in {**left, **right}
        }
    return join(interp, node, "", left, right)
