"""Variables at the top of a file that hold a layer made ready: `Conv3x3 = functools.partial(nn.Conv, ...)`."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from .project import Module
from .rulebook import Rulebook
from .shapes.interpreter import Interpreter
from .shapes.values import Class, External, Partial


@dataclass(frozen=True)
class LayerPartial:
    """One such variable: the statement that sets it, and what it holds."""

    statement: ast.Assign
    name: str
    value: Partial


def layer_partials(interp: Interpreter, modules: Iterable[Module]) -> list[LayerPartial]:
    """The partials of layers in all files."""
    found = []
    for module in modules:
        names = interp.environment_of(module).names
        for statement in module.tree.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)]):
                    value = names.get(name)
                    if isinstance(value, Partial) and _is_layer(value, interp.rules):
                        found.append(LayerPartial(statement, name, value))
    return found


def _is_layer(value: Partial, rules: Rulebook) -> bool:
    inner: object = value
    while isinstance(inner, Partial):
        inner = inner.function
    return isinstance(inner, External) and rules.layer(rules.canonical(inner.name)) is not None


def read_by(
    interp: Interpreter, cls: Class, partials: Iterable[LayerPartial]
) -> list[LayerPartial]:
    """Those of the partials that a class reads, by whatever name its file has for them."""
    names = interp.environment_of(cls.module).names
    read = {
        names.get(node.id)
        for node in ast.walk(cls.node)
        if isinstance(node, ast.Name) and isinstance(names.get(node.id), Partial)
    }
    return [p for p in partials if any(value is p.value for value in read)]
