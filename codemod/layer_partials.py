"""Variables at the top of a file that hold a layer made ready: `Conv3x3 = functools.partial(nn.Conv, ...)`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from .edits import Edits
from .emit.construct import Constructor
from .emit.file_names import FileNames
from .emit.transport import CannotMove, Scope, Transport
from .project import Module
from .rule import Declined
from .rulebook import Rulebook
from .shapes.facts import Facts
from .shapes.interpreter import Interpreter
from .shapes.values import Class, External, Partial, Value


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


def write(
    partials: Iterable[LayerPartial],
    free: Collection[ast.AST],
    interp: Interpreter,
    edits_of: Callable[[Module], Edits],
    names_of: Callable[[Module], FileNames],
) -> None:
    """Writes the `free` ones of Haiku's layers with the arguments that NNX has for theirs; others are left."""
    for each in partials:
        module = interp.project.home(each.statement)
        if each.statement not in free or module is None or framework_of(each.value) != "haiku":
            continue
        text = _written(each, interp, names_of(module))
        if text is not None:
            edits_of(module).replace(each.statement.value, text)


def framework_of(value: Value) -> str:
    """Whose layer a partial makes."""
    while isinstance(value, Partial):
        value = value.function
    return "haiku" if isinstance(value, External) and value.name.startswith("haiku.") else "linen"


def _written(partial: LayerPartial, interp: Interpreter, names: FileNames) -> str | None:
    call = partial.statement.value
    if not isinstance(call, ast.Call):
        return None
    transport = Transport(
        names.module.source,
        Facts(),
        interp.symbols,
        {},
        names.rewrite,
        lambda name, origin: name,
    )
    transport.facts.values[call].append(partial.value)
    constructor = Constructor(
        interp,
        transport,
        names.target,
        lambda site, added: None,
        lambda node: True,
        lambda node: False,
    )
    try:
        text = constructor.partial(call, Scope(names.module.tree, set(), {}, {}))
    except (CannotMove, Declined):
        return None
    names.helpers |= constructor.helpers
    return text
