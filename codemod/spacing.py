"""Signs between keywords and their values, `f(axis = 0)`, in the way of the file: a few write them with spaces."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterator

_OPEN, _CLOSE = "([{", ")]}"
Place = tuple[int, int]


def like(text: str, original: str) -> str:
    """A text with spaces around the signs of its keywords, if three of four have them in its original.

    Lines that the original has stay as they are.
    """
    before = io.StringIO(original).readlines()
    apart = [before[row - 1][at - 1 : at + 2] == " = " for row, at in _signs(original)]
    if not apart or 4 * sum(apart) < 3 * len(apart):
        return text
    known = set(before)
    after = io.StringIO(text).readlines()
    lines = list(after)
    for row, at in reversed(list(_signs(text))):
        line = lines[row - 1]
        if after[row - 1] not in known and line[at - 1] != " " and line[at + 1 : at + 2] != " ":
            lines[row - 1] = f"{line[:at]} = {line[at + 1 :]}"
    return "".join(lines)


def _signs(text: str) -> Iterator[Place]:
    """The signs of keywords and of defaults without annotations: row and column of each.

    None of what is no Python.
    """
    stack: list[str] = []
    depth = 0  # of f-strings, which Python 3.12 takes apart
    annotated = False
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            kind = tokenize.tok_name[token.type]
            depth += (kind == "FSTRING_START") - (kind == "FSTRING_END")
            if depth or token.type != tokenize.OP:
                continue
            if token.string in _OPEN:
                stack.append(token.string)
                annotated = False
            elif token.string in _CLOSE and stack:
                stack.pop()
            elif stack[-1:] == ["("] and token.string == ":":
                annotated = True
            elif token.string == ",":
                annotated = False
            elif token.string == "=" and stack[-1:] == ["("] and not annotated:
                yield token.start
    except (tokenize.TokenError, SyntaxError):
        return
