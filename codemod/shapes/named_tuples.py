"""Named tuples that a call makes: `collections.namedtuple("Pair", ["one", "two"])`."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .values import UNKNOWN, Behaviour, Constant, Items, Value

if TYPE_CHECKING:
    from .interpreter import Interpreter


@dataclass(eq=False)
class NamedTupleType(Behaviour):
    """What `namedtuple` returns; `defaults` belong to the last names."""

    names: tuple[str, ...]
    defaults: tuple[Value, ...] = ()

    def attribute(self, interp: Interpreter, name: str, node: ast.AST) -> Value:
        return Items([Constant(n) for n in self.names]) if name == "_fields" else UNKNOWN

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        late = self.names[len(self.names) - len(self.defaults) :]
        given = {
            **dict(zip(late, self.defaults, strict=True)),
            **dict(zip(self.names, args, strict=False)),
            **kwargs,
        }
        return Items([given.get(name, UNKNOWN) for name in self.names], "tuple", self.names)


def made(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """`collections.namedtuple(...)`, and `typing.NamedTuple("Pair", [("one", int)])`."""
    fields = kwargs.get("field_names", args[1] if len(args) > 1 else None)
    names = _names(fields)
    defaults = kwargs.get("defaults", Items([]))
    if names is None or not isinstance(defaults, Items) or len(defaults.items) > len(names):
        return None
    return NamedTupleType(names, tuple(defaults.items))


def _names(fields: Value | None) -> tuple[str, ...] | None:
    match fields:
        case Constant(value=str(text)):
            return tuple(text.replace(",", " ").split())
        case Items(items=items, open=False):
            firsts = [
                item.items[0] if isinstance(item, Items) and item.items else item for item in items
            ]
            names = [first.value for first in firsts if isinstance(first, Constant)]
            if len(names) == len(items) and all(isinstance(name, str) for name in names):
                return tuple(names)
    return None
