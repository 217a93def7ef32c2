"""Layers that a constructor makes under a local name before it keeps them: `net = nn.Dense(3); self.net = net`.

They become attributes where they are made: `self.net = nn.Dense(3)`. A module has its name from the attribute either way.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from ..chains import CONSTRUCTORS, is_own
from ..project import Project
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.values import Class
from .prepared import Draft, Leave, Prepared, class_by_class


def prepare(project: Project, rules: Rulebook, leave: Leave) -> Prepared:
    """Sets such attributes at once in the modules of a project, but for those named in `leave`."""
    return class_by_class(
        project,
        rules,
        leave,
        lambda source: "def setup" in source.text or "def __init__" in source.text,
        _prepare_class,
    )


def _prepare_class(draft: Draft, cls: Class) -> bool:
    constructor = CONSTRUCTORS.get(classes.framework(cls) or "")
    written = False
    for function in cls.node.body:
        if isinstance(function, ast.FunctionDef) and function.name == constructor:
            for local, kept in _kept_later(function):
                draft.edits.replace(local, ast.unparse(kept.targets[0]))
                draft.edits.delete_statement(kept)
                written = True
    return written


def _kept_later(function: ast.FunctionDef) -> Iterator[tuple[ast.Name, ast.Assign]]:
    """The local names of what calls make until an attribute has it, each with the assignment of that attribute.

    Nothing else speaks of the name, or of the attribute in between.
    """
    count = Counter(n.id for n in ast.walk(function) if isinstance(n, ast.Name))
    made: dict[str, tuple[int, ast.Name]] = {}
    for place, statement in enumerate(function.body):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name) as local], value=ast.Call()):
                made[name] = place, local
            case ast.Assign(
                targets=[ast.Attribute(attr=attribute) as target], value=ast.Name(id=name)
            ):
                if name in made and count[name] == 2 and is_own(target):
                    since, local = made[name]
                    if not _speaks_of(function.body[since + 1 : place], attribute):
                        yield local, statement


def _speaks_of(statements: list[ast.stmt], attribute: str) -> bool:
    """Whether statements read or set an attribute, or call a method, which may."""
    nodes = [node for statement in statements for node in ast.walk(statement)]
    return any(
        (isinstance(n, ast.Attribute) and n.attr == attribute)
        or (isinstance(n, ast.Call) and is_own(n.func))
        for n in nodes
    )
