"""What the values of a program around modules are: trees of parameters, optimiser states, train states, transforms.

A `Net` is one set of parameters: one call of `init`. Trees of it carry a version; a program can be made stateful only
if no tree is read after its successor exists.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from ..shapes.values import (
    UNKNOWN,
    Array,
    Behaviour,
    Constant,
    Items,
    LayerObject,
    Object,
    Value,
)

if TYPE_CHECKING:
    from ..shapes.facts import Used
    from ..shapes.interpreter import Interpreter

EVERYTHING = frozenset(("*",))

FUNCTION = "<function>"  # the method of a call of `apply` that runs a function of the model


# Arguments of `apply` that are the framework's, and not the model's inputs.
FRAMEWORK_ARGUMENTS = (
    "rngs",
    "mutable",
    "method",
    "variables",
    "params",
    "state",
    "rng",
    "capture_intermediates",
)


@dataclass(eq=False)
class Net:
    """One set of parameters and state: what one `init` made of one model."""

    model: Value
    framework: str
    init: ast.Call
    key: ast.expr | None
    args: list[Value]
    kwargs: dict[str, Value]
    module: Object | LayerObject | None = None  # what the net's NNX module is made from
    current: int = 0
    stale: list[ast.AST] = field(default_factory=list)
    escaped: list[tuple[ast.AST, str]] = field(default_factory=list)
    # functions of other transforms of the same module
    sharing: list[Value] = field(default_factory=list)
    # what is asked of it without parameters, before `init` may be
    early: list[ast.expr] = field(default_factory=list)
    # what an `init` of its own calls the methods of the module with
    entered: list[Used] = field(default_factory=list)
    writes: int = 0

    def advance(self) -> int:
        self.writes += 1
        self.current = self.writes
        return self.current


@dataclass(eq=False)
class Tree(Behaviour):
    """Parameters or state of a net: whole (`*`), some collections, or what is at a path in one."""

    unpacks: ClassVar[bool] = True

    net: Net
    collections: frozenset[str] = EVERYTHING
    path: tuple[str, ...] = ()
    version: int = 0

    @property
    def is_root(self) -> bool:
        return not self.path

    def attribute(self, interp: Interpreter, name: str, node: ast.AST) -> Value:
        if name in ("shape", "size", "ndim", "dtype", "T"):
            return UNKNOWN
        return TreeMethod(self, name)

    def subscript(self, interp: Interpreter, index: Value, node: ast.Subscript) -> Value:
        found = self.at(index)
        if isinstance(found, Tree) and found.path and self.version != self.net.current:
            if self.collections & {"*", "params"}:
                self.net.stale.append(node)
        return found

    def at(self, index: Value) -> Value:
        """What is under a key."""
        if not isinstance(index, Constant) or not isinstance(index.value, str):
            return UNKNOWN
        key = index.value
        if (
            self.is_root
            and self.net.framework == "linen"
            and (self.collections == EVERYTHING or len(self.collections) > 1)
        ):
            return replace(self, collections=frozenset((key,)))
        return replace(self, path=(*self.path, key))

    def join(self, other: Value) -> Value | None:
        if (
            isinstance(other, Tree)
            and other.net is self.net
            and other.collections == self.collections
        ):
            if other.path == self.path:
                return self if self.version >= other.version else other
        return None


# Of the methods of dicts and of `FrozenDict`, those that tell keys or depend on them.
DICT_METHODS = frozenset(
    "clear get items keys pop popitem pretty_repr setdefault update values".split()
)


@dataclass(eq=False)
class TreeMethod(Behaviour):
    """`tree.pop`, `tree.keys` and the like."""

    tree: Tree
    name: str

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        if self.name in ("unfreeze", "copy"):
            return self.tree
        if self.name == "pop" and args and isinstance(args[0], Constant):
            key = str(args[0].value)
            taken = replace(self.tree, collections=frozenset((key,)))
            return Items([replace(self.tree, collections=frozenset(("rest",))), taken])
        if self.name == "get" and args and isinstance(args[0], Constant):
            return self.tree.at(args[0])
        return UNKNOWN


@dataclass(eq=False)
class Sown(Behaviour):
    """What a call of a net's model has sown, or a part of it."""

    net: Net
    path: tuple[str, ...] = ()

    def subscript(self, interp: Interpreter, index: Value, node: ast.Subscript) -> Value:
        if (
            len(self.path) > 1
            or not isinstance(index, Constant)
            or not isinstance(index.value, str)
        ):
            return UNKNOWN
        return Sown(self.net, (*self.path, index.value))

    def items(self, interp: Interpreter, count: int | None) -> list[Value] | None:
        return None if count is None else [Array(None)] * count


@dataclass(eq=False)
class Gradients(Behaviour):
    """The gradients of a net's parameters."""

    net: Net

    def join(self, other: Value) -> Value | None:
        return self if isinstance(other, Gradients) and other.net is self.net else None


@dataclass(eq=False)
class Updates(Behaviour):
    """What an optimiser says is to be added to a net's parameters."""

    net: Net


@dataclass(eq=False)
class Transformation(Behaviour):
    """An optax transformation."""

    node: ast.AST | None = None

    def attribute(self, interp: Interpreter, name: str, node: ast.AST) -> Value:
        if name == "init":
            return TxInit(self)
        return TxUpdate(self) if name == "update" else UNKNOWN

    def join(self, other: Value) -> Value | None:
        return self if isinstance(other, Transformation) else None


@dataclass(eq=False)
class OptState(Behaviour):
    """The state of an optimiser of a net."""

    net: Net
    tx: Transformation
    version: int = 0

    def join(self, other: Value) -> Value | None:
        if isinstance(other, OptState) and other.net is self.net:
            return self if self.version >= other.version else other
        return None


@dataclass(eq=False)
class TxInit(Behaviour):
    tx: Transformation

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        tree = args[0] if args else next(iter(kwargs.values()), UNKNOWN)
        return OptState(tree.net, self.tx, tree.version) if isinstance(tree, Tree) else UNKNOWN


@dataclass(eq=False)
class TxUpdate(Behaviour):
    tx: Transformation

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        grads = args[0] if args else kwargs.get("updates", UNKNOWN)
        if not isinstance(grads, Gradients):
            return UNKNOWN
        state = args[1] if len(args) > 1 else kwargs.get("state", UNKNOWN)
        version = state.version + 1 if isinstance(state, OptState) else 0
        return Items([Updates(grads.net), OptState(grads.net, self.tx, version)])


@dataclass(eq=False)
class TrainState(Behaviour):
    """A train state of one net."""

    net: Net
    tx: Value
    fields: dict[str, Value]
    version: int = 0

    def attribute(self, interp: Interpreter, name: str, node: ast.AST) -> Value:
        if name == "params":
            return Tree(self.net, frozenset(("params",)), (), self.version)
        if name == "apply_fn":
            return self.fields.get("apply_fn", UNKNOWN)
        if name == "step":
            return Array((), "int32")
        if name == "tx":
            return self.tx
        if name == "opt_state":
            return (
                OptState(self.net, self.tx, self.version)
                if isinstance(self.tx, Transformation)
                else UNKNOWN
            )
        if name in ("apply_gradients", "replace"):
            return TrainStateMethod(self, name)
        value = self.fields.get(name, UNKNOWN)
        return (
            replace(value, version=self.version)
            if isinstance(value, Tree) and value.net is self.net
            else value
        )

    def join(self, other: Value) -> Value | None:
        if isinstance(other, TrainState) and other.net is self.net:
            return self if self.version >= other.version else other
        return None


@dataclass(eq=False)
class TrainStateMethod(Behaviour):
    state: TrainState
    name: str

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        net = self.state.net
        if self.name == "replace" and any(not isinstance(v, Tree) for v in kwargs.values()):
            if "params" in kwargs:
                net.escaped.append(
                    (node or ast.Pass(), "the parameters of a train state are replaced")
                )
        version = net.advance()
        fields = {**self.state.fields, **{k: v for k, v in kwargs.items() if k != "grads"}}
        return TrainState(net, self.state.tx, fields, version)


@dataclass(eq=False)
class Transformed(Behaviour):
    """`hk.transform(f)` and its relatives."""

    function: Value
    node: ast.AST | None
    with_state: bool = False
    apply_rng: bool = True
    entries: int = 0  # of a multi_transform
    explorer: Any = None

    def attribute(self, interp: Interpreter, name: str, node: ast.AST) -> Value:
        if name == "init":
            return TransformedInit(self)
        return TransformedApply(self) if name == "apply" else UNKNOWN


@dataclass(eq=False)
class TransformedInit(Behaviour):
    transformed: Transformed

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        from .haiku import initialised

        return initialised(interp, self.transformed, args, kwargs, node)


@dataclass(eq=False)
class TransformedApply(Behaviour):
    """`net.apply`; for a multi_transform, one of its entries."""

    transformed: Transformed
    entry: int | None = None

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        from .haiku import applied

        return applied(interp, self, args, kwargs, node)

    def items(self, interp: Interpreter, count: int | None) -> list[Value] | None:
        if not self.transformed.entries:
            return None
        return [TransformedApply(self.transformed, i) for i in range(self.transformed.entries)]

    def subscript(self, interp: Interpreter, index: Value, node: ast.Subscript) -> Value:
        at = index.value if isinstance(index, Constant) else None
        return TransformedApply(self.transformed, at) if isinstance(at, int) else UNKNOWN


@dataclass(frozen=True)
class Applied:
    """One `apply` as the rewriter needs it."""

    net: Net
    method: str
    node: ast.Call
    rest_args: int  # how many leading positional arguments are not the module's
    args: tuple[Value, ...]
    kwargs: Mapping[str, Value]
    with_updates: bool
    mutates: bool


@dataclass(eq=False)
class GradOf(Behaviour):
    """`jax.grad(f)` or `jax.value_and_grad(f)`."""

    function: Value
    with_value: bool
    has_aux: bool
    argnums: tuple[int, ...]
    node: ast.AST | None = None
    single: bool = True

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        result = interp.call(self.function, args, kwargs, node)
        grads: list[Value] = []
        for at in self.argnums:
            tree = args[at] if at < len(args) else UNKNOWN
            grads.append(Gradients(tree.net) if isinstance(tree, Tree) else UNKNOWN)
        gradient: Value = grads[0] if self.single else Items(list(grads))
        if self.with_value:
            return Items([result, gradient])
        if not self.has_aux:
            return gradient
        aux = result.items[1] if isinstance(result, Items) and len(result.items) == 2 else UNKNOWN
        return Items([gradient, aux])


def is_model(value: Value | None) -> bool:
    """Whether a value is an unbound Linen module at program level."""
    from ..shapes import classes

    return isinstance(value, LayerObject) or (
        isinstance(value, Object) and classes.framework(value.cls) == "linen"
    )
