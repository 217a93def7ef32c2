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


@pytest.mark.parametrize("end", [")", "\n)", ",\n)"])
def test_arguments_that_went_leave_the_lines_alone(end: str) -> None:
    text = f"x = Layer(3)(\n    x,\n    flag=True{end}\n"
    edits = Edits(Source("module.py", text.encode()))
    call = next(node for node in ast.walk(edits.source.tree) if isinstance(node, ast.Call))
    edits.replace(call.func, "self.a")
    edits.remove_item(call, call.keywords[0])
    join_calls(edits, [call], 40)
    assert "flag" not in edits.apply()
    ast.parse(edits.apply())
