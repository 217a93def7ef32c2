"""`x.at[i].set(y)`: an array with other numbers in some places, of the shape that it had."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .arrays import index as index_array
from .values import UNKNOWN, Array, Behaviour, Value

if TYPE_CHECKING:
    from .interpreter import Interpreter

_UPDATES = frozenset(
    ("set", "add", "subtract", "multiply", "mul", "divide", "power", "min", "max", "apply")
)


@dataclass(eq=False)
class At(Behaviour):
    """`x.at`."""

    array: Array

    def subscript(self, interp: Interpreter, index: Value, node: ast.Subscript) -> Value:
        return _Places(self.array, index)


@dataclass(eq=False)
class _Places(Behaviour):
    """`x.at[i]`."""

    array: Array
    index: Value

    def attribute(self, interp: Interpreter, name: str, node: ast.AST) -> Value:
        return _Update(self.array, self.index, name)


@dataclass(eq=False)
class _Update(Behaviour):
    """`x.at[i].set`."""

    array: Array
    index: Value
    name: str

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        if self.name == "get":
            return index_array(interp, node or ast.Pass(), self.array, self.index)
        return self.array if self.name in _UPDATES else UNKNOWN
