"""Edits of one class that remember what was asked of them, so that it can be asked of others again."""

from __future__ import annotations

import ast
from collections.abc import Callable

from .edits import Edits
from .itemlists import Place, Span


class RecordedEdits(Edits):
    """A fork of some edits, for the text of one class.

    `beyond` tells whether anything outside of that text was read or changed, which others may have changed as well.
    """

    def __init__(self, edits: Edits, within: ast.AST) -> None:
        self.__dict__.update(edits.fork().__dict__)
        self._within = edits.source.span(within, decorators=True)
        self._asked: tuple[Callable[[Edits], None], ...] = ()
        self.beyond = False

    def repeat(self, edits: Edits) -> None:
        """Asks the same of other edits. Raises EditConflict where these are in the way."""
        for asked in self._asked:
            asked(edits)

    # ---- recording ---------------------------------------------------------------------------------

    def replace(self, target: ast.AST | Span, text: str) -> None:
        super().replace(target, text)
        self._note(target, lambda edits: edits.replace(target, text))

    def insert(self, offset: int, text: str) -> None:
        super().insert(offset, text)
        self._note((offset, offset), lambda edits: edits.insert(offset, text))

    def delete_statement(self, stmt: ast.AST, *, with_comments: bool = False) -> None:
        super().delete_statement(stmt, with_comments=with_comments)
        self._note(stmt, lambda edits: edits.delete_statement(stmt, with_comments=with_comments))

    def insert_before(self, stmt: ast.AST, text: str, *, below_comments: bool = False) -> None:
        super().insert_before(stmt, text, below_comments=below_comments)
        self._note(
            stmt, lambda edits: edits.insert_before(stmt, text, below_comments=below_comments)
        )

    def insert_after(self, stmt: ast.AST, text: str) -> None:
        super().insert_after(stmt, text)
        self._note(stmt, lambda edits: edits.insert_after(stmt, text))

    def remove_item(self, owner: ast.AST, item: ast.AST, *, with_comments: bool = False) -> None:
        super().remove_item(owner, item, with_comments=with_comments)
        self._note(owner, lambda edits: edits.remove_item(owner, item, with_comments=with_comments))

    def add_item(self, owner: ast.AST, text: str, place: Place = "last") -> None:
        super().add_item(owner, text, place)
        self._note(owner, lambda edits: edits.add_item(owner, text, place))

    def fork(self) -> RecordedEdits:
        other = RecordedEdits.__new__(RecordedEdits)
        other.__dict__.update({**self.__dict__, **super().fork().__dict__})
        return other

    # ---- carrying out ------------------------------------------------------------------------------

    def render(self, target: ast.AST | Span) -> str:
        self._look(target)
        return super().render(target)

    def keeps(self, node: ast.AST) -> bool:
        self._look(node)
        return super().keeps(node)

    # ---- inside ------------------------------------------------------------------------------------

    def _note(self, target: ast.AST | Span, asked: Callable[[Edits], None]) -> None:
        self._look(target)
        self._asked = (*self._asked, asked)

    def _look(self, target: ast.AST | Span) -> None:
        start, end = target if isinstance(target, tuple) else self.source.span(target)
        self.beyond |= not (self._within[0] <= start and end <= self._within[1])
