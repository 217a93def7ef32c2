"""What a method makes that is only called under tests of the configuration: the constructor makes it under these."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .arms import Arm, arms_of_method, scope_of_test, told_early
from .transport import Scope

if TYPE_CHECKING:
    from .init_body import InitBody


class MethodArms:
    """The tests around the slices of methods in one constructor, in the order in which these are written."""

    def __init__(self, body: InitBody) -> None:
        self._body = body
        self._before: list[tuple[str, bool]] = []  # the sides that the slice before stands in

    def around(self, function: ast.FunctionDef, scope: Scope) -> list[Arm]:
        """The tests that decide whether a method is called, outermost first, as far as the constructor can tell."""
        body = self._body
        made = [s for sites in body.by_statement.values() for s in sites if s.function is function]
        if not made or any(site.node in body.telling for site in made):
            return []
        parents = body.transport.source.parents
        return [
            arm
            for arm in arms_of_method(function, parents, body.around_file(made[0]))
            if body.dropped_test(arm.node.test) is None
            and told_early(arm.node.test, made[0], scope, body.transport)
        ]

    def under(self, tests: Sequence[Arm], lines: list[str], scope: Scope) -> list[str]:
        """The lines of a method's slice under its tests, or in the block of the slice before."""
        if not lines:
            return lines
        sides = [arm.said for arm in tests]
        before, self._before = self._before, sides
        if not sides or sides == before:
            return lines
        if len(tests) == 1 and before == [(sides[0][0], not sides[0][1])]:
            return [self._body.line(0, "else:"), *lines]
        written = [self._text(arm, scope) for arm in tests]
        if len(written) > 1:
            written = [_as_operand(text) for text in written]
        return [*self._body.clause(0, "if", " and ".join(written)), *lines]

    def _text(self, arm: Arm, scope: Scope) -> str:
        there = scope_of_test(arm.node.test, scope, self._body.transport)
        if arm.holds:
            return self._body.transport.expression(arm.node.test, there)
        return self._body.negated(arm.node.test, there)


def _as_operand(text: str) -> str:
    """A test as `and` takes it."""
    node = ast.parse(text.strip(), mode="eval").body
    loose = isinstance(node, ast.IfExp | ast.Lambda | ast.NamedExpr) or (
        isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or)
    )
    return f"({text})" if loose else text
