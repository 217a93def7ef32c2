"""Loops that made layers run over the lists that hold them."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ..edits import move
from ..model.sites import Site
from ..shapes.values import Object
from . import layout
from .arms import arms
from .method_context import MethodContext
from .method_inline import inline_site
from .names import singular
from .rebound import bound_otherwise, keep_local


def by_loop(context: MethodContext, sites: Sequence[Site]) -> dict[ast.For, list[Site]]:
    found: dict[ast.For, list[Site]] = {}
    for site in sites:
        outer = next((loop for loop in site.loops if isinstance(loop, ast.For)), None)
        if outer is not None:
            found.setdefault(outer, []).append(site)
    return found


def edit_loop(
    context: MethodContext, function: ast.FunctionDef, loop: ast.For, sites: list[Site]
) -> None:
    """A loop that made layers runs over the lists that hold them."""
    if any(len(site.loops) > 1 or _is_conditional(context, site) for site in sites):
        _iterators(context, function, loop, sites)
        return
    names = {site.attribute for site in sites}
    index, start = _index_name(context, loop)
    read = _names_read(context, loop, sites)
    if len(names) == 1 and not (_target_names(loop) & read - ({index} if index else set())):
        _over_one(context, loop, sites[0], index if index in read else None, start, function)
    elif (
        index is not None
        and not start
        and not index.startswith("_")
        and (isinstance(loop.target, ast.Name) or _target_names(loop) & read)
    ):
        for site in sites:
            _element(context, function, loop, site, f"self.{site.attribute}[{index}]")
    else:
        _zipped(context, function, loop, sites, read)


def _is_conditional(context: MethodContext, site: Site) -> bool:
    """Whether some turns of a loop may go without what a site makes."""
    if isinstance(context.parents[site.statement], ast.If):
        return True
    child = context.models.get(site.value.cls.node) if isinstance(site.value, Object) else None
    tests = [arm.node.test for arm in arms(site, child, context.parents)]
    return any(context.known(test) is None for test in tests)


def _index_name(context: MethodContext, loop: ast.For) -> tuple[str | None, int]:
    """The name that counts the turns, where the loop has one, and what it counts from."""
    match loop.target, loop.iter:
        case ast.Name(id=name), ast.Call(func=ast.Name(id="range"), args=[_]):
            return name, 0
        case ast.Name(id=name), ast.Call(
            func=ast.Name(id="range"), args=[ast.Constant(value=int(start)), _]
        ):
            return name, start
        case ast.Tuple(elts=[ast.Name(id=name), _]), ast.Call(
            func=ast.Name(id="enumerate"), args=[_], keywords=[]
        ):
            return name, 0
        case ast.Tuple(elts=[ast.Name(id=name), _]), ast.Call(
            func=ast.Name(id="enumerate"),
            args=[_, ast.Constant(value=int(start))],
            keywords=[],
        ):
            return name, start
    return None, 0


def _target_names(loop: ast.For) -> set[str]:
    return {name.id for name in ast.walk(loop.target) if isinstance(name, ast.Name)}


def _names_read(context: MethodContext, loop: ast.For, sites: Sequence[Site]) -> set[str]:
    """The names that the body still reads once its sites are gone."""
    skipped = {site.node for site in sites} | set(context.moved)
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if node in skipped or node in context.flags.dropped_loads:
            return
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.add(node.id)
        for child in ast.iter_child_nodes(node):
            visit(child)

    for statement in loop.body:
        visit(statement)
    return found


def _over_one(
    context: MethodContext,
    loop: ast.For,
    site: Site,
    index: str | None,
    first: int,
    function: ast.FunctionDef,
) -> None:
    name = _free_name(singular(site.attribute), function, site)
    _element(context, function, loop, site, name)
    if index is None:
        context.edits.replace(
            (context.start(loop.target), context.end(loop.iter)), f"{name} in self.{site.attribute}"
        )
        context.gone.update((loop.target, loop.iter))
        return
    context.edits.replace(
        (context.start(loop.target), context.end(loop.iter)),
        f"{index}, {name} in enumerate(self.{site.attribute}{f', {first}' if first else ''})",
    )
    context.gone.update((loop.target, loop.iter))
    _lengths(context, loop, site)


def _lengths(context: MethodContext, loop: ast.For, site: Site) -> None:
    """`len(self.features)` of the sequence that the loop ran over is the length of the list."""
    sequence = (
        loop.iter.args[0] if isinstance(loop.iter, ast.Call) and loop.iter.args else loop.iter
    )
    wanted = ast.unparse(sequence)
    for node in ast.walk(loop):
        match node:
            case ast.Call(func=ast.Name(id="len"), args=[arg]) if ast.unparse(arg) == wanted:
                if not context.is_gone(node) and node is not loop.iter:
                    context.edits.replace(arg, f"self.{site.attribute}")
                    context.gone.add(arg)


def _free_name(name: str, function: ast.FunctionDef, site: Site | None = None) -> str:
    """A name that nothing in a function has, but for the layer of `site`, which may go by the name that it had."""
    taken = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
    taken -= {site.alias} if site is not None else set()
    taken |= {a.arg for a in ast.walk(function) if isinstance(a, ast.arg)}
    while name in taken:
        name += "_"
    return name


def _zipped(
    context: MethodContext,
    function: ast.FunctionDef,
    loop: ast.For,
    sites: list[Site],
    read: set[str],
) -> None:
    lists = list(dict.fromkeys(site.attribute for site in sites))
    names = {attribute: _free_name(singular(attribute), function, sites[0]) for attribute in lists}
    for site in sites:
        _element(context, function, loop, site, names[site.attribute])
    targets, iterables = [names[a] for a in lists], [f"self.{a}" for a in lists]
    kept = bool(_target_names(loop) & read)
    if kept:
        target = context.edits.render(loop.target)
        if isinstance(loop.target, ast.Tuple) and not target.startswith("("):
            target = f"({target})"
        targets.insert(0, target)
        iterables.insert(0, context.edits.render(loop.iter))
    source = context.edits.source
    header = layout.call(
        "zip",
        iterables,
        indent=source.line_indent(context.start(loop)),
        unit=source.hanging_indent,
        limit=context.limit,
        prefix=f"for {', '.join(targets)} in ",
        suffix=":",
    )
    context.edits.replace(
        (context.start(loop.target), context.end(loop.iter)),
        header.removeprefix("for ").removesuffix(":"),
    )
    if not kept:
        context.gone.update((loop.target, loop.iter))


def _iterators(
    context: MethodContext, function: ast.FunctionDef, loop: ast.For, sites: list[Site]
) -> None:
    """Layers made under conditions or in inner loops are taken one by one, in the order in which they were made."""
    if _flattens(context, loop, sites):
        name = _free_name(singular(sites[0].attribute), function, sites[0])
        _element(context, function, loop, sites[0], name)
        context.flat[loop] = sites[0], name
        return
    for attribute in dict.fromkeys(site.attribute for site in sites):
        local = _free_name(attribute, function)
        context.edits.insert_before(loop, f"{local} = iter(self.{attribute})")
        for site in sites:
            if site.attribute == attribute:
                _element(context, function, loop, site, f"next({local})")


def _flattens(context: MethodContext, loop: ast.For, sites: list[Site]) -> bool:
    """Whether nested loops do nothing but make one layer and call it."""
    if len(sites) != 1 or len({id(x) for x in sites[0].loops}) < 2:
        return False
    current: ast.For = loop
    targets: set[str] = set()
    while True:
        rest = [s for s in current.body if s not in context.moved]
        targets |= _target_names(current)
        if len(rest) == 1 and isinstance(rest[0], ast.For):
            current = rest[0]
            continue
        read = _names_read(context, current, sites)
        return sites[0].statement in current.body and not targets & read


def flatten(context: MethodContext, loop: ast.For, site: Site, name: str) -> None:
    """Loops within loops that do nothing but call one layer after the other become one."""
    innermost = [each for each in site.loops if isinstance(each, ast.For)][-1]
    body = [s for s in innermost.body if s not in context.gone]
    indent = context.edits.source.line_indent(context.start(loop))
    unit = context.edits.source.indent_unit

    start, end = context.start(body[0]), context.end(body[-1])
    old = context.edits.source.line_indent(start)
    text = move(context.edits.render((start, end)), old, indent + unit)
    context.edits.replace(
        loop, f"for {name} in self.{site.attribute}:\n{indent}{unit}{text.lstrip()}"
    )
    context.gone.add(loop)


def _element(
    context: MethodContext, function: ast.FunctionDef, loop: ast.For, site: Site, text: str
) -> None:
    """What the site made on this turn of the loop."""
    if site.variable is not None:
        read = f"{text}[...]" if site.variable.kind != "rng" else text
        context.edits.replace(site.node, read)
        context.gone.add(site.node)
        return
    if site.alias is None:
        if site.rule is not None and site.rule.inline:
            inline_site(context, site, text)
            return
        context.edits.replace(site.node, text)
        context.gone.add(site.node)
        return
    if site.alias != text and bound_otherwise(context, loop, site):
        keep_local(context, site, text)
        return
    context.edits.delete_statement(site.statement)
    context.gone.add(site.statement)
    for name in ast.walk(loop):
        if (
            (
                isinstance(name, ast.Name)
                and name.id == site.alias
                and isinstance(name.ctx, ast.Load)
            )
            and name.id != text
            and not context.is_gone(name)
        ):
            context.edits.replace(name, text)
