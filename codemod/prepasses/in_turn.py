"""Comprehensions of layers that run one after the other, written as loops first.

`hk.Sequential([hk.Linear(n) for n in sizes])`: each layer is as wide as the one before it tells, which a comprehension
cannot hand on. So a loop fills a list, and the layer that runs them all is given the list. Layers are made in the same
order as before.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from ..ancestry import lineage
from ..chains import stored_names
from ..edits import move
from ..project import Project
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.values import Class, External
from ..source import Source
from .prepared import Draft, Leave, Prepared, class_by_class, spare_name

_RUN_THEM = frozenset(("haiku.Sequential", "haiku.DeepRNN", "flax.linen.Sequential"))
_SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Expr)
_ASIDE = (
    ast.Lambda,
    ast.IfExp,
    ast.BoolOp,
    ast.ListComp,
    ast.GeneratorExp,
    ast.DictComp,
    ast.SetComp,
)


def prepare(project: Project, rules: Rulebook, leave: Leave) -> Prepared:
    """Writes such lists in the module classes of a project, but for those named in `leave`."""
    return class_by_class(project, rules, leave, _may_have, _prepare_class)


def _may_have(source: Source) -> bool:
    return "Sequential" in source.text or "DeepRNN" in source.text


def _prepare_class(draft: Draft, cls: Class) -> bool:
    if classes.framework(cls) is None:
        return False
    methods = [node for node in cls.node.body if isinstance(node, ast.FunctionDef)]
    taken = _names(cls.node)
    written = [_prepare_method(draft, method, taken) for method in methods]
    return any(written)


def _prepare_method(draft: Draft, method: ast.FunctionDef, taken: set[str]) -> bool:
    found = [each for node in ast.walk(method) if (each := _list_of(draft, method, node))]
    used: set[str] = set()
    again = [pair for node in ast.walk(method) if (pair := _set_again(draft, method, node))]
    for mentions, name in again:
        used.add(new := spare_name(f"{name}_layers", taken | used))
        for mention in mentions:
            draft.edits.replace(mention, new)
    for each in found:
        base = f"{each.argument.id}_layers" if isinstance(each.argument, ast.Name) else "layers"
        used.add(name := each.name or spare_name(base, taken | used))
        draft.edits.insert_before(each.filled_before, "\n".join(_lines(draft.source, each, name)))
        if each.old is not None:
            draft.edits.delete_statement(each.old)
        draft.edits.replace(each.argument, name)
    return bool(found or again)


@dataclass(frozen=True)
class _List:
    """The list that a call is given: in its parts, and where a loop may fill it."""

    argument: ast.expr
    parts: Sequence[ast.expr]
    filled_before: ast.stmt
    old: ast.stmt | None = None  # what set it before
    name: str | None = None


def _list_of(draft: Draft, method: ast.FunctionDef, node: ast.AST) -> _List | None:
    """The list of a call that runs layers one after the other, if a comprehension makes some of it."""
    argument = _layers_of(draft, node)
    statement = next(
        (a for a in lineage(node, draft.source.parents) if isinstance(a, ast.stmt)), None
    )
    if argument is None or not isinstance(statement, _SIMPLE):
        return None
    if isinstance(argument, ast.Name):
        made = _only_value(method, argument, statement)
        if made is None:
            return None
        parts = _parts(draft, made.value)
        own = argument.id not in stored_names(statement)
        found = _List(argument, parts, made, made, argument.id if own else None)
    else:
        parts = _parts(draft, argument)
        found = _List(argument, parts, statement)
        if not _comes_first(draft.source, node, statement):
            return None
    if not any(map(_comprehension, parts)) or not _may_move(draft, method, found):
        return None
    return found


def _layers_of(draft: Draft, node: ast.AST) -> ast.expr | None:
    match node:
        case (
            ast.Call(args=[argument], keywords=[])
            | ast.Call(args=[], keywords=[ast.keyword(arg="layers", value=argument)])
        ):
            called = draft.interp.peek(node.func, draft.interp.environment_of(draft.module))
            known = isinstance(called, External) and called.name in _RUN_THEM
            return argument if known else None
        case ast.Call(args=[ast.Starred(value=argument)]):
            return None
    return None


def _only_value(method: ast.FunctionDef, read: ast.Name, user: ast.stmt) -> ast.Assign | None:
    """The statement that alone sets the local that a call is given, in a method that reads it nowhere else.

    The call's own statement may set the name anew: `layers = hk.Sequential(layers)`.
    """
    mentions = [n for n in ast.walk(method) if isinstance(n, ast.Name) and n.id == read.id]
    again = read.id in stored_names(user)
    before = [n for n in mentions if n.lineno <= user.lineno] if again else mentions
    stores = [n for n in before if isinstance(n.ctx, ast.Store) and n not in set(ast.walk(user))]
    loads = [n for n in before if isinstance(n.ctx, ast.Load)]
    for statement in ast.walk(method):
        match statement:
            case ast.Assign(targets=[ast.Name() as target]) if [target] == stores and loads == [
                read
            ]:
                return statement
    return None


def _set_again(
    draft: Draft, method: ast.FunctionDef, node: ast.AST
) -> tuple[list[ast.Name], str] | None:
    """Where a list is named that a statement gives its name to the layer that runs it: `net = hk.Sequential(net)`.

    A name that stands for two things is two names. None where a comprehension makes the list, which gets another name
    by itself, and where a loop or a function of its own might see either.
    """
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call):
            argument = _layers_of(draft, call)
        case _:
            return None
    around = list(lineage(node, draft.source.parents))
    if not isinstance(argument, ast.Name) or argument.id != name or around[1] is not method:
        return None
    mentions = [n for n in ast.walk(method) if isinstance(n, ast.Name) and n.id == name]
    before = [n for n in mentions if (n.lineno, n.col_offset) < (node.lineno, node.col_offset)]
    inner = (ast.FunctionDef, ast.Lambda, ast.ClassDef)
    for each in before:
        above = list(lineage(each, draft.source.parents))
        if any(isinstance(a, inner) for a in above[: above.index(method)]):
            return None
    if _list_of(draft, method, call) is not None:
        return None
    return [*before, argument], name


def _parts(draft: Draft, value: ast.expr) -> list[ast.expr]:
    """The comprehensions and items that a list is made of, in their order."""
    match value:
        case ast.List(elts=elts) | ast.Tuple(elts=elts):
            return [part for each in elts for part in _parts_of_item(draft, each)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            before, after = _parts(draft, left), _parts(draft, right)
            return [*before, *after] if before and after else []
        case ast.Call(func=ast.Name(id="list" | "tuple"), args=[inner], keywords=[]):
            return _parts(draft, inner)
    return [value] if _comprehension(value) is not None else []


def _parts_of_item(draft: Draft, item: ast.expr) -> list[ast.expr]:
    if isinstance(item, ast.Starred):
        return _parts(draft, item.value) or [item]
    return [item]


def _comprehension(part: ast.expr) -> ast.ListComp | ast.GeneratorExp | None:
    """The comprehension that makes a part; one of short lists may be summed up."""
    match part:
        case ast.ListComp(generators=[generator]) | ast.GeneratorExp(generators=[generator]):
            return None if generator.ifs or generator.is_async else part
        case ast.Call(
            func=ast.Name(id="sum"),
            args=[ast.ListComp() | ast.GeneratorExp() as inner, ast.List(elts=[])],
            keywords=[],
        ) if isinstance(inner.elt, ast.List):
            return _comprehension(inner)
    return None


def _may_move(draft: Draft, method: ast.FunctionDef, found: _List) -> bool:
    """Whether a loop before a statement does what the list in it does, and leaves no name that stood for something."""
    if any("#" in draft.source.segment(part) for part in found.parts):
        return False
    inside = {n for part in found.parts for n in ast.walk(part)}
    others = {n.id for n in ast.walk(method) if isinstance(n, ast.Name) and n not in inside}
    others |= {arg.arg for arg in ast.walk(method) if isinstance(arg, ast.arg)}
    loops = [loop for part in found.parts if (loop := _comprehension(part)) is not None]
    targets = set().union(*(stored_names(loop.generators[0].target) for loop in loops))
    makes = all(any(_makes_layer(draft, n) for n in ast.walk(loop.elt)) for loop in loops)
    return makes and not (targets - {"_"}) & others and not any(map(_is_unpacked, found.parts))


def _is_unpacked(part: ast.expr) -> bool:
    return isinstance(part, ast.Starred)


def _makes_layer(draft: Draft, node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    made = draft.interp.peek(node.func, draft.interp.environment_of(draft.module))
    if isinstance(made, External):
        return draft.interp.rules.layer(made.name) is not None
    return isinstance(made, Class) and classes.framework(made) is not None


def _comes_first(source: Source, call: ast.AST, statement: ast.stmt) -> bool:
    """Whether nothing of a statement runs before one of its calls does, and the call in any case."""
    above = list(lineage(call, source.parents))
    around = above[: above.index(statement)]
    if any(isinstance(each, _ASIDE) for each in around):
        return False
    start = source.span(call)[0]
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and node is not call and node not in around:
            if source.span(node)[0] < start:
                return False
    return True


def _names(cls: ast.ClassDef) -> set[str]:
    """All names in a class; those of attributes, too, may become names in its constructor."""
    names = {n.id for n in ast.walk(cls) if isinstance(n, ast.Name)}
    names |= {a.arg for a in ast.walk(cls) if isinstance(a, ast.arg)}
    return names | {n.attr.strip("_") for n in ast.walk(cls) if isinstance(n, ast.Attribute)}


def _lines(source: Source, found: _List, name: str) -> list[str]:
    """The statements that fill a list."""
    indent = source.line_indent(source.span(found.filled_before)[0])
    first = list(itertools.takewhile(lambda part: _comprehension(part) is None, found.parts))
    items = ", ".join(move(source.segment(part), indent, "") for part in first)
    lines = [f"{name} = [{items}]"]
    for part in found.parts[len(first) :]:
        loop = _comprehension(part)
        if loop is None:
            lines.append(f"{name}.append({move(source.segment(part), indent, '')})")
            continue
        target, iterable = loop.generators[0].target, loop.generators[0].iter
        lines.append(f"for {source.segment(target)} in {source.segment(iterable)}:")
        element = move(source.segment(loop.elt), indent, source.indent_unit).lstrip()
        summed = isinstance(part, ast.Call)
        added = f"{name} += {element}" if summed else f"{name}.append({element})"
        lines.append(f"{source.indent_unit}{added}")
    return lines
