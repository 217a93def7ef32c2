"""The line length that files keep to, where no formatter's configuration says it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .source import Source

_USUAL = (80, 88, 100, 120)
_NEAR = 6  # how far below the limit a line is that was broken because of it
_ENOUGH = 10


def kept_to(sources: Iterable[Source]) -> int | None:
    """The shortest usual limit, in characters, that many lines nearly reach and few exceed; None where there is none.

    Strings, comments and links exceed it in most code.
    """
    lengths = Counter(len(line) for source in sources for line in source.text.splitlines())
    for limit in _USUAL:
        near = sum(lengths[length] for length in range(limit - _NEAR + 1, limit + 1))
        beyond = sum(count for length, count in lengths.items() if length > limit)
        if near >= _ENOUGH and 2 * beyond <= near:
            return limit - 1 if limit == 80 and not lengths[80] else limit
    return None
