"""Lists of sizes in the constructor, beside lists of arrays that a method fills and takes from: the skips of a U-Net.

`skips.append(x)` of the method is `skips_features.append(...)` in the constructor, at the same place, and `skips.pop()` is
`skip_features = skips_features.pop()`, so that each layer is made with the width of what it is given. A loop over
`reversed(skips)` goes through `reversed(skips_features)` there.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from ..ancestry import lineage
from ..shapes import walked as walks
from ..shapes.dims import Dim, Listed, Origin
from ..shapes.facts import Facts
from ..shapes.values import Array
from .names import singular
from .transport import CannotMove, Scope, Transport, splice

Parents = Mapping[ast.AST, ast.AST]
Sizes = Callable[[Dim, ast.AST], str]


def _refusal(node: ast.AST) -> CannotMove:
    return CannotMove(
        node,
        "a list of arrays decides a size here, and is used in ways that its sizes cannot follow",
        "fill it with `append`, and take from it with `pop()` or by index",
        unsized=True,
    )


@dataclass
class SizeList:
    """A list of arrays that a function fills: where it begins, and what is put into it and popped."""

    name: str
    begins: ast.Assign
    items: list[ast.expr]
    appends: dict[ast.stmt, ast.expr] = field(default_factory=dict)
    pops: dict[ast.stmt, ast.expr] = field(default_factory=dict)
    # where a loop names it: the loop variable
    walks: dict[ast.Name, ast.Name] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The name of the list of sizes."""
        return f"{self.name}_features"


def text_of(origin: Listed) -> str:
    """The size that is taken, in the constructor."""
    if isinstance(origin.node, ast.Name):
        return f"{origin.node.id}_features"
    if isinstance(origin.node, ast.Subscript):
        return f"{origin.name}_features[{ast.unparse(origin.node.slice)}]"
    one = singular(origin.name)
    return f"{one}_features" if one != origin.name else f"{one}_width"


def needed(origins: Collection[Origin], parents: Parents) -> list[SizeList]:
    """The lists that some sizes are taken from. Raises CannotMove."""
    found: dict[tuple[ast.AST, str], SizeList] = {}
    for origin in origins:
        if isinstance(origin, Listed):
            function = _function(origin.node, parents)
            if (function, origin.name) not in found:
                found[function, origin.name] = _read(function, origin, parents)
    return list(found.values())


def before(statement: ast.stmt, lists: Collection[SizeList]) -> list[str]:
    """The line that takes a size, before what a statement makes with it."""
    return [
        f"{text_of(Listed(each.name, each.pops[statement]))} = {each.text}.pop()"
        for each in lists
        if statement in each.pops
    ]


def header(loop: ast.For, transport: Transport, scope: Scope) -> tuple[str, str] | None:
    """The loop variables and the iterable, in the constructor, of a loop over such lists. Raises CannotMove."""
    over = [
        pair for pair in walks.pairs(loop.target, loop.iter) if pair[0] in transport.facts.walked
    ]
    if not over:
        return None
    # The list may be asked for here alone, by turns that do not ask for its sizes.
    for target, name in over:
        origin = Listed(name.id, target)
        transport.needs.symbols[str(transport.symbols.new(origin, ("walked", target)))] = origin
    texts: dict[ast.expr, str] = {}
    for target, name in over:
        texts |= {target: text_of(Listed(name.id, target)), name: f"{name.id}_features"}
    for leaf in walks.leaves(loop.iter):
        if leaf not in texts:
            texts[leaf] = transport.expression(leaf, scope)
    source = transport.source
    written = []
    for part in (loop.target, loop.iter):
        start, end = source.span(part)
        inner = [
            (*source.span(n), text)
            for n, text in texts.items()
            if part in lineage(n, source.parents)
        ]
        written.append(splice(source.text, start, end, inner))
    return written[0], written[1]


def after(statement: ast.stmt, lists: Collection[SizeList], facts: Facts, size: Sizes) -> list[str]:
    """The lines that begin a list of sizes, or put one more into it. Raises CannotMove."""
    lines = []
    for each in lists:
        if statement is each.begins:
            sizes = ", ".join(_size(item, facts, size) for item in each.items)
            lines.append(f"{each.text} = [{sizes}]")
        if statement in each.appends:
            lines.append(f"{each.text}.append({_size(each.appends[statement], facts, size)})")
    return lines


def _size(node: ast.expr, facts: Facts, size: Sizes) -> str:
    value = facts.value(node)
    if not isinstance(value, Array) or not value.shape:
        raise _refusal(node)
    return size(value.shape[-1], node)


def _read(function: ast.AST, origin: Listed, parents: Parents) -> SizeList:
    begins = None
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=origin.name)], value=ast.List(elts=items)):
                if begins is not None:
                    raise _refusal(node)
                begins = SizeList(origin.name, node, items)
    if begins is None:
        raise _refusal(origin.node)
    for name in _names(function, origin.name):
        if _function(name, parents) is not function:
            raise _refusal(name)
        if name is not begins.begins.targets[0]:
            _note(name, begins, parents)
    return begins


def _note(name: ast.Name, found: SizeList, parents: Parents) -> None:
    """Notes what is done with a list where it is named."""
    use = parents[name]
    call = parents.get(use)
    statement = _statement(name, parents)
    walked = isinstance(statement, ast.For) and walks.pairs(statement.target, statement.iter)
    for variable, listed in walked or ():
        if listed is name:
            found.walks[name] = variable
            return
    match use, call:
        case ast.Attribute(attr="append"), ast.Call(args=[item]) if parents[call] is statement:
            found.appends[statement] = item
        case ast.Attribute(attr="pop"), ast.Call(args=[]) if statement not in found.pops:
            _refuse_choices(call, statement, parents)
            found.pops[statement] = call
        case ast.Subscript(ctx=ast.Load()), _:
            return
        case ast.Call(func=ast.Name(id="len")), _:
            return
        case _:
            if not isinstance(statement, ast.Assert):
                raise _refusal(name)
            return
    around = list(lineage(parents[statement], parents))
    for above in around[: around.index(_function(statement, parents))]:
        if not isinstance(above, ast.For | ast.If | ast.With):
            raise _refusal(name)


def _refuse_choices(node: ast.AST, statement: ast.stmt, parents: Parents) -> None:
    """Refuses what a statement may do never, or more than once."""
    if not isinstance(
        statement, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr | ast.Return
    ):
        raise _refusal(node)
    for above in lineage(node, parents):
        if above is statement:
            return
        if isinstance(
            above, ast.IfExp | ast.BoolOp | ast.Lambda | ast.comprehension | ast.ListComp
        ):
            raise _refusal(node)


def _names(function: ast.AST, name: str) -> Iterator[ast.Name]:
    return (n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == name)


def _statement(node: ast.AST, parents: Parents) -> ast.stmt:
    return next(each for each in lineage(node, parents) if isinstance(each, ast.stmt))


def _function(node: ast.AST, parents: Parents) -> ast.AST:
    return next(
        each for each in lineage(node, parents) if isinstance(each, ast.FunctionDef | ast.Lambda)
    )
