"""Numbers that a constructor computes and reading cannot tell: `width = int(scale * (a if wide else b))` has a name."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ..chains import is_own, stored_names
from .dims import Expression, Rounded, Unexplained, names
from .values import Size, Value

if TYPE_CHECKING:
    from .interpreter import Interpreter


def by_name(interp: Interpreter, target: ast.expr, value: Value) -> Value:
    """What a statement assigns; a size that only running tells goes by its name in the constructor of the module."""
    frame = interp.frames[-1] if interp.frames else None
    if (
        not isinstance(value, Size)
        or frame is None
        or frame.self_value is None
        or frame.self_value is not interp.root_object
        or not isinstance(frame.function, ast.FunctionDef)
        or frame.function.name != "__init__"
    ):
        return value
    symbols = [interp.symbols.origins[name] for name in names(interp.symbols.resolve(value.dim))]
    if len(symbols) != 1 or not isinstance(symbols[0], Unexplained | Rounded):
        return value
    text = ast.unparse(target)
    if not _is_set_once(target, frame.function):
        first = _first_of_several(interp, target, frame.function)
        if first is None:
            return value
        origin = Expression(text, since=first)
        return Size(interp.symbols.new(origin, ("text", interp.root, text, first)))
    return Size(interp.symbols.new(Expression(text), ("text", interp.root, text)))


def _first_of_several(
    interp: Interpreter, target: ast.expr, function: ast.FunctionDef
) -> ast.Assign | None:
    """The statement that gives a local of the class's own constructor the first of its values, whenever that runs."""
    own = getattr(interp.root_object, "cls", None)
    given = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
    if own is None or function not in own.node.body or not isinstance(target, ast.Name):
        return None
    if target.id in given:
        return None
    for statement in function.body:
        if isinstance(statement, ast.Assign) and statement.targets == [target]:
            return statement
        if target.id in stored_names(statement):
            return None
    return None


def _is_set_once(target: ast.expr, function: ast.FunctionDef) -> bool:
    """Whether a name is a local or an attribute that the function always sets, and only once."""
    if not (isinstance(target, ast.Name) or is_own(target)):
        return False
    text = ast.unparse(target)
    stores = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Name | ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and ast.unparse(node) == text
    ]
    given = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
    always = any(
        isinstance(statement, ast.Assign) and statement.targets == [target]
        for statement in function.body
    )
    return stores == [target] and text not in given and always
