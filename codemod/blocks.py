"""Blocks of source text: which lines lie in strings, and moving a block to another indentation."""

from __future__ import annotations

import re
from collections.abc import Iterator

LINE_END = re.compile(r"\r\n|\r|\n")

_TOKEN = re.compile(r"#[^\r\n]*|[\"']")
_TRIPLE_END = {'"""': re.compile(r'\\.|"""', re.S), "'''": re.compile(r"\\.|'''", re.S)}
_SINGLE_END = {quote: re.compile(rf"\\(?:\r\n|.)|{quote}|\r\n|\r|\n", re.S) for quote in "\"'"}


def strings(text: str) -> Iterator[tuple[int, int]]:
    """The spans of the string literals in `text`, quotes included, prefixes not.

    A literal that does not end runs to the end of its line (one quote) or of the text (three).
    """
    at = 0
    while found := _TOKEN.search(text, at):
        if found.group().startswith("#"):
            at = found.end()
            continue
        start = found.start()
        at = _string_end(text, start)
        yield start, at


def _string_end(text: str, start: int) -> int:
    quote = text[start : start + 3]
    if quote in _TRIPLE_END:
        pattern = _TRIPLE_END[quote]
    else:
        quote = quote[0]
        pattern = _SINGLE_END[quote]
    at = start + len(quote)
    while found := pattern.search(text, at):
        if found.group() == quote or found.group() in ("\r\n", "\r", "\n"):
            return found.end()
        at = found.end()
    return len(text)


def lines_in_strings(text: str) -> set[int]:
    """The numbers, from 0, of the lines of `text` that begin inside a string literal."""
    inside: set[int] = set()
    line, at = 0, 0
    for start, end in strings(text):
        line += _breaks(text, at, start)
        inner = _breaks(text, start, end)
        unclosed = text[end - 1] in "\r\n"
        inside.update(range(line + 1, line + inner + (not unclosed)))
        line, at = line + inner, end
    return inside


def _breaks(text: str, start: int, end: int) -> int:
    return len(LINE_END.findall(text[start:end]))


def split_lines(text: str) -> list[str]:
    """The lines of `text`, each with its line end (which `str.splitlines` sees in form feeds too)."""
    starts = [0, *(found.end() for found in LINE_END.finditer(text))]
    return [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]


def indentation(line: str) -> str:
    """The white space that a line begins with."""
    return line[: len(line) - len(line.lstrip(" \t\f"))]


def move(text: str, from_indent: str, to_indent: str) -> str:
    """`text`, a block of statements indented by `from_indent`, indented by `to_indent` instead.

    The first line may have lost its indentation, as the text of a node has. Lines inside strings stay as they
    are, blank lines get no indentation, and lines that stand further left than the block keep their text only.
    """
    untouched = lines_in_strings(text)
    lines = split_lines(text)
    return "".join(
        line if number in untouched else _moved(line, from_indent, to_indent)
        for number, line in enumerate(lines)
    )


def _moved(line: str, from_indent: str, to_indent: str) -> str:
    if not line.strip():
        return line.lstrip(" \t\f")
    if line.startswith(from_indent):
        return to_indent + line[len(from_indent) :]
    return to_indent + line.lstrip(" \t\f")


def dedent_block(text: str) -> str:
    """`text` moved to column 0: the indentation that all its lines share goes."""
    untouched = lines_in_strings(text)
    shared: str | None = None
    for number, line in enumerate(split_lines(text)):
        if number in untouched or not line.strip():
            continue
        own = indentation(line)
        shared = own if shared is None else _common(shared, own)
    return move(text, shared or "", "")


def _common(left: str, right: str) -> str:
    length = 0
    while length < min(len(left), len(right)) and left[length] == right[length]:
        length += 1
    return left[:length]
