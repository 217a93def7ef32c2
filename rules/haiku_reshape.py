"""Reshaping layers of Haiku: `hk.Flatten` and `hk.Reshape` hold nothing, so they become functions of shape alone."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..codemod.rule import Call, Drop, Use, Written
from ..codemod.shapes.dims import Dim
from ..codemod.shapes.values import UNKNOWN, Array, Behaviour, Constant, Shape, Value, as_shape
from .haiku_initializers import known

if TYPE_CHECKING:
    from ..codemod.shapes.interpreter import Interpreter


@dataclass(eq=False)
class Reshaper(Behaviour):
    """What the interpreter makes of a reshaping layer. `output_shape` is None where it is unknown."""

    output_shape: Shape | None
    preserve_dims: Value

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        value = next(iter([*args, *kwargs.values()]), UNKNOWN)
        if (
            not isinstance(value, Array)
            or value.shape is None
            or not isinstance(self.preserve_dims, Constant)
        ):
            return UNKNOWN
        kept = self.preserve_dims.value
        if len(value.shape) <= kept:
            return value
        if self.output_shape is None:
            return Array(None, value.dtype)
        left, right = value.shape[:kept], value.shape[kept:]
        return Array((*left, *_filled(self.output_shape, right)), value.dtype)


def _filled(wanted: Shape, source: Shape) -> tuple[Dim, ...]:
    """`wanted` with -1 replaced by what is left of the sizes in `source`."""
    total: Dim = 1
    for size in source:
        total = total * size
    given: Dim = 1
    for size in wanted:
        given = given if size == -1 else given * size
    return tuple(total // given if size == -1 else size for size in wanted)


def _flattener(use: Use) -> Value:
    return Reshaper((-1,), use.arguments.get("preserve_dims", Constant(1)))


def _reshaper(use: Use) -> Value:
    return Reshaper(
        as_shape(use.arguments.get("output_shape")), use.arguments.get("preserve_dims", Constant(1))
    )


def _flatten(arguments: Mapping[str, Written]) -> str:
    dims = arguments.get("preserve_dims")
    if known(dims, 1) == 1:
        return "flatten"
    assert dims is not None
    return f"Reshape((-1,), {dims.text})"


RULES = (
    Call(
        code="HK441",
        summary="hk.Flatten becomes `flatten`",
        before="x = hk.Flatten()(x)",
        after="x = flatten(x)",
        source="haiku.Flatten",
        target="flatten",
        signature=("preserve_dims",),
        write=_flatten,
        result=_flattener,
    ),
    Call(
        code="HK442",
        summary="hk.Reshape becomes `Reshape`",
        before="x = hk.Reshape((4, -1))(x)",
        after="x = Reshape((4, -1))(x)",
        source="haiku.Reshape",
        target="Reshape",
        signature=("output_shape", "preserve_dims"),
        arguments={"name": Drop()},
        result=_reshaper,
    ),
)
