"""One size for a layer that several calls use.

A layer has one input size. Calls that run whenever the layer is made tell it, whatever others say that may not run; where
no call is certain to run, all must say the same, or a branch decides. So must they for layers that a loop makes: one call
may run one of them, and another the next.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence

from ..ancestry import class_around
from ..chains import constructs
from ..model.sites import Site
from ..shapes.dims import Dim, Unexplained, same
from ..shapes.facts import Facts, Used
from ..shapes.interpreter import Interpreter
from ..shapes.joins import join_dims

Measured = tuple[Used, "Dim | None"]

_OTHER = {"body": "orelse", "orelse": "body"}


def agreed(
    interp: Interpreter,
    facts: Facts,
    site: Site,
    sizes: Sequence[Measured],
    parents: Mapping[ast.AST, ast.AST],
) -> tuple[Dim | None, bool]:
    """The size that the uses of a site agree on, None where one is missing, and whether there is one at all."""
    sizes = _first_turns(site, _of_entry(sizes, parents), parents)
    known = [(use, interp.symbols.resolve(dim)) for use, dim in sizes if dim is not None]
    if not known:
        return None, not sizes
    entries = {entry for use, _ in known if (entry := _entry(use, parents))}
    entries = entries & {"__call__"} or entries
    certain = [dim for use, dim in known if _runs_with(site, use, parents, entries)]
    told = [dim for dim in certain if not _unexplained(interp, dim)]
    if (
        told
        and len({dim for dim in told if isinstance(dim, int)}) < 2
        and not site.loops
        and not _differ_in_place(known)
    ):
        return min(told, key=lambda dim: _length(interp, facts, dim, frozenset())), True
    if len(known) < len(sizes):
        return None, True
    first = known[0][1]
    if all(same(first, dim) for _, dim in known):
        return first, True
    if _agree_by_method(site, known, parents):
        for _, dim in known[1:]:
            interp.symbols.equate(first, dim)
        return interp.symbols.resolve(first), True
    chosen = _chosen(interp, facts, known, parents)
    return chosen, chosen is not None


def _agree_by_method(
    site: Site, known: Sequence[tuple[Used, Dim]], parents: Mapping[ast.AST, ast.AST]
) -> bool:
    """Whether each of several methods gives what the constructor made inputs of one size: that of its own input."""
    first: dict[str, Dim] = {}
    alike = all(same(first.setdefault(_entry(use, parents), dim), dim) for use, dim in known)
    made = constructs(site.function)
    given = not any(isinstance(dim, int) for dim in first.values())
    return made and alike and len(first) > 1 and given


def _differ_in_place(known: Sequence[tuple[Used, Dim]]) -> bool:
    """Whether one call gives a layer several sizes: for ranks of its input that an earlier branch decides."""
    first: dict[tuple[ast.Call | None, ...], Dim] = {}
    return not all(same(first.setdefault((*u.stack, u.call), dim), dim) for u, dim in known)


def _length(interp: Interpreter, facts: Facts, dim: Dim, seen: frozenset[str]) -> int:
    """How long a size is once it is written, with what its branches choose from."""
    total = len(str(dim))
    for name in interp.symbols.origins_of(dim).keys() - seen:
        for side in facts.choices.get(name, ()):
            total += _length(interp, facts, interp.symbols.resolve(side), seen | {name})
    return total


def _of_entry(sizes: Sequence[Measured], parents: Mapping[ast.AST, ast.AST]) -> Sequence[Measured]:
    """The uses in a run of `__call__`, where there are any: what other methods are given has to fit these."""

    return [each for each in sizes if _entry(each[0], parents) == "__call__"] or sizes


def _entry(use: Used, parents: Mapping[ast.AST, ast.AST]) -> str:
    """The name of the method that is run where a call is met."""
    first = use.stack[0] if use.stack else use.call
    function = _function(first, parents) if first is not None else None
    return getattr(function, "name", "")


def _first_turns(
    site: Site, sizes: Sequence[Measured], parents: Mapping[ast.AST, ast.AST]
) -> Sequence[Measured]:
    """The uses without those that a loop repeats: a layer from before the loop has one size in all its turns."""
    kept: list[Measured] = []
    seen: set[tuple[ast.Call | None, ...]] = set()
    for use, dim in sizes:
        place = (*use.stack, use.call)
        if not (place in seen and any(_in_loop(call, site, parents) for call in place)):
            kept.append((use, dim))
        if dim is not None:
            seen.add(place)
    return kept


def _in_loop(call: ast.Call | None, site: Site, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether a call stands in a loop of the class that does not make the layer, too."""
    if call is None or call not in parents:
        return False
    outside = {id(branch) for branch, _ in branches(site.node, parents)}
    return any(
        isinstance(branch, ast.For) and side == "body" and id(branch) not in outside
        for branch, side in branches(call, parents)
    )


def _unexplained(interp: Interpreter, dim: Dim) -> bool:
    return any(isinstance(o, Unexplained) for o in interp.symbols.origins_of(dim).values())


def _runs_with(
    site: Site, use: Used, parents: Mapping[ast.AST, ast.AST], entries: Collection[str]
) -> bool:
    """Whether a call runs whenever its layer is made and the module is called.

    A module without `__call__` is one whose methods are all called: they give a layer of the constructor's one size.
    """
    if use.call is None or use.call not in parents:
        return False
    if constructs(site.function):
        return _runs_with_module([*use.stack, use.call], parents, entries)
    around, function = branches(use.call, parents), _function(use.call, parents)
    if function is None or _left_before(use.call, function, site.node):
        return False
    inside = branches(site.node, parents)
    return function is site.function and all(branch in inside for branch in around)


def _runs_with_module(
    calls: Sequence[ast.Call], parents: Mapping[ast.AST, ast.AST], entries: Collection[str]
) -> bool:
    """Whether the last of some calls, each in the function that the one before it calls, runs in every run of some methods."""
    functions = [_function(call, parents) for call in calls]
    return getattr(functions[0], "name", "") in entries and not any(
        function is None or branches(call, parents) or _left_before(call, function, None)
        for call, function in zip(calls, functions, strict=True)
    )


def _left_before(call: ast.Call, function: ast.AST, site: ast.Call | None) -> bool:
    """Whether a function may return before a call, and after the place that makes the layer."""
    start = site.lineno if site is not None else 0
    return any(
        isinstance(node, ast.Return) and start <= node.lineno < call.lineno
        for node in ast.walk(function)
    )


def branches(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> list[tuple[ast.AST, str]]:
    """The branches and loops that a node stands in, each with the side of it, up to its function."""
    found: list[tuple[ast.AST, str]] = []
    below, above = node, parents.get(node)
    while above is not None and not isinstance(above, ast.FunctionDef | ast.Lambda | ast.ClassDef):
        if isinstance(above, ast.If | ast.IfExp | ast.For | ast.While | ast.Try | ast.BoolOp):
            found.append((above, _side(above, below)))
        elif isinstance(above, ast.ListComp | ast.DictComp | ast.SetComp | ast.GeneratorExp):
            found.append((above, ""))
        below, above = above, parents.get(above)
    return found


def _side(above: ast.AST, below: ast.AST) -> str:
    """The field of a statement or expression that a node below it stands in."""
    for name, value in ast.iter_fields(above):
        if value is below or (isinstance(value, list) and any(item is below for item in value)):
            return name
    return ""


def _function(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> ast.AST | None:
    current: ast.AST | None = node
    while current is not None and not isinstance(current, ast.FunctionDef | ast.Lambda):
        current = parents.get(current)
    return current


def _chosen(
    interp: Interpreter,
    facts: Facts,
    known: Sequence[tuple[Used, Dim]],
    parents: Mapping[ast.AST, ast.AST],
) -> Dim | None:
    """A size that one test decides between two: the sides of its `if`s hold the calls of either."""
    sides: dict[ast.AST, dict[str, list[Dim]]] = {}
    first: dict[str, tuple[ast.AST, bool]] = {}
    for use, dim in known:
        if use.call is None or use.call not in parents:
            return None
        for branch, side in branches(use.call, parents):
            if isinstance(branch, ast.If | ast.IfExp) and side in ("body", "orelse"):
                asked, holds = _asked(branch, parents)
                leader, led = first.setdefault(asked, (branch, holds)) if asked else (branch, holds)
                side = side if holds == led else _OTHER[side]
                sides.setdefault(leader, {}).setdefault(side, []).append(dim)
    for branch, found in sides.items():
        if len(found) < 2 or sum(map(len, found.values())) < len(known):
            continue
        if all(all(same(dims[0], dim) for dim in dims) for dims in found.values()):
            dim = join_dims(interp, branch, "", -1, found["body"][0], found["orelse"][0])
            facts.choices[str(dim)] = (found["body"][0], found["orelse"][0])
            return dim
    return None


def _asked(branch: ast.If | ast.IfExp, parents: Mapping[ast.AST, ast.AST]) -> tuple[str, bool]:
    """The attribute that a branch asks for, "" where its answer may change within a call, and which answer its body has."""
    test, holds = branch.test, True
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, holds = test.operand, not holds
    match test:
        case ast.Attribute(value=ast.Name(id="self"), attr=name) if not _changes(test, parents):
            return name, holds
    return "", holds


def _changes(asked: ast.Attribute, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether the class of an attribute sets it in another method than its constructor."""
    cls = class_around(asked, parents)
    return cls is None or any(
        isinstance(node, ast.Attribute)
        and node.attr == asked.attr
        and not isinstance(node.ctx, ast.Load)
        for function in cls.body
        if not constructs(function)
        for node in ast.walk(function)
    )
