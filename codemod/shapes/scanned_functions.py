"""`nn.scan(function, ...)(module, carry, xs)`: a module whose layers are stacked, and a function that runs one of them."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .lifts import Scanned, linen_scan, scan
from .values import UNKNOWN, Behaviour, Function, LayerObject, Object, Partial, Value

if TYPE_CHECKING:
    from .interpreter import Interpreter


@dataclass(eq=False)
class ScannedBody(Scanned):
    """What becomes of a module that a scanned function is given: its layers are stacked, under the name they had."""


@dataclass(eq=False)
class ScannedFunction(Behaviour):
    """A function in a scan over layers: it gets a module, the carry and inputs."""

    function: Function
    lift: ScannedBody

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        module = args[0] if len(args) > 1 else UNKNOWN
        if kwargs or not isinstance(module, Object | LayerObject) or module.site is None:
            return UNKNOWN
        interp.lifted[module.site] = self.lift
        step = Partial(self.function, (module,), {})
        return scan(interp, step, args[1:], self.lift.in_axis, self.lift.out_axis)


def linen_scan_of(
    interp: Interpreter, node: ast.Call | None, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """`nn.scan` of a class or of a function; of functions, only where the layers are stacked."""
    lift = linen_scan(interp, node, args, kwargs)
    if not isinstance(lift, Scanned) or not lift.stacked or not isinstance(args[0], Function):
        return lift
    body = ScannedBody(args[0], True, lift.length, None, lift.in_axis, lift.out_axis)
    return ScannedFunction(args[0], body)


def install(interp: Interpreter) -> None:
    """Adds the handler."""
    interp.handlers["flax.linen.scan"] = linen_scan_of
