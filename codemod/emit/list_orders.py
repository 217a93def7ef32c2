"""Lists of layers that run in another order than they are made, or that a call changes.

Each layer of a loop has the size that the one before it gives: that is the order in which they are made. A list that a
module holds is there for the next call as well, where Haiku and Linen make it anew.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from ..chains import constructs
from ..shapes import classes
from ..shapes.facts import Facts
from ..shapes.values import Either, Items, LayerObject, Object, Repeated, Value
from .transport import CannotMove

_CHANGES = ("clear", "insert", "pop", "remove", "reverse", "sort")


def refuse_changed_lists(functions: Iterable[ast.FunctionDef], facts: Facts) -> None:
    for function in functions:
        for node in ast.walk(function) if not constructs(function) else ():
            match node:
                case ast.Call(func=ast.Attribute(value=layers, attr=name)) if (
                    name in _CHANGES and has_layers(facts.value(layers))
                ):
                    raise CannotMove(
                        node,
                        f"`{name}` changes a list of layers, which a module keeps for the next call",
                        "change a copy of the list",
                    )


def refuse_other_orders(functions: Iterable[ast.FunctionDef], facts: Facts) -> None:
    """For layers whose sizes follow one another."""
    for function in functions:
        for node in ast.walk(function):
            sequence = _turned(node)
            if sequence is not None and has_layers(facts.value(sequence)):
                raise CannotMove(
                    node,
                    "layers run in another order than they are made in, and the size of each follows from the one before",
                    "make them in the order in which they run",
                )


def _turned(node: ast.AST) -> ast.expr | None:
    """The sequence that an expression goes through from its end."""
    match node:
        case ast.Call(func=ast.Name(id="reversed"), args=[sequence]):
            return sequence
        case ast.Subscript(value=sequence, slice=ast.Slice(step=ast.UnaryOp(op=ast.USub()))):
            return sequence
    return None


def has_layers(value: Value | None) -> bool:
    match value:
        case Items(items=items):
            return any(is_layer(item) for item in items)
        case Repeated(item=item):
            return is_layer(item)
        case Either(values=values):
            return any(has_layers(each) for each in values)
    return False


def is_layer(value: Value) -> bool:
    if isinstance(value, Either):
        return any(is_layer(each) for each in value.values)
    if isinstance(value, Object):
        return classes.framework(value.cls) is not None
    return isinstance(value, LayerObject)
