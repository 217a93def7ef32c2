"""`hk.transform` and its relatives, as the interpreter runs them."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..shapes import classes
from ..shapes.interpreter import Interpreter
from ..shapes.values import UNKNOWN, Bound, Constant, Function, Items, Object, Value
from .kinds import Applied, Transformed, TransformedApply, Tree

if TYPE_CHECKING:
    from .explore import Explorer

Args = Sequence[Value]
Kwargs = Mapping[str, Value]
PARAMS = frozenset(("params",))
STATE = frozenset(("state",))


def install(explorer: Explorer) -> None:
    """Adds the handlers of Haiku's transforms."""
    add = explorer.interp.handlers

    def transform(with_state: bool, multi: bool) -> object:
        def make(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
            function = args[0] if args else kwargs.get("f", UNKNOWN)
            rng = kwargs.get("apply_rng")
            made = Transformed(
                function, node, with_state, not (isinstance(rng, Constant) and rng.value is False)
            )
            made.explorer = explorer
            if multi:
                made.entries = _entries(interp, function)
            where = function.node if isinstance(function, Function) else node
            if where is not None:
                explorer.transformed[where] = made
            return made

        return make

    add["haiku.transform"] = transform(False, False)  # type: ignore[assignment]
    add["haiku.transform_with_state"] = transform(True, False)  # type: ignore[assignment]
    add["haiku.multi_transform"] = transform(False, True)  # type: ignore[assignment]
    add["haiku.multi_transform_with_state"] = transform(True, True)  # type: ignore[assignment]
    add["haiku.without_apply_rng"] = _without_apply_rng
    add["haiku.without_state"] = lambda interp, node, args, kwargs: args[0] if args else UNKNOWN


def _without_apply_rng(
    interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs
) -> Value:
    inner = args[0] if args else UNKNOWN
    if not isinstance(inner, Transformed):
        return UNKNOWN
    made = replace(inner, apply_rng=False)
    return made


def _entries(interp: Interpreter, function: Value) -> int:
    pair = _quietly(interp, function, [], {})
    if isinstance(pair, Items) and len(pair.items) == 2 and isinstance(pair.items[1], Items):
        return len(pair.items[1].items)
    return 1


def _quietly(
    interp: Interpreter, function: Value, args: list[Value], kwargs: dict[str, Value]
) -> Value:
    """Runs what is transformed: a module in the making, of which nothing is recorded here."""
    saved, interp.recording = interp.recording, False
    try:
        return interp.call(function, args, kwargs, None)
    finally:
        interp.recording = saved


def initialised(
    interp: Interpreter,
    transformed: Transformed,
    args: list[Value],
    kwargs: dict[str, Value],
    node: ast.Call | None,
) -> Value:
    """`net.init(key, *args)`."""
    explorer: Explorer = transformed.explorer
    inputs = args[1:]
    function = transformed.function
    if transformed.entries:
        pair = _quietly(interp, function, [], {})
        function = pair.items[0] if isinstance(pair, Items) and pair.items else UNKNOWN
    _quietly(interp, function, inputs, kwargs)
    if node is None:
        return UNKNOWN
    key = node.args[0] if node.args else None
    net = explorer.net(node, transformed, "haiku", key, inputs, kwargs)
    params = Tree(net, PARAMS, (), net.current)
    if not transformed.with_state:
        return params
    return Items([params, Tree(net, STATE, (), net.current)])


def applied(
    interp: Interpreter,
    apply: TransformedApply,
    args: list[Value],
    kwargs: dict[str, Value],
    node: ast.Call | None,
) -> Value:
    """`net.apply(params[, state][, key], *args)`."""
    transformed = apply.transformed
    explorer: Explorer = transformed.explorer
    leading = 1 + transformed.with_state + transformed.apply_rng
    inputs = args[leading:]
    named = {k: v for k, v in kwargs.items() if k not in ("params", "state", "rng")}
    function, method = _entry(interp, transformed, apply.entry)
    output = _quietly(interp, function, inputs, named)
    net = explorer.net_of(args[0]) if args else explorer.net_of(kwargs.get("params"))
    result: Value = output
    if net is not None and node is not None:
        explorer.read(args[0] if args else None, node)
        made = Applied(
            net,
            method,
            node,
            min(leading, len(args)),
            tuple(inputs),
            named,
            transformed.with_state,
            transformed.with_state,
        )
        explorer.applied.setdefault(node, []).append(made)
    elif node is not None:
        explorer.unknown_apply(node, transformed)
    if transformed.with_state:
        state = Tree(net, STATE, (), net.current) if net is not None else UNKNOWN
        result = Items([output, state])
    return result


def _entry(interp: Interpreter, transformed: Transformed, entry: int | None) -> tuple[Value, str]:
    """The function behind an apply and the method of the root that it is."""
    if not transformed.entries:
        return transformed.function, "__call__"
    pair = _quietly(interp, transformed.function, [], {})
    if not isinstance(pair, Items) or len(pair.items) != 2:
        return UNKNOWN, "__call__"
    entries = pair.items[1]
    chosen = entries.items[entry or 0] if isinstance(entries, Items) else entries
    if isinstance(chosen, Bound):
        return chosen, chosen.name
    return chosen, "__call__"


def maker_call(
    function: Function, transformed: Transformed
) -> tuple[ast.Call, ast.Call | None] | None:
    """For `lambda x: M(...)(x)` and functions like it: the call that makes M, and the call of it.

    None where the function does anything else. A function for `multi_transform` only makes the module.
    """
    node = function.node
    if isinstance(node, ast.Lambda):
        return _made_and_called(node.body, {}, node)
    body = [
        s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
    ]
    made: dict[str, ast.Call] = {}
    parameters = {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}
    while len(body) > 1:
        match body[0]:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call) if (
                name not in {*made, *parameters}  # `x = hk.Linear(4)(x)` computes
            ):
                made[name] = call
                body = body[1:]
            case ast.FunctionDef() if transformed.entries:
                body = body[1:]
            case ast.Assign(value=ast.Lambda()) if transformed.entries:
                body = body[1:]
            case _:
                return None
    if len(body) != 1 or not isinstance(body[0], ast.Return) or body[0].value is None:
        return None
    if transformed.entries:
        return (next(iter(made.values())), None) if len(made) == 1 else None
    return _made_and_called(body[0].value, made, node)


def _made_and_called(
    expression: ast.expr, made: Mapping[str, ast.Call], function: ast.AST
) -> tuple[ast.Call, ast.Call | None] | None:
    match expression:
        case ast.Call(func=ast.Call() as maker):
            call = expression
        case ast.Call(func=ast.Name(id=name)) if name in made:
            maker, call = made[name], expression
        case _:
            return None
    parameters = [a.arg for a in function.args.args]  # type: ignore[attr-defined]
    if len(made) > 1 or any(
        isinstance(n, ast.Name) and n.id in parameters for n in ast.walk(maker)
    ):
        return None
    handed = [a.id if isinstance(a, ast.Name) else None for a in call.args]
    named = {k.arg: k.value.id if isinstance(k.value, ast.Name) else None for k in call.keywords}
    if handed != parameters[: len(handed)]:
        return None
    rest = parameters[len(handed) :]
    if any(name != value for name, value in named.items()) or set(rest) != set(named):
        return None
    return maker, call


def module_of(interp: Interpreter, function: Function, maker: ast.Call) -> Object | None:
    """The module that the maker call makes, as an abstract object."""
    saved, interp.recording = interp.recording, False
    try:
        made = interp.evaluate(maker, function.environment)
    finally:
        interp.recording = saved
    return made if isinstance(made, Object) and classes.framework(made.cls) else None
