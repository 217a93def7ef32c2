"""Names that a Haiku constructor works out before it hands them on, `name = f"{name}_block"`, left out.

NNX has no names: nothing of them is left in the new constructor. `super().__init__(name=f"{name}")` says until then that
the module has another name than it was given.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ..chains import stored_names
from ..emit.constructors import NAME, names_given
from ..project import Project
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.values import Class
from .prepared import Draft, Leave, Prepared, class_by_class

_ONLY_NAMES = (ast.Assign, ast.AugAssign, ast.If)


def prepare(project: Project, rules: Rulebook, leave: Leave) -> Prepared:
    """Leaves such statements out of the Haiku modules of a project, but for those named in `leave`."""
    return class_by_class(
        project, rules, leave, lambda source: f"{NAME} = " in source.text, _prepare_class
    )


def _prepare_class(draft: Draft, cls: Class) -> bool:
    if classes.framework(cls) != "haiku":
        return False
    for function in cls.node.body:
        if isinstance(function, ast.FunctionDef) and function.name == "__init__":
            given = names_given(function)
            found = _working_out(function, given) if given is not None else ()
            for statement in found:
                draft.edits.delete_statement(statement, with_comments=True)
            if found and given is not None:
                draft.edits.replace(given, f'f"{{{NAME}}}"')
            return bool(found)
    return False


def _working_out(function: ast.FunctionDef, given: ast.expr) -> Sequence[ast.stmt]:
    """The statements of a constructor that only set the name, where nothing but they and the base read it."""
    if not (isinstance(given, ast.Name) and given.id == NAME):
        return ()
    found = [
        statement
        for statement in function.body
        if isinstance(statement, _ONLY_NAMES)
        and stored_names(statement) == {NAME}
        and not any(
            isinstance(n, ast.Attribute | ast.Subscript) and _is_set(n) for n in ast.walk(statement)
        )
        and all(isinstance(n, _ONLY_NAMES) for n in ast.walk(statement) if isinstance(n, ast.stmt))
    ]
    inside = {node for statement in found for node in ast.walk(statement)} | {given}
    reads = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == NAME]
    return found if inside.issuperset(reads) else ()


def _is_set(node: ast.Attribute | ast.Subscript) -> bool:
    return not isinstance(node.ctx, ast.Load)
