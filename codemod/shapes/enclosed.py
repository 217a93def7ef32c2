"""`hk.vmap(f)`, `hk.remat(f)`, `hk.scan(f, ...)`: functions that JAX traces on their own, and what runs in them.

Haiku carries parameters, state and keys in and out. What only reads parameters is a plain function to JAX, so the
emitter asks what ran inside.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from . import applied
from .applied import arrays_of, reshaped
from .dims import Dim
from .facts import Facts, Used, VariableMade
from .lifts import haiku_scan
from .values import UNKNOWN, Array, Behaviour, Constant, Items, LayerObject, Object, Shape, Value

if TYPE_CHECKING:
    from .interpreter import Handler, Interpreter

Args = Sequence[Value]
Kwargs = Mapping[str, Value]
Ran = Used | VariableMade
Result = TypeVar("Result")


@dataclass(eq=False)
class Enclosed(Behaviour):
    """A function and the call, `hk.remat(f)` say, that encloses it."""

    function: Value
    site: ast.Call

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        layer = isinstance(self.function, LayerObject | Object)
        return recorded(
            interp, self.site, lambda: self.run(interp, args, kwargs, node if layer else None)
        )

    def run(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        """Calls the function."""
        return interp.call(self.function, args, kwargs, node)


@dataclass(eq=False)
class Mapped(Enclosed):
    """`hk.vmap(f, in_axes, out_axes)`."""

    in_axes: Value
    out_axes: Value

    def run(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        """Calls the function with one item of each mapped argument."""
        length: Dim | None = None
        inner: list[Value] = []
        for place, arg in enumerate(args):
            axis = _axis(self.in_axes, place)
            if axis is None:
                inner.append(arg)
                continue
            shapes = [a.shape for a in arrays_of(arg) if a.shape]
            if length is None and shapes and -len(shapes[0]) <= axis < len(shapes[0]):
                length = shapes[0][axis]
            inner.append(_item(arg, axis))
        result = interp.call(self.function, inner, kwargs, node)
        return _stacked(result, length, _axis(self.out_axes, 0))


def _axis(axes: Value, place: int) -> int | None:
    if isinstance(axes, Items):
        axes = axes.items[place] if place < len(axes.items) else UNKNOWN
    known = axes.value if isinstance(axes, Constant) else None
    return known if isinstance(known, int) else None


def _item(value: Value, axis: int) -> Value:
    def change(shape: Shape) -> Shape:
        at = axis % len(shape) if shape else 0
        return (*shape[:at], *shape[at + 1 :])

    return reshaped(value, change)


def _stacked(value: Value, length: Dim | None, axis: int | None) -> Value:
    if axis is None or length is None:
        return Array(None)

    def change(shape: Shape) -> Shape:
        at = axis if axis >= 0 else len(shape) + 1 + axis
        return (*shape[:at], length, *shape[at:])

    return reshaped(value, change)


def recorded(interp: Interpreter, site: ast.AST | None, run: Callable[[], Result]) -> Result:
    """Keeps what runs inside, by the call that encloses it."""
    before = {id(each) for each in _everything(interp.facts)}
    result = run()
    if site is not None:
        ran = [each for each in _everything(interp.facts) if id(each) not in before]
        interp.enclosed.setdefault(site, []).extend(ran)
    return result


def _everything(facts: Facts) -> list[Ran]:
    used: list[Ran] = [use for uses in facts.used.values() for use in uses]
    return used + [made for variables in facts.variables.values() for made in variables]


def _remat(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    function = args[0] if args else kwargs.get("fun", UNKNOWN)
    return UNKNOWN if node is None else Enclosed(function, node)


def _vmap(interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs) -> Value:
    function = args[0] if args else kwargs.get("fun", UNKNOWN)
    in_axes = args[1] if len(args) > 1 else kwargs.get("in_axes", Constant(0))
    out_axes = args[2] if len(args) > 2 else kwargs.get("out_axes", Constant(0))
    return UNKNOWN if node is None else Mapped(function, node, in_axes, out_axes)


def _eval_shape(
    interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs
) -> Value | None:
    """The shapes of what a function returns are read as its arrays are."""
    return interp.call(args[0], list(args[1:]), dict(kwargs), None) if args else None


def noting(handler: Handler) -> Handler:
    """A handler that calls the functions that it is given right away."""

    def handle(
        interp: Interpreter, node: ast.Call | None, args: Args, kwargs: Kwargs
    ) -> Value | None:
        return recorded(interp, node, lambda: handler(interp, node, args, kwargs))

    return handle


CONTROL = ("cond", "switch", "while_loop", "fori_loop")
HANDLERS: dict[str, Handler] = {
    "haiku.remat": _remat,
    "haiku.vmap": _vmap,
    "haiku.scan": noting(haiku_scan),
    "haiku.eval_shape": noting(_eval_shape),
    **{f"haiku.{name}": noting(applied.HANDLERS[f"haiku.{name}"]) for name in CONTROL},
}
