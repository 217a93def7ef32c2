"""Names that a branch tests and gives another value: `if width is None: width = 4 * dim`.

Behind the branch the test means something else. A size that the branch decides is then the name itself, where all layers
are made behind the branch, or asks what the name stood for before.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..ancestry import lineage
from ..chains import stored_names
from ..model.sites import Site
from .transport import CannotMove, Scope, Transport

_LOOPS = (ast.For, ast.While)


@dataclass(frozen=True)
class Branch:
    """An `if` of a method, or a conditional expression, that decides a size."""

    node: ast.If | ast.IfExp
    function: ast.FunctionDef
    parents: Mapping[ast.AST, ast.AST]

    @property
    def statement(self) -> ast.stmt:
        around = lineage(self.node, self.parents)
        return next(each for each in around if isinstance(each, ast.stmt))

    def changed(self, test: ast.expr, scope: Scope) -> list[ast.Name]:
        """The locals in a test that have another value from the branch on."""
        later = {n for s in self._behind() for n in stored_names(s)} & scope.assignments.keys()
        names = [node for node in ast.walk(test) if isinstance(node, ast.Name)]
        return [each for each in names if each.id in later - scope.parameters]

    def _behind(self) -> list[ast.stmt]:
        """The statements from the branch on."""
        line = self.statement.lineno
        inner = (node for node in ast.walk(self.function) if isinstance(node, ast.stmt))
        return [each for each in inner if each.lineno >= line and each is not self.function]

    def before(self, name: ast.Name) -> ast.expr:
        """What a local stood for where the branch tested it. Raises CannotMove."""
        line, around = self.statement.lineno, list(lineage(self.statement, self.parents))
        stores = [
            each
            for each in ast.walk(self.function)
            if isinstance(each, ast.stmt)
            and each.lineno < line
            and each not in around
            and name.id in stored_names(each)
        ]
        match stores:
            case [ast.Assign(targets=[ast.Name()], value=value) as only] if self.parents[
                only
            ] in around and not any(isinstance(a, _LOOPS) for a in around):
                return value
        raise CannotMove(
            name,
            f"`{name.id}` decides a size, and has another value by then",
            "give what it is changed to a name of its own",
            unsized=True,
        )

    def holder(self, name: str, sites: Sequence[Site]) -> ast.Name | None:
        """Where a local is read that holds the size for all that the constructor makes, if it does."""
        if not isinstance(self.node, ast.If) or self.parents[self.node] is not self.function:
            return None
        end = self.node.end_lineno or self.node.lineno
        for each in ast.walk(self.function):
            if isinstance(each, ast.stmt) and each.lineno > end and name in stored_names(each):
                return None
        if any(site.node.lineno <= end for site in sites if self._holds(site.node)):
            return None
        reads = (n for n in ast.walk(self.function) if isinstance(n, ast.Name) and n.id == name)
        return next((n for n in reads if n.lineno > end and isinstance(n.ctx, ast.Load)), None)

    def _holds(self, node: ast.AST) -> bool:
        return self.function in lineage(node, self.parents)


def as_tested(transport: Transport, branch: Branch, test: ast.expr, scope: Scope) -> str:
    """The text of a branch's test that holds behind the branch too. Raises CannotMove."""
    changed = branch.changed(test, scope)
    for name in changed:
        transport.substitutes[name] = transport.expression(branch.before(name), scope)
    try:
        return transport.expression(test, scope)
    finally:
        for name in changed:
            transport.substitutes.pop(name, None)
