"""Classes that code finds by a name which reading does not tell: those that a decorator registers, `getattr` asks
for, or a configuration makes.

No second name can come in the place of such a class, so it stays.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping

from . import asked_names
from .asked_names import Asked
from .class_rewrites import Refusal
from .project import Module
from .shapes import named
from .shapes.interpreter import Interpreter
from .shapes.scopes import Environment
from .shapes.values import Class, External, Function

_PLAIN_PACKAGES = frozenset((*sys.stdlib_module_names, "flax", "haiku"))
_REGISTERS = frozenset(("gin.register", "gin.config.register"))  # for configurations alone
_SPOKEN = frozenset(("__name__", "__qualname__", "__module__", "__doc__"))
_HELP = "make the model by its class, or rewrite the class and that code by hand"


def found_by_name(
    interp: Interpreter, modules: Collection[Module], own: Iterable[Class]
) -> dict[ast.AST, Refusal]:
    """The module classes, of `own`, that stay because nobody can say where they are made."""
    own = list(own)
    found: dict[ast.AST, Refusal] = {}
    for cls in own:
        for decorator in cls.node.decorator_list:
            if _hands_back(interp, decorator, cls.environment.parent or cls.environment):
                continue
            if interp.choices is not None and _keeps_in_tables(interp, decorator, cls):
                interp.choices.registered.setdefault(cls.node, []).append(decorator)
            else:
                shown = ast.unparse(
                    decorator.func if isinstance(decorator, ast.Call) else decorator
                )
                message = f"class `{cls.name}` is handed to `{shown}`, which may keep it for others"
                found[cls.node] = Refusal(cls, cls.node, "NX104", message, _HELP)
    for cls in own:
        place = _configured(interp, cls.name)
        if place is not None:
            message = f"class `{cls.name}` is made by a configuration ({place})"
            found.setdefault(cls.node, Refusal(cls, cls.node, "NX104", message, _HELP))
    for asked in _not_followed(interp, modules):
        for value in asked.values(interp):
            named_class = named.module_class(value)
            if named_class is not None and not _is_inner(named_class, own):
                place = f"line {asked.node.lineno} of {asked.module.path.name}"
                message = f"class `{named_class.name}` may be asked for by a name ({place})"
                refusal = Refusal(named_class, named_class.node, "NX104", message, _HELP)
                found.setdefault(named_class.node, refusal)
    return found


def _configured(interp: Interpreter, name: str) -> str | None:
    """Where a configuration of gin speaks of a class: `model = @networks.Net()`."""
    spoken = re.compile(rf"(?m)^[^#\n]*@(?:[\w./]*[./])?{name}\b")
    for path, text in interp.project.configurations.items():
        match = spoken.search(text) if name in text else None
        if match is not None:
            line = text.count("\n", 0, match.end()) + 1
            return f"line {line} of {path.name}"
    return None


def functions_found_by_name(interp: Interpreter, modules: Collection[Module]) -> set[ast.AST]:
    """The functions that code finds by a name, and calls as they are."""
    return {
        value.node
        for asked in _not_followed(interp, modules)
        for value in asked.values(interp)
        if isinstance(value, Function)
    }


def _not_followed(interp: Interpreter, modules: Collection[Module]) -> Iterator[Asked]:
    followed = interp.choices.known or {} if interp.choices is not None else {}
    for module in modules:
        for asked in asked_names.find(interp, module):
            if asked.node not in followed:
                yield asked


def _hands_back(interp: Interpreter, decorator: ast.expr, env: Environment) -> bool:
    """Whether a decorator does nothing with a class but to return it, as far as modules are concerned."""
    head = decorator.func if isinstance(decorator, ast.Call) else decorator
    named = interp.peek_name(head, env)
    if isinstance(named, External) and named.name not in _REGISTERS:
        return interp.transparent(named.name) or named.name.split(".")[0] in _PLAIN_PACKAGES
    value = interp.peek(decorator, env)
    return isinstance(value, Function) and _returns_it(value.node)


def _keeps_in_tables(interp: Interpreter, decorator: ast.expr, cls: Class) -> bool:
    """Whether a decorator puts a class into dicts whose reads are all followed, and does nothing else with it."""
    if interp.choices is None or not interp.choices.known:
        return False
    heads = [decorator, decorator.func] if isinstance(decorator, ast.Call) else [decorator]
    values = [interp.peek(head, cls.around) for head in heads]
    functions = [value for value in values if isinstance(value, Function)]
    inside = {node: f.environment.module for f in functions for node in ast.walk(f.node)}
    mentions = [
        node
        for node in inside
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript)
        and isinstance(node.ctx, ast.Load)
        and any(value is cls for value in interp.facts.values.get(node, ()))
    ]
    return bool(mentions) and all(
        _is_kept(interp, node, inside[node].source.parents, inside) for node in mentions
    )


def _is_kept(
    interp: Interpreter,
    node: ast.expr,
    parents: Mapping[ast.AST, ast.AST],
    inside: Collection[ast.AST],
) -> bool:
    """Whether a use of a class puts it into a dict whose reads are followed, hands it back or reads its name."""
    assert interp.choices is not None
    tables = [lookup.table for lookup in interp.choices.met.values() if lookup.table is not None]
    match parents[node]:
        case ast.Assign(targets=[ast.Subscript(value=container)], value=value) if value is node:
            into = interp.facts.values.get(container, ())
            return bool(into) and all(any(table is t for t in tables) for table in into)
        case ast.Attribute(attr=attr):
            return attr in _SPOKEN and not interp.choices.bridged  # a bridge has no name
        case ast.Call(func=func):
            called = interp.facts.value(func)
            return func is not node and isinstance(called, Function) and called.node in inside
        case ast.Compare(comparators=[ast.Constant(value=None)]):
            return True
    return isinstance(parents[node], ast.Return | ast.FormattedValue)


def _returns_it(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> bool:
    """Whether a function only sets or reads attributes of its argument, and returns it."""
    names = [a.arg for a in function.args.args]
    if len(names) != 1 or isinstance(function, ast.Lambda):
        return False
    nodes = list(ast.walk(function))
    looked_at = {n.value for n in nodes if isinstance(n, ast.Attribute | ast.Return)}
    reads = {n for n in nodes if isinstance(n, ast.Name) and n.id == names[0]}
    return reads <= looked_at


def _is_inner(cls: Class, own: Iterable[Class]) -> bool:
    """Whether other module classes speak of a class: it is a part of models, which no name asks for."""
    return any(
        getattr(node, "id", getattr(node, "attr", None)) == cls.name
        for other in own
        if other.node is not cls.node and cls.name in other.module.source.text
        for node in ast.walk(other.node)
        if isinstance(node, ast.Name | ast.Attribute)
    )
