"""Renames what rules rename, in text that stays where it is."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Collection

from ..edits import EditConflict, Edits
from ..rule import Declined
from .file_names import FileNames


def rename_within(
    node: ast.AST,
    edits: Edits,
    names: FileNames,
    kept: Collection[ast.AST] = (),
    declined: Callable[[ast.AST, Declined], None] | None = None,
) -> None:
    """Renames under a node, but not in `kept`; `declined` hears of calls that cannot be written, else they raise."""

    def visit(node: ast.AST) -> None:
        if node in kept:
            return
        try:
            new = (
                names.rewrite(node)
                if isinstance(node, ast.Call | ast.Name | ast.Attribute)
                else None
            )
        except Declined as refusal:
            if declined is None:
                raise
            declined(node, refusal)
            return
        if new is not None and isinstance(node, ast.Call) and _touched(edits, node):
            for child in ast.iter_child_nodes(node):
                if child is not node.func:
                    visit(child)
            if not _touched(edits, node.func):
                new = names.rewrite(node, edits.render)
                with contextlib.suppress(EditConflict):
                    edits.replace(node, new or "")
            return
        if new is not None:
            # The node may be part of code that was written anew.
            with contextlib.suppress(EditConflict):
                edits.replace(node, new)
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(node)


def _touched(edits: Edits, node: ast.AST) -> bool:
    return edits.render(node) != edits.source.segment(node)
