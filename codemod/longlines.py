"""Statements that a rewrite made too long for their file, broken over lines as black breaks them."""

from __future__ import annotations

import ast

from .edits import Edits
from .emit import layout
from .source import Source

_Plain = ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Return | ast.Expr


def broken(source: Source, original: Source, limit: int) -> str:
    """The text of a file whose plain statements fit into `limit` characters; lines that the original has stay.

    A statement with comments in it stays as well, and one that cannot be made shorter.
    """
    known = set(original.text.splitlines())
    after = source.text.splitlines()
    commented = {source.location(start)[0] for start, _, _ in source.comments}
    edits = Edits(source)
    for node in ast.walk(source.tree):
        if not isinstance(node, _Plain):
            continue
        rows = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        lines = [after[row - 1] for row in rows]
        if commented.isdisjoint(rows) and any(len(x) > limit and x not in known for x in lines):
            new = _broken(source, node, limit)
            if new is not None and max(map(len, new.splitlines())) < max(map(len, lines)):
                edits.replace(node, new.replace("\n", source.newline))
    return edits.apply()


def _broken(source: Source, node: _Plain, limit: int) -> str | None:
    """A statement broken anew, None for one that shares its line, or whose value is in brackets."""
    start, end = source.span(node)
    if node.value is None or source.text[source.line_start(start) : start].strip():
        return None
    first, last = source.span(node.value)
    prefix = source.text[start:first]
    if last != end or "\n" in prefix:
        return None
    new = layout.expression(
        source.text[first:last],
        indent=source.line_indent(start),
        unit=source.hanging_indent,
        limit=limit,
        prefix=prefix,
    )
    (statement,) = ast.parse(new).body
    return new if ast.dump(statement) == ast.dump(node) else None
