"""The form in which a report says where an original's variables went.

A target is an attribute path, in which `[{i}]` stands for each index of a list, `[{j}]` for one within it, and
`[{i:kernel}]` for each entry that has a `kernel`, where `i` is its place among those. A source may hold expressions in
braces over these letters and over `count('linears[*].kernel')`, the number of variables of the rewrite that have such
a path. `{*}` is a name that reading cannot tell: those that fit are taken in order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LETTERS = "ijklmn"
ANY = "{*}"
NAME = "{name}"  # what code of no module of its own is given as a name; ANY where nothing says that
GIVEN = "name or "  # before the base of what code of no module of its own calls by the name that it is given
_COUNT = re.compile(r"count\('([^']*)'\)")
_TOKEN = re.compile(r"count\('[^']*'\)|\b[ijklmn]\b")
_BRACES = re.compile(r"\{([^{}]*)\}")
_INDEX = re.compile(r"\[\{([ijklmn])(:[^}]*)?\}\]")


def depth(target: str) -> int:
    """How many lists a target leads through."""
    return len(_INDEX.findall(target))


def plain(target: str) -> str:
    """A target as expressions write it: `blocks[i].linear`."""
    return _INDEX.sub(lambda found: f"[{found[1]}]", target)


def every(target: str) -> str:
    """A target for `count`, with its last list taken whole: `linears[*]`; outer ones stay as they are."""
    found = list(_INDEX.finditer(target))
    if not found:
        return target
    last = found[-1]
    return plain(target[: last.start()]) + "[*]" + target[last.end() :]


def within(target: str, prefix: str) -> str:
    """A target of a child as its parent sees it."""
    by = depth(prefix)
    moved = _INDEX.sub(lambda found: f"[{{{_letter(found[1], by)}{found[2] or ''}}}]", target)
    return f"{prefix}.{moved}" if moved else prefix


def shifted(expression: str, prefix: str) -> str:
    """An expression of a child as its parent writes it."""
    by, start = depth(prefix), plain(prefix)

    def moved(found: re.Match[str]) -> str:
        text = found[0]
        pattern = _COUNT.fullmatch(text)
        if pattern is None:
            return _letter(text, by)
        inner = re.sub(r"\[([ijklmn])\]", lambda f: f"[{_letter(f[1], by)}]", pattern[1])
        return f"count('{start}.{inner}')"

    return _TOKEN.sub(moved, expression)


def source_within(source: str, prefix: str) -> str:
    """A name of a child's variable, with its expressions as the parent writes them."""
    return _BRACES.sub(
        lambda found: found[0] if found[0] in (ANY, NAME) else f"{{{shifted(found[1], prefix)}}}",
        source,
    )


def _letter(letter: str, by: int) -> str:
    place = LETTERS.index(letter) + by
    return LETTERS[min(place, len(LETTERS) - 1)]


def total(*parts: str | int | None) -> str | None:
    """A sum, its numbers added up; None where a part is not known."""
    if any(part is None for part in parts):
        return None
    number, texts = 0, []
    for part in parts:
        text = str(part)
        if re.fullmatch(r"-?\d+", text):
            number += int(text)
        elif text:
            texts.append(text)
    return " + ".join([*texts, *([str(number)] if number or not texts else [])])


def times(factor: int, text: str) -> str:
    """A product."""
    return text if factor == 1 else f"{factor} * {text}"


@dataclass(frozen=True)
class Counted:
    """A name that the original's framework makes by counting: `Dense_2`, in Haiku `linear_2` and `linear` for the first.

    `index` is an expression, None where it cannot be told.
    """

    base: str
    index: str | None

    def text(self, framework: str) -> str:
        """The name in a source."""
        if self.base.startswith(GIVEN):
            return ANY
        if self.index is None:
            return f"{self.base}_{ANY}"
        if self.index == "0" and framework == "haiku":
            return self.base
        return f"{self.base}_{self.index if self.index.isdigit() else f'{{{self.index}}}'}"

    def after(self, before: str | None, prefix: str) -> Counted:
        """A name that code of no module of its own gives, where the module around it has given some before."""
        own = None if self.index is None else shifted(self.index, prefix)
        return Counted(self.base, total(before, own))
