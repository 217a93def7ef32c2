"""Changes to a file as a set of edits on spans of its text.

Edits are recorded in any order and carried out at once, by `apply` on the whole file or by `render` on a part that
moves elsewhere. What no edit names stays byte for byte.
"""

from __future__ import annotations

import ast
import bisect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .blocks import LINE_END, dedent_block, move
from .deletions import Deletions, Lines, Row, block_of
from .itemlayout import Relayout
from .itemlists import Finder, ItemChanges, ItemList, Place, Span

if TYPE_CHECKING:
    from .source import Source

__all__ = ["EditConflict", "Edits", "dedent_block", "move"]


class EditConflict(ValueError):
    """Two edits want the same text and neither contains the other."""


@dataclass(frozen=True)
class _Edit:
    """New text for `[start, end)` of the padded text.

    An insertion of whole lines has a `scope`, the span of the block's owner that it belongs to, and a `rank` that
    puts lines which follow a statement before lines which lead the next one.
    """

    start: int
    end: int
    text: str
    scope: Span | None = None
    rank: int = 0

    @property
    def is_insertion(self) -> bool:
        return self.start == self.end

    @property
    def is_deletion(self) -> bool:
        return self.start < self.end and not self.text

    def within(self, start: int, end: int) -> bool:
        """Whether the edit is part of what a span says; a plain insertion at its border is not."""
        if self.scope is not None:
            return start <= self.scope[0] and self.scope[1] <= end
        if self.is_insertion:
            return start < self.start < end
        return start <= self.start and self.end <= end


class Edits:
    """Edits of one source.

    A later edit that covers earlier ones takes their place, so `replace(node, f"g({edits.render(node)})")` is the way
    to wrap what may have been edited before. An edit inside text that was deleted has no effect; one inside text
    that was replaced, or that overlaps another in part, raises EditConflict.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._newline = source.newline
        # A line break before the first line lets every line be removed or added together with the one before it.
        self._pad = len(self._newline)
        self._lines = Lines(self._newline + source.text)
        self._text = self._lines.text
        self._finder = Finder(self._text, lambda node: self._at(source.span(node)))
        self._edits: list[_Edit] = []
        self._deleted: dict[ast.AST, bool] = {}
        self._rows: dict[int, Row] = {}
        self._lists: dict[ast.AST, tuple[ItemList, ItemChanges]] = {}
        self._resolution: list[_Edit] | None = None  # what is recorded so far, resolved

    # ---- recording ---------------------------------------------------------------------------------

    def replace(self, target: ast.AST | Span, text: str) -> None:
        """Puts `text` in place of a node (a definition's decorators stay) or of the text between two offsets."""
        start, end = self._span(target)
        if start == end:
            self._insert(_Edit(start, start, text))
            return
        self._record(_Edit(start, end, text))

    def delete(self, target: ast.AST | Span) -> None:
        """Deletes a node's text or the text between two offsets, and nothing around it."""
        self.replace(target, "")

    def insert(self, offset: int, text: str) -> None:
        """Puts `text` in at an offset, behind what was put in there before."""
        self._insert(_Edit(offset + self._pad, offset + self._pad, text))

    def delete_statement(self, stmt: ast.AST, *, with_comments: bool = False) -> None:
        """Deletes a statement with its decorators, its lines and the comment behind it.

        `with_comments` takes the comment lines directly above it too. Of the blank lines around it as many stay as
        read well: none at the start of a block, else the larger gap. A block must keep a statement; its last one
        has to be replaced instead.
        """
        self._resolution = None
        gone = self._deletion(stmt)
        same = [e for e in self._edits if (e.start, e.end) == (gone.start, gone.end)]
        self._edits = [e for e in self._edits if e not in same]
        self._check_inside(gone)
        for old in self._edits:
            if old.text and _overlap_in_part((old.start, old.end), (gone.start, gone.end)):
                raise self._conflict(old, gone)
        self._row(stmt)
        self._deleted[stmt] = with_comments

    def insert_before(self, stmt: ast.AST, text: str, *, below_comments: bool = False) -> None:
        """Puts lines, written at column 0, above a statement, its decorators and the comments directly above it."""
        self._resolution = None
        row, index = self._row(stmt)
        line = self._lines.number(row.spans[index][0])
        if index or row.header is not None:
            row.broken = True
            self._insert_lines(stmt, row.gap(index)[0], text, 1)
            return
        if not below_comments:
            line = self._lines.leading_comments(line)
        self._insert_lines(stmt, self._lines.end(line - 1), text, 1)

    def insert_after(self, stmt: ast.AST, text: str) -> None:
        """Puts lines, written at column 0, below a statement and the comment behind it."""
        self._resolution = None
        row, index = self._row(stmt)
        last = index + 1 == len(row.statements)
        if not last or row.header is not None:
            row.broken = True
        end = row.spans[index][1]
        self._insert_lines(stmt, self._lines.end(self._lines.number(end)) if last else end, text, 0)

    def remove_item(self, owner: ast.AST, item: ast.AST, *, with_comments: bool = False) -> None:
        """Removes an argument, parameter, element, dict entry (by key, or value of `**value`), base, alias, decorator,
        `with` item or `del` target with its comma and the comment behind it.

        `with_comments` takes the comment lines directly above it too. ValueError when `owner` does not hold `item`.
        """
        if any(item is decorator for decorator in getattr(owner, "decorator_list", ())):
            self._remove_decorator(owner, item)
            return
        found, asked = self._list(owner)
        index = found.index(_entry(owner, item))
        asked.removed.add(index)
        if with_comments:
            asked.removed_comments.add(index)

    def add_item(self, owner: ast.AST, text: str, place: Place = "last") -> None:
        """Adds an item in the layout of the list that `owner` has.

        `place` is the index of the old item that it goes before (in parameters: behind the one before that, bare `*`
        and `/` not counted), "last" (before `**kwargs` in parameters), or "keyword" for a keyword-only parameter,
        with the bare `*` where it needs one.
        """
        self._list(owner)[1].added.append((place, text))

    def fork(self) -> Edits:
        """Another set with the same edits so far; neither sees what the other records from now on."""
        other = Edits.__new__(Edits)
        other.__dict__.update(self.__dict__)
        other._edits = list(self._edits)
        other._deleted = dict(self._deleted)
        other._rows = {}
        for row in {id(row): row for row in self._rows.values()}.values():
            twin = replace(row)
            other._rows.update((id(stmt), twin) for stmt in row.statements)
        other._lists = {
            owner: (found, asked.copy()) for owner, (found, asked) in self._lists.items()
        }
        return other

    def adopt(self, fork: Edits) -> None:
        """Takes over what a fork of these edits recorded."""
        self.__dict__.update(fork.__dict__)

    # ---- carrying out ------------------------------------------------------------------------------

    @property
    def touched(self) -> bool:
        """Whether anything was recorded."""
        return bool(self._edits or self._deleted or self._lists)

    def render(self, target: ast.AST | Span) -> str:
        """The text of a node (without decorators) or span with the edits in it carried out."""
        return self._compose(*self._span(target))

    def keeps(self, node: ast.AST) -> bool:
        """Whether a node is still there, as it was, once the edits are made."""
        start, end = self._span(node)
        if self._resolution is None:
            self._resolution = self._resolved(0, len(self._text) + 1)
        # They lie apart and in order, so that their ends are in order too.
        first = bisect.bisect_right(self._resolution, start, key=lambda edit: edit.end)
        behind = bisect.bisect_left(self._resolution, end, lo=first, key=lambda edit: edit.start)
        met = self._resolution[first:behind]
        if any(e.start < start or end < e.end for e in met):
            return False
        return not met or self.render(node) == self.source.segment(node)

    def only_removes(self, owner: ast.AST) -> set[ast.AST] | None:
        """The items that a list loses; None where it gets others too."""
        if owner not in self._lists:
            return set()
        found, asked = self._lists[owner]
        gone = (found.items[index].node for index in asked.removed)
        return None if asked.added else {node for node in gone if node is not None}

    def apply(self) -> str:
        """The whole new text."""
        text = self._compose(0, len(self._text) + 1)
        first = LINE_END.match(text)
        return text[first.end() :] if first else text

    # ---- inside ------------------------------------------------------------------------------------

    def _at(self, span: Span) -> Span:
        return span[0] + self._pad, span[1] + self._pad

    def _span(self, target: ast.AST | Span) -> Span:
        return self._at(target if isinstance(target, tuple) else self.source.span(target))

    def _whole(self, stmt: ast.AST) -> Span:
        return self._at(self.source.span(stmt, decorators=True))

    def _list(self, owner: ast.AST) -> tuple[ItemList, ItemChanges]:
        """The list that `owner` has, and what is asked of it: to be added to."""
        self._resolution = None
        parent = self.source.parents.get(owner)
        if isinstance(owner, ast.Tuple) and isinstance(parent, ast.Subscript):
            owner = parent
        if owner not in self._lists:
            found = self._finder.find(owner)
            self._check_inside(_Edit(found.open, found.close, "", (found.open, found.close)))
            self._lists[owner] = (found, ItemChanges())
        return self._lists[owner]

    def _remove_decorator(self, owner: ast.AST, item: ast.AST) -> None:
        start, end = self._at(self.source.span(item))
        start = self._text.rindex("@", 0, start)
        line = self._lines.number(end)
        following = self._lines.starts[line + 1]
        indent = len(self._lines.indent(line + 1))
        self._record(_Edit(start, following + indent, ""))

    def _insert(self, edit: _Edit) -> None:
        self._resolution = None
        for other in self._edits:
            if other.start < edit.start < other.end and other.text:
                raise self._conflict(other, edit)
        self._edits.append(edit)

    def _record(self, edit: _Edit) -> None:
        """Adds a replacement; what it covers was recorded before and goes."""
        self._resolution = None
        for other in self._edits:
            self._check(other, edit)
        for stmt in self._deleted:
            if _overlap_in_part(self._whole(stmt), (edit.start, edit.end)):
                raise self._conflict(self._deletion(stmt), edit)
        self._edits = [other for other in self._edits if not other.within(edit.start, edit.end)]
        self._lists = {
            owner: (found, asked)
            for owner, (found, asked) in self._lists.items()
            if not (edit.start <= found.open and found.close <= edit.end)
        }
        # A deleted statement inside stays recorded, for the comment behind it may stand outside.
        self._deleted = {
            stmt: comments
            for stmt, comments in self._deleted.items()
            if self._whole(stmt) != (edit.start, edit.end)
        }
        self._edits.append(edit)

    def _check(self, old: _Edit, new: _Edit) -> None:
        if old.is_insertion or old.end <= new.start or new.end <= old.start:
            return
        if old.within(new.start, new.end) or (old.is_deletion and new.is_deletion):
            return
        if old.is_deletion and new.within(old.start, old.end):
            return
        raise self._conflict(old, new)

    def _check_inside(self, new: _Edit) -> None:
        """Raises if a wider text that holds `new` was replaced before."""
        for old in self._edits:
            if old.text and not old.is_insertion and new.within(old.start, old.end):
                raise self._conflict(old, new)

    def _deletion(self, stmt: ast.AST) -> _Edit:
        return _Edit(*self._whole(stmt), "")

    def _conflict(self, old: _Edit, new: _Edit) -> EditConflict:
        return EditConflict(f"the edit of {self._place(new)} meets the edit of {self._place(old)}")

    def _place(self, edit: _Edit) -> str:
        line = self._lines.number(edit.start)
        column = edit.start - self._lines.starts[line]
        old = self._text[edit.start : edit.end]
        shown = old if len(old) <= 40 else old[:37] + "..."
        return f"line {line}, column {column} ({shown!r} -> {edit.text[:40]!r})"

    def _insert_lines(self, stmt: ast.AST, offset: int, text: str, rank: int) -> None:
        indent = self._statement_indent(stmt)
        lines = move(LINE_END.sub("\n", text).removesuffix("\n"), "", indent)
        if self._text.startswith("elif", self._whole(stmt)[0]) and isinstance(stmt, ast.If):
            raise ValueError("an `elif` is a clause of its `if`: no line can stand beside it")
        scope = self._scope(self.source.parents[stmt])
        edit = _Edit(
            offset, offset, self._newline + lines.replace("\n", self._newline), scope, rank
        )
        self._check_inside(edit)
        self._edits.append(edit)

    def _scope(self, owner: ast.AST) -> Span:
        """The span of what a block belongs to."""
        match owner:
            case ast.Module():
                return 0, len(self._text)
            case ast.match_case():
                return self._span(owner.pattern)[0], self._span(owner.body[-1])[1]
        return self._span(owner)

    # -- rows of statements

    def _row(self, stmt: ast.AST) -> tuple[Row, int]:
        if id(stmt) not in self._rows:
            row = self._read_row(stmt)
            self._rows.update((id(member), row) for member in row.statements)
        row = self._rows[id(stmt)]
        return row, next(i for i, member in enumerate(row.statements) if member is stmt)

    def _read_row(self, stmt: ast.AST) -> Row:
        block = block_of(stmt, self.source.parents)
        first = last = next(i for i, other in enumerate(block) if other is stmt)
        while first and self._share_line(block[first - 1], block[first]):
            first -= 1
        while last + 1 < len(block) and self._share_line(block[last], block[last + 1]):
            last += 1
        members = block[first : last + 1]
        spans = [self._whole(member) for member in members]
        line = self._lines.starts[self._lines.number(spans[0][0])]
        before = self._text[line : spans[0][0]]
        header = line + len(before.rstrip()) if before.strip() else None
        return Row(block, members, spans, header)

    def _share_line(self, left: ast.stmt, right: ast.stmt) -> bool:
        return self._lines.number(self._whole(left)[1]) == self._lines.number(self._whole(right)[0])

    def _statement_indent(self, stmt: ast.AST) -> str:
        row, _ = self._row(stmt)
        indent = self._lines.indent(self._lines.number(row.spans[0][0]))
        return indent if row.header is None else indent + self.source.indent_unit

    # -- from what was recorded to plain replacements

    def _compose(self, start: int, end: int) -> str:
        pieces: list[str] = []
        at = start
        for edit in self._resolved(start, end):
            pieces += [self._text[at : edit.start], edit.text]
            at = edit.end
        return "".join([*pieces, self._text[at:end]])

    def _resolved(self, start: int, end: int) -> list[_Edit]:
        """The edits within a span, apart from each other and in order."""
        edits = [edit for edit in self._edits if not self._is_gone(edit)]
        inserted = [edit for edit in edits if edit.is_insertion and edit.within(start, end)]
        solid = [edit for edit in edits if edit.start < edit.end and edit.text]
        solid += [*self._list_edits(), *self._row_breaks()]
        solid = [edit for edit in solid if edit.within(start, end)]
        deleted = [(edit.start, edit.end) for edit in [*edits, *solid] if edit.is_deletion]
        deleted += self._deleted_spans(edits)
        clipped = [(max(a, start), min(b, end)) for a, b in deleted if a < end and b > start]
        kept = self._apart(
            [e for e in solid if e.text] + [_Edit(a, b, "") for a, b in _merged(clipped)]
        )
        inserted = [
            replace(edit, start=min(edit.start, end), end=min(edit.end, end)) for edit in inserted
        ]
        free = [i for i in inserted if not any(e.start < i.start < e.end for e in kept)]
        return sorted(kept + free, key=_place)

    def _is_gone(self, edit: _Edit) -> bool:
        """Whether an insertion of lines belongs to a block that is deleted."""
        if edit.scope is None:
            return False
        spans = [self._whole(stmt) for stmt in self._deleted]
        spans += [(other.start, other.end) for other in self._edits if other.is_deletion]
        return any(edit.within(*span) for span in spans)

    def _apart(self, edits: Iterable[_Edit]) -> list[_Edit]:
        """Without what lies inside another edit; EditConflict for those that overlap otherwise."""
        kept: list[_Edit] = []
        for edit in sorted(edits, key=lambda edit: (edit.start, -edit.end, not edit.is_deletion)):
            last = kept[-1] if kept else None
            if last is None or edit.start >= last.end:
                kept.append(edit)
            elif edit.end > last.end:
                if not (edit.is_deletion and last.text):
                    raise self._conflict(last, edit)
                # The line of a deleted statement goes on behind the replaced text that it was in.
                kept.append(replace(edit, start=last.end))
        return kept

    def _list_edits(self) -> Iterator[_Edit]:
        for found, asked in self._lists.values():
            for start, end, text in Relayout(self._text, found, asked, self._newline).changes():
                scope = (found.open, found.close) if start == end else None
                yield _Edit(start, end, text, scope)

    def _known_rows(self) -> list[Row]:
        return list({id(row): row for row in self._rows.values()}.values())

    def _row_breaks(self) -> Iterator[_Edit]:
        """The line breaks between the statements of a row in which new lines come in."""
        for row in self._known_rows():
            if not row.broken:
                continue
            indent = self._statement_indent(row.statements[0])
            for index, stmt in enumerate(row.statements):
                start, end = row.gap(index)
                if start < end and stmt not in self._deleted:
                    yield _Edit(start, end, self._newline + indent)

    def _deleted_spans(self, live: Iterable[_Edit]) -> list[Span]:
        """The spans that go with the deleted statements."""
        spans = {stmt: self._whole(stmt) for stmt in self._deleted}
        outer = {
            stmt
            for stmt, (a, b) in spans.items()
            if not any(c <= a and b <= d and (a, b) != (c, d) for c, d in spans.values())
        }
        whole: list[tuple[int, int, Row]] = []
        partial: list[Span] = []
        for row in self._known_rows():
            gone = [stmt in outer for stmt in row.statements]
            if not any(gone):
                continue
            if all(gone) and row.header is None and not row.broken:
                whole.append((*self._row_lines(row), row))
            else:
                partial += self._partly(row, gone)
        inserted = {edit.start for edit in live if edit.scope is not None}
        return [*partial, *Deletions(self._lines, whole, inserted).spans()]

    def _row_lines(self, row: Row) -> Span:
        first = self._lines.number(row.spans[0][0])
        if self._deleted[row.statements[0]]:
            first = self._lines.leading_comments(first)
        return first, self._lines.number(row.spans[-1][1])

    def _partly(self, row: Row, gone: list[bool]) -> Iterator[Span]:
        """The spans of the deleted statements of a row that keeps others, or that is broken up."""
        final = len(gone) - 1
        kept = [index for index, is_gone in enumerate(gone) if not is_gone]
        for index in (index for index, is_gone in enumerate(gone) if is_gone):
            start, end = row.spans[index]
            line = self._lines.number(end)
            if row.broken:
                first = self._lines.end(self._lines.number(start) - 1)
                before = first if not index and row.header is None else row.gap(index)[0]
                yield before, self._lines.end(line) if index == final else end
            elif kept and kept[-1] > index:
                yield start, row.spans[index + 1][0]
            else:
                yield row.spans[kept[-1]][1] if kept else start, row.spans[final][1]


def _place(edit: _Edit) -> tuple[int, bool, int, int]:
    """Where an edit comes among others: of lines that follow several blocks' last statement, the innermost first."""
    inner = edit.scope[0] if edit.scope and not edit.rank else 0
    return edit.start, not edit.is_insertion, edit.rank, -inner


def _overlap_in_part(left: Span, right: Span) -> bool:
    """Whether two spans overlap and neither holds the other."""
    (a, b), (c, d) = sorted([left, right])
    return a < c < b < d


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Spans that overlap as one; those that only touch stay apart."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _entry(owner: ast.AST, item: ast.AST) -> ast.AST:
    """The node that stands for an item in its list: a parameter's `arg`, a dict entry's key."""
    if isinstance(owner, ast.Dict):
        for key, value in zip(owner.keys, owner.values, strict=True):
            if value is item and key is not None:
                return key
    return item
