"""Transparent methods that only make a module, `return Block(self.width, name=f"block_{i}")`, written where they are called.

Each call of such a method makes another module. Where it stands in the place of the call, the loop around it says which.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..ancestry import names_around
from ..chains import is_own
from ..edits import move
from ..project import Project
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.values import Class
from ..source import Source
from .prepared import Draft, Leave, Prepared, class_by_class

_OWN_NAMES = (ast.Lambda, ast.NamedExpr, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class _Method:
    """A method, and the call that it hands back."""

    node: ast.FunctionDef
    made: ast.Call

    @property
    def parameters(self) -> list[str]:
        return [a.arg for a in self.node.args.args[1:]]


def prepare(project: Project, rules: Rulebook, leave: Leave) -> Prepared:
    """Writes such methods where they are called, in the classes of a project but for those named in `leave`."""
    return class_by_class(project, rules, leave, _may_have, _prepare_class)


def _may_have(source: Source) -> bool:
    return "transparent" in source.text


def _prepare_class(draft: Draft, cls: Class) -> bool:
    if classes.framework(cls) != "haiku" or _is_base(draft, cls):
        return False
    written = False
    for method in _methods(draft, cls):
        calls = _calls(draft, cls, method)
        texts = [_text(draft, method, call) for call in calls]
        if calls and None not in texts:
            for call, text in zip(calls, texts, strict=True):
                draft.edits.replace(call, str(text))
            draft.edits.delete_statement(method.node, with_comments=True)
            written = True
    return written


def _is_base(draft: Draft, cls: Class) -> bool:
    """Whether a class may have heirs, which may have a method of the same name."""
    return any(
        getattr(base, "id", getattr(base, "attr", "")) == cls.name
        for module in draft.interp.project.modules.values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
    )


def _methods(draft: Draft, cls: Class) -> Iterator[_Method]:
    for node in cls.node.body:
        if not isinstance(node, ast.FunctionDef) or len(node.decorator_list) != 1:
            continue
        spec = node.args
        plain = not (spec.vararg or spec.kwarg or spec.kwonlyargs or spec.posonlyargs)
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        match body:
            case [ast.Return(value=ast.Call() as made)] if (
                plain
                and draft.names.qualified(node.decorator_list[0]) == "haiku.transparent"
                and _is_module(draft, cls, made)
                and not any(isinstance(inner, _OWN_NAMES) for inner in ast.walk(made))
            ):
                yield _Method(node, made)


def _is_module(draft: Draft, cls: Class, made: ast.Call) -> bool:
    if not isinstance(made.func, ast.Name | ast.Attribute):
        return False
    value = draft.interp.peek_name(made.func, cls.around)
    return isinstance(value, Class) and classes.framework(value) == "haiku"


def _calls(draft: Draft, cls: Class, method: _Method) -> list[ast.Call]:
    """The calls of a method, none where other code than that of its class asks for it."""
    found: list[ast.Call] = []
    own = set(ast.walk(cls.node)) - set(ast.walk(method.node))
    name = method.node.name
    for module in draft.interp.project.modules.values():
        for node in ast.walk(module.tree) if name in module.source.text else ():
            if not isinstance(node, ast.Attribute) or node.attr != name:
                continue
            above = module.source.parents[node]
            called = isinstance(above, ast.Call) and above.func is node
            if not is_own(node) or (node in own and not called):
                return []
            if node in own and isinstance(above, ast.Call):
                found.append(above)
            elif module is draft.module and node in set(ast.walk(method.node)):
                return []
    return found


def _text(draft: Draft, method: _Method, call: ast.Call) -> str | None:
    """What a method makes for a call of it, None where its text would not mean the same there."""
    source = draft.source
    given = _given(method, call)
    read = {n.id for n in ast.walk(method.made) if isinstance(n, ast.Name)}
    if given is None or (read - set(method.parameters) - {"self"}) & names_around(
        call, source.parents
    ):
        return None
    start = source.span(method.made)[0]
    text = source.segment(method.made)
    for node in _replaced(method.made, method.parameters):
        if isinstance(node, ast.JoinedStr):
            old, new = source.segment(node), _filled(source, node, given)
        else:
            old, new = source.segment(node), source.segment(given[node.id])
        if new is None:
            return None
        at = source.span(node)[0] - start
        text = f"{text[:at]}{new}{text[at + len(old) :]}"
    indents = (source.line_indent(at) for at in (start, source.span(call)[0]))
    return move(text, *indents).strip()


def _given(method: _Method, call: ast.Call) -> Mapping[str, ast.expr] | None:
    """What a call gives for each parameter: names and numbers, which may stand in any place and more than once."""
    parameters = method.parameters
    defaults = method.node.args.defaults
    given: dict[str, ast.expr] = dict(zip(parameters[::-1], defaults[::-1], strict=False))
    if len(call.args) > len(parameters):
        return None
    given |= dict(zip(parameters, call.args, strict=False))
    for keyword in call.keywords:
        if keyword.arg not in parameters:
            return None
        given[str(keyword.arg)] = keyword.value
    plain = all(
        isinstance(each, ast.Name)
        or (isinstance(each, ast.Constant) and not isinstance(each.value, str))
        for each in given.values()
    )
    return given if plain and len(given) == len(parameters) else None


def _replaced(made: ast.Call, parameters: list[str]) -> list[ast.Name | ast.JoinedStr]:
    """The parameters that a call reads, and the texts that hold some, from the last on."""
    found: list[ast.Name | ast.JoinedStr] = []
    pending: list[ast.AST] = [made]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.JoinedStr):
            found.append(node)
            continue
        if isinstance(node, ast.Name) and node.id in parameters:
            found.append(node)
        pending += ast.iter_child_nodes(node)
    return sorted(found, key=lambda node: (node.lineno, node.col_offset), reverse=True)


def _filled(source: Source, text: ast.JoinedStr, given: Mapping[str, ast.expr]) -> str | None:
    """A formatted text with what a call gives in the place of parameters."""
    names = {n.id for n in ast.walk(text) if isinstance(n, ast.Name)}
    segment = source.segment(text)
    for name in names & given.keys():
        field = re.compile(rf"(?<!\{{)\{{{name}(?=[}}:!])")
        if len(field.findall(segment)) != len(re.findall(rf"\b{name}\b", segment)):
            return None
        segment = field.sub("{" + source.segment(given[name]), segment)
    return segment
