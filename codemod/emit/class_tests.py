"""Tests for a class of layers, `isinstance(layer, (hk.Linear, Scaled))`, of things among which no such layer is."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from ..edits import Edits
from ..shapes import classes
from ..shapes.classes import HAIKU_MODULES
from ..shapes.facts import Facts
from ..shapes.values import (
    Array,
    Class,
    Constant,
    Either,
    External,
    Function,
    Items,
    Object,
    Size,
    Value,
)


def edit_class_tests(
    function: ast.FunctionDef,
    edits: Edits,
    facts: Facts,
    is_layer: Callable[[ast.expr], bool],
) -> None:
    """Leaves the layers of the old framework out of the classes that a test asks for, where what it asks is none of them."""
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Name(id="isinstance"), args=[asked, ast.Tuple(elts=options)]):
                kept = [option for option in options if not is_layer(option)]
                if kept and len(kept) < len(options) and _is_no_layer(facts, asked):
                    texts = [edits.render(option) for option in kept]
                    whole = texts[0] if len(texts) == 1 else f"({', '.join(texts)})"
                    edits.replace(node.args[1], whole)


def _is_no_layer(facts: Facts, asked: ast.expr) -> bool:
    """Whether all that an expression was are modules of the program's own, functions or data."""
    values = [option for value in facts.values.get(asked, ()) for option in _options(value)]
    return bool(values) and all(
        isinstance(value, _NO_LAYERS) and not (isinstance(value, Object) and _is_heir(value))
        for value in values
    )


def _is_heir(value: Object) -> bool:
    """Whether a module is of a class that still inherits from a layer."""
    return any(base not in HAIKU_MODULES for base in classes.external_bases(value.cls))


_NO_LAYERS = (Array, Class, Constant, External, Function, Items, Object, Size)


def _options(value: Value) -> Iterator[Value]:
    if isinstance(value, Either):
        for option in value.values:
            yield from _options(option)
    else:
        yield value
