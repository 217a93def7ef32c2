"""Layers that both sides of a branch in a loop make alike, but for one argument, written as one layer.

`if last: x = nn.Dense(size, kernel_init=a)(x)` and `else: x = nn.Dense(size, kernel_init=b)(x)` become `x = nn.Dense(size,
kernel_init=a if last else b)(x)`: one list of layers instead of two. The name of the layer counts the same either way.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..ancestry import functions_around, lineage
from ..emit.transport import splice
from ..project import Project
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.values import Class
from ..source import Source
from .prepared import Draft, Leave, Prepared, class_by_class

_KNOWN = frozenset(("self", "len", "isinstance", "int", "bool"))


def prepare(project: Project, rules: Rulebook, leave: Leave) -> Prepared:
    """Writes such layers as one in the module classes of a project, but for those named in `leave`."""
    return class_by_class(project, rules, leave, lambda source: "else:" in source.text, _write)


def _write(draft: Draft, cls: Class) -> bool:
    if classes.framework(cls) is None:
        return False
    written = False
    for branch in (node for node in ast.walk(cls.node) if isinstance(node, ast.If)):
        text = _as_one(draft, branch)
        if text is not None:
            draft.edits.replace(branch, text)
            written = True
    return written


def _as_one(draft: Draft, branch: ast.If) -> str | None:
    """The statement that does what both sides of a branch do."""
    source = draft.source
    match branch:
        case ast.If(body=[ast.Assign() as one], orelse=[ast.Assign() as other]):
            pass
        case _:
            return None
    match one.value, other.value:
        case ast.Call(func=ast.Call() as first), ast.Call(func=ast.Call() as second):
            pass
        case _:
            return None
    if draft.interp.rules.layer(draft.names.qualified(first.func) or "") is None:
        return None
    if "#" in source.segment(branch) or not _is_of_loop(branch, source):
        return None
    differing = list(_differing(first, second))
    if len(differing) != 1:
        return None
    mine, yours = differing[0]
    if _without(source, one, mine) != _without(source, other, yours):
        return None
    chosen = f"{_operand(source, mine)} if {_operand(source, branch.test)} else {_operand(source, yours)}"
    start, end = source.span(one)
    return splice(source.text, start, end, [(*source.span(mine), chosen)])


def _differing(first: ast.Call, second: ast.Call) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The values that two calls give the same keywords, where they are not the same; none for other keywords, or names."""
    names = [keyword.arg for keyword in first.keywords]
    if names == [keyword.arg for keyword in second.keywords] and None not in names:
        for one, two in zip(first.keywords, second.keywords, strict=True):
            if one.arg != "name" and ast.dump(one.value) != ast.dump(two.value):
                yield one.value, two.value


def _without(source: Source, statement: ast.Assign, value: ast.expr) -> str:
    """What a statement means but for one value in it."""
    start, end = source.span(statement)
    text = splice(source.text, start, end, [(*source.span(value), "_")])
    return ast.dump(ast.parse(text.strip()))


def _operand(source: Source, node: ast.expr) -> str:
    text = " ".join(source.segment(node).split())
    return f"({text})" if isinstance(node, ast.Lambda | ast.IfExp) else text


def _is_of_loop(branch: ast.If, source: Source) -> bool:
    """Whether a branch stands in a loop, and its test asks for nothing but fields and where the loop is."""
    function = next(functions_around(branch, source.parents), None)
    loops = [node for node in lineage(branch, source.parents) if isinstance(node, ast.For)]
    if function is None or not any(function in lineage(loop, source.parents) for loop in loops):
        return False
    targets = {n.id for loop in loops for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
    names = {node.id for node in ast.walk(branch.test) if isinstance(node, ast.Name)}
    return names <= targets | _KNOWN
