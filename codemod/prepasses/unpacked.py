"""Arguments that a local holds as a tuple and calls unpack, `args = (train, local)` and `norm(x, *args)`, written into the calls.

A local is only written out if nothing else reads it, and if what its tuple reads stays the same in its function.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..ancestry import functions_around
from ..chains import stored_names
from ..project import Project
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.values import Class
from ..source import Source
from .prepared import Draft, Leave, Prepared, class_by_class


def prepare(project: Project, rules: Rulebook, leave: Leave) -> Prepared:
    """Writes such arguments out in the module classes of a project, but for those named in `leave`."""
    return class_by_class(project, rules, leave, _may_have, _prepare_class)


def _may_have(source: Source) -> bool:
    return ", *" in source.text or "(*" in source.text


def _prepare_class(draft: Draft, cls: Class) -> bool:
    if classes.framework(cls) is None:
        return False
    methods = [n for n in cls.node.body if isinstance(n, ast.FunctionDef)]
    found = [held for method in methods for held in _held(method, draft.source)]
    for held in found:
        text = ", ".join(map(draft.source.segment, held.items))
        for each in held.unpacked:
            draft.edits.replace(each, text)
        draft.edits.delete_statement(held.statement)
    return bool(found)


@dataclass(frozen=True)
class _Held:
    """A statement that gives a local a tuple, its items, and where calls unpack it."""

    statement: ast.Assign
    items: Sequence[ast.expr]
    unpacked: Sequence[ast.Starred]


def _held(method: ast.FunctionDef, source: Source) -> Iterator[_Held]:
    for statement in method.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Tuple(elts=[_, *_] as items)):
                unpacked = _unpacked(method, name, source)
                if unpacked and all(_stays(item, method) for item in items):
                    yield _Held(statement, items, unpacked)


def _unpacked(method: ast.FunctionDef, name: str, source: Source) -> list[ast.Starred]:
    """Where calls of a method unpack a local; empty where it is read in other ways, or has several values."""
    mentions = [n for n in ast.walk(method) if isinstance(n, ast.Name) and n.id == name]
    reads = [n for n in mentions if isinstance(n.ctx, ast.Load)]
    above = [source.parents[read] for read in reads]
    found = [each for each in above if isinstance(each, ast.Starred)]
    calls = [source.parents[each] for each in found]
    own = all(next(functions_around(each, source.parents)) is method for each in found)
    whole = len(found) == len(mentions) - 1 and all(isinstance(c, ast.Call) for c in calls)
    return found if whole and own else []


def _stays(item: ast.expr, method: ast.FunctionDef) -> bool:
    """Whether an expression is a constant, or a name that the method never sets."""
    if isinstance(item, ast.Constant):
        return True
    return isinstance(item, ast.Name) and item.id not in stored_names(method)
