"""Arguments that are records of a library, as a graph of jraph's: what is in them is known by their class."""

from __future__ import annotations

import ast
from collections.abc import Collection

from ..project import READ_IN_PLACE, read_in_place
from ..shapes import classes
from ..shapes.dims import Dim
from ..shapes.interpreter import Interpreter
from ..shapes.values import Array, Class, Function, Items, Value
from .symbolic import named_by


def example(
    interp: Interpreter, parameter: ast.arg, function: Function, shown: Collection[Value]
) -> Items | None:
    """A record of a library with an array for each field, None where an argument is nothing of the kind.

    What calls show of the argument, `shown`, says more, but for arrays of which nothing is known.
    """
    if any(not isinstance(value, Array) or value.shape is not None for value in shown):
        return None
    cls = _record(interp, parameter, function)
    if cls is None:
        return None
    fields = classes.fields(cls)
    arrays: list[Value] = []
    for field in fields:
        rank, dtype, optional = _kind(field)
        arrays.append(Array(tuple(range(2, 2 + rank)), dtype, optional))
    return Items(arrays, "tuple", tuple(field.name for field in fields), cls)


def with_shared_axes(value: Value) -> Value:
    """A value as it is, but for a record of a library: its axes of one name have one size."""
    if not isinstance(value, Items) or not isinstance(value.cls, Class):
        return value
    if read_in_place(value.cls.module) is None:
        return value
    known: dict[str, Dim] = {}
    shared: list[Value] = []
    for field, item in zip(classes.fields(value.cls), value.items, strict=True):
        names = _axes(field)
        if isinstance(item, Array) and item.shape is not None and len(item.shape) == len(names):
            dims = [known.setdefault(n, dim) for n, dim in zip(names, item.shape, strict=True)]
            item = Array(tuple(dims), item.dtype, item.optional)
        shared.append(item)
    return Items(shared, value.kind, value.names, value.cls)


def _record(interp: Interpreter, parameter: ast.arg, function: Function) -> Class | None:
    """The class of a library that an argument is annotated with, or whose fields are read of it where it says nothing."""
    if parameter.annotation is not None:
        found = named_by(interp, parameter.annotation, function.environment)
        if not isinstance(found, Class) or read_in_place(found.module) is None:
            return None
        return found if classes.is_record(found) else None
    read = {
        node.attr
        for node in ast.walk(function.node)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == parameter.arg
    }
    for library in READ_IN_PLACE:
        if library in function.environment.module.imported:
            module = interp.project.find(library, function.environment.module.path)
            names = interp.environment_of(module).names.values() if module is not None else ()
            for value in names:
                if isinstance(value, Class) and _has_all(value, read):
                    return value
    return None


def _has_all(cls: Class, read: Collection[str]) -> bool:
    fields = {field.name for field in classes.fields(cls)}
    return len(fields & set(read)) > 1 and set(read) <= fields | {"_replace"}


def _kind(field: classes.Field) -> tuple[int, str, bool]:
    """The rank and dtype of a field, and whether it may be None."""
    axes, *dtype = _texts(field) or [""]
    written = ast.unparse(field.annotation) if field.annotation is not None else ""
    return len(axes.split()), dtype[0] if dtype else "float32", written.endswith("| None")


def _axes(field: classes.Field) -> list[str]:
    """The names of a field's axes, as its annotation says."""
    texts = _texts(field)
    return texts[0].split() if texts else []


def _texts(field: classes.Field) -> list[str]:
    return [
        node.value
        for node in ast.walk(field.annotation or ast.Pass())
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
