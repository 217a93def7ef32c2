"""Calls that were broken over lines for a long name, and fit on one line once the name is short."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ..edits import EditConflict, Edits
from ..itemlists import Span
from ..source import Source


def join_calls(edits: Edits, calls: Iterable[ast.Call], limit: int) -> None:
    """Joins the lines of each call whose new text fits on its line; `limit` is the longest line."""
    for call in calls:
        gaps = list(_gaps(edits.source, call))
        if not any("\n" in edits.source.text[slice(*span)] for span, _ in gaps):
            continue
        trial = edits.fork()
        try:
            _join(trial, call, gaps)
            text = trial.render(call)
        except EditConflict:
            continue  # other edits took the space between the arguments along
        if _fits(edits.source, call, text, limit):
            edits.adopt(trial)


def _join(edits: Edits, call: ast.Call, gaps: Iterable[tuple[Span, str]]) -> None:
    gone = edits.only_removes(call)
    if not gone:
        for span, text in gaps:
            edits.replace(span, text)
        return
    items = sorted([*call.args, *call.keywords], key=edits.source.span)
    texts = [edits.render(item) for item in items if item not in gone]
    start, end = edits.source.span(call.func)[1], edits.source.span(call)[1]
    edits.replace((start, end), f"({', '.join(texts)})")


def _gaps(source: Source, call: ast.Call) -> Iterator[tuple[Span, str]]:
    """The text between a call's name and its arguments, and what it is on one line; nothing where it is more."""
    items = sorted(source.span(item) for item in [*call.args, *call.keywords])
    if not items:
        return
    borders = [source.span(call.func), *items]
    ends = [*[start for start, _ in items], source.span(call)[1]]
    texts = ["(", *[", "] * (len(items) - 1), ")"]
    spans = [(left, right) for (_, left), right in zip(borders, ends, strict=True)]
    there = ["".join(source.text[slice(*span)].split()) for span in spans]
    if [*there[:-1], there[-1].removeprefix(",")] == [text.strip() for text in texts]:
        yield from zip(spans, texts, strict=True)


def _fits(source: Source, call: ast.Call, text: str, limit: int) -> bool:
    start, end = source.span(call)
    before = source.text[source.line_start(start) : start]
    line_end = source.text.find("\n", end)
    behind = source.text[end : line_end if line_end >= 0 else None]
    return "\n" not in text and len(before + text + behind) <= limit
