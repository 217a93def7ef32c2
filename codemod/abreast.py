"""Layers that one statement sets side by side, `self.query, self.key = nn.Dense(8), nn.Dense(8)`, written one by one first.

Each attribute is a layer of its own, made where the statement stands: so it is written, in the text, before anything
else.
"""

from __future__ import annotations

import ast
from pathlib import Path

from .chains import is_own
from .edits import Edits
from .prepared import MadeClass, Prepared, file_by_file
from .project import Module, Project
from .rulebook import Rulebook
from .shapes import classes
from .shapes.interpreter import Interpreter
from .source import Source


def prepare(project: Project, rules: Rulebook, leave: frozenset[tuple[Path, str]]) -> Prepared:
    """Writes such statements in the module classes of a project, but for those named in `leave`."""
    return file_by_file(
        project,
        rules,
        _may_have,
        lambda interp, module, prepared: _prepare_module(interp, module, leave, prepared),
    )


def _may_have(source: Source) -> bool:
    return any(_pairs(node) for node in ast.walk(source.tree))


def _prepare_module(
    interp: Interpreter, module: Module, leave: frozenset[tuple[Path, str]], prepared: Prepared
) -> None:
    edits = Edits(module.source)
    made: list[MadeClass] = []
    for cls in classes.of_file(interp, module):
        if classes.framework(cls) is None or (module.path, cls.name) in leave:
            continue
        found = [(node, pairs) for node in ast.walk(cls.node) if (pairs := _pairs(node))]
        found = [(node, pairs) for node, pairs in found if "#" not in module.source.segment(node)]
        for statement, pairs in found:
            start = module.source.span(statement)[0]
            indent = module.source.line_indent(start)
            segment = module.source.segment
            lines = [f"{segment(target)} = {segment(value)}" for target, value in pairs]
            edits.replace(statement, f"\n{indent}".join(lines))
        if found:
            made.append(MadeClass.anew(cls))
    prepared.take(module, edits, made)


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
