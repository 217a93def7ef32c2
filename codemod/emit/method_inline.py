"""Layers that are made and applied in one call: the call stays, with its inputs alone."""

from __future__ import annotations

import ast

from ..model.sites import Site
from .method_context import MethodContext


def inline_site(context: MethodContext, site: Site, text: str) -> None:
    """A layer made and applied in one call: the call stays, with its inputs alone."""
    assert site.rule is not None
    given: dict[str, ast.expr | ast.keyword] = dict(
        zip(site.rule.signature, site.node.args, strict=False)
    )
    given.update({k.arg: k for k in site.node.keywords if k.arg})
    context.edits.replace(site.node.func, text)
    context.gone.add(site.node.func)
    for name, item in given.items():
        if name not in site.rule.inputs:
            context.edits.remove_item(site.node, item)
            context.gone.add(item)
        elif isinstance(item, ast.keyword):
            start, _ = context.edits.source.span(item)
            context.edits.delete((start, context.start(item.value)))
