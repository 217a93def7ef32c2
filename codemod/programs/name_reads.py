"""Reads of variables by their names: those of a rewritten model are others, and its state is no dict.

`for name in params`, `params.items()`, `flatten_dict(params)`: what they find is the layout of the original. So do
functions that tell an optimiser which parameters to leave out, and go by their names.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from ..ancestry import Parents, lineage
from ..project import Module
from ..shapes.interpreter import Interpreter
from ..shapes.scopes import Environment
from ..shapes.values import External, Function, Partial, Table, Value
from .ground import Stay
from .kinds import DICT_METHODS, Net, OptState, TrainState, Tree, TreeMethod

_BY_PATH = re.compile(
    r"flax\.traverse_util\.(flatten_dict|path_aware_map|ModelParamTraversal)|jax\.tree(_util)?\.\w+_with_path"
)
_FOLLOWED = ("copy", "unfreeze", "pop", "get")  # methods of trees that give trees
_OF_MAPPINGS = frozenset("len list sorted dict set tuple iter enumerate zip min max".split())


@dataclass(frozen=True)
class NameRead:
    """Where code goes by the names of variables."""

    node: ast.AST
    by_path: bool = False  # through each variable's path: its last part is often all that counts
    shown: bool = False  # on the screen or in a log alone


def check(
    interp: Interpreter, module: Module, nodes: Collection[ast.AST], follows: Callable[[Net], bool]
) -> None:
    """Raises Stay where the nodes of a program read variables by names, but to show those that there are.

    `follows` tells of which nets the variables are about to get other names.
    """
    for read in find(interp, module, nodes, follows):
        if read.by_path or not read.shown:
            raise Stay(
                read.node,
                f"`{module.source.segment(read.node)}` goes by the names of variables, which are others in NNX",
                "read the attributes of the model, or go through `nnx.to_flat_state` by hand",
            )


def find(
    interp: Interpreter,
    module: Module,
    nodes: Collection[ast.AST],
    follows: Callable[[Net], bool] = lambda net: True,
) -> Iterator[NameRead]:
    """The reads of trees by names among the nodes of a file, if it has any trees of nets that count."""
    if not any(_is_of_net(interp.facts.value(node), follows) for node in nodes):
        return
    parents = module.source.parents
    environment = interp.environment_of(module)
    for node in nodes:
        value = interp.facts.value(node)
        apart = _net_taken_apart(interp, node, value, parents)
        if apart is not None:
            if follows(apart) and not _asks_for_changes(node, parents):
                yield NameRead(node, shown=_is_shown(node, parents))
        elif isinstance(node, ast.Call):
            given = [interp.facts.value(item) for item in _arguments(node)]
            if _goes_by_path(interp, node, environment):
                if any(isinstance(each, Tree) and follows(each.net) for each in given):
                    yield NameRead(node, by_path=True)
            elif _name(interp, node.func, environment).startswith("optax."):
                functions = filter(None, map(_function, given))
                if any(_reads_paths(interp, function) for function in functions) or any(
                    isinstance(interp.facts.value(each), Table) for each in _labels(node)
                ):
                    yield NameRead(node, by_path=True)


def _is_of_net(value: Value | None, follows: Callable[[Net], bool]) -> bool:
    return isinstance(value, Tree | OptState | TrainState) and follows(value.net)


def _net_taken_apart(
    interp: Interpreter, node: ast.AST, value: Value | None, parents: Parents
) -> Net | None:
    """The net of a tree that is gone through as a mapping."""
    if isinstance(value, TreeMethod) and value.name in DICT_METHODS.difference(_FOLLOWED):
        return value.tree.net
    if isinstance(value, Tree) and _is_taken_apart(interp, node, parents):
        return value.net
    return None


def _asks_for_changes(node: ast.AST, parents: Parents) -> bool:
    """Whether a node is of `mutable=list(state)`: collections keep their names, and NNX is not asked."""
    return any(
        isinstance(above, ast.keyword) and above.arg == "mutable"
        for above in lineage(node, parents)
    )


def _is_taken_apart(interp: Interpreter, node: ast.AST, parents: Parents) -> bool:
    """Whether the keys of a tree are gone through, counted or looked for."""
    above = parents.get(node)
    match above:
        case ast.For(iter=iterable) | ast.comprehension(iter=iterable):
            return iterable is node
        case ast.Starred() | ast.keyword(arg=None):
            return True
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[inside]):
            return inside is node
        case ast.Call(func=ast.Name(id=name)) if name in _OF_MAPPINGS:
            return not isinstance(interp.facts.value(above), Tree)
    return False


def _is_shown(node: ast.AST, parents: Parents) -> bool:
    """Whether what is read goes to the screen or a log, at once or by a loop that does nothing else."""
    for around in lineage(node, parents):
        match around:
            case ast.Expr():
                return True  # and read for the reader of the code alone
            case ast.Call() if _shows(around):
                return True
            case ast.For(body=body):
                return all(isinstance(s, ast.Expr) and _shows(s.value) for s in body)
            case ast.Call(func=ast.Name(id="list" | "sorted" | "tuple" | "set" | "dict")):
                continue
            case ast.Call(func=ast.Attribute() as method, args=[]) if method is node:
                continue
            case ast.Name() | ast.Attribute() | ast.Subscript() | ast.FormattedValue():
                continue
            case ast.JoinedStr():
                continue
        return False
    return False


def _shows(value: ast.expr) -> bool:
    match value:
        case ast.Call(func=ast.Name(id="print") | ast.Attribute(attr="info" | "debug")):
            return True
    return False


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *[keyword.value for keyword in call.keywords]]


def _labels(call: ast.Call) -> Iterator[ast.expr]:
    """What tells an optimiser of each parameter whether, or with which of several, it is updated."""
    yield from (k.value for k in call.keywords if k.arg in ("mask", "param_labels"))
    yield from call.args[1:2]


def _function(value: Value | None) -> Function | None:
    while isinstance(value, Partial):
        value = value.function
    return value if isinstance(value, Function) else None


def _reads_paths(interp: Interpreter, function: Function) -> bool:
    """Whether a function goes through what it is given by paths."""
    return any(
        isinstance(node, ast.Call) and _goes_by_path(interp, node, function.environment)
        for node in ast.walk(function.node)
    )


def _goes_by_path(interp: Interpreter, call: ast.Call, environment: Environment) -> bool:
    return _BY_PATH.fullmatch(_name(interp, call.func, environment)) is not None


def _name(interp: Interpreter, node: ast.expr, environment: Environment) -> str:
    """The name by which a library has what is called; nothing for what is no library's."""
    value = interp.peek_name(node, environment)
    return interp.rules.canonical(value.name) if isinstance(value, External) else ""
