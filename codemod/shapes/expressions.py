"""What the expressions of Python are worth: an evaluator for each kind of node."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import calls, joins, loops, named, operators
from .scopes import Environment
from .values import (
    NONE,
    PRESENT,
    UNKNOWN,
    Behaviour,
    Constant,
    Either,
    External,
    Function,
    Items,
    Repeated,
    Table,
    Unknown,
    Unpacked,
    Value,
)

if TYPE_CHECKING:
    from .interpreter import Interpreter

_BUILTINS = frozenset(dir(__builtins__) if not isinstance(__builtins__, dict) else __builtins__)


def _constant(interp: Interpreter, node: ast.Constant, env: Environment) -> Value:
    return Constant(node.value)


def _name(interp: Interpreter, node: ast.Name, env: Environment) -> Value:
    value = env.lookup(node.id)
    if value is not None:
        return value
    if node.id == "Ellipsis":
        return Constant(...)
    return External(node.id) if node.id in _BUILTINS else UNKNOWN


def _attribute(interp: Interpreter, node: ast.Attribute, env: Environment) -> Value:
    return calls.attribute(interp, interp.evaluate(node.value, env), node.attr, node)


def _call(interp: Interpreter, node: ast.Call, env: Environment) -> Value:
    function = interp.evaluate(node.func, env)
    args, kwargs = interp.arguments(node, env)
    return interp.call(function, args, kwargs, node)


def _bin_op(interp: Interpreter, node: ast.BinOp, env: Environment) -> Value:
    left, right = operand(interp, node.left, env), operand(interp, node.right, env)
    return operators.binary(interp, node, node.op, left, right)


def _unary_op(interp: Interpreter, node: ast.UnaryOp, env: Environment) -> Value:
    return operators.unary(interp, node, interp.evaluate(node.operand, env))


def _bool_op(interp: Interpreter, node: ast.BoolOp, env: Environment) -> Value:
    values: list[Value] = []
    deciding = isinstance(node.op, ast.Or)
    for operand in node.values:
        value = interp.evaluate(operand, env)
        truth = interp.truth(value)
        if truth is deciding:
            if _is_test(node):
                return Constant(deciding)  # whatever the operands before it are
            return value if not values else joins.join(interp, node, "", values[-1], value)
        if operand is node.values[-1]:
            values.append(value)
        elif truth is None:
            values.append(_truthy(value) if deciding else value)
    result = values[0] if values else Constant(not deciding)
    for value in values[1:]:
        result = joins.join(interp, node, "", result, value) or UNKNOWN
    return result


def _is_test(node: ast.expr) -> bool:
    """Whether an expression is true or false, by the way it is written."""
    match node:
        case ast.Compare() | ast.UnaryOp(op=ast.Not()) | ast.Constant(value=bool()):
            return True
        case ast.BoolOp(values=values):
            return all(map(_is_test, values))
    return False


def _compare(interp: Interpreter, node: ast.Compare, env: Environment) -> Value:
    ordered = all(isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for op in node.ops)
    values = [
        operand(interp, part, env) if ordered else interp.evaluate(part, env)
        for part in (node.left, *node.comparators)
    ]
    return operators.compare(interp, node, values)


def _if_exp(interp: Interpreter, node: ast.IfExp, env: Environment) -> Value:
    test = interp.side_taken(node, env)
    if test is not None:
        return interp.evaluate(node.body if test else node.orelse, env)
    results: list[Value] = []

    def side(expression: ast.expr, holds: bool) -> Callable[[], str | None]:
        def run() -> None:
            operators.assume(interp, node.test, env, holds)
            results.append(interp.evaluate(expression, env))

        return run

    interp.branch(node, env, side(node.body, True), side(node.orelse, False))
    return joins.join(interp, node, "", results[0], results[1])


def _tuple(interp: Interpreter, node: ast.Tuple, env: Environment) -> Value:
    return _sequence(interp, node.elts, "tuple", env)


def _list(interp: Interpreter, node: ast.List, env: Environment) -> Value:
    return _sequence(interp, node.elts, "list", env)


def _set(interp: Interpreter, node: ast.Set, env: Environment) -> Value:
    return _sequence(interp, node.elts, "set", env)


def _dict(interp: Interpreter, node: ast.Dict, env: Environment) -> Value:
    table = Table({})
    for key, item in zip(node.keys, node.values, strict=True):
        value = interp.evaluate(item, env)
        if key is None:
            if isinstance(value, Behaviour) and value.unpacks:
                table.items[Unpacked(item)] = value
            elif isinstance(value, Table):
                table.items.update(value.items)
            else:
                return UNKNOWN
            continue
        name = interp.evaluate(key, env)
        if not isinstance(name, Constant) or not _hashable(name.value):
            return UNKNOWN
        table.items[name.value] = value
    return table


def _subscript(interp: Interpreter, node: ast.Subscript, env: Environment) -> Value:
    container = interp.evaluate(node.value, env)
    index = interp.evaluate(node.slice, env)
    if isinstance(node.ctx, ast.Load):
        asked = named.of_subscript(interp, node, container, index, env)
        if asked is not None:
            return asked
    return operators.subscript(interp, node, container, index)


def _slice(interp: Interpreter, node: ast.Slice, env: Environment) -> Value:
    parts = [
        interp.evaluate(part, env) if part else NONE for part in (node.lower, node.upper, node.step)
    ]
    return Items(parts, "slice")


def _lambda_(interp: Interpreter, node: ast.Lambda, env: Environment) -> Value:
    return Function(node, env)


def _starred(interp: Interpreter, node: ast.Starred, env: Environment) -> Value:
    return interp.evaluate(node.value, env)


def _named_expr(interp: Interpreter, node: ast.NamedExpr, env: Environment) -> Value:
    value = interp.evaluate(node.value, env)
    interp.assign(node.target, value, env)
    return value


def _joined_text(interp: Interpreter, node: ast.JoinedStr, env: Environment) -> Value:
    parts: list[str] | None = []
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            value = interp.evaluate(part.value, env)
            if not isinstance(value, Constant) or part.format_spec is not None:
                parts = None
                continue
            if parts is not None:
                parts.append(str(value.value))
        elif isinstance(part, ast.Constant) and parts is not None:
            parts.append(str(part.value))
    return UNKNOWN if parts is None else Constant("".join(parts))


def _comprehension(interp: Interpreter, node: ast.ListComp, env: Environment) -> Value:
    return loops.comprehension(interp, node, env)


def _yield(interp: Interpreter, node: ast.Yield, env: Environment) -> Value:
    value = interp.evaluate(node.value, env) if node.value else NONE
    interp.frames[-1].returns.append(Repeated(value))
    return NONE


def operand(interp: Interpreter, node: ast.expr, env: Environment) -> Value:
    """What is computed with: as the program runs, it is not None, and the name is not from here on."""
    value = interp.evaluate(node, env)
    if not isinstance(value, Either) or NONE not in value.values:
        return value
    rest = tuple(option for option in value.values if option != NONE)
    value = rest[0] if len(rest) == 1 else Either(rest, value.decided)
    if isinstance(node, ast.Name) and node.id in env.names:
        env.names[node.id] = value
    return value


def _sequence(interp: Interpreter, elts: list[ast.expr], kind: str, env: Environment) -> Value:
    items: list[Value] = []
    for element in elts:
        if isinstance(element, ast.Starred):
            value = interp.evaluate(element.value, env)
            known = interp.known_items(value)
            if known is None:
                for rest in elts:
                    if rest is not element and not isinstance(rest, ast.Starred):
                        interp.evaluate(rest, env)
                return UNKNOWN
            items.extend(known)
        else:
            items.append(interp.evaluate(element, env))
    return Items(items, kind)


def _truthy(value: Value) -> Value:
    """A value that `or` went by with: None and its like are not among its alternatives."""
    if isinstance(value, Unknown) and not value.why:
        return replace(value, why=PRESENT)
    if not isinstance(value, Either):
        return value
    options = [
        _truthy(option)
        for option in value.values
        if not isinstance(option, Constant) or bool(option.value)
    ]
    return joins.either(*options) if options else value


def _hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


Evaluate = Callable[["Interpreter", Any, Environment], Value]

EXPRESSIONS: dict[type[ast.expr], Evaluate] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.BinOp: _bin_op,
    ast.UnaryOp: _unary_op,
    ast.BoolOp: _bool_op,
    ast.Compare: _compare,
    ast.IfExp: _if_exp,
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Set: _set,
    ast.Dict: _dict,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Lambda: _lambda_,
    ast.Starred: _starred,
    ast.NamedExpr: _named_expr,
    ast.JoinedStr: _joined_text,
    ast.ListComp: _comprehension,
    ast.Yield: _yield,
    ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.DictComp: _comprehension,
}
