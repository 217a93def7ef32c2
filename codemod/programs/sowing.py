"""Calls of models that sow: NNX keeps what is sown for a call that captures it, and warns at any other."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from ..emit.file_names import FileNames
from ..rule import Declined
from ..shapes.facts import Facts
from ..shapes.values import Constant, Items, Value
from .kinds import Sown


def asks_alone(mutable: Value | None) -> bool:
    """Whether a call's `mutable` names the intermediates and nothing else."""
    match mutable:
        case Constant(value=value):
            return value == "intermediates" or value in (("intermediates",), ["intermediates"])
        case Items(items=[Constant(value="intermediates")]):
            return True
    return False


def kept(facts: Facts, call: ast.Call) -> bool:
    """Whether a call returns what is sown beside its output."""
    result = facts.value(call)
    return (
        isinstance(result, Items) and len(result.items) == 2 and isinstance(result.items[1], Sown)
    )


def captured(target: str, names: FileNames) -> str:
    """What is called in the place of a model, or a method of one, that sows."""
    capture = names.target("flax.nnx.capture")
    return f"{capture}({target}, {names.target('flax.nnx.Intermediate')})"


def read(
    node: ast.expr, facts: Facts, parents: Mapping[ast.AST, ast.AST], names: FileNames
) -> str | None:
    """New text where a sown value is read; None for an expression that is only a part of it. Raises Declined."""
    found = facts.value(node)
    above = parents[node]
    if not isinstance(found, Sown) or isinstance(getattr(node, "ctx", None), ast.Store):
        return None
    if isinstance(above, ast.Subscript) and above.value is node:
        if isinstance(facts.value(above), Sown):
            return None
    match node:
        case ast.Subscript(value=ast.Subscript(value=state), slice=key) if (
            len(found.path) == 2 and found.path[0] == "intermediates"
        ):
            return f"{names.text(state)}[{names.text(key)}].get_value()"
    raise Declined(
        f"`{ast.unparse(node)}` is read in a way that is not followed",
        "read what `nnx.capture` returns: the attributes of the model, down to the sown name",
    )
