"""Names that have changed by now, in a turn of a loop or in the source's constructor.

Behind `width *= 2`, a layer of the same turn may still need the old width, and any layer the width that was given.

Such a size is the name again, where it has that value now, or what a layer that was made before tells of its output.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from ..ancestry import lineage
from ..chains import stored_names
from ..model.sites import Site
from ..shapes import held
from ..shapes.dims import (
    Choice,
    Dim,
    Expression,
    Output,
    Symbols,
    names,
    same,
    substitute,
    symbol_name,
)
from ..shapes.facts import Facts
from ..shapes.values import Array, Object, Unknown, as_dim
from .transport import CannotMove

_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")


@dataclass
class Stale:
    """The names that the statements before the one at hand have changed, with their values where these are known.

    A change is undone where the loop around it ends; that of a parameter, in the constructor itself, never is.
    """

    symbols: Symbols
    facts: Facts
    parents: Mapping[ast.AST, ast.AST]
    sites: Sequence[Site]
    changed: dict[tuple[str, ast.AST], Dim | None] = field(default_factory=dict)
    # what the constructor changed names in
    chosen: dict[str, ast.AST] = field(default_factory=dict)
    now: set[str] = field(default_factory=set)  # symbols of what names have behind the change

    def forget(self, loop: ast.AST) -> None:
        """A turn of a loop begins, or the last one has ended."""
        self.changed = {key: now for key, now in self.changed.items() if key[1] is not loop}

    def note(self, statement: ast.stmt) -> None:
        """A statement was written."""
        target = getattr(statement, "target", None) or getattr(statement, "targets", [None])[0]
        if not isinstance(target, ast.Name) or isinstance(statement, ast.For):
            return
        value = self.facts.value(target)
        now = as_dim(value)
        if now is None and isinstance(value, Unknown) and value.text:
            now = self.symbols.new(Expression(value.text), ("behind", value.text))
        outermost: ast.AST = statement
        for around in lineage(statement, self.parents):
            is_plain = self.parents[statement] is around
            if isinstance(around, ast.For | ast.While):
                self.changed[target.id, around] = now if is_plain else None
            elif isinstance(around, ast.FunctionDef):
                given = {a.arg for a in ast.walk(around.args) if isinstance(a, ast.arg)}
                own = around.name == "__init__" and target.id in given
                if own and not self._fills_in(statement, target.id):
                    self.changed[target.id, around] = now if is_plain else None
                    self.chosen[target.id] = outermost
                return
            outermost = around

    def given_anew(self) -> list[str]:
        """The parameters that the constructor has changed."""
        return [name for name, around in self.changed if isinstance(around, ast.FunctionDef)]

    def _fills_in(self, statement: ast.stmt, name: str) -> bool:
        """Whether a statement only gives a parameter a value in the place of None: a size asks the same of either."""
        value = getattr(statement, "value", None)
        tests = [value.values[0]] if isinstance(value, ast.BoolOp) else []
        tests += [
            around.test
            for around in lineage(value or statement, self.parents)
            if isinstance(around, ast.If | ast.IfExp)
        ]
        return any(
            isinstance(node, ast.Name) and node.id == name
            for test in tests
            for node in ast.walk(test)
        )

    def instead(self, dim: Dim, node: ast.AST) -> Dim:
        """A size in terms that hold at a node now. Raises CannotMove."""
        dim = self.symbols.resolve(dim)
        for name, origin in self.symbols.origins_of(dim).items():
            if isinstance(origin, Choice) and self.chosen.get(origin.name) is origin.node:
                dim = substitute(dim, {name: self._as(origin.name, origin.node)})
            elif isinstance(origin, Expression) and self._is_over(origin, node):
                dim = self._asked(dim, name, origin, node)
            elif isinstance(origin, Expression) and name not in self.now:
                change = self._change(origin)
                if change is not None:
                    dim = self._now(dim, name, change, node)
        return dim

    def _is_over(self, origin: Expression, node: ast.AST) -> bool:
        """Whether a name may have got another value by a node, or is not there, as that stands in another method."""
        since = origin.since
        if since is None or since not in self.parents:
            return False
        constructor = self.parents[since]
        if constructor not in lineage(node, self.parents):
            return True
        around = [each for each in lineage(node, self.parents) if each is not node]
        loops = [each for each in around if isinstance(each, ast.For | ast.While)]
        line = getattr(node, "lineno", 0)
        return any(
            other is not since
            and (other.lineno <= line or any(loop in loops for loop in self._above(other)))
            for other in ast.walk(constructor)
            if isinstance(other, ast.stmt) and self._stores(other, origin.text)
        )

    def _above(self, node: ast.AST) -> list[ast.AST]:
        return list(lineage(node, self.parents))

    @staticmethod
    def _stores(statement: ast.stmt, name: str) -> bool:
        """Whether a statement itself, and none within it, gives a name a value."""
        inner = (node for node in ast.iter_child_nodes(statement) if not isinstance(node, ast.stmt))
        return any(name in stored_names(node) for node in inner)

    def _asked(self, dim: Dim, symbol: str, origin: Expression, node: ast.AST) -> Dim:
        """A size with the output of a layer in the place of what a name had. Raises CannotMove."""
        assert origin.since is not None
        told = self._told(self.symbols.symbol(symbol), self.parents[origin.since], node)
        if told is None or symbol not in names(dim):
            raise self._gone(origin.text, node)
        return substitute(dim, {symbol: told})

    def _change(self, origin: Expression) -> tuple[str, ast.AST] | None:
        """The name that a loop or the constructor has changed, and that a symbol stands for or is computed from."""
        if origin.loop is not None:
            change = (origin.text, origin.loop)
            return change if change in self.changed else None
        words = set(_NAME.findall(origin.text))
        return next(
            (
                change
                for change in self.changed
                if change[0] in words and isinstance(change[1], ast.FunctionDef)
            ),
            None,
        )

    def _now(self, dim: Dim, symbol: str, change: tuple[str, ast.AST], node: ast.AST) -> Dim:
        (name, where), now = change, self.changed[change]
        if now is not None:
            new = self._in_terms_of(change, self.symbols.resolve(now), dim)
            if new is not None:
                return new
        if symbol not in names(dim):  # within what is rounded
            raise self._gone(name, node)
        told = self._told(dim, where, node)
        if told is not None:
            return told
        told = self._told(self.symbols.symbol(symbol), where, node)
        if told is not None:
            return substitute(dim, {symbol: told})
        raise self._gone(name, node)

    def _in_terms_of(self, change: tuple[str, ast.AST], now: Dim, dim: Dim) -> Dim | None:
        """A size with a name in the place of what it has now, where nothing else of it asks for what the name had."""
        name, where = change
        if same(now, dim):
            return self._as(name, where)
        last = self.symbols.origins.get(symbol_name(now) or "")
        if not isinstance(last, Expression) or not isinstance(where, ast.FunctionDef):
            return None
        for symbol, origin in self.symbols.origins_of(dim).items():
            if isinstance(origin, Expression) and name in _NAME.findall(origin.text):
                if name in _NAME.findall(origin.text.replace(last.text, "")):
                    return None
                text = origin.text.replace(last.text, name)
                dim = substitute(dim, {symbol: self._as(text, where)})
        return dim

    def _as(self, text: str, where: ast.AST) -> Dim:
        """The size that a text has now."""
        loop = None if isinstance(where, ast.FunctionDef | ast.If) else where
        found = self.symbols.new(Expression(text, loop), ("now", text, where))
        self.now.update(names(found))
        return found

    def _gone(self, name: str, node: ast.AST) -> CannotMove:
        return CannotMove(
            node,
            f"`{name}` has changed by then, and its old value decides a size here",
            "make this layer before the name changes",
            unsized=True,
        )

    def _told(self, dim: Dim, loop: ast.AST, node: ast.AST) -> Dim | None:
        """The size as the output of a layer that the same turn has made before."""
        around = set(lineage(node, self.parents))
        for site in self.sites:
            if site.variable is None and self._is_made(site, loop, node, around):
                if self._tells(site) and self._returns(site, dim):
                    return self.symbols.new(Output(site.node), ("output", site.node, "told"))
        return None

    def _is_made(self, site: Site, loop: ast.AST, node: ast.AST, around: Set[ast.AST]) -> bool:
        """Whether a turn of a loop has made a layer, under a name of its own, whenever it comes to a node."""
        above = list(lineage(site.node, self.parents))
        if loop not in above or site.node in around or site.built is not None:
            return False
        within = [each for each in above[1 : above.index(loop)] if each not in around]
        if any(isinstance(each, ast.If | ast.IfExp | ast.For | ast.While) for each in within):
            return False
        return isinstance(node, ast.stmt) or site.statement.lineno < getattr(node, "lineno", 0)

    def _tells(self, site: Site) -> bool:
        """Whether what a site makes, each turn anew, has its output's size as an attribute."""
        if site.rule is not None:
            return site.rule.target in held.TELLING and not site.rule.around
        return any(isinstance(made.value, Object) for made in site.made)

    def _returns(self, site: Site, dim: Dim) -> bool:
        uses = self.facts.uses_of.get(site.node, [])
        return bool(uses) and all(
            isinstance(use.result, Array)
            and use.result.shape is not None
            and len(use.result.shape) > 0
            and same(self.symbols.resolve(use.result.shape[-1]), dim)
            for use in uses
        )
