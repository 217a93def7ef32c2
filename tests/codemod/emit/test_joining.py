"""Calls that fit on one line are put on one."""

from __future__ import annotations

import ast

import pytest

from nnx_codemod.codemod.edits import Edits
from nnx_codemod.codemod.emit.joining import join_calls
from nnx_codemod.codemod.source import Source


def joined(text: str, limit: int = 40) -> str:
    """A text whose first call has another name, joined."""
    edits = Edits(Source("module.py", text.encode()))
    call = next(node for node in ast.walk(edits.source.tree) if isinstance(node, ast.Call))
    edits.replace(call.func, "self.a")
    join_calls(edits, [call], limit)
    return edits.apply()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = Layer(3)(\n    x)\n", "x = self.a(x)\n"),
        ("x = Layer(3)(\n    x,\n    scale=2,\n)\n", "x = self.a(x, scale=2)\n"),
        ("x = Layer(3)(x)\n", "x = self.a(x)\n"),
        ("x = Layer(3)()\n", "x = self.a()\n"),
        # A comment, a long line, an argument in brackets or over lines: the call keeps its lines.
        ("x = Layer(3)(\n    x,  # once\n    y)\n", "x = self.a(\n    x,  # once\n    y)\n"),
        ("x = Layer(3)(\n    (x))\n", "x = self.a(\n    (x))\n"),
        ("x = Layer(3)(\n    [x,\n     y])\n", "x = self.a(\n    [x,\n     y])\n"),
        (
            "x = Layer(3)(\n    a_long_name_of_one, a_long_name_of_two)\n",
            "x = self.a(\n    a_long_name_of_one, a_long_name_of_two)\n",
        ),
    ],
)
def test_join_calls(text: str, expected: str) -> None:
    assert joined(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = Layer(3)(\n    x,\n    flag=True)\n", "x = self.a(x)\n"),
        ("x = Layer(3)(\n    x, flag=True\n)\n", "x = self.a(x)\n"),
        ("x = Layer(3)(\n    x, flag=True, scale=2,\n)\n", "x = self.a(x, scale=2)\n"),
    ],
)
def test_what_is_left_of_arguments_that_went_is_joined(text: str, expected: str) -> None:
    edits = Edits(Source("module.py", text.encode()))
    call = next(node for node in ast.walk(edits.source.tree) if isinstance(node, ast.Call))
    edits.replace(call.func, "self.a")
    edits.remove_item(call, next(each for each in call.keywords if each.arg == "flag"))
    join_calls(edits, [call], 40)
    assert edits.apply() == expected


def test_arguments_that_are_added_leave_the_lines_alone() -> None:
    edits = Edits(Source("module.py", b"x = Layer(3)(\n    x, flag=True\n)\n"))
    call = next(node for node in ast.walk(edits.source.tree) if isinstance(node, ast.Call))
    edits.replace(call.func, "self.a")
    edits.remove_item(call, call.keywords[0])
    edits.add_item(call, "scale=2")
    join_calls(edits, [call], 40)
    assert edits.apply() == "x = self.a(\n    x, scale=2\n)\n"
