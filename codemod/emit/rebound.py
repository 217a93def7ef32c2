"""Locals that hold a layer, or a list of them, and then something else: such a local stays, and reads the attribute."""

from __future__ import annotations

import ast

from ..model.sites import Site, statement_of
from ..shapes.lifts import Lifted
from .method_context import MethodContext


def bound_otherwise(context: MethodContext, within: ast.AST, site: Site) -> bool:
    """Whether another statement there gives a site's local what the module does not make."""
    made = {s.statement for s in context.sites if s.alias == site.alias}
    if site.variable is not None or isinstance(context.interp.lifted.get(site.node), Lifted):
        return False
    stores = [
        node
        for node in ast.walk(within)
        if isinstance(node, ast.Name)
        and node.id == site.alias
        and isinstance(node.ctx, ast.Store)
        and not isinstance(context.parents[node], ast.comprehension)
    ]
    statements = {statement_of(node, context.parents) for node in stores}
    return any(not context.is_gone(each) for each in statements - made - context.moved)


def keep_local(context: MethodContext, site: Site, text: str) -> None:
    """The statement that made the layer gives its local what holds it."""
    value = getattr(site.statement, "value", site.node)
    context.edits.replace(value, text)
    context.gone.add(value)
