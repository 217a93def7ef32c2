"""`hk.transform` and its relatives, as the interpreter runs them."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..project import Module
from ..shapes import classes
from ..shapes.facts import Facts, Used
from ..shapes.interpreter import Interpreter
from ..shapes.scopes import OutOfBudget
from ..shapes.values import NONE, UNKNOWN, Bound, Constant, Function, Items, Object, Value
from ..signatures import defaults
from .kinds import Applied, Net, Transformed, TransformedApply, Tree

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


def _uses(
    interp: Interpreter, function: Value, args: list[Value], kwargs: dict[str, Value]
) -> list[Used]:
    """What a function calls layers and modules with, of which nothing is recorded but here."""
    saved, interp.recording, interp.exact = interp.recording, True, True
    try:
        with interp.fresh(Facts()) as facts:
            interp.call(function, args, kwargs, None)
            return [use for uses in facts.uses_of.values() for use in uses]
    except OutOfBudget:
        return []
    finally:
        interp.recording, interp.exact = saved, False


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
    entered: list[Used] = []
    if transformed.entries:
        pair = _quietly(interp, function, [], {})
        function = pair.items[0] if isinstance(pair, Items) and pair.items else UNKNOWN
        entered = _uses(interp, function, inputs, kwargs)
    else:
        _quietly(interp, function, inputs, kwargs)
    if node is None:
        return UNKNOWN
    key = node.args[0] if node.args else None
    net = explorer.net(node, transformed, "haiku", key, inputs, kwargs)
    net.entered = entered
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
    if net is not None and not _fits(net, transformed):
        shared = _shared_method(net, transformed)
        if shared is None:  # the parameters of another model
            net = None
        else:
            method = shared
    without = bool(args) and args[0] == NONE and not transformed.with_state
    if net is not None and node is not None:
        explorer.read(args[0] if args else None, node)
        if transformed.with_state and len(args) > 1 and not explorer.is_whole(args[1]):
            explorer.mixed.add(node)
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
    elif node is not None and without and not transformed.entries:
        explorer.without_parameters[node] = Call(
            node, transformed, min(leading, len(args)), tuple(inputs), named
        )
    elif node is not None:
        explorer.unknown_apply(node, transformed)
    if transformed.with_state:
        state = Tree(net, STATE, (), net.current) if net is not None else UNKNOWN
        result = Items([output, state])
    return result


@dataclass(frozen=True)
class Call:
    """A call of a transform that is given no parameters, as what it runs has none."""

    node: ast.Call
    transformed: Transformed
    rest_args: int
    args: tuple[Value, ...]
    kwargs: Mapping[str, Value]


def find_nets(explorer: Explorer) -> None:
    """The calls without parameters are of the one net in their function whose module they make, too."""
    for node, call in explorer.without_parameters.items():
        nets = [n for n in explorer.nets.values() if _in_one_function(n, call)]
        shared = [
            (net, method)
            for net in nets
            if not _fits(net, call.transformed)
            and (method := _shared_method(net, call.transformed)) is not None
        ]
        if len(shared) != 1 or node in explorer.applied:
            explorer.unknown_apply(node, call.transformed)
            continue
        ((net, method),) = shared
        made = Applied(net, method, node, call.rest_args, call.args, call.kwargs, False, False)
        explorer.applied[node] = [made]
        net.early.append(node)
    explorer.without_parameters.clear()


def _in_one_function(net: Net, call: Call) -> bool:
    function = call.transformed.function
    if net.framework != "haiku" or not isinstance(function, Function):
        return False
    parents = function.environment.module.source.parents
    inside = net.init in parents and call.node in parents
    return inside and _scope(net.init, parents) is _scope(call.node, parents)


def _scope(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> ast.AST:
    while not isinstance(node, ast.FunctionDef | ast.Lambda | ast.Module):
        node = parents[node]
    return node


def _fits(net: Net, transformed: Transformed) -> bool:
    """Whether a net is one of the function that a transform was made of."""
    one, other = getattr(net.model, "function", None), transformed.function
    if not isinstance(one, Function) or not isinstance(other, Function):
        return one is other or transformed.entries > 0
    return one.node is other.node


def _shared_method(net: Net, transformed: Transformed) -> str | None:
    """The method that a transform runs of the very module that a net's own transform makes; the net takes note."""
    if not isinstance(net.model, Transformed) or transformed.entries or net.model.entries:
        return None
    one, other = net.model.function, transformed.function
    if not isinstance(one, Function) or not isinstance(other, Function):
        return None
    made, also = maker_call(one, net.model), called_method(other, transformed)
    if (
        made is None
        or also is None
        or defaults(other.node.args)
        or ast.unparse(made[0]) != ast.unparse(also[0])
    ):
        return None
    called = _run_alone(other, transformed)
    if called is not None and called[1] is not None and called[1].keywords:
        return None  # at which places the method has them is not known here
    module = one.environment.module
    alike = one.environment is other.environment or _is_global(made[0], one, module)
    if other.environment.module is not module or not alike:
        return None
    if not any(known is other for known in net.sharing):
        net.sharing.append(other)
    return also[1]


def _is_global(expression: ast.expr, function: Function, module: Module) -> bool:
    """Whether all that an expression reads are names at the top of a file."""
    names = {n.id for n in ast.walk(expression) if isinstance(n, ast.Name)}
    bound: set[str] = set()
    above: ast.AST | None = function.node
    while above is not None and not isinstance(above, ast.Module):
        if isinstance(above, ast.FunctionDef | ast.Lambda):
            bound |= {a.arg for a in ast.walk(above.args) if isinstance(a, ast.arg)}
            bound |= {
                n.id
                for n in ast.walk(above)
                if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)
            }
        above = module.source.parents.get(above)
    return not names & bound


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
    found = _run_alone(function, transformed)
    if found is not None and found[1] is not None and isinstance(found[1].func, ast.Attribute):
        return None
    return found


def called_method(function: Function, transformed: Transformed) -> tuple[ast.Call, str] | None:
    """For `lambda x: M(...).encode(x)`: the call that makes M, and the method."""
    found = _run_alone(function, transformed)
    if found is None or found[1] is None:
        return None
    method = found[1].func
    return found[0], method.attr if isinstance(method, ast.Attribute) else "__call__"


def _run_alone(
    function: Function, transformed: Transformed
) -> tuple[ast.Call, ast.Call | None] | None:
    """The call that makes a module, and the call of it or of its method that is all that a function does else."""
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
        case (
            ast.Call(func=ast.Call() as maker)
            | ast.Call(func=ast.Attribute(value=ast.Call() as maker))
        ):
            call = expression
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name))) if name in made:
            maker, call = made[name], expression
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


def only_makes(interp: Interpreter, function: Function, transformed: Transformed) -> bool:
    """Whether calling a function is calling the module that it makes: what it lets out means the same for both.

    The module is the user's: a layer of Haiku, which has other arguments in NNX, makes a module of the function.
    """
    made = maker_call(function, transformed)
    module = module_of(interp, function, made[0]) if made is not None else None
    if made is None or module is None:
        return False
    return made[1] is None or (
        _same_places(function, made[1], module, "__call__")
        and _same_defaults(interp, function, made[0], made[1])
    )


def _same_places(function: Function, call: ast.Call, module: Object, name: str) -> bool:
    """Whether what a function hands on by name stands at the same place among the parameters of a module's method."""
    method = classes.method(module.cls, name)
    if method is None:
        return not call.keywords
    theirs = [a.arg for a in [*method.node.args.posonlyargs, *method.node.args.args]][1:]
    own = [a.arg for a in function.node.args.args]
    return all(
        keyword.arg in own and theirs[own.index(keyword.arg) :][:1] == [keyword.arg]
        for keyword in call.keywords
    )


def _same_defaults(
    interp: Interpreter, function: Function, maker: ast.Call, call: ast.Call
) -> bool:
    wanted = defaults(function.node.args)
    if not wanted:
        return True
    module = module_of(interp, function, maker)
    method = classes.method(module.cls, "__call__") if module is not None else None
    if method is None:
        return False
    spec = method.node.args
    known = defaults(spec)
    handed = dict(
        zip([a.arg for a in [*spec.posonlyargs, *spec.args]][1:], call.args, strict=False)
    )
    handed.update({k.arg: k.value for k in call.keywords if k.arg is not None})
    theirs = {v.id: known.get(name) for name, v in handed.items() if isinstance(v, ast.Name)}
    return all(
        (other := theirs.get(name)) is not None and ast.dump(other) == ast.dump(default)
        for name, default in wanted.items()
    )


def module_of(interp: Interpreter, function: Function, maker: ast.Call) -> Object | None:
    """The module that the maker call makes, as an abstract object."""
    saved, interp.recording = interp.recording, False
    try:
        made = interp.evaluate(maker, function.environment)
    finally:
        interp.recording = saved
    return made if isinstance(made, Object) and classes.framework(made.cls) else None
