"""What the code of a project asks of its models besides their outputs."""

from __future__ import annotations

import ast
import functools

from ..project import Module, Project
from ..shapes.values import Class

_SOWN = "intermediates"
_BOXES = ("with_logical_partitioning", "with_partitioning")


def sown_unread(project: Project, cls: Class) -> bool:
    """Whether no code that may know a class asks for intermediates."""
    return not any(_may_ask(module.tree) for module in project.neighbourhood(cls.module))


def names_axes(project: Project, cls: Class) -> bool:
    """Whether initialisers of the code around a class name the axes of parameters."""
    if not any(map(_names_axes, project.modules.values())):
        return False
    return any(map(_names_axes, project.neighbourhood(cls.module)))


@functools.cache
def _names_axes(module: Module) -> bool:
    return any(name in module.source.text for name in _BOXES)


@functools.cache
def _may_ask(tree: ast.Module) -> bool:
    sown = {
        node.args[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "sow"
        and node.args
    }
    if any(not (isinstance(n, ast.Constant) and n.value == _SOWN) for n in sown):
        return True
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value="intermediates") if node not in sown:
                return True
            case ast.keyword(arg="capture_intermediates"):
                return True
            case ast.keyword(arg="mutable", value=value) if not _is_told(value):
                return True
    return False


def _is_told(mutable: ast.expr) -> bool:
    """Whether `mutable=` lists collections by their names, or says that there are none."""
    if isinstance(mutable, ast.List | ast.Tuple):
        return all(isinstance(each, ast.Constant) for each in mutable.elts)
    return isinstance(mutable, ast.Constant) and mutable.value is not True
