"""Assignments that happen at once, written one after the other."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence


def in_turn(assignments: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Assignments, target and text, that give each name its text, which reads the names as they were before all of them.

    A name is set after those whose texts read it; names that wait for each other are set in one statement.
    """
    pending = [(name, _bare(text)) for name, text in assignments if name != text]
    done: list[tuple[str, str]] = []
    while pending:
        free = [
            (name, text)
            for name, text in pending
            if not any(_reads(other, name) for held, other in pending if held != name)
        ]
        if not free:
            names, texts = zip(*pending, strict=True)
            return [*done, (", ".join(names), ", ".join(texts))]
        done += free
        pending = [each for each in pending if each not in free]
    return done


def _bare(text: str) -> str:
    """An expression without parentheses around the whole of it."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    try:
        whole, inner = (ast.dump(ast.parse(t, mode="eval")) for t in (text, text[1:-1]))
    except SyntaxError:
        return text
    return text[1:-1] if whole == inner else text


def _reads(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(name)}\b", text) is not None
