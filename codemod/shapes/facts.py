"""What one interpretation learnt, kept per `ast` node."""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import dataclass, field

from .dims import Dim
from .values import LayerObject, Object, Value

Stack = tuple[ast.Call, ...]  # the calls of user functions that led here, outermost first


@dataclass(frozen=True)
class Made:
    """A layer or module was constructed at a site."""

    value: LayerObject | Object
    stack: Stack


@dataclass(frozen=True)
class Used:
    """A layer or module was called."""

    target: LayerObject | Object
    call: ast.Call | None
    method: str
    args: tuple[Value, ...]
    kwargs: dict[str, Value]
    result: Value
    stack: Stack


@dataclass(frozen=True)
class RunningSize:
    """A size that a loop changes: its value before the loop and after each turn."""

    loop: ast.AST
    name: str
    axis: int
    initial: Dim
    update: Dim


@dataclass(frozen=True)
class VariableMade:
    """A parameter, variable, state or random key was asked for.

    `kind` is 'param', 'variable', 'state', 'set_state' or 'rng'; `owner` the module object, None in a Haiku function.
    """

    kind: str
    node: ast.Call
    name: str | None
    collection: str
    arguments: dict[str, Value]
    result: Value
    owner: Object | None
    stack: Stack


@dataclass
class Facts:
    """Everything recorded while one root (a program, a module class, a function) was interpreted."""

    values: dict[ast.AST, list[Value]] = field(default_factory=lambda: defaultdict(list))
    made: dict[ast.AST, list[Made]] = field(default_factory=lambda: defaultdict(list))
    # by the call
    used: dict[ast.AST, list[Used]] = field(default_factory=lambda: defaultdict(list))
    # by the site
    uses_of: dict[ast.AST, list[Used]] = field(default_factory=lambda: defaultdict(list))
    variables: dict[ast.AST, list[VariableMade]] = field(default_factory=lambda: defaultdict(list))
    running: dict[str, RunningSize] = field(default_factory=dict)  # by symbol name
    # by symbol name: if true, if false
    choices: dict[str, tuple[Dim, Dim]] = field(default_factory=dict)
    functions: dict[ast.AST, None] = field(default_factory=dict)  # entered functions, in order
    conditions: dict[ast.AST, set[bool]] = field(default_factory=lambda: defaultdict(set))
    # loop variables that stand for arrays of a list that a loop has filled
    walked: set[ast.AST] = field(default_factory=set)

    def clear_under(self, node: ast.AST) -> None:
        """Forgets what was recorded below a node: a loop body is run again until its sizes are stable."""
        below = set(ast.walk(node))
        for table in (self.values, self.made, self.used, self.conditions, self.variables):
            for key in below & table.keys() if len(table) < len(below) else below:
                table.pop(key, None)
        for site, uses in list(self.uses_of.items()):
            self.uses_of[site] = [
                use for use in uses if use.call not in below and below.isdisjoint(use.stack)
            ]

    def clear_under_all(self, body: list[ast.stmt]) -> None:
        for statement in body:
            self.clear_under(statement)

    def value(self, node: ast.AST) -> Value | None:
        """The last value that an expression had."""
        values = self.values.get(node)
        return values[-1] if values else None
