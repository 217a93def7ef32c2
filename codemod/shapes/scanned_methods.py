"""Methods under `nn.scan`: `@functools.partial(nn.scan, variable_broadcast="params", ...)` above a module's method.

What calls the method gives it whole sequences; its own code sees one step of them, and its outputs are stacked.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import lifts
from .lifts import Scanned
from .values import Behaviour, External, Function, Object, Value

if TYPE_CHECKING:
    from .interpreter import Interpreter

_SCANS = (External("flax.linen.scan"), External("flax.linen.transforms.scan"))


@dataclass(frozen=True)
class ScannedMethod:
    """A method that runs once per step: the decorator that says so, and over which axes."""

    function: Function
    decorator: ast.Call
    lift: Scanned

    @property
    def parameters(self) -> list[str]:
        """The names of what it is called with: the carry, and what is scanned over."""
        assert isinstance(self.function.node, ast.FunctionDef)
        return [arg.arg for arg in self.function.node.args.args[1:]]


def scanned(interp: Interpreter, function: Function) -> ScannedMethod | None:
    """How a method is scanned, where that has an equal in NNX: over time, with parameters that all steps share."""
    node = function.node
    if not isinstance(node, ast.FunctionDef) or not node.decorator_list:
        return None
    decorator = node.decorator_list[0]  # the outermost: what is below it runs in each step
    if not isinstance(decorator, ast.Call) or len(decorator.args) != 1:
        return None
    environment = function.environment
    if interp.peek_name(decorator.func, environment) != External("functools.partial"):
        return None
    if interp.peek_name(decorator.args[0], environment) not in _SCANS:
        return None
    given = {k.arg: interp.peek(k.value, environment) for k in decorator.keywords if k.arg}
    if len(given) < len(decorator.keywords) or "length" in given:
        return None
    spec = node.args
    if spec.vararg or spec.kwarg or spec.kwonlyargs or spec.defaults or len(spec.args) < 3:
        return None
    lift = lifts.linen_scan(interp, decorator, [function], given)
    if not isinstance(lift, Scanned) or lift.stacked or lift.in_axis is None:
        return None
    return ScannedMethod(function, decorator, lift)


@dataclass(eq=False)
class _Step(Behaviour):
    """One step of a scanned method."""

    function: Function
    owner: Object

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        from . import calls

        return calls.call_function(
            interp, self.function, [self.owner, *args], kwargs, node, self.owner
        )


def run(
    interp: Interpreter,
    method: ScannedMethod,
    owner: Object,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
) -> Value | None:
    """A call of a scanned method; None where its arguments are not those of its parameters."""
    rest = method.parameters[len(args) :]
    if set(kwargs) != set(rest):
        return None
    given = [*args, *(kwargs[name] for name in rest)]
    lift = method.lift
    return lifts.scan(interp, _Step(method.function, owner), given, lift.in_axis, lift.out_axis)
