"""Lists that a method fills with layers, one `append` at a time."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .sites import Site


@dataclass
class BuiltList:
    """A local list of a method, or one on `self`, that layers are appended to.

    `kept` says that something else than the constructor reads it: it then becomes an `nnx.List` on `self`, called
    `attribute`. One that only feeds constructors stays a local of `__init__`.
    """

    name: str
    function: ast.AST
    start: ast.stmt
    appends: list[ast.stmt]
    reads: list[ast.Name]
    sites: list[Site]
    kept: bool
    attribute: str

    @property
    def statements(self) -> list[ast.stmt]:
        """All that fills the list."""
        return [self.start, *self.appends]

    @property
    def text(self) -> str:
        """The list as the constructor writes it."""
        return f"self.{self.attribute}" if self.kept else self.name


def appended(statement: ast.stmt) -> tuple[str, ast.expr, str] | None:
    """The list, the expression and the method of `layers.append(x)`, `layers.extend(xs)` or `layers += xs`."""
    match statement:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Name(id=name), attr="append" | "extend" as method),
                args=[element],
                keywords=[],
            )
        ):
            return name, element, method
        case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=element):
            return name, element, "extend"
    return None


def find(sites: Sequence[Site], parents: Mapping[ast.AST, ast.AST]) -> list[BuiltList]:
    """The lists that the sites are appended to, in order; the sites are told."""
    groups: dict[tuple[ast.AST, str], list[Site]] = {}
    for site in sites:
        filled = appended(site.statement)
        if filled is not None and site.variable is None:
            groups.setdefault((site.function, filled[0]), []).append(site)
    found = []
    for (function, name), members in groups.items():
        built = _built(function, name, members, sites, parents)
        if built is not None:
            found.append(built)
            for site in built.sites:
                site.built, site.alias = built, None
    return found


def _built(
    function: ast.AST,
    name: str,
    members: Sequence[Site],
    sites: Sequence[Site],
    parents: Mapping[ast.AST, ast.AST],
) -> BuiltList | None:
    uses = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == name]
    statements = [s for s in ast.walk(function) if isinstance(s, ast.stmt)]
    starts = [s for s in statements if _starts(s, name)]
    appends = [s for s in statements if (filled := appended(s)) is not None and filled[0] == name]
    if len(starts) != 1:
        return None
    heads = {n for s in appends for n in _heads(s)}
    stores = [n for n in uses if not isinstance(n.ctx, ast.Load)]
    if any(parents[n] is not starts[0] and n not in heads for n in stores):
        return None
    reads = [n for n in uses if isinstance(n.ctx, ast.Load) and n not in heads]
    constructors = {site.node for site in sites}
    kept = any(not _feeds(read, constructors, parents) for read in reads)
    inside = [s for s in sites if s.statement is starts[0]]
    return BuiltList(name, function, starts[0], appends, reads, [*inside, *members], kept, name)


def _starts(statement: ast.stmt, name: str) -> bool:
    match statement:
        case (
            ast.Assign(targets=[ast.Name(id=target)], value=value)
            | ast.AnnAssign(target=ast.Name(id=target), value=value)
        ) if target == name:
            return isinstance(value, ast.List) or (
                isinstance(value, ast.Call)
                and isinstance(value.func, ast.Name)
                and value.func.id == "list"
                and not value.args
            )
    return False


def _heads(statement: ast.stmt) -> list[ast.AST]:
    """The names through which a statement fills the list."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=name))):
            return [name]
        case ast.AugAssign(target=name):
            return [name]
    return []


def _feeds(node: ast.AST, constructors: set[ast.Call], parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether a name is read within the arguments of a constructor."""
    below = node
    while not isinstance(node, ast.stmt):
        below, node = node, parents[node]
        if node in constructors and below is not getattr(node, "func", None):
            return True
    return False
