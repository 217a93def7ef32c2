"""Arguments that a method reads part by part: `step.observation`, `batch["image"]`, `image, mask = pair`.

Where no call shows what such an argument is, each part that is read is an input of its own, whose rank is tried like that
of any other. A named tuple of the user's says itself which of its fields are arrays.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..chains import stored_names
from ..shapes import classes
from ..shapes.interpreter import Interpreter
from ..shapes.values import UNKNOWN, Array, Class, Function, Items, Object, Table, Value
from ..signatures import parameters
from .symbolic import array_of_rank, looks_like_array, named_by

_OF_ARRAYS = frozenset((*dir(np.ndarray), "at", "sharding", "aval", "weak_type"))
_OF_MAPPINGS = frozenset(dir(dict))
_HANDS_ON = (ast.Call, ast.keyword, ast.Return, ast.Tuple, ast.Attribute, ast.Subscript)


def parts(
    interp: Interpreter, parameter: ast.arg, default: ast.expr | None, function: Function
) -> dict[str, str]:
    """The paths of the parts of an argument that a method reads, by attribute, key or place; none of what may be an array."""
    annotated = parameter.annotation is not None
    if default is not None or (annotated and looks_like_array(parameter.annotation)):
        return {}
    count = _count_unpacked(function, parameter.arg)
    if count:
        return {str(place): f"{parameter.arg}[{place}]" for place in range(count)}
    cls = _record(interp, parameter, function)
    attributes: dict[str, str] = {}
    keys: dict[str, str] = {}
    for above in _around_reads(function, parameter.arg):
        match above:
            case ast.Attribute(attr=attr):
                attributes[attr] = f"{parameter.arg}.{attr}"
            case ast.Subscript(slice=ast.Constant(value=str(key))):
                keys[key] = f"{parameter.arg}[{key!r}]"
            case ast.Subscript():
                return {}
            case ast.Call(func=ast.Name(id="isinstance" | "len" | "hasattr" | "list" | "tuple")):
                return {}
            case _ if not isinstance(above, _HANDS_ON):
                return {}
    if cls is not None:
        arrays = {field.name for field in classes.fields(cls) if _is_array(field)}
        return {name: path for name, path in attributes.items() if name in arrays}
    if any(name in _OF_ARRAYS | _OF_MAPPINGS or name[0] == "_" for name in attributes):
        return {}
    return {} if attributes and keys else attributes or keys


def untold(
    interp: Interpreter,
    parameter: ast.arg,
    default: ast.expr | None,
    function: Function,
    shown: Sequence[Value],
) -> list[str]:
    """The paths of the parts whose ranks are not known from what calls show of an argument."""
    paths = parts(interp, parameter, default, function)
    if not shown:
        return list(paths.values())
    inside = _inside(shown[0])
    return [path for name, path in paths.items() if name in inside and _is_vague(inside[name])]


def example(
    interp: Interpreter,
    parameter: ast.arg,
    function: Function,
    ranks: Mapping[str, int],
    shown: Sequence[Value] = (),
) -> Value | None:
    """An argument with an array for each part whose rank is given by path, else like what is shown; None without any."""
    paths = parts(interp, parameter, None, function)
    arrays: dict[str, Value] = {
        name: array_of_rank(ranks[path]) for name, path in paths.items() if path in ranks
    }
    if not arrays:
        return None
    known = _inside(shown[0]) if shown else _fields(interp, parameter, function)
    match shown[0] if shown else None:
        case Items(kind=kind, names=names, cls=cls):
            return Items(list({**known, **arrays}.values()), kind, names, cls)
        case Object(cls=made):
            return Object(made, {**known, **arrays})
        case Table(items=items):
            return Table({**items, **arrays})
    if "0" in paths:
        return Items(list(arrays.values()))
    if next(iter(paths.values())).endswith("]"):
        return Table(arrays)
    record = _record(interp, parameter, function)
    values = {**known, **arrays}
    if record is None or classes.is_named_tuple(record):
        return Items(list(values.values()), "tuple", tuple(values), record)
    return Object(record, values)


def _inside(shown: Value) -> dict[str, Value]:
    """The parts of a value, by name or key."""
    match shown:
        case Items(items=items, names=names) if names:
            return dict(zip(names, items, strict=True))
        case Items(items=items, open=False):
            return {str(place): item for place, item in enumerate(items)}
        case Object(attributes=attributes):
            return dict(attributes)
        case Table(items=items):
            return {key: value for key, value in items.items() if isinstance(key, str)}
    return {}


def _count_unpacked(function: Function, name: str) -> int | None:
    """How many parts an argument has, of which a method does nothing but to give each a name of its own."""
    stored = [
        node
        for node in ast.walk(function.node)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
    ]
    counts: set[int | None] = set()
    for above in ast.walk(function.node):
        for node in ast.iter_child_nodes(above):
            if not isinstance(node, ast.Name) or node.id != name or node in stored:
                continue
            if node.lineno <= min((each.lineno for each in stored), default=node.lineno):
                counts.add(_names_given(above))
    return counts.pop() if len(counts) == 1 else None


def unpacked_name(function: Function | None, path: str) -> str | None:
    """The name that a method gives the part of an argument at `x[0]`, where it unpacks it into locals."""
    name, _, rest = path.partition("[")
    place = rest.removesuffix("]")
    if function is None or not place.isdigit():
        return None
    for node in ast.walk(function.node):
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Name(id=given)) if (
                given == name and int(place) < len(targets) == _names_given(node)
            ):
                found = ast.unparse(targets[int(place)]).strip("_")
                return found or None
    return None


def _names_given(statement: ast.AST) -> int | None:
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Name()):
            return len(targets) if all(isinstance(t, ast.Name) for t in targets) else None
    return None


def _is_vague(value: Value) -> bool:
    return value is UNKNOWN or (isinstance(value, Array) and value.shape is None)


def _fields(interp: Interpreter, parameter: ast.arg, function: Function) -> dict[str, Value]:
    """The fields of the named tuple or dataclass that an argument is annotated with."""
    cls = _record(interp, parameter, function)
    declared = classes.fields(cls) if cls is not None else []
    return {f.name: Array(None) if _is_array(f) else UNKNOWN for f in declared}


def _around_reads(
    function: Function, name: str, seen: frozenset[tuple[ast.AST, str]] = frozenset()
) -> Iterator[ast.AST]:
    """What is around each read of an argument, and of what other methods of its class get as it is."""
    for above in ast.walk(function.node):
        for node in ast.iter_child_nodes(above):
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                yield above
        for method, parameter in _handed_on(function, above, name):
            known = (method.node, parameter)
            if known not in seen and _stays_whole(function, name):
                yield from _around_reads(method, parameter, seen | {known})


def _stays_whole(function: Function, name: str) -> bool:
    """Whether all that a method assigns to an argument's name has the same parts: `x = jax.tree.map(f, x)`."""
    for node in ast.walk(function.node):
        match node:
            case ast.Assign(
                targets=[ast.Name(id=target)],
                value=ast.Call(
                    func=ast.Attribute(attr="map" | "tree_map"), args=[_, ast.Name(id=given)]
                ),
            ) if target == given == name:
                continue
            case ast.stmt() if name in _assigned_here(node):
                return False
    return True


def _assigned_here(statement: ast.stmt) -> set[str]:
    """The names that a statement assigns itself, not those within it."""
    simple = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.For, ast.With)
    return set(stored_names(statement)) if isinstance(statement, simple) else set()


def _handed_on(function: Function, call: ast.AST, name: str) -> Iterator[tuple[Function, str]]:
    """The method that `self.method(x)` gives an argument to, and the parameter that it becomes there."""
    match call:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=attr)):
            method = classes.method(function.owner, attr) if function.owner is not None else None
            if method is None or owner != _first(function):
                return
            names = [each.name for each in parameters(method.node.args)][1:]
            given = [
                *zip(names, call.args, strict=False),
                *((k.arg, k.value) for k in call.keywords),
            ]
            for parameter, value in given:
                if isinstance(value, ast.Name) and value.id == name and parameter in names:
                    yield method, parameter


def _first(function: Function) -> str | None:
    """The name of `self` in a method."""
    return next((each.name for each in parameters(function.node.args)), None)


def _is_array(field: classes.Field) -> bool:
    return field.annotation is not None and looks_like_array(field.annotation)


def _record(interp: Interpreter, parameter: ast.arg, function: Function) -> Class | None:
    """The user's named tuple or dataclass that an argument is annotated with."""
    if parameter.annotation is None:
        return None
    found = named_by(interp, parameter.annotation, function.environment)
    return found if isinstance(found, Class) and classes.is_record(found) else None
