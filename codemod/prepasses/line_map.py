"""Which line of the user's text each line of a prepared text comes from."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence

_ASSIGNED = re.compile(r"(\s*)((?:[\w.]+|\([\w., ]+\))(?:, *[\w.]+)*,?) = ")


def line_map(old: Sequence[str], new: Sequence[str]) -> list[int]:
    """The line of the old text, counted from 1, for each line of the new one.

    Of lines that were written anew, those that assign are told by what they assign, and the others begin where the old
    lines in their place do. What was put in counts for the line before.
    """
    found = [1] * len(new)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, a, a_end, b, b_end in matcher.get_opcodes():
        for line in range(b, b_end):
            match kind:
                case "equal":
                    found[line] = a + line - b + 1
                case "replace":
                    found[line] = min(a + line - b, a_end - 1) + 1
                case _:
                    found[line] = max(a, 1)
        if kind == "replace":
            for line, other in _alike(new[b:b_end], old[a:a_end]):
                found[b + line] = a + other + 1
    return found


def _alike(new: Sequence[str], old: Sequence[str]) -> list[tuple[int, int]]:
    """The lines that assign to the same: one by one, if all do in one order, else those that are alone with that."""
    mine, others = _assigning(new), _assigning(old)
    if [what for _, what in mine] == [what for _, what in others]:
        return [(line, other) for (line, _), (other, _) in zip(mine, others, strict=True)]
    counts = Counter(w for _, w in mine), Counter(w for _, w in others)
    places = {what: other for other, what in others}
    return [
        (line, places[what]) for line, what in mine if counts[0][what] == 1 and counts[1][what] == 1
    ]


def _assigning(lines: Sequence[str]) -> list[tuple[int, str]]:
    found = [(number, _ASSIGNED.match(line)) for number, line in enumerate(lines)]
    return [(number, match[2]) for number, match in found if match is not None]
