"""Subclasses of a library's layers: `class StdConv(nn.Conv)`.

Such a class is made like the layer, and has its sizes and variables. A `__call__` of its own is followed: what it gives the
layer's through `super()` tells the input size.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..rule import Layer
from . import classes
from .facts import Used
from .values import Behaviour, Class, External, Function, LayerObject, Value

if TYPE_CHECKING:
    from .interpreter import Interpreter


def layer_of(interp: Interpreter, cls: Class) -> Layer | None:
    """The rule of the layer that a class refines."""
    if len(cls.bases) != 1 or not isinstance(cls.bases[0], External):
        return None
    rule = interp.rules.layer(cls.bases[0].name)
    return rule if rule is not None and cls.bases[0].name.startswith("flax.linen.") else None


def own_call(cls: Class | None) -> Function | None:
    """The `__call__` that a class has itself."""
    found = cls.members.get("__call__") if cls is not None else None
    return found if isinstance(found, Function) else None


@dataclass(eq=False)
class Inherited(Behaviour):
    """`super()` in a method of a refined layer."""

    layer: LayerObject
    node: ast.Call | None  # the call of the refined layer

    def attribute(self, interp: Interpreter, name: str, node: ast.AST) -> Value:
        return InheritedMethod(self, name)


@dataclass(eq=False)
class InheritedMethod(Behaviour):
    """A method of the layer itself, within its refinement."""

    owner: Inherited
    name: str

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        from .calls import apply_layer

        layer = self.owner.layer
        plain = LayerObject(layer.rule, layer.arguments)
        result = apply_layer(interp, plain, self.name, args, kwargs, None)
        if self.name == "__call__" and layer.site is not None:
            used = Used(
                layer, self.owner.node, "__call__", tuple(args), kwargs, result, interp.stack
            )
            interp.facts.uses_of[layer.site].append(used)
        return result


def call(
    interp: Interpreter,
    layer: LayerObject,
    function: Function,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.Call | None,
) -> Value:
    """A refined layer is called: its own `__call__` runs, unrecorded, for what it gives the layer's and returns."""
    from .calls import call_function

    saved = interp.recording, interp.inherited
    interp.recording, interp.inherited = False, Inherited(layer, node)
    try:
        return call_function(interp, function, [layer, *args], kwargs, None, None)
    finally:
        interp.recording, interp.inherited = saved


def is_refined(cls: Class) -> bool:
    """Whether a module class inherits from a layer of Linen."""
    return any(
        base.startswith("flax.linen.") and base != classes.LINEN_MODULE
        for base in classes.external_bases(cls)
    )
