"""Scopes and running functions, and what speaks against the inputs that they run with."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from ..project import Module
from .values import (
    Class,
    Object,
    Value,
)

# The weight of what no program survives, next to what may only be beyond this reading.
WOULD_RAISE = 4


class OutOfBudget(Exception):
    """The interpretation of one root took too many steps."""


class OutOfPatience(OutOfBudget):
    """More troubles than with other inputs: these are not the right ones."""


@dataclass(eq=False)
class Environment:
    """The names of one scope."""

    module: Module
    parent: Environment | None = None
    names: dict[str, Value] = field(default_factory=dict)
    node: ast.AST | None = None

    def lookup(self, name: str) -> Value | None:
        scope: Environment | None = self
        while scope is not None:
            if name in scope.names and not (
                isinstance(scope.node, ast.ClassDef) and scope is not self
            ):
                return scope.names[name]
            scope = scope.parent
        return None

    def holder(self, name: str) -> Environment | None:
        scope: Environment | None = self
        while scope is not None:
            if name in scope.names:
                return scope
            scope = scope.parent
        return None


@dataclass
class Frame:
    """One running function."""

    function: ast.AST
    environment: Environment
    returns: list[Value] = field(default_factory=list)
    # The branches behind which a function goes on without what it returns there: the place among `returns`, the
    # outcome that leads to it, and the name of what is returned.
    early: dict[int, tuple[ast.AST, bool, str]] = field(default_factory=dict)
    cls: Class | None = None
    self_value: Object | None = None


@dataclass(frozen=True)
class Trouble:
    """Something that could not be interpreted. `weight` is how much it speaks against what was assumed."""

    node: ast.AST
    why: str
    weight: int = 1


@dataclass(frozen=True)
class ModuleValue(Value):
    """A module of the tree, or a package without a file of its own."""

    module: Module | None
    dotted: str = ""
