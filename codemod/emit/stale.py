"""Names that a turn of a loop has changed by now: behind `width *= 2`, a layer of the same turn may still need the old width.

Such a size is the name again, where it has that value now, or what a layer that was made before tells of its output.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from ..ancestry import lineage
from ..model.sites import Site
from ..shapes import held
from ..shapes.dims import Dim, Expression, Output, Symbols, names, same, substitute
from ..shapes.facts import Facts
from ..shapes.values import Array, Object, as_dim
from .transport import CannotMove


@dataclass
class Stale:
    """The names that the loops around the statement at hand have changed, with their values where these are known."""

    symbols: Symbols
    facts: Facts
    parents: Mapping[ast.AST, ast.AST]
    sites: Sequence[Site]
    changed: dict[tuple[str, ast.AST], Dim | None] = field(default_factory=dict)
    now: set[str] = field(default_factory=set)  # symbols of what names have behind the change

    def forget(self, loop: ast.AST) -> None:
        """A turn of a loop begins, or the last one has ended."""
        self.changed = {key: now for key, now in self.changed.items() if key[1] is not loop}

    def note(self, statement: ast.stmt) -> None:
        """A statement was written."""
        target = getattr(statement, "target", None) or getattr(statement, "targets", [None])[0]
        if not isinstance(target, ast.Name) or isinstance(statement, ast.For):
            return
        now = as_dim(self.facts.value(target))
        for loop in lineage(statement, self.parents):
            if isinstance(loop, ast.For | ast.While):
                is_plain = self.parents[statement] is loop
                self.changed[target.id, loop] = now if is_plain else None

    def instead(self, dim: Dim, node: ast.AST) -> Dim:
        """A size in terms that hold at a node now. Raises CannotMove."""
        dim = self.symbols.resolve(dim)
        for name, origin in self.symbols.origins_of(dim).items():
            if isinstance(origin, Expression) and origin.loop is not None and name not in self.now:
                if (origin.text, origin.loop) in self.changed:
                    dim = self._now(dim, name, origin, node)
        return dim

    def _now(self, dim: Dim, name: str, origin: Expression, node: ast.AST) -> Dim:
        assert origin.loop is not None
        now = self.changed[origin.text, origin.loop]
        if now is not None and same(self.symbols.resolve(now), dim):
            found = self.symbols.new(origin, ("now", origin.text, origin.loop))
            self.now.update(names(found))
            return found
        told = self._told(dim, origin.loop, node)
        if told is not None:
            return told
        told = self._told(self.symbols.symbol(name), origin.loop, node)
        if told is not None:
            return substitute(dim, {name: told})
        raise CannotMove(
            node,
            f"`{origin.text}` has changed by then, and its old value decides a size here",
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
