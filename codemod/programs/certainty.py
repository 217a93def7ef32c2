"""When a program cannot become stateful with certainty: a tree of it may live on beside its successor.

A stateful program has one model whose old values are gone once it is updated. Trees that get a second name, are kept
in records, lists or attributes, go through transforms that call a function out of sight, or are made from other trees
speak against it; such a program keeps its trees.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..emit.file_names import FileNames
from ..shapes import classes
from ..shapes.control_flow import Mapped
from ..shapes.facts import Facts
from ..shapes.values import Bound, Class, Function, Items, Object, Partial, Table, Unknown, Value
from .ground import Stay
from .kinds import GradOf, Net, OptState, TrainState, Transformed, Tree, is_model
from .transforms import DERIVED

Parents = Mapping[ast.AST, ast.AST]
_RUN_AS_WRITTEN = frozenset(
    "jax.grad jax.value_and_grad jax.jit functools.partial jax.checkpoint jax.remat haiku.transform"
    " haiku.transform_with_state haiku.without_apply_rng haiku.multi_transform flax.linen.jit".split()
)
_COLLECTIONS_ONLY = "keep the collections apart from the optimiser's state"


def check(nodes: Sequence[ast.AST], facts: Facts, names: FileNames, parents: Parents) -> None:
    """Raises Stay where the nodes of a program show a tree that may outlive its successor."""
    trees = _tree_names(nodes, facts, parents)
    for node in nodes:
        match node:
            case ast.Assign(targets=[target], value=value):
                for one, other in _pairs(target, value):
                    _check_binding(one, other, facts)
                    if isinstance(other, ast.Call):
                        _check_successor(one, facts, trees, parents)
            case ast.List(elts=elts, ctx=ast.Load()) | ast.Set(elts=elts):
                for element in elts:
                    if is_tree(facts.value(element)):
                        raise _kept(element, "a list")
            case ast.Dict(values=values):
                if any(isinstance(facts.value(v), OptState | TrainState) for v in values):
                    raise Stay(node, "a dict holds an optimiser's state", _COLLECTIONS_ONLY)
            case ast.Call():
                _check_call(node, facts, names)
            case ast.Attribute(attr="apply" | "init") if _is_handed_on(
                node, facts, parents
            ) and not is_compiled_here(node, names, parents):
                raise Stay(node, f"`{node.attr}` is handed on as a value", "call it on the model")
    _check_nets(nodes, facts)


def is_tree(value: Value | None) -> bool:
    """Whether a value is, or holds, parameters, a train state or an optimiser's state."""
    match value:
        case Tree(path=path, collections=collections):
            return not path and bool(collections & {"*", "params"})
        case OptState() | TrainState():
            return True
        case Items(items=items):
            return any(is_tree(item) for item in items)
        case Table(items=table):
            return any(is_tree(item) for item in table.values())
    return False


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What each name of an assignment is given, as far as the text tells."""
    if isinstance(target, ast.Tuple | ast.List):
        if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
            for one, other in zip(target.elts, value.elts, strict=True):
                yield from _pairs(one, other)
        else:
            for one in target.elts:
                yield one, value
        return
    yield target, value


def _check_binding(target: ast.expr, value: ast.expr, facts: Facts) -> None:
    known = facts.value(target)
    if not is_tree(known):
        return
    if isinstance(target, ast.Attribute | ast.Subscript):
        raise _kept(target, "an attribute" if isinstance(target, ast.Attribute) else "a container")
    if isinstance(known, Tree) and known.version == DERIVED:
        raise Stay(
            value,
            "parameters are made from other parameters here",
            "keep them as trees, with `nnx.split` and `nnx.merge`",
        )
    if isinstance(value, ast.Name) and isinstance(target, ast.Name) and value.id != target.id:
        raise Stay(
            target,
            f"`{target.id}` is a second name for the trees in `{value.id}`",
            "keep a copy with `nnx.clone(model)`, or thread the state with `nnx.split` and `nnx.merge`",
        )


def _tree_names(
    nodes: Sequence[ast.AST], facts: Facts, parents: Parents
) -> set[tuple[ast.AST | None, str]]:
    """The variables that hold trees, each with the function that it belongs to."""
    return {
        (_scope(node, parents), node.id)
        for node in nodes
        if isinstance(node, ast.Name) and is_tree(facts.value(node))
    }


def _scope(node: ast.AST, parents: Parents) -> ast.AST | None:
    above = parents.get(node)
    while above is not None and not isinstance(above, ast.FunctionDef | ast.Lambda):
        above = parents.get(above)
    return above


def _check_successor(
    target: ast.expr,
    facts: Facts,
    trees: set[tuple[ast.AST | None, str]],
    parents: Parents,
) -> None:
    """A variable of a tree gets something that is not known: it may be the tree's successor."""
    if not isinstance(target, ast.Name) or (_scope(target, parents), target.id) not in trees:
        return
    known = facts.value(target)
    if known is None or isinstance(known, Unknown):
        raise Stay(
            target,
            f"what `{target.id}` becomes here could not be followed",
            "update the model in place by hand, with `nnx.update` or an `nnx.Optimizer`",
        )


def _kept(node: ast.AST, where: str) -> Stay:
    return Stay(
        node,
        f"parameters are kept in {where}",
        "keep the model there instead, or thread the state by hand",
    )


def _check_call(node: ast.Call, facts: Facts, names: FileNames) -> None:
    arguments = [*node.args, *[k.value for k in node.keywords]]
    values = [facts.value(argument) for argument in arguments]
    function, result = facts.value(node.func), facts.value(node)
    record = isinstance(result, Items) and bool(result.names)
    plain = isinstance(result, Object) and classes.framework(result.cls) is None
    if (record or plain) and isinstance(function, Class) and any(is_tree(v) for v in values):
        raise _kept(node, "a record")
    if isinstance(node.func, ast.Attribute) and node.func.attr in (
        "append",
        "insert",
        "add",
        "extend",
    ):
        if any(is_tree(v) for v in values):
            raise _kept(node, "a list")
    if isinstance(function, Mapped) and any(is_tree(v) for v in values):
        raise Stay(node, "parameters go through `jax.vmap`", "map over the model with `nnx.vmap`")
    qualified = names.qualified(node.func)
    if qualified is None or qualified in _RUN_AS_WRITTEN:
        return
    for argument, value in zip(arguments, values, strict=True):
        inner = _function_in(value)
        if isinstance(value, GradOf) or (inner is not None and _takes_tree(inner, facts)):
            raise Stay(
                argument,
                f"`{qualified}` calls a function of parameters",
                "keep the parameters as trees there",
            )


def _function_in(value: Value | None) -> Function | None:
    while isinstance(value, Partial | Bound):
        value = value.function
    return value if isinstance(value, Function) else None


def _takes_tree(function: Function, facts: Facts) -> bool:
    return any(is_tree(v) for p in ast.walk(function.node.args) for v in facts.values.get(p, []))


def _is_handed_on(node: ast.Attribute, facts: Facts, parents: Parents) -> bool:
    """Whether `model.apply` is a value here, other than the `apply_fn` of a train state."""
    owner = facts.value(node.value)
    if not (is_model(owner) or (isinstance(owner, Transformed) and not owner.entries)):
        return False
    above = parents[node]
    if isinstance(above, ast.Call) and above.func is node:
        return False
    return not (isinstance(above, ast.keyword) and above.arg == "apply_fn")


def is_compiled_here(node: ast.expr, names: FileNames, parents: Parents) -> bool:
    """Whether `model.apply` is compiled and called at once: `jax.jit(model.apply)(params, x)`."""
    match parents[node]:
        case ast.Call(func=func, args=[only], keywords=[]) as made if only is node:
            above = parents[made]
            called = isinstance(above, ast.Call) and above.func is made
            return called and names.qualified(func) == "jax.jit"
    return False


def _check_nets(nodes: Iterable[ast.AST], facts: Facts) -> None:
    """One function, or one optimiser's name, for several models."""
    optimised: dict[Net, ast.AST] = {}
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            seen = [_nets_of(facts, p) for p in ast.walk(node.args) if isinstance(p, ast.arg)]
            several = [nets for nets in seen if nets]
            if any(nets.isdisjoint(several[0]) for nets in several[1:]):
                raise Stay(
                    node,
                    "one function gets the parameters of several models",
                    "hand the models to it",
                )
        if isinstance(node, ast.expr):
            for value in facts.values.get(node, []):
                if isinstance(value, OptState | TrainState):
                    optimised.setdefault(value.net, node)
    if len({net.init for net in optimised}) > 1:
        raise Stay(
            list(optimised.values())[-1],
            "several models are optimised here",
            "give each an `nnx.Optimizer` by hand",
        )


def _nets_of(facts: Facts, parameter: ast.arg) -> set[Net]:
    found: set[Net] = set()
    for value in facts.values.get(parameter, []):
        if isinstance(value, Tree | OptState | TrainState):
            found.add(value.net)
    return found
