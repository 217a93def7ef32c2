"""Functions that choose between the sizes that they are given: `default(self.width, self.dim)`.

Which one it is only the function says, so the constructor asks it: the size is what the call gives there.
"""

from __future__ import annotations

import ast
from collections.abc import Set
from typing import TYPE_CHECKING

from . import classes
from .dims import Choice, Expression
from .values import Function, Object, Size, Value

if TYPE_CHECKING:
    from .interpreter import Interpreter


def asked_again(
    interp: Interpreter, function: Function, node: ast.Call | None, result: Value
) -> Value:
    """The result of a call; where the function chose a size among fields, a size that the same call gives."""
    if node is None or not isinstance(result, Size) or not interp.frames:
        return result
    if (
        not isinstance(interp.root_object, Object)
        or interp.frames[-1].self_value is not interp.root_object
    ):
        return result
    origin = interp.symbols.origin(result.dim)
    if not isinstance(origin, Choice):
        return result
    inside = origin.node is function.node or any(n is origin.node for n in ast.walk(function.node))
    root = interp.root_object
    if classes.framework(root.cls) != "linen":
        return result  # what Haiku keeps on a module need not be a parameter of its constructor
    text = _written(node, {field.name for field in classes.fields(root.cls)})
    if text is None or not inside or not _is_global(interp, node, function):
        return result
    return Size(interp.symbols.new(Expression(text), ("text", interp.root, text)))


def _is_global(interp: Interpreter, node: ast.Call, function: Function) -> bool:
    """Whether the file of the class that is read knows the function by the name that is called."""
    frame = interp.frames[-1]
    top = interp.globals.get(frame.environment.module)
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    return top is not None and top.names.get(name) is function


def _written(node: ast.Call, fields: Set[str]) -> str | None:
    """A call in a constructor, if all that it is given are fields and constants."""
    if not isinstance(node.func, ast.Name):
        return None
    args = [_argument(arg, fields) for arg in node.args]
    args += [
        f"{k.arg}={text}" if k.arg is not None and (text := _argument(k.value, fields)) else None
        for k in node.keywords
    ]
    if any(arg is None for arg in args):
        return None
    return f"{node.func.id}({', '.join(map(str, args))})"


def _argument(node: ast.expr, fields: Set[str]) -> str | None:
    match node:
        case ast.Attribute(value=ast.Name(id="self"), attr=name) if name in fields:
            return name
        case ast.Constant(value=int() | None):
            return repr(node.value)
    return None
