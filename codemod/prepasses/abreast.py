"""Layers that one statement sets side by side, `self.query, self.key = nn.Dense(8), nn.Dense(8)`, written one by one first.

Each attribute is a layer of its own, made where the statement stands: so it is written, in the text, before anything
else.
"""

from __future__ import annotations

import ast

from ..chains import is_own
from ..project import Project
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.values import Class
from ..source import Source
from .prepared import Draft, Leave, Prepared, class_by_class


def prepare(project: Project, rules: Rulebook, leave: Leave) -> Prepared:
    """Writes such statements in the module classes of a project, but for those named in `leave`."""
    return class_by_class(project, rules, leave, _may_have, _prepare_class)


def _may_have(source: Source) -> bool:
    return any(_pairs(node) for node in ast.walk(source.tree))


def _prepare_class(draft: Draft, cls: Class) -> bool:
    if classes.framework(cls) is None:
        return False
    source, segment = draft.source, draft.source.segment
    found = [(node, pairs) for node in ast.walk(cls.node) if (pairs := _pairs(node))]
    found = [(node, pairs) for node, pairs in found if "#" not in segment(node)]
    for statement, pairs in found:
        indent = source.line_indent(source.span(statement)[0])
        lines = [f"{segment(target)} = {segment(value)}" for target, value in pairs]
        draft.edits.replace(statement, f"\n{indent}".join(lines))
    return bool(found)


def _pairs(node: ast.AST) -> list[tuple[ast.expr, ast.expr]]:
    """The targets and values of a statement that sets attributes to what calls make, if none reads another's target."""
    match node:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if (
            len(targets) == len(values)
            and all(is_own(target) for target in targets)
            and all(isinstance(value, ast.Call) for value in values)
        ):
            set_here = {target.attr for target in targets if isinstance(target, ast.Attribute)}
            read = {n.attr for value in values for n in ast.walk(value) if is_own(n)}
            return [] if set_here & read else list(zip(targets, values, strict=True))
    return []
