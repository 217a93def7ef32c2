"""`init`, `apply` and `bind` of Linen models, as the interpreter runs them."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..shapes.calls import apply_layer, call_method
from ..shapes.values import (
    UNKNOWN,
    Array,
    Behaviour,
    Bound,
    Constant,
    Function,
    Items,
    LayerObject,
    Object,
    Value,
)
from . import sowing
from .kinds import EVERYTHING, FUNCTION, Applied, Net, Sown, Tree

if TYPE_CHECKING:
    from .explore import Explorer

Args = Sequence[Value]
Kwargs = Mapping[str, Value]


class Linen:
    """The handlers, with what they record."""

    def __init__(self, explorer: Explorer) -> None:
        self.explorer = explorer

    def init(self, interp: object, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
        model, rest = args[0], list(args[1:])
        key = node.args[0] if node is not None and node.args else None
        named = {k: v for k, v in kwargs.items() if k not in ("method", "mutable", "rngs")}
        inputs = rest[1:] if rest else []
        self._run(
            model,
            "__call__" if "method" not in kwargs else self._method(kwargs["method"]),
            inputs,
            named,
        )
        if node is None:
            return UNKNOWN
        net = self.explorer.net(node, model, "linen", key, inputs, named)
        return Tree(net, EVERYTHING, (), net.current)

    def init_with_output(
        self, interp: object, node: ast.Call | None, args: Args, kwargs: Kwargs
    ) -> Value:
        """`init` and the call that it traces, which is one of the model that is made here."""
        tree = self.init(interp, node, args, kwargs)
        if node is None or not isinstance(tree, Tree):
            return Items([Array(None), tree])
        named = {k: v for k, v in kwargs.items() if k not in ("method", "mutable", "rngs")}
        method = self._method(kwargs["method"]) if "method" in kwargs else "__call__"
        output = self._run(args[0], method, list(args[2:]), named)
        applied = Applied(tree.net, method, node, 1, tuple(args[2:]), named, False, False)
        self.explorer.applied.setdefault(node, []).append(applied)
        return Items([output, tree])

    def apply(self, interp: object, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
        model, rest = args[0], list(args[1:])
        variables = rest[0] if rest else kwargs.get("variables", UNKNOWN)
        inputs = rest[1:]
        named = {
            k: v
            for k, v in kwargs.items()
            if k not in ("method", "mutable", "rngs", "variables", "capture_intermediates")
        }
        method = self._method(kwargs["method"]) if "method" in kwargs else "__call__"
        output = self._run(model, method, inputs, named)
        mutable = kwargs.get("mutable")
        with_updates = mutable is not None and not (
            isinstance(mutable, Constant) and mutable.value in (False, None)
        )
        net = self.explorer.net_of(variables)
        if net is None or node is None:
            if node is not None:
                self.explorer.unknown_apply(node, model)
            return Items([output, UNKNOWN]) if with_updates else output
        self.explorer.read(variables, node)
        if not self.explorer.is_whole(variables):
            self.explorer.mixed.add(node)
        applied = Applied(
            net, method, node, 1 if rest else 0, tuple(inputs), named, with_updates, with_updates
        )
        self.explorer.applied.setdefault(node, []).append(applied)
        if not with_updates:
            return output
        if sowing.asks_alone(mutable):
            return Items([output, Sown(net)])
        return Items([output, Tree(net, frozenset(("updates", "state")), (), net.current)])

    def apply_function(
        self, interp: object, node: ast.Call | None, args: Args, kwargs: Kwargs
    ) -> Value:
        """`nn.apply(function, model)`, which the variables are given to."""
        return FunctionApply(self, args[0], args[1], kwargs) if len(args) == 2 else UNKNOWN

    def bind(self, interp: object, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
        variables = args[1] if len(args) > 1 else UNKNOWN
        net = self.explorer.net_of(variables)
        if net is None or node is None:
            return UNKNOWN
        self.explorer.bound.setdefault(node, []).append(net)
        return BoundModel(self.explorer, net, variables)

    def _method(self, value: Value) -> str:
        match value:
            case Constant(value=str() as name):
                return name
            case Function():
                return value.name if value.owner is not None else FUNCTION
            case Bound(name=name):
                return name
        return "__call__"

    def _run(self, model: Value, method: str, inputs: list[Value], kwargs: Kwargs) -> Value:
        interp = self.explorer.interp
        if method == FUNCTION:
            return UNKNOWN
        if isinstance(model, LayerObject):
            return apply_layer(interp, model, method, inputs, kwargs, None)
        if isinstance(model, Object):
            return call_method(interp, model, method, inputs, kwargs, None)
        return UNKNOWN


class FunctionApply(Behaviour):
    """`nn.apply(function, model)`: what `model.apply` is with `method=function`."""

    def __init__(self, linen: Linen, function: Value, model: Value, options: Kwargs) -> None:
        self.linen = linen
        self.function = function
        self.model = model
        self.options = options

    def call(
        self, interp: object, args: list[Value], kwargs: dict[str, Value], node: ast.Call | None
    ) -> Value:
        named = {**kwargs, **self.options, "method": self.function}
        return self.linen.apply(interp, node, [self.model, *args], named)


class BoundModel(Behaviour):
    """`model.bind(variables)`."""

    def __init__(self, explorer: Explorer, net: Net, variables: Value) -> None:
        self.explorer = explorer
        self.net = net
        self.variables = variables

    def attribute(self, interp: object, name: str, node: ast.AST) -> Value:
        self.explorer.read(self.variables, node)
        return BoundPart(self.net, (name,))

    def call(
        self, interp: object, args: list[Value], kwargs: dict[str, Value], node: ast.Call | None
    ) -> Value:
        if node is not None:
            self.explorer.read(self.variables, node)
        return UNKNOWN


class BoundPart(Behaviour):
    """Something of a bound model: a variable (with `.value`), a submodule or a method."""

    def __init__(self, net: Net, path: tuple[str, ...]) -> None:
        self.net = net
        self.path = path

    def attribute(self, interp: object, name: str, node: ast.AST) -> Value:
        return BoundPart(self.net, (*self.path, name))
