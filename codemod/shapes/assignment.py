"""What assignments bind: names, attributes, items, and the parts of what is unpacked."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from . import calls, named_numbers, operators
from .scopes import WOULD_RAISE, Environment
from .values import (
    UNKNOWN,
    Constant,
    Items,
    Repeated,
    Table,
    Value,
)

if TYPE_CHECKING:
    from .interpreter import Interpreter


def assign(interp: Interpreter, target: ast.expr, value: Value, env: Environment) -> None:
    value = named_numbers.by_name(interp, target, value)
    interp.record(target, value)
    match target:
        case ast.Name(id=name):
            interp.bind(name, value, env)
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            _unpack(interp, elts, value, env)
        case ast.Starred(value=inner):
            assign(interp, inner, value, env)
        case ast.Attribute(value=owner, attr=name):
            calls.set_attribute(interp, interp.evaluate(owner, env), name, value, target)
        case ast.Subscript(value=owner, slice=index):
            container = interp.evaluate(owner, env)
            key = interp.evaluate(index, env)
            _set_item(interp, container, key, value)


def _set_item(interp: Interpreter, container: Value, key: Value, value: Value) -> None:
    if (isinstance(container, Table) and isinstance(key, Constant)) or (
        (isinstance(container, Items) and isinstance(key, Constant) and isinstance(key.value, int))
        and -len(container.items) <= key.value < len(container.items)
    ):
        interp.mutating(container)
        container.items[key.value] = value


def _unpack(interp: Interpreter, targets: list[ast.expr], value: Value, env: Environment) -> None:
    stars = [i for i, target in enumerate(targets) if isinstance(target, ast.Starred)]
    known = interp.known_items(value, len(targets) if not stars else None)
    if known is None:
        item = operators.element(interp, value)
        for target in targets:
            assign(interp, target, Repeated(item) if isinstance(target, ast.Starred) else item, env)
        return
    if stars:
        at, rest = stars[0], len(targets) - stars[0] - 1
        if len(known) < len(targets) - 1:
            known = [*known, *[UNKNOWN] * (len(targets) - 1 - len(known))]
        middle = Items(known[at : len(known) - rest], "list")
        known = [*known[:at], middle, *known[len(known) - rest :]]
    elif len(known) != len(targets):
        why = f"{len(known)} values for {len(targets)} names"
        interp.trouble(targets[0], why, WOULD_RAISE)
        known = [UNKNOWN] * len(targets)
    for target, item in zip(targets, known, strict=True):
        assign(interp, target, item, env)
