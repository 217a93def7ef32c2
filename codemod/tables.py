"""Dicts of models: whether all that is written into one, and all that is read out of it, is in sight."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .project import Module
from .shapes.interpreter import Interpreter
from .shapes.values import Constant, Table

_READS = frozenset(("get", "keys"))
_LOOKED_AT = frozenset("len sorted list tuple set print repr str iter".split())


def in_sight(interp: Interpreter, table: Table) -> bool:
    """Whether a dict holds what reading found in it and nothing else, and hands out single entries alone."""
    names: set[str] = set()
    for module in list(interp.project.modules.values()):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.expr) and _is_it(interp, node, table):
                if not _is_plain_use(interp, module, node, table):
                    return False
                if isinstance(node, ast.Name | ast.Attribute):
                    names.add(node.id if isinstance(node, ast.Name) else node.attr)
    return all(_is_it(interp, node, table) for node in _of_names(interp, names))


def _is_it(interp: Interpreter, node: ast.expr, table: Table) -> bool:
    return any(value is table for value in interp.facts.values.get(node, ()))


def _of_names(interp: Interpreter, names: set[str]) -> Iterator[ast.expr]:
    """The reads of these names in all files that have the dict, whether or not anything ran them."""
    for module in list(interp.project.modules.values()):
        if not any(name in module.source.text for name in names):
            continue
        for node in ast.walk(module.tree):
            match node:
                case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name, ctx=ast.Load()):
                    if name in names:
                        yield node


def _is_plain_use(interp: Interpreter, module: Module, node: ast.expr, table: Table) -> bool:
    """Whether a use of the dict reads one entry, or writes one that reading knows, or only looks at it."""
    above = module.source.parents.get(node)
    if isinstance(getattr(node, "ctx", None), ast.Store):
        return isinstance(above, ast.Assign | ast.AnnAssign) and isinstance(node, ast.Name)
    match above:
        case ast.Subscript(ctx=ast.Load()):
            return above.value is node
        case ast.Subscript(slice=key, ctx=ast.Store()) if above.value is node:
            return _is_known_write(interp, module, above, key, table)
        case ast.Attribute(attr=attr):
            return attr in _READS
        case ast.Call(func=ast.Name(id=name)):
            return name in _LOOKED_AT
        case ast.Assign() | ast.AnnAssign():
            return above.value is node
        case ast.For():
            return above.iter is node
    return isinstance(above, ast.Compare | ast.FormattedValue | ast.Expr)


def _is_known_write(
    interp: Interpreter, module: Module, target: ast.Subscript, key: ast.expr, table: Table
) -> bool:
    """Whether all that `MODELS[name] = cls` ever wrote is in the dict as reading knows it."""
    statement = module.source.parents.get(target)
    if not isinstance(statement, ast.Assign):
        return False
    keys = interp.facts.values.get(key, ())
    values = interp.facts.values.get(statement.value, ())
    known = {k.value for k in keys if isinstance(k, Constant)}
    return (
        bool(keys)
        and len([k for k in keys if isinstance(k, Constant)]) == len(keys)
        and known <= table.items.keys()
        and all(any(v is entry for entry in table.items.values()) for v in values)
    )
