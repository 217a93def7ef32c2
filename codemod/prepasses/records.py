"""Haiku modules that are dataclasses, written with a constructor first.

Haiku lets `@dataclasses.dataclass` make a module's constructor. Its fields are what an explicit `__init__` would take:
such a class is first written that way, in the text; from then on it is rewritten like any other.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ..edits import Edits
from ..emit.file_names import FileNames
from ..project import Project
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.values import Class
from ..source import Source
from .prepared import Draft, Leave, Prepared, class_by_class


def prepare(project: Project, rules: Rulebook, leave: Leave) -> Prepared:
    """Writes constructors for the dataclass modules of a project, but for those named in `leave`."""
    return class_by_class(project, rules, leave, _may_have, _prepare_class)


def _prepare_class(draft: Draft, cls: Class) -> bool:
    if not is_dataclass_module(cls) or not _is_plain(cls, draft.names):
        return False
    _write(cls, draft.edits)
    return True


def is_dataclass_module(cls: Class) -> bool:
    """Whether a Haiku module has a constructor that a decorator makes."""
    return classes.framework(cls) == "haiku" and classes.is_record(cls)


def _may_have(source: Source) -> bool:
    return "haiku" in source.text and "dataclass" in source.text


def _is_plain(cls: Class, names: FileNames) -> bool:
    """Whether the constructor is made by assigning the fields, and by nothing else."""
    if len(classes.mro(cls)) > 1 or len(cls.node.decorator_list) > 1:
        return False
    if any(classes.method(cls, name) for name in ("__init__", "__post_init__")):
        return False
    return _is_bare(cls.node.decorator_list[0]) and not any(
        isinstance(part, ast.Call) and (names.qualified(part.func) or "").startswith("dataclasses.")
        for declared in classes.fields(cls)
        if declared.default is not None
        for part in ast.walk(declared.default)
    )


def _is_bare(decorator: ast.expr) -> bool:
    """Whether a decorator has no argument that changes the constructor."""
    return not isinstance(decorator, ast.Call) or (
        not decorator.args and all(k.arg in ("eq", "repr", "frozen") for k in decorator.keywords)
    )


def _write(cls: Class, edits: Edits) -> None:
    """Writes `__init__` above the first method, with the comments of the fields beside its parameters."""
    source, unit = edits.source, edits.source.indent_unit
    edits.remove_item(cls.node, cls.node.decorator_list[0])
    declared = classes.fields(cls)
    lines = ["def __init__("]
    lines += [source.hanging_indent + line for line in _parameters(source, declared)]
    lines += ["):", f"{unit}super().__init__(name=name)"]
    lines += [f"{unit}self.{f.name} = {f.name}" for f in declared if f.name != "name"]
    text = "\n".join(lines)
    methods = [n for n in cls.node.body if isinstance(n, ast.FunctionDef)]
    if methods:
        edits.insert_before(methods[0], text + "\n\n")
    else:
        edits.insert_after(cls.node.body[-1], "\n" + text)
    for each in declared:
        edits.delete_statement(each.statement, with_comments=True)


def _parameters(source: Source, declared: Sequence[classes.Field]) -> list[str]:
    """The lines of the constructor's parameters, with the comments that the fields have."""
    lines = ["self,"]
    for each in declared:
        if each.keyword_only and "*," not in lines:
            lines.append("*,")
        above, behind = source.comments_beside(each.statement, each.statement)
        lines += above
        lines.append(f"{_parameter(source, each)},  {behind}".rstrip())
    return lines if "name" in [f.name for f in declared] else [*lines, "name=None,"]


def _parameter(source: Source, declared: classes.Field) -> str:
    annotation = source.segment(declared.annotation)
    default = "" if declared.default is None else f" = {source.segment(declared.default)}"
    return f"{declared.name}: {annotation}{default}"
