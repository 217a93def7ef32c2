"""Edits that are asked for again: the same text, and what reaches beyond their class."""

from __future__ import annotations

import ast

import pytest

from nnx_codemod.codemod.edits import EditConflict, Edits
from nnx_codemod.codemod.recorded import RecordedEdits
from nnx_codemod.codemod.source import Source

TEXT = b"""
import old


@old.mark
class First(old.Base):
    width: int = 3

    def call(self, x, gone):
        x = f(x, 1)  # kept
        return x


class Second:
    pass
"""


def recorded() -> tuple[Edits, RecordedEdits, ast.ClassDef, ast.ClassDef]:
    edits = Edits(Source("module.py", TEXT))
    first, second = (n for n in edits.source.tree.body if isinstance(n, ast.ClassDef))
    return edits, RecordedEdits(edits, first), first, second


def change(edits: Edits, cls: ast.ClassDef) -> None:
    """One change of each kind."""
    field, method = cls.body
    assert isinstance(method, ast.FunctionDef)
    assignment, result = method.body
    assert isinstance(assignment, ast.Assign) and isinstance(assignment.value, ast.Call)
    edits.replace(cls.bases[0], "new.Base")
    edits.delete_statement(field)
    edits.remove_item(method, method.args.args[2])
    edits.add_item(assignment.value, "y=2")
    edits.delete(assignment.value.args[1])
    edits.insert(edits.source.span(result)[1], " + 1")
    edits.insert_before(result, "z = 1")
    edits.insert_after(result, "del z")


def test_the_same_is_asked_of_others() -> None:
    edits, record, first, second = recorded()
    change(record, first)
    again = Edits(edits.source)
    again.replace(second.body[0], "x = 1")
    record.repeat(again)
    alone = Edits(edits.source)
    change(alone, first)
    alone.replace(second.body[0], "x = 1")
    assert again.apply() == alone.apply()
    assert "new.Base" in again.apply() and "del z" in again.apply()
    assert not edits.touched and not record.beyond


def test_what_a_fork_was_asked_counts_once_it_is_adopted() -> None:
    edits, record, first, _ = recorded()
    dropped, adopted = record.fork(), record.fork()
    dropped.replace(first.bases[0], "dropped")
    adopted.replace(first.bases[0], "adopted")
    record.adopt(adopted)
    record.repeat(edits)
    assert "class First(adopted):" in edits.apply()


@pytest.mark.parametrize("read", [False, True])
def test_what_lies_beyond_the_class_is_told(read: bool) -> None:
    _, record, first, second = recorded()
    record.render(first.bases[0])
    record.replace(first.decorator_list[0], "new.mark")
    assert not record.beyond
    if read:
        record.render(second)
    else:
        record.replace(second.body[0], "x = 1")
    assert record.beyond


def test_others_may_be_in_the_way() -> None:
    edits, record, first, _ = recorded()
    record.add_item(first, "Mixin")
    edits.replace(first, "first = None")
    with pytest.raises(EditConflict):
        record.repeat(edits)
