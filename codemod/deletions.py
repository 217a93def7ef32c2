"""What goes with deleted statements: their lines, comments behind them, and blank lines that would be left over."""

from __future__ import annotations

import ast
import bisect
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .blocks import LINE_END, indentation
from .itemlists import Span

_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


class Lines:
    """The lines of a text that begins with a line break, which is line 0 and stands before the file's first line."""

    def __init__(self, text: str) -> None:
        self.text = text
        breaks = [found.span() for found in LINE_END.finditer(text)]
        self.starts = [0, *(end for _, end in breaks)]
        self._ends = [*(start for start, _ in breaks), len(text)]

    def __len__(self) -> int:
        return len(self.starts)

    def number(self, offset: int) -> int:
        """The line that holds an offset; a line break belongs to the line that it ends."""
        return bisect.bisect_right(self.starts, offset) - 1

    def end(self, line: int) -> int:
        """The offset of a line's line break (or of the text's end)."""
        return self._ends[line]

    def of(self, line: int) -> str:
        return self.text[self.starts[line] : self.end(line)]

    def indent(self, line: int) -> str:
        return indentation(self.of(line))

    def is_blank(self, line: int) -> bool:
        return not self.of(line).strip()

    def is_comment(self, line: int) -> bool:
        return self.of(line).lstrip(" \t\f").startswith("#")

    def leading_comments(self, line: int) -> int:
        """The first of the comment lines directly above a line and indented as it is; the line itself if none."""
        indent = self.indent(line)
        while line > 1 and self.is_comment(line - 1) and self.indent(line - 1) == indent:
            line -= 1
        return line


def block_of(stmt: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> list[ast.stmt]:
    """The list of statements that `stmt` stands in."""
    parent = parents[stmt]
    for name in _BLOCKS:
        block = getattr(parent, name, None)
        if isinstance(block, list) and any(other is stmt for other in block):
            return block
    raise ValueError(f"{type(stmt).__name__} is not in a block of statements")


@dataclass
class Row:
    """Statements that share a line, joined by semicolons; `header` is the offset behind the colon of a block's
    header on the same line, else None. `broken` rows are written with a line for each statement."""

    block: list[ast.stmt]
    statements: list[ast.stmt]
    spans: list[Span]
    header: int | None
    broken: bool = False

    def gap(self, index: int) -> Span:
        """What stands before a statement on the line; empty for the first of a row without header."""
        start = self.spans[index][0]
        if index:
            return self.spans[index - 1][1], start
        return (start if self.header is None else self.header), start


@dataclass
class _Stretch:
    """Neighbouring lines that are blank or deleted, with at least one deleted, between two that stay."""

    first: int
    last: int
    gone: list[int] = field(default_factory=list)


class Deletions:
    """The character spans that go with a set of deleted statements.

    `whole` lists, for each row that goes, its first and last line and its row; `inserted` holds the line ends at
    which new lines come in.
    """

    def __init__(
        self, lines: Lines, whole: Sequence[tuple[int, int, Row]], inserted: Collection[int]
    ) -> None:
        self._lines = lines
        self._inserted = inserted
        self._rows: dict[int, Row] = {}
        for first, last, row in whole:
            for line in range(first, last + 1):
                self._rows[line] = row
        self._gone_statements = {id(stmt) for _, _, row in whole for stmt in row.statements}

    def spans(self) -> Iterator[Span]:
        for stretch in self._stretches():
            yield from self._joined(self._removed(stretch))

    def _stretches(self) -> Iterator[_Stretch]:
        total = len(self._lines)
        gone = sorted(self._rows)
        done = 0
        for start in gone:
            if start <= done:
                continue
            first = start
            while (
                first > 1
                and first - 1 > done
                and self._loose(first - 1)
                and not self._breaks(first - 1)
            ):
                first -= 1
            last = start
            while last + 1 < total and self._loose(last + 1) and not self._breaks(last):
                last += 1
            yield _Stretch(first, last, [n for n in range(first, last + 1) if n in self._rows])
            done = last

    def _loose(self, line: int) -> bool:
        return line in self._rows or self._lines.is_blank(line)

    def _breaks(self, line: int) -> bool:
        """Whether new lines come in behind a line."""
        return self._lines.end(line) in self._inserted

    def _removed(self, stretch: _Stretch) -> list[int]:
        """The lines of a stretch that go: the deleted ones, and blank ones down to what may stay."""
        lines = range(stretch.first, stretch.last + 1)
        blanks: list[list[int]] = [[]]
        for line in lines:
            if line in self._rows:
                blanks.append([])
            else:
                blanks[-1].append(line)
        below = blanks[-1]
        if self._ends_block(stretch) or (self._is_end(stretch) and not self._opens_block(stretch)):
            kept = below
        elif self._opens_block(stretch):
            kept = []
        else:
            kept = max(reversed(blanks), key=len)
        return [line for line in lines if line not in kept]

    def _is_end(self, stretch: _Stretch) -> bool:
        return stretch.last == len(self._lines) - 1 and not self._breaks(stretch.last)

    def _opens_block(self, stretch: _Stretch) -> bool:
        """Whether nothing of the block stays above the stretch."""
        if self._breaks(stretch.first - 1) or self._lines.is_comment(stretch.first - 1):
            return False
        row = self._rows[stretch.gone[0]]
        return not self._stays(row.block[: _index(row.block, row.statements[0])])

    def _ends_block(self, stretch: _Stretch) -> bool:
        """Whether nothing of the block stays below the stretch."""
        if self._is_end(stretch) or self._breaks(stretch.last):
            return False
        row = self._rows[stretch.gone[-1]]
        following = stretch.last + 1
        if self._lines.is_comment(following):
            indent = self._lines.indent(self._lines.number(row.spans[0][0]))
            if self._lines.indent(following) == indent:
                return False
        return not self._stays(row.block[_index(row.block, row.statements[-1]) + 1 :])

    def _stays(self, statements: Iterable[ast.stmt]) -> bool:
        return any(id(stmt) not in self._gone_statements for stmt in statements)

    def _joined(self, removed: list[int]) -> Iterator[Span]:
        """The lines as spans, each from the line break before it; lines with text coming in between stay apart."""
        start = 0
        for place, line in enumerate(removed):
            following = removed[place + 1] if place + 1 < len(removed) else None
            if following == line + 1 and not self._breaks(line):
                continue
            yield self._lines.end(removed[start] - 1), self._lines.end(line)
            start = place + 1


def _index(block: Sequence[ast.stmt], stmt: ast.stmt) -> int:
    return next(number for number, other in enumerate(block) if other is stmt)
