"""Gives the expressions inside f-strings their places.

Before Python 3.12 the parser places them wrongly. The fields of an f-string are found again in its text, parsed by
themselves, and their positions copied to the nodes of the tree.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator

Offset = Callable[[int, int], int]
Position = Callable[[int], tuple[int, int]]


def relocate(tree: ast.Module, text: str, offset: Offset, position: Position) -> None:
    """Corrects, in place, the positions of all nodes inside f-strings.

    `offset` turns an `ast` position into a character offset, `position` an offset into an `ast` position.
    """
    if sys.version_info >= (3, 12):
        return
    for node in list(ast.walk(tree)):
        if isinstance(node, ast.JoinedStr):
            start = offset(node.lineno, node.col_offset)
            end = offset(node.end_lineno or 0, node.end_col_offset or 0)
            fields = [part for part in node.values if isinstance(part, ast.FormattedValue)]
            places = list(_fields(text, start, end))
            if len(fields) == len(places):
                for part, (left, right) in zip(fields, places, strict=True):
                    _place(part.value, text, left, right, position)


def _place(node: ast.expr, text: str, left: int, right: int, position: Position) -> None:
    written = text[left:right]
    stripped = written.lstrip()
    left += len(written) - len(stripped)
    try:
        parsed = ast.parse(stripped.rstrip(), mode="eval").body
    except SyntaxError:
        return
    if ast.dump(parsed) != ast.dump(node):
        return
    lines = stripped.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    for old, new in zip(ast.walk(node), ast.walk(parsed), strict=True):
        if isinstance(new, ast.expr | ast.arg | ast.keyword):
            first = (
                left + starts[new.lineno - 1] + _characters(lines[new.lineno - 1], new.col_offset)
            )
            last = (
                left
                + starts[(new.end_lineno or 0) - 1]
                + _characters(lines[(new.end_lineno or 0) - 1], (new.end_col_offset or 0))
            )
            old.lineno, old.col_offset = position(first)  # type: ignore[attr-defined]
            old.end_lineno, old.end_col_offset = position(last)  # type: ignore[attr-defined]


def _characters(line: str, column: int) -> int:
    return len(line.encode()[:column].decode(errors="ignore"))


def _fields(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where the expression of each replacement field stands, nested format specs aside."""
    at = start
    while at < end:
        character = text[at]
        if text.startswith(("{{", "}}"), at):
            at += 2
            continue
        if character == "{":
            stop = _expression_end(text, at + 1, end)
            yield at + 1, stop
            at = _field_end(text, stop, end)
            continue
        at += 1


def _expression_end(text: str, at: int, end: int) -> int:
    """The end of a field's expression: a `!r`, a `:`, an `=` or the closing brace."""
    depth = 0
    quote = ""
    while at < end:
        character = text[at]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}" and depth:
            depth -= 1
        elif not depth and (character in "}:" or (character == "!" and text[at + 1] != "=")):
            return at
        elif not depth and character == "=" and text[at + 1] != "=" and text[at - 1] not in "=!<>":
            rest = text[at + 1 : end].lstrip()
            if rest[:1] in ("}", ":", "!"):
                return at
        at += 1
    return at


def _field_end(text: str, at: int, end: int) -> int:
    depth = 1
    while at < end and depth:
        depth += (text[at] == "{") - (text[at] == "}")
        at += 1
    return at
