"""By which imports a class comes to a file: straight from where it is defined, or through files that hand it on."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ..project import Module, Project
from ..shapes.values import Class


@dataclass(frozen=True)
class Link:
    """A place on the way of a class: its name in `from somewhere import Net`, or in `__all__`."""

    module: Module
    place: ast.alias | ast.Constant

    @property
    def renames(self) -> str | None:
        """The name that an import gives the class instead of its own."""
        return self.place.asname if isinstance(self.place, ast.alias) else None

    def with_name(self, name: str) -> str:
        """The text of the place with another name behind it."""
        source = self.module.source
        text = source.segment(self.place)
        if isinstance(self.place, ast.alias):
            return f"{text}, {name}"
        quote = text[-1]
        start, _ = source.span(self.place)
        indent = source.text[source.line_start(start) : start]
        between = ", " if indent.strip() else f",\n{indent}"
        return f"{text}{between}{quote}{name}{quote}"


def way(project: Project, module: Module, name: str, cls: Class) -> list[Link] | None:
    """The imports that bring `cls` into a file under a name, nearest first; those of all names (`*`) are passed over.

    None where the name comes about in another way, or a file on the way says which names it hands on.
    """
    return _way(project, module, name, cls, frozenset())


def _way(
    project: Project, module: Module, name: str, cls: Class, seen: Collection[Module]
) -> list[Link] | None:
    if module is cls.module:
        return [] if name == cls.name else None
    if module in seen or not module.rewritable:
        return None
    found: list[list[Link] | None] = []
    stars: list[ast.ImportFrom] = []
    for node in _from_imports(module):
        for alias in node.names:
            if alias.name == "*":
                stars.append(node)
            elif (alias.asname or alias.name) == name:
                rest = _beyond(project, node, alias.name, cls, module, seen)
                found.append(None if rest is None else [Link(module, alias), *rest])
    if not found:
        beyond = (_beyond(project, node, name, cls, module, seen) for node in stars)
        found = [rest for rest in beyond if rest is not None]
    return found[0] if len(found) == 1 else None


def _beyond(
    project: Project,
    node: ast.ImportFrom,
    name: str,
    cls: Class,
    importer: Module,
    seen: Collection[Module],
) -> list[Link] | None:
    """The rest of a way, from the file that an import names."""
    target = project.find(node.module or "", importer.path, node.level)
    if target is None:
        return None
    rest = _way(project, target, name, cls, {*seen, importer})
    if rest is None or node.names[0].name != "*" or not _lists_names(target):
        return rest
    listed = _listed(target, name)
    return None if listed is None else [Link(target, listed), *rest]


def _lists_names(module: Module) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == "__all__" for node in ast.walk(module.tree)
    )


def _listed(module: Module, name: str) -> ast.Constant | None:
    """A name in the list that a file assigns to `__all__`."""
    for node in module.tree.body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id="__all__")], value=ast.List(elts=items) | ast.Tuple(elts=items)
            ):
                for item in items:
                    if isinstance(item, ast.Constant) and item.value == name:
                        return item
    return None


def _from_imports(module: Module) -> Iterator[ast.ImportFrom]:
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.ImportFrom))


def second_name(module: Module, name: str) -> ast.expr | None:
    """What `Name = net.Name` at the top of a file gives a name, where nothing else in the file binds it."""
    values = [
        node.value
        for node in module.tree.body
        if isinstance(node, ast.Assign)
        and len(node.targets) == 1
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == name
    ]
    if len(values) != 1:
        return None
    stored = sum(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
        for node in ast.walk(module.tree)
    )
    return values[0] if stored == 1 else None
