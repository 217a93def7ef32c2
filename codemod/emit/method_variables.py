"""Variables and state in methods: reads and writes of the attributes that hold them."""

from __future__ import annotations

import ast

from ..chains import is_own
from ..model.sites import Site, only_made
from .method_context import MethodContext
from .transport import CannotMove


def edit_variable(context: MethodContext, function: ast.FunctionDef, site: Site) -> None:
    text = context.variable_text(site)
    assert site.variable is not None
    if site.variable.kind == "variable" and site.alias is not None:
        context.edits.delete_statement(site.statement, with_comments=only_made(site))
        context.gone.add(site.statement)
        for node in ast.walk(function):
            if (
                isinstance(node, ast.Attribute)
                and node.attr == "value"
                and isinstance(node.value, ast.Name)
            ) and node.value.id == site.alias:
                context.edits.replace(node, text)
                context.gone.add(node)
        return
    if site.variable.kind == "variable":
        above = context.parents[site.node]
        target: ast.AST = (
            above if isinstance(above, ast.Attribute) and above.attr == "value" else site.node
        )
        context.edits.replace(target, text)
        return
    context.edits.replace(site.node, text)
    context.gone.add(site.node)


def edit_own_variables(context: MethodContext, function: ast.FunctionDef) -> None:
    """Reads of variables that the source itself kept on `self`."""
    kept = {
        s.own_attribute: s
        for s in context.sites
        if s.variable is not None and s.own_attribute is not None
    }
    for node in ast.walk(function):
        if is_own(node):
            site = kept.get(node.attr)
            if site is None or site.variable is None or context.is_gone(node):
                continue
            above = context.parents[node]
            inner = (
                isinstance(above, ast.Attribute)
                and above.attr == "value"
                and site.variable.kind == "variable"
            )
            text = context.variable_text(site)
            if node.attr in context.unset:
                if isinstance(above, ast.Compare) and _is_none_test(above):
                    continue
                if isinstance(above, ast.Call | ast.keyword | ast.Assign | ast.Return):
                    text = f"{text} if self.{node.attr} is not None else None"
            read = above if inner else node
            context.edits.replace(read, _part_of(text, read, context.parents[read]))


def _part_of(text: str, node: ast.AST, above: ast.AST) -> str:
    """What a variable is read by, where only a part of it is: `self.w[0]` says no less than `self.w[...][0]`."""
    match above:
        case ast.Subscript(value=value, ctx=ast.Load()) if value is node:
            return text.removesuffix("[...]")
    return text


def edit_set_states(context: MethodContext, function: ast.FunctionDef) -> None:
    """`hk.set_state(name, value)` assigns to the variable of that name."""
    attributes = {s.variable.name: s.attribute for s in context.sites if s.variable is not None}
    for node in ast.walk(function):
        made = context.facts.variables.get(node, [])
        if not isinstance(node, ast.Call) or not made or made[-1].kind != "set_state":
            continue
        given = [*node.args, *[k.value for k in node.keywords]]
        attribute = attributes.get(made[-1].name)
        if attribute is None or not isinstance(context.parents[node], ast.Expr) or len(given) != 2:
            raise CannotMove(
                node,
                "state that is set but never read with an initial value",
                "read it first with `hk.get_state(..., init=)`",
            )
        context.edits.replace(node, f"self.{attribute}[...] = {context.edits.render(given[1])}")


def _is_none_test(node: ast.Compare) -> bool:
    """`x is None`, or `x is not None`."""
    return (
        len(node.ops) == 1
        and isinstance(node.ops[0], ast.Is | ast.IsNot)
        and isinstance(node.comparators[0], ast.Constant)
        and node.comparators[0].value is None
    )
