"""Functions over trees of parameters."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..shapes.values import (
    UNKNOWN,
    Items,
    Table,
    Value,
)
from .kinds import Gradients, Tree, Updates

if TYPE_CHECKING:
    from ..shapes.interpreter import Handler, Interpreter
    from .explore import Explorer

Args = Sequence[Value]
Kwargs = Mapping[str, Value]

DERIVED = -1  # the version of a tree that is made from others: never the newest of its net


def install(explorer: Explorer) -> None:
    """Adds the handlers."""
    add = explorer.interp.handlers
    add["jax.tree.map"] = _tree_map(explorer)
    add["jax.tree.leaves"] = _leaves(explorer)
    add["optax.incremental_update"] = add["optax.periodic_update"] = _mixed
    add["jax.lax.stop_gradient"] = _same
    add["jax.device_put"] = add["jax.device_get"] = add["jax.block_until_ready"] = _same


# ---- trees -----------------------------------------------------------------------------------------------------


def _argument(args: Args, kwargs: Kwargs, place: int, name: str) -> Value:
    return args[place] if len(args) > place else kwargs.get(name, UNKNOWN)


def _tree_map(explorer: Explorer) -> Handler:
    def handle(
        interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs
    ) -> Value | None:
        trees = [arg for arg in args[1:] if isinstance(arg, Tree)]
        steps = [arg for arg in args[1:] if isinstance(arg, Gradients | Updates)]
        if not trees:
            return Updates(steps[0].net) if steps else None
        first = trees[0]
        if steps and steps[0].net is first.net:
            explorer.read(first, node or ast.Pass())
            return Tree(first.net, first.collections, first.path, first.net.advance())
        return replace(first, version=DERIVED)

    return handle


def _leaves(explorer: Explorer) -> Handler:
    def handle(
        interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs
    ) -> Value | None:
        tree = args[0] if args else None
        if not (isinstance(tree, Tree) and tree.version == DERIVED):  # one of its own, made here
            explorer.read(tree, node or ast.Pass())
        return UNKNOWN if isinstance(tree, Tree) else None

    return handle


def _mixed(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value | None:
    old = _argument(args, kwargs, 1, "old_tensors")
    return replace(old, version=DERIVED) if isinstance(old, Tree) else None


def _same(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value | None:
    return args[0] if args and isinstance(args[0], Tree | Items | Table) else None
