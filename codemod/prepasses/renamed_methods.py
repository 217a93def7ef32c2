"""Methods that make layers and that a method calls by a name of its own, `project = self._project`, called as themselves.

What a call makes is then seen to be another layer for each call.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ..ancestry import functions_around
from ..chains import is_own
from ..emit.file_names import FileNames
from ..project import Project
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.values import Class
from .prepared import Draft, Leave, Prepared, class_by_class


def prepare(project: Project, rules: Rulebook, leave: Leave) -> Prepared:
    """Writes such calls in the Haiku modules of a project, but for those named in `leave`."""
    return class_by_class(
        project, rules, leave, lambda source: "= self." in source.text, _prepare_class
    )


def _prepare_class(draft: Draft, cls: Class) -> bool:
    if classes.framework(cls) != "haiku":
        return False
    methods = [node for node in cls.node.body if isinstance(node, ast.FunctionDef)]
    making = {method.name for method in methods if _makes_layers(method, draft.names)}
    written = False
    for method in methods:
        for statement, calls in _renamed(draft, method, making):
            for call in calls:
                draft.edits.replace(call.func, draft.source.segment(statement.value))
            draft.edits.delete_statement(statement)
            written = True
    return written


def _makes_layers(method: ast.FunctionDef, names: FileNames) -> bool:
    calls = (node for node in ast.walk(method) if isinstance(node, ast.Call))
    made = (names.qualified(call.func) or "" for call in calls)
    return not method.name.startswith("__") and any(
        name.startswith("haiku.") and not name.startswith("haiku.initializers.") for name in made
    )


def _renamed(
    draft: Draft, method: ast.FunctionDef, making: set[str]
) -> Iterator[tuple[ast.Assign, Sequence[ast.Call]]]:
    """Where a method gives another name to one of these, and where it calls that name; it must do nothing else with it."""
    parents = draft.source.parents
    for statement in method.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Attribute(attr=attr) as value):
                mentions = [n for n in ast.walk(method) if _names(n, name)]
                above = [parents[each] for each in mentions]
                calls = [
                    call
                    for call, each in zip(above, mentions, strict=True)
                    if isinstance(call, ast.Call) and call.func is each
                ]
                own = all(next(functions_around(each, parents)) is method for each in mentions)
                if is_own(value) and attr in making and own and len(calls) == len(mentions) - 1:
                    yield statement, calls


def _names(node: ast.AST, name: str) -> bool:
    return (isinstance(node, ast.Name) and node.id == name) or (
        isinstance(node, ast.arg) and node.arg == name
    )
