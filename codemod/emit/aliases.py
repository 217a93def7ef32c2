"""A Linen or Haiku name for a rewritten module: `LinenNet = functools.partial(linen_module, Net, call_sizes=...)` below the class.

Code that stays and speaks of the class in other ways than calling it, `partial(Net, depth=2)` or `model=Net`, reads that
name instead.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from ..edits import Edits
from ..model.module import ModuleModel
from ..project import Module
from ..shapes.interpreter import Interpreter
from ..shapes.values import Class
from . import layout
from .bridges import Bridges, bound_class


@dataclass
class Alias:
    """`LinenNet = functools.partial(linen_module, Net, call_sizes=...)` below a class, and what reads it instead."""

    home: Module
    cls: Class
    name: str
    text: str
    helper: str | None
    mentions: list[tuple[Module, ast.expr]]


def find_alias(
    interp: Interpreter,
    found: Mapping[Module, Bridges],
    cls: Class,
    model: ModuleModel,
    limit: int,
) -> Alias | None:
    """The name for a class and what would read it, None where some use needs the class itself."""
    name = f"{model.framework.capitalize()}{cls.name}"
    bound = bound_class(cls, model)
    if bound is None or name in cls.environment.names:
        return None
    mentions: list[tuple[Module, ast.expr]] = []
    for module, here in found.items():
        names = interp.environment_of(module).names
        if name in names:
            return None
        imported = module is cls.module or _import_of(module, cls) is not None
        for node in here.mentions(cls):
            above = module.source.parents.get(node)
            if isinstance(above, ast.arg | ast.AnnAssign | ast.FunctionDef):
                continue
            if not here.may_stand_in(node) or (isinstance(node, ast.Name) and not imported):
                return None
            mentions.append((module, node))
    args, helper = bound
    unit = cls.module.source.indent_unit
    text = layout.call(
        "functools.partial", args, prefix=f"{name} = ", indent="", unit=unit, limit=limit
    )
    return Alias(cls.module, cls, name, text, helper, mentions)


def _import_of(module: Module, cls: Class) -> tuple[ast.ImportFrom, ast.alias] | None:
    """Where a file imports a class from the very file that defines it."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name == cls.name:
                    last = (node.module or "").rsplit(".", 1)[-1]
                    return (node, alias) if last == cls.module.path.stem else None
    return None


def write_alias(
    alias: Alias,
    edits_of: Callable[[Module], Edits],
    want: Callable[[Module, str], None],
    defined: bool = False,
) -> None:
    """Records the name and what reads it; `defined` says that the name is there. Raises EditConflict."""
    if not defined:
        edits_of(alias.home).insert_after(alias.cls.node, f"\n\n{alias.text}")
        want(alias.home, "import functools")
    for module in {module for module, _ in alias.mentions}:
        nodes = [node for where, node in alias.mentions if where is module]
        edits = edits_of(module)
        imported = _import_of(module, alias.cls) if module is not alias.home else None
        if imported is not None and imported[1].asname and not _read_elsewhere(module, nodes):
            edits.replace(imported[1], f"{alias.name} as {imported[1].asname}")
            continue
        for node in nodes:
            end = module.source.span(node)[1]
            last = node.attr if isinstance(node, ast.Attribute) else ast.unparse(node)
            edits.replace((end - len(last), end), alias.name)
        if imported is not None and any(isinstance(node, ast.Name) for node in nodes):
            only = not imported[1].asname and not _read_elsewhere(module, nodes)
            kept = "" if only else f"{module.source.segment(imported[1])}, "
            edits.replace(imported[1], f"{kept}{alias.name}")


def _read_elsewhere(module: Module, nodes: Collection[ast.expr]) -> bool:
    """Whether a file reads the name of a class in other places than those."""
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return any(
        isinstance(node, ast.Name) and node.id in names and node not in nodes
        for node in ast.walk(module.tree)
    )
