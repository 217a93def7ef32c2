"""Lists that a method fills with layers, one `append` at a time."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from ..chains import constructs
from .sites import Site, statement_of


@dataclass
class BuiltList:
    """A local list of a method, or one on `self`, that layers are appended to.

    `kept` says that something else than the constructor reads it: it then becomes an `nnx.List` on `self`, called
    `attribute`. One that only feeds constructors stays a local of `__init__`, and so does one that is put into
    another list, `within`.
    """

    name: str
    function: ast.AST
    start: ast.stmt
    appends: list[ast.stmt]
    reads: list[ast.Name | ast.Attribute]
    sites: list[Site]
    kept: bool
    attribute: str
    within: BuiltList | None = None
    renewed: bool = False  # a loop starts it again and again

    @property
    def outermost(self) -> BuiltList:
        """The list that all this is put into in the end."""
        return self.within.outermost if self.within is not None else self

    @property
    def depth(self) -> int:
        """How many lists an element is in."""
        return 1 if self.within is None else 1 + self.within.depth

    @property
    def statements(self) -> list[ast.stmt]:
        """All that fills the list."""
        return [self.start, *self.appends]

    @property
    def text(self) -> str:
        """The list as the constructor writes it."""
        return f"self.{self.attribute}" if self.kept else self.name

    def last(self, site: Site) -> str | None:
        """What a site made, read off the list; None where more may have been added by then."""
        filled = appended(site.statement)
        alone = [each.node for each in self.sites] == [site.node]
        if not alone or filled is None or filled[1] is not site.node or len(self.appends) != 1:
            return None
        return f"{self.text}[-1]"


def appended(statement: ast.stmt) -> tuple[str, ast.expr, str] | None:
    """The list, the expression and the method of `layers.append(x)`, `layers.extend(xs)` or `layers += xs`."""
    match statement:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=target, attr="append" | "extend" as method),
                args=[element],
                keywords=[],
            )
        ) if _is_list_name(target):
            return ast.unparse(target), element, method
        case ast.AugAssign(target=target, op=ast.Add(), value=element) if _is_list_name(target):
            return ast.unparse(target), element, "extend"
    return None


def _is_list_name(node: ast.expr) -> bool:
    """`layers`, or `self.layers`."""
    match node:
        case ast.Name() | ast.Attribute(value=ast.Name(id="self")):
            return True
    return False


def find(sites: Sequence[Site], parents: Mapping[ast.AST, ast.AST]) -> list[BuiltList]:
    """The lists that the sites are appended to, in order; the sites are told."""
    groups: dict[tuple[ast.AST, str], list[Site]] = {}
    for site in sites:
        filled = appended(site.statement)
        if filled is not None and site.variable is None and not _is_called(site, parents):
            groups.setdefault((site.function, filled[0]), []).append(site)
    found: list[BuiltList] = []
    for (function, name), members in groups.items():
        built = _built(function, name, members, sites, parents)
        if built is not None:
            found.append(built)
            for site in built.sites:
                site.built, site.alias = built, None
    for built in found:
        _nest(built, found, sites, parents)
    return found


def _is_called(site: Site, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether what is appended is what a layer returns, `hidden.append(nn.Dense(4)(x))`."""
    if site.rule is not None and site.rule.inline:
        return True
    below: ast.AST = site.node
    above = parents[below]
    if isinstance(above, ast.Attribute):
        below, above = above, parents[above]
    return isinstance(above, ast.Call) and above.func is below


def _nest(
    built: BuiltList,
    found: list[BuiltList],
    sites: Sequence[Site],
    parents: Mapping[ast.AST, ast.AST],
) -> None:
    """Sees whether a list is put into another as it is; that one is added to what was found."""
    built.renewed = _in_loop(built.start, built.function, parents)
    match [statement_of(read, parents) for read in built.reads]:
        case [ast.Expr() as statement]:
            filled = appended(statement)
        case _:
            filled = None
    if filled is None or filled[1] is not built.reads[0] or filled[2] != "append":
        return
    outer = next((b for b in found if (b.function, b.name) == (built.function, filled[0])), None)
    if outer is None:
        outer = _built(built.function, filled[0], [], sites, parents)
        if outer is None or outer.sites:
            return
        found.append(outer)
    built.within, built.kept = outer, False


def _in_loop(node: ast.AST, function: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
    while node is not function:
        node = parents[node]
        if isinstance(node, ast.For | ast.While):
            return True
    return False


def _built(
    function: ast.AST,
    name: str,
    members: Sequence[Site],
    sites: Sequence[Site],
    parents: Mapping[ast.AST, ast.AST],
) -> BuiltList | None:
    uses = [
        n
        for n in ast.walk(function)
        if isinstance(n, ast.Name | ast.Attribute) and _is_list_name(n) and ast.unparse(n) == name
    ]
    on_self = name.startswith("self.")
    if on_self and not constructs(function):
        return None
    statements = [s for s in ast.walk(function) if isinstance(s, ast.stmt)]
    starts = [s for s in statements if _starts(s, name)]
    appends = [s for s in statements if (filled := appended(s)) is not None and filled[0] == name]
    if len(starts) != 1:
        return None
    heads = {n for s in appends for n in _heads(s)}
    stores = [n for n in uses if not isinstance(n.ctx, ast.Load)]
    if any(parents[n] is not starts[0] and n not in heads for n in stores):
        return None
    reads = [n for n in uses if isinstance(n.ctx, ast.Load) and n not in heads and not on_self]
    constructors = {site.node for site in sites}
    kept = on_self or any(not _feeds(read, constructors, parents) for read in reads)
    inside = [s for s in sites if s.statement is starts[0]]
    attribute = _given_to(function, reads, parents) or name.removeprefix("self.")
    return BuiltList(
        name, function, starts[0], appends, reads, [*inside, *members], kept, attribute
    )


def _given_to(
    function: ast.AST, reads: Sequence[ast.AST], parents: Mapping[ast.AST, ast.AST]
) -> str | None:
    """`blocks` in `self.blocks = layers` or `self.blocks = tuple(layers)`, where a constructor does that once."""
    found = [name for read in reads if (name := _given(read, parents)) is not None]
    return found[0] if constructs(function) and len(found) == 1 else None


def _given(read: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> str | None:
    above = parents[read]
    match above:
        case ast.Call(func=ast.Name(id="tuple" | "list"), args=[only], keywords=[]) if only is read:
            read, above = above, parents[above]
    match above:
        case ast.Assign(
            targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=value
        ) if value is read:
            return name
    return None


def _starts(statement: ast.stmt, name: str) -> bool:
    match statement:
        case (
            ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=value)
        ) if ast.unparse(target) == name:
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


def set_apart(lists: Iterable[BuiltList], fields: Set[str], cls: ast.ClassDef) -> bool:
    """Gives other names to lists that move to the constructor, where a field has their name; whether there are any."""
    taken = {n.id for n in ast.walk(cls) if isinstance(n, ast.Name)} | fields
    moved = [each for each in lists if not each.kept and not constructs(each.function)]
    hiding = [each for each in moved if each.name in fields]
    for each in hiding:
        while each.name in taken:
            each.name += "_"
    return bool(hiding)
