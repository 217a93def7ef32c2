"""Which values of a program the model and its optimiser take the place of, and what each function then receives.

Parameters, collections of state, optimiser states and train states are absorbed: they go, and `model` and `optimizer`
are handed on instead.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..shapes.facts import Facts
from ..shapes.values import Array, Items, Table, Value
from .explore import Explorer
from .kinds import (
    Gradients,
    Net,
    OptState,
    TrainState,
    Transformation,
    Transformed,
    Tree,
    Updates,
    is_model,
)

MODEL = "model"
OPTIMIZER = "optimizer"


def absorbed(value: Value | None) -> frozenset[str] | None:
    """The objects that take a value's place: none of them for what goes without trace; None for a value that stays."""
    match value:
        case Tree(path=()):
            return frozenset((MODEL,))
        case OptState():
            return frozenset((OPTIMIZER,))
        case TrainState():
            return frozenset((MODEL, OPTIMIZER))
        case Updates():
            return frozenset()
        case Table(items=items) if items:
            parts = [absorbed(item) for item in items.values()]
            if all(part is not None for part in parts) and len(_nets(value)) == 1:
                return frozenset().union(*[part for part in parts if part is not None])
    return None


def _nets(value: Value) -> set[int]:
    match value:
        case (
            Tree(net=net)
            | OptState(net=net)
            | TrainState(net=net)
            | Gradients(net=net)
            | Updates(net=net)
        ):
            return {id(net)}
        case Table(items=items):
            return {n for item in items.values() for n in _nets(item)}
        case Items(items=items):
            return {n for item in items for n in _nets(item)}
    return set()


def net_of(value: Value | None) -> Net | None:
    """The net that an absorbed value, gradients or updates belong to."""
    match value:
        case (
            Tree(net=net)
            | OptState(net=net)
            | TrainState(net=net)
            | Gradients(net=net)
            | Updates(net=net)
        ):
            return net
        case Table(items=items):
            return next(
                (found for item in items.values() if (found := net_of(item)) is not None), None
            )
    return None


def is_key(value: Value | None) -> bool:
    return isinstance(value, Array) and value.dtype == "key"


@dataclass
class FunctionRole:
    """What a function's parameters become: by parameter, the objects in its place (empty: it goes)."""

    node: ast.FunctionDef | ast.Lambda
    replaced: dict[str, list[str]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # object -> its name within the function

    @property
    def parameters(self) -> list[str]:
        spec = self.node.args
        return [a.arg for a in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]]

    @property
    def receives(self) -> list[str]:
        """The objects that the function gets, in order."""
        return [o for name in self.parameters for o in self.replaced.get(name, [])]


class Roles:
    """The roles of all functions of the explored programs."""

    def __init__(self, explorer: Explorer, parents: Mapping[ast.AST, ast.AST]) -> None:
        self.facts: Facts = explorer.interp.facts
        self.explorer = explorer
        self.parents = parents
        self.functions: dict[ast.AST, FunctionRole] = {}
        self.model_names: dict[int, str] = {}

    def value(self, node: ast.AST) -> Value | None:
        return self.facts.value(node)

    def add(self, function: ast.FunctionDef | ast.Lambda) -> None:
        """Works out the role of one function."""
        role = FunctionRole(function)
        spec = function.args
        given: set[str] = set()
        for parameter in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]:
            value = self.value(parameter)
            if is_model(value) or isinstance(value, Transformed):
                given.add(MODEL)
                role.names[MODEL] = parameter.arg
                role.replaced[parameter.arg] = [MODEL]
        for parameter in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]:
            value = self.value(parameter)
            objects = absorbed(value)
            if objects is None or parameter.arg in role.replaced:
                continue
            wanted = [o for o in (MODEL, OPTIMIZER) if o in objects and o not in given]
            if (
                isinstance(value, TrainState)
                and OPTIMIZER in wanted
                and not self.uses_optimizer(function, parameter.arg)
            ):
                wanted.remove(OPTIMIZER)
            given.update(wanted)
            role.replaced[parameter.arg] = wanted
        self._unused_transformations(role)
        self.functions[function] = role

    def _unused_transformations(self, role: FunctionRole) -> None:
        """An optax transformation that only feeds `update` and `init` is in the optimiser already."""
        spec = role.node.args
        for parameter in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]:
            if (
                isinstance(self.value(parameter), Transformation)
                and parameter.arg not in role.replaced
            ):
                if self._only_updates(role.node, parameter.arg):
                    role.replaced[parameter.arg] = []

    def _only_updates(self, function: ast.AST, name: str) -> bool:
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                above = self.parents[node]
                if not (isinstance(above, ast.Attribute) and above.attr == "update"):
                    return False
        return True

    def uses_optimizer(
        self, function: ast.AST, name: str, seen: frozenset[ast.AST] = frozenset()
    ) -> bool:
        """Whether a function needs the optimiser of the train state that it is given."""
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and isinstance(self.value(node.value), TrainState):
                if node.attr in ("apply_gradients", "step", "opt_state", "tx"):
                    return True
            if isinstance(node, ast.Call):
                for callee in self.callees(node):
                    if callee in seen or callee is function:
                        continue
                    for parameter in callee.args.args:
                        if isinstance(self.value(parameter), TrainState) and self.uses_optimizer(
                            callee, parameter.arg, seen | {function}
                        ):
                            return True
        return False

    def callees(self, node: ast.Call) -> list[ast.FunctionDef | ast.Lambda]:
        """The user's functions that a call may run."""
        from ..shapes.values import Bound, Either, Function, Partial
        from .kinds import GradOf

        def inner(value: Value | None) -> list[ast.FunctionDef | ast.Lambda]:
            match value:
                case Function(node=function) if isinstance(function, ast.FunctionDef | ast.Lambda):
                    return [function]
                case GradOf(function=wrapped) | Partial(function=wrapped):
                    return inner(wrapped)
                case Bound(function=wrapped):
                    return inner(wrapped)
                case Either(values=values):
                    return [f for option in values for f in inner(option)]
            return []

        return [f for value in self.facts.values.get(node.func, []) for f in inner(value)]
