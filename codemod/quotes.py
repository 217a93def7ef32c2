"""Strings that a rewrite wrote, in the quotes of the file: most files have one kind alone."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator

_PLAIN = re.compile(r"""([rRbBuU]*)(['"])([^'"\\\n]*)\2""")
_START = getattr(tokenize, "FSTRING_START", None)  # Python 3.12 takes f-strings apart
_END = getattr(tokenize, "FSTRING_END", None)


def like(text: str, original: str) -> str:
    """A text with the quotes that its original has, where that has one kind; triple quotes are no matter of taste."""
    kinds = {kind for token in _strings(original) if (kind := _quote(token.string))}
    if len(kinds) != 1:
        return text
    (kind,) = kinds
    lines = io.StringIO(text).readlines()
    for token in reversed(list(_strings(text))):
        plain = _PLAIN.fullmatch(token.string)
        if plain is not None and plain[2] != kind and plain[3]:
            (row, start), (_, end) = token.start, token.end
            line = lines[row - 1]
            lines[row - 1] = f"{line[:start]}{plain[1]}{kind}{plain[3]}{kind}{line[end:]}"
    return "".join(lines)


def _strings(text: str) -> Iterator[tokenize.TokenInfo]:
    """The strings of a text, or what begins them; not those inside of an f-string. None of what is no Python."""
    depth = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == _END:
                depth -= 1
            elif depth == 0 and token.type in (tokenize.STRING, _START):
                yield token
            depth += token.type == _START
    except (tokenize.TokenError, SyntaxError):
        return


def _quote(string: str) -> str:
    """The kind of quotes of a string; none of one in triple quotes."""
    found = re.match(r"""[a-zA-Z]*(['"]{3}|['"])""", string)
    return found[1] if found is not None and len(found[1]) == 1 else ""
