"""Layers made ready that classes on both sides read: `Conv3x3 = functools.partial(nn.Conv, kernel_size=(3, 3))`.

The variable follows the rewritten classes; those that stay go on with the old text, which stands below it under a
second name: `LinenConv3x3`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .edits import Edits
from .layer_partials import LayerPartial, framework_of
from .modules import ModuleRewrite
from .project import Module
from .shapes.interpreter import Interpreter

LayersRead = Mapping[ast.AST, Sequence[LayerPartial]]


@dataclass
class SecondLayers:
    """The variables that get a second name, and what reads it."""

    names: dict[ast.Assign, tuple[Module, str]] = field(default_factory=dict)
    mentions: list[tuple[Module, ast.Name, str]] = field(default_factory=list)

    def write(self, edits_of: Callable[[Module], Edits]) -> None:
        """Records the second texts, and the names of them in the classes that stay. Raises EditConflict."""
        for statement, (module, name) in self.names.items():
            text = module.source.segment(statement.value)
            edits_of(module).insert_after(statement, f"{name} = {text}")
        for module, node, name in self.mentions:
            edits_of(module).replace(node, name)


def find(
    interp: Interpreter, found: ModuleRewrite, read: LayersRead, apart: Collection[ast.AST]
) -> SecondLayers:
    """The variables that rewritten classes and classes that stay read, as far as each can have its own; not `apart`."""
    ours = {partial for node in found.models for partial in read.get(node, ())}
    theirs = {partial for node in found.refusals for partial in read.get(node, ())}
    second = SecondLayers()
    classes = {*found.models, *found.refusals}
    for partial in sorted(ours & theirs, key=lambda each: each.statement.lineno):
        module = interp.project.home(partial.statement)
        if module is None or partial.statement in apart or framework_of(partial.value) != "linen":
            continue
        name = _second_name(partial.name)
        readers = list(_readers(interp, partial, module, classes))
        known = all(owner is not None for _, owner in readers)
        if known and not _is_known_elsewhere(interp, partial, module, name):
            second.names[partial.statement] = module, name
            second.mentions += [
                (module, node, name) for node, owner in readers if owner in found.refusals
            ]
    return second


def _readers(
    interp: Interpreter, partial: LayerPartial, module: Module, classes: Collection[ast.AST]
) -> Iterator[tuple[ast.Name, ast.AST | None]]:
    """What reads a variable in its file, with the module class that it stands in."""
    parents = module.source.parents
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name) and node.id == partial.name:
            owner: ast.AST | None = node
            while owner is not None and owner not in classes:
                owner = parents.get(owner)
            if owner is not None or isinstance(node.ctx, ast.Load):
                yield node, owner


def _is_known_elsewhere(
    interp: Interpreter, partial: LayerPartial, home: Module, name: str
) -> bool:
    """Whether another file has a variable as well, or its own already has the second name."""
    if name in interp.environment_of(home).names:
        return True
    return any(
        value is partial.value
        for module in interp.project.modules.values()
        if module is not home
        for value in interp.environment_of(module).names.values()
    ) or any(
        partial.name in module.attributes_read
        for module in interp.project.modules.values()
        if module.rewritable
    )


def _second_name(name: str) -> str:
    plain = name.lstrip("_")
    front = "Linen" if plain[:1].isupper() else "linen_"
    return f"{name[: len(name) - len(plain)]}{front}{plain}"
