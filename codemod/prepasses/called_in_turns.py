"""Layers that a comprehension makes and calls, `[nn.Dense(n)(x) for n in sizes]`, written as a loop first.

A loop says where the layers of its turns are made and called, one after the other: so it is written, in the text, before
anything else. What is evaluated ahead of the loop must be no layer, as layers are counted in their order.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..chains import root_name
from ..project import Project
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.values import Class, External
from .prepared import Draft, Leave, Prepared, class_by_class, spare_name

_Turns = ast.ListComp | ast.DictComp
_SIDES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp)


@dataclass(frozen=True)
class _Found:
    """A comprehension, the statement around it, and the name that is given what it makes, if that is all it does."""

    turns: _Turns
    statement: ast.stmt
    name: str | None


def prepare(project: Project, rules: Rulebook, leave: Leave) -> Prepared:
    """Writes such comprehensions in the module classes of a project, but for those named in `leave`."""
    return class_by_class(
        project, rules, leave, lambda source: _has_turns(source.tree), _prepare_class
    )


def _has_turns(tree: ast.AST) -> bool:
    return any(isinstance(node, _Turns) and _calls_made(node) for node in ast.walk(tree))


def _calls_made(turns: _Turns) -> list[ast.expr]:
    """What stands before the brackets of `Layer(...)(...)` in each turn."""
    element = turns.value if isinstance(turns, ast.DictComp) else turns.elt
    return [
        node.func.func
        for node in ast.walk(element)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Call)
    ]


def _prepare_class(draft: Draft, cls: Class) -> bool:
    if classes.framework(cls) is None:
        return False
    written = False
    for method in cls.node.body:
        if isinstance(method, ast.FunctionDef):
            taken = {n.id for n in ast.walk(method) if isinstance(n, ast.Name)}
            taken |= {n.arg for n in ast.walk(method) if isinstance(n, ast.arg)}
            for statement in ast.walk(method):
                found = _in_statement(statement) if isinstance(statement, ast.stmt) else None
                if found is not None and _may_be_loop(draft, cls, method, found):
                    _write(draft, found, taken)
                    written = True
    return written


def _in_statement(statement: ast.stmt) -> _Found | None:
    """The comprehension that a statement evaluates before all else."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.ListComp() | ast.DictComp() as it):
            own = {n.id for n in ast.walk(it) if isinstance(n, ast.Name)}
            return _Found(it, statement, None if name in own else name)
        case ast.Assign(targets=[ast.Name()], value=value) | ast.Return(value=value):
            if isinstance(value, ast.Call) and value.args and root_name(value.func) is not None:
                value = value.args[0]
            if isinstance(value, _Turns):
                return _Found(value, statement, None)
    return None


def _may_be_loop(draft: Draft, cls: Class, method: ast.FunctionDef, found: _Found) -> bool:
    """Whether a comprehension calls layers, and its names mean nothing elsewhere in the method."""
    source, turns = draft.source, found.turns
    start = source.span(found.statement)[0]
    if source.text[source.line_start(start) : start].strip() or "#" in source.segment(turns):
        return False
    if len(turns.generators) != 1 or turns.generators[0].is_async:
        return False
    if any(isinstance(node, ast.NamedExpr | ast.Lambda) for node in ast.walk(turns)):
        return False
    if not any(_is_layer(draft, cls, head) for head in _calls_made(turns)):
        return False
    own = {n.id for n in ast.walk(turns.generators[0].target) if isinstance(n, ast.Name)}
    return not own & _names_outside(method, turns)


def _is_layer(draft: Draft, cls: Class, head: ast.expr) -> bool:
    if not isinstance(head, ast.Name | ast.Attribute):
        return False
    value = draft.interp.peek_name(head, cls.around)
    if isinstance(value, Class):
        return classes.framework(value) is not None
    return isinstance(value, External) and value.name.startswith(("flax.linen.", "haiku."))


def _names_outside(method: ast.FunctionDef, turns: _Turns) -> set[str]:
    """The names of a method but for those that comprehensions have for themselves."""
    found = {n.arg for n in ast.walk(method) if isinstance(n, ast.arg)}

    def visit(node: ast.AST, own: frozenset[str]) -> None:
        if node is turns:
            return
        if isinstance(node, ast.Name) and node.id not in own:
            found.add(node.id)
        if isinstance(node, _COMPREHENSIONS):
            targets = [n for g in node.generators for n in ast.walk(g.target)]
            own = own | {n.id for n in targets if isinstance(n, ast.Name)}
        for child in ast.iter_child_nodes(node):
            visit(child, own)

    visit(method, frozenset())
    return found


def _write(draft: Draft, found: _Found, taken: set[str]) -> None:
    source, turns = draft.source, found.turns
    turn = turns.generators[0]
    indent, unit = source.line_indent(source.span(found.statement)[0]), source.indent_unit
    name = found.name or spare_name("outputs", taken)
    taken.add(name)
    lines = [f"{name} = {'{}' if isinstance(turns, ast.DictComp) else '[]'}"]
    target = source.segment(turn.target)
    if isinstance(turn.target, ast.Tuple):
        target = target.removeprefix("(").removesuffix(")")
    lines.append(f"for {target} in {source.segment(turn.iter)}:")
    depth = unit
    for test in turn.ifs:
        lines.append(f"{depth}if {source.segment(test)}:")
        depth += unit
    if isinstance(turns, ast.DictComp):
        value = source.segment(turns.value)
        lines.append(f"{depth}{name}[{source.segment(turns.key)}] = {value}")
    else:
        lines.append(f"{depth}{name}.append({source.segment(turns.elt)})")
    if found.name is not None:
        draft.edits.replace(found.statement, f"\n{indent}".join(lines))
        return
    draft.edits.insert_before(found.statement, "\n".join(lines))
    draft.edits.replace(turns, name)
