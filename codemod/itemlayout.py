"""Removing and adding items of a comma list in the layout that the list has: one line, filled lines, or one per line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .blocks import LINE_END
from .itemlists import Change, Item, ItemChanges, ItemList, Place

_COMMENT = re.compile(r"#[^\r\n]*")


@dataclass(frozen=True)
class _Gap:
    """What stands between two items (or a bracket and an item).

    `tail` is the comment on the first line with the space before it, `leads` are comments on lines of their own,
    `indent` is what the last line begins with; both `broke` and `indent` speak of a gap with a line break.
    """

    text: str
    comma: bool
    tail: str
    leads: tuple[str, ...]
    broke: bool
    indent: str

    @property
    def commented(self) -> bool:
        return bool(self.tail or self.leads)


def _gap(text: str) -> _Gap:
    first, *rest = LINE_END.split(text)
    found = re.search(r"[ \t]*#.*", first)
    leads = tuple(match.group() for line in rest if (match := _COMMENT.search(line)))
    indent = re.match(r"[ \t]*", rest[-1] if rest else "")
    return _Gap(
        text=text,
        comma="," in _COMMENT.sub("", text),
        tail=found.group() if found else "",
        leads=leads,
        broke=bool(rest),
        indent=indent.group() if indent else "",
    )


@dataclass
class _Run:
    """Two neighbours of the new list, `left` and `right` by their index in the old (-1 and n are the ends), the
    new texts between them, and the old gaps that they were apart."""

    left: int
    right: int
    texts: list[str] = field(default_factory=list)


class Relayout:
    """The text changes that carry out `asked` on one list."""

    def __init__(self, text: str, found: ItemList, asked: ItemChanges, newline: str) -> None:
        self._text = text
        self._list = found
        self._newline = newline
        self._kept, self._texts = _sequence(found, asked)
        self._lone_comments = asked.removed_comments
        self._gaps = self._read_gaps()
        inner = self._gaps[1:-1]
        single = not inner and self._gaps[0].broke and self._gaps[-1].comma
        lined = single or (bool(inner) and all(gap.broke for gap in inner))
        continued = any("\\" in gap.text for gap in self._gaps)
        self._stacked = bool(found.items) and lined and not continued
        self._indent = (inner[0] if inner else self._gaps[0]).indent

    def changes(self) -> list[Change]:
        """The replacements, in order; ValueError when the list would be left empty where none may be."""
        count = len(self._list.items)
        if not self._kept and not any(self._texts):
            return self._emptied()
        runs = []
        left = -1
        for right in [*self._kept, count]:
            texts = [text for place in range(left + 1, right + 1) for text in self._texts[place]]
            runs.append(_Run(left, right, texts))
            left = right
        return [change for run in runs if (change := self._change(run)) is not None]

    def _read_gaps(self) -> list[_Gap]:
        items = self._list.items
        starts = [self._list.open, *(item.end for item in items)]
        ends = [*(item.start for item in items), self._list.close]
        return [_gap(self._text[start:end]) for start, end in zip(starts, ends, strict=True)]

    def _emptied(self) -> list[Change]:
        if not self._list.items:
            return []
        if not self._list.may_be_empty:
            raise ValueError("no item would be left: remove what holds the list instead")
        start, end = self._list.shell or (self._list.open, self._list.close)
        return [(start, end, "")]

    def _change(self, run: _Run) -> Change | None:
        count = len(self._list.items)
        comma = self._gaps[-1].comma
        if run.right == count and self._size() == 1 and self._list.comma_when_single is not None:
            comma = self._list.comma_when_single
        changes_comma = run.right == count and comma != self._gaps[-1].comma
        if not run.texts and run.right == run.left + 1 and not changes_comma:
            return None
        start = self._list.open if run.left < 0 else self._list.items[run.left].end
        end = self._list.close if run.right == count else self._list.items[run.right].start
        if run.left < 0 and run.right == count:
            return start, end, self._only(run)
        if run.right == count:
            return start, end, self._at_end(run, "," if comma else "")
        if run.left < 0:
            return start, end, self._at_start(run)
        return start, end, self._between(run)

    def _size(self) -> int:
        return len(self._kept) + sum(len(texts) for texts in self._texts)

    # -- the text of one gap

    def _only(self, run: _Run) -> str:
        """The whole list, when nothing of the old one is left."""
        gap, last = self._gaps[0], self._gaps[-1]
        one_line = ", ".join(run.texts)
        comma = "," if len(run.texts) == 1 and self._list.comma_when_single else ""
        if self._list.items and self._stacked and gap.broke:
            lines = "".join(f"{self._line(text)}," for text in run.texts)
            return gap.tail + lines + self._newline + last.indent
        before, after = ("", "") if self._list.items else (self._list.before, self._list.after)
        return f"{before}{gap.text if gap.commented else ''}{one_line}{comma}{after}"

    def _at_start(self, run: _Run) -> str:
        gap = self._gaps[0]
        leads = self._leads(run)
        if not leads and not gap.leads and not (run.texts and self._stacked):
            return gap.text + "".join(f"{text}, " for text in run.texts)
        if not gap.broke and not leads:
            return gap.text + "".join(f"{text},{self._newline}{self._indent}" for text in run.texts)
        indent = self._gaps[run.right].indent or self._indent
        lines = "".join(f"{self._line(text)}," for text in run.texts)
        comments = "".join(self._line(lead, indent) for lead in leads)
        return gap.tail + lines + comments + self._newline + indent

    def _between(self, run: _Run) -> str:
        gaps = self._gaps[run.left + 1 : run.right + 1]
        leads = self._leads(run)
        tail = gaps[0].tail
        if not tail and not leads and not (run.texts and self._stacked):
            broken = next((gap for gap in gaps if gap.broke and not gap.commented), None)
            separator = broken.text if broken else self._plain_separator(gaps)
            return separator + "".join(f"{text}, " for text in run.texts)
        indent = gaps[-1].indent if gaps[-1].broke else self._indent or gaps[0].indent
        lines = "".join(f"{self._line(text, indent)}," for text in run.texts)
        comments = "".join(self._line(lead, indent) for lead in leads)
        return f",{tail}{lines}{comments}{self._newline}{indent}"

    def _plain_separator(self, gaps: Sequence[_Gap]) -> str:
        """A separator of one line: the first that has no comment in it."""
        return next((gap.text for gap in gaps if not gap.broke), ", ")

    def _at_end(self, run: _Run, comma: str) -> str:
        gaps = self._gaps[run.left + 1 :]
        last, tail, leads = gaps[-1], gaps[0].tail, self._leads(run)
        if run.texts and (self._stacked or tail or leads):
            indent = self._indent or gaps[0].indent or last.indent
            lines = ",".join(self._line(text, indent) for text in run.texts)
            return f",{tail}{lines}{comma}{self._closing(last, leads, indent)}"
        added = "".join(f", {text}" for text in run.texts)
        if tail or leads:
            return f"{comma}{tail}{self._closing(last, leads, gaps[0].indent, broken=True)}"
        space = last.text if not last.commented else self._newline + last.indent
        return added + comma + re.sub(r"[, \t]*,", "", space, count=1)

    def _closing(self, last: _Gap, leads: Sequence[str], indent: str, broken: bool = False) -> str:
        """What follows the last item: comments on lines of their own, then the line of the bracket."""
        comments = "".join(self._line(lead, indent) for lead in leads)
        if last.broke:
            return comments + self._newline + last.indent
        return comments + self._newline + indent if broken or leads else ""

    def _line(self, text: str, indent: str | None = None) -> str:
        return self._newline + (self._indent if indent is None else indent) + text

    def _leads(self, run: _Run) -> tuple[str, ...]:
        """The comments on own lines before the items from `left` to `right`, less those that go with their item."""
        return tuple(
            lead
            for place in range(run.left + 1, run.right + 1)
            if place not in self._lone_comments
            for lead in self._gaps[place].leads
        )


def _sequence(found: ItemList, asked: ItemChanges) -> tuple[list[int], list[list[str]]]:
    """The indices of the items that stay, and the new texts before each old index (and at the end)."""
    items = found.items
    texts: list[list[str]] = [[] for _ in range(len(items) + 1)]
    keywords = [text for place, text in asked.added if place == "keyword"]
    for place, text in asked.added:
        if place != "keyword":
            texts[_position(items, place)].append(text)
    at = _position(items, "last")
    kept = [i for i, item in enumerate(items) if item.node is not None and i not in asked.removed]
    texts[at] += keywords
    kept = sorted(kept + [i for i, item in enumerate(items) if _stays(items, i, kept, texts)])
    if keywords and not any(items[i].stars == 1 for i in kept):
        texts[at].insert(len(texts[at]) - len(keywords), "*")
    return kept, texts


def _position(items: Sequence[Item], place: Place) -> int:
    """The index before which a new item goes; numbers count what is not a bare mark."""
    if not isinstance(place, int):
        double = [i for i, item in enumerate(items) if item.stars == 2 and item.parameter]
        return double[0] if double else len(items)
    real = [i for i, item in enumerate(items) if item.node is not None]
    if place <= 0 or not real:
        return 0
    return real[min(place, len(real)) - 1] + 1


def _stays(
    items: Sequence[Item], mark: int, kept: Sequence[int], texts: Sequence[list[str]]
) -> bool:
    """Whether a bare `*` or `/` still has something to stand beside."""
    if items[mark].node is not None:
        return False
    if items[mark].mark == "/":
        return any(i < mark for i in kept) or any(texts[: mark + 1])
    follows = any(i > mark and items[i].stars < 2 for i in kept)
    return follows or any(texts[mark + 1 :])
