"""Writes scans and maps of modules: the plain module is an attribute, the transform moves to the call."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..edits import Edits
from ..shapes.lifts import Mapped, Scanned
from ..shapes.scanned_methods import ScannedMethod
from . import layout
from .transport import CannotMove


@dataclass(frozen=True)
class ScanWriter:
    """Writes the calls of scanned modules: a line that makes the scan, and the call of it."""

    edits: Edits
    limit: int

    def _made(
        self, statement: ast.stmt, local: str, arguments: list[str], transform: str = "scan"
    ) -> str:
        """Puts `scan_local = nnx.scan(...)` before a statement; returns the name."""
        name = f"{transform}_{local.lstrip('_')}"
        unit = self.edits.source.hanging_indent
        room = self.limit - len(self.edits.source.line_indent(self.edits.source.span(statement)[0]))
        text = layout.call(
            f"nnx.{transform}", arguments, indent="", unit=unit, limit=room, prefix=f"{name} = "
        )
        self.edits.insert_before(statement, f"{text}\n", below_comments=True)
        return name

    def over_time(self, statement: ast.stmt, local: str, in_axis: int, out_axis: int) -> str:
        """A scan of a module with shared parameters, called with the carry, the module and the inputs."""
        return self._made(
            statement,
            local,
            [
                f"lambda carry, {local}, x: {local}(carry, x)",
                f"in_axes=(nnx.Carry, None, {in_axis})",
                f"out_axes=(nnx.Carry, {out_axis})",
            ],
        )

    def over_layers_alike(self, statement: ast.stmt, local: str, inputs: Sequence[str]) -> str:
        """A scan over stacked layers, each of which gets the same inputs besides the carry."""
        return self._made(
            statement,
            local,
            [
                f"lambda carry, {local}: {local}({', '.join(['carry', *inputs])})",
                "in_axes=(nnx.Carry, 0)",
                "out_axes=(nnx.Carry, 0)",
            ],
        )

    def over_layers(self, statement: ast.stmt, local: str, has_input: bool) -> str:
        """A scan over stacked layers, called with the carry and the layers."""
        parameters = f"carry, {local}" + (", x" if has_input else "")
        return self._made(
            statement,
            local,
            [
                f"lambda {parameters}: {local}(carry, {'x' if has_input else 'None'})",
                f"in_axes=(nnx.Carry, 0{', 0' if has_input else ''})",
                "out_axes=(nnx.Carry, 0)",
            ],
        )

    def call(
        self, statement: ast.stmt, call: ast.Call, lift: Scanned, local: str, attribute: str
    ) -> None:
        """Turns `scanned(carry, xs)` into a scan that gets the module as an argument."""
        edits = self.edits
        carry, *inputs = [call.args[place] for place in self._given(call, "scanned")]
        given = [a for a in inputs if not (isinstance(a, ast.Constant) and a.value is None)]
        if lift.stacked and lift.in_axis is None:
            name = self.over_layers_alike(statement, local, [edits.render(a) for a in inputs])
            given = []
        elif lift.stacked:
            name = self.over_layers(statement, local, bool(given))
        else:
            assert lift.in_axis is not None
            given = inputs
            name = self.over_time(statement, local, lift.in_axis, lift.out_axis)
        edits.replace(call.func, name)
        edits.replace(carry, f"{edits.render(carry)}, {attribute}")
        for item in inputs:
            if item not in given:
                edits.remove_item(call, item)

    def function(self, call: ast.Call, lift: Scanned, attribute: str) -> None:
        """`nn.scan(function, ...)(module, carry, xs)`: the same function, over the stacked layers first."""
        edits, scanned = self.edits, call.func
        assert isinstance(scanned, ast.Call)
        inputs = len(call.args) - 2
        if call.keywords or inputs < 0 or any(isinstance(a, ast.Starred) for a in call.args):
            raise CannotMove(
                call,
                "a scanned function is called with keywords, or with unpacked arguments",
                "give the module, the carry and its inputs by position",
            )
        axes = ", ".join(["0", "nnx.Carry", *[str(lift.in_axis)] * inputs])
        source, start = edits.source, edits.source.span(scanned)[0]
        indent = source.line_indent(start)
        before = source.text[source.line_start(start) : start].removeprefix(indent)
        behind = f"({attribute}{source.text[source.span(call.args[0])[1] : source.span(call)[1]]}"
        text = layout.call(
            "nnx.scan",
            [
                edits.render(scanned.args[0]),
                f"in_axes=({axes})",
                f"out_axes=(nnx.Carry, {lift.out_axis})",
            ],
            indent=indent,
            unit=source.hanging_indent,
            limit=self.limit,
            prefix=before,
            suffix=behind,
        )
        edits.replace(scanned, text.removeprefix(before).removesuffix(behind))
        edits.replace(call.args[0], attribute)

    def mapped(
        self, statement: ast.stmt, call: ast.Call, lift: Mapped, local: str, attribute: str
    ) -> None:
        """Turns a call of a mapped module into a map that gets the module as an argument."""
        given = self._given(call, "mapped")
        names = [
            a.id if isinstance(a := call.args[place], ast.Name) and a.id != local else f"x{number}"
            for number, place in enumerate(given, start=1)
        ]
        axes = [0 if lift.stacked else None, *[lift.axis(place) for place in given]]
        inputs = ", ".join(names)
        shown = ", ".join(map(str, axes))
        name = self._made(
            statement,
            local,
            [
                f"lambda {', '.join([local, *names])}: {local}({inputs})",
                f"in_axes=({shown})" if len(set(axes)) > 1 else f"in_axes={axes[0]}",
                f"out_axes={lift.out_axis}",
            ],
            "vmap",
        )
        self.edits.replace(call.func, name)
        self.edits.insert(self.edits.source.span(call.args[given[0]])[0], f"{attribute}, ")

    def _given(self, call: ast.Call, kind: str) -> list[int]:
        """The places of the arguments that a lifted module is still called with, flags being gone."""
        gone = self.edits.only_removes(call) or set()
        given = [place for place, argument in enumerate(call.args) if argument not in gone]
        named = any(keyword not in gone for keyword in call.keywords)
        if not given or named or any(isinstance(a, ast.Starred) for a in call.args):
            raise CannotMove(
                call,
                f"a {kind} module is called with keywords, or with unpacked arguments",
                "give its inputs by position",
            )
        return given

    def haiku(self, statement: ast.stmt, call: ast.Call, local: str, attribute: str) -> None:
        """Turns `hk.scan(cell, carry, xs)` into a scan that gets the module as an argument."""
        cell, carry, _ = call.args
        self.edits.replace(call.func, self.over_time(statement, local, 0, 0))
        self.edits.remove_item(call, cell)
        self.edits.replace(carry, f"{self.edits.render(carry)}, {attribute}")

    def stack(self, function: ast.FunctionDef, decorator: ast.expr, local: str) -> None:
        """A function over which `layer_stack` stacked layers scans over them and gets each as an argument."""
        self.edits.replace(decorator, "nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)")
        self.edits.add_item(function, local)


def scan_method(edits: Edits, method: ScannedMethod) -> None:
    """The decorator of a method that runs once per step: the module is the same in all of them."""
    lift = method.lift
    axes = ", ".join(["None", "nnx.Carry", *[str(lift.in_axis)] * (len(method.parameters) - 1)])
    edits.replace(
        method.decorator, f"nnx.scan(in_axes=({axes}), out_axes=(nnx.Carry, {lift.out_axis}))"
    )


def stacked_lines(
    name: str, maker: str, call: str, length: str, place: Callable[[int, str], str]
) -> list[str]:
    """The constructor's lines for layers whose parameters are stacked."""
    return [
        place(0, "@nnx.vmap(in_axes=0, out_axes=0)"),
        place(0, f"def {maker}(rngs: nnx.Rngs):"),
        place(1, f"return {call}"),
        place(0, ""),
        place(0, f"self.{name} = {maker}(rngs.split({length}))"),
    ]
