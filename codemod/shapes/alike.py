"""Layers that one function makes with one width, a local of its own: what the first of them tells holds for all."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ..ancestry import Parents, lineage

if TYPE_CHECKING:
    from .interpreter import Interpreter


def first_alike(interp: Interpreter, site: ast.Call) -> ast.Call:
    """The first layer of a function that is made like this one, with the same local for its width."""
    name = _width(site)
    module = interp.project.home(site) if name is not None else None
    if module is None:
        return site
    parents = module.source.parents
    function = next((n for n in lineage(site, parents) if isinstance(n, ast.FunctionDef)), None)
    if function is None or not _is_settled(function, name):
        return site
    head = ast.dump(site.func)
    alike = [
        node
        for statement in function.body
        if isinstance(statement, ast.Assign)
        for node in ast.walk(statement.value)
        if isinstance(node, ast.Call) and _width(node) == name and ast.dump(node.func) == head
    ]
    return alike[0] if site in alike and _is_plain(alike[0], parents) else site


def _width(call: ast.Call) -> str | None:
    """The local that a layer's width is given as."""
    given = call.args[0] if call.args else None
    given = next((k.value for k in call.keywords if k.arg == "features"), given)
    return given.id if isinstance(given, ast.Name) else None


def _is_settled(function: ast.FunctionDef, name: str | None) -> bool:
    """Whether a local is only assigned once, at the top of its function."""
    bound = {arg.arg for arg in ast.walk(function.args) if isinstance(arg, ast.arg)}
    stored = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load)
    ]
    top = [t for s in function.body if isinstance(s, ast.Assign) for t in s.targets]
    return name not in bound and len(stored) == 1 and stored[0] in top


def _is_plain(site: ast.Call, parents: Parents) -> bool:
    """Whether a layer is made by a statement that sets an attribute to it, or a local."""
    return isinstance(parents.get(site), ast.Assign)
