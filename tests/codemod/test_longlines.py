"""Statements that are too long for their file."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod import longlines
from nnx_codemod.codemod.source import Source

PATH = Path("net.py")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("x = f(aaaaaaa, bbbbbbb, c)\n", "x = f(\n    aaaaaaa, bbbbbbb, c\n)\n"),
        ("x = f(aaaaaaa, bbbb, c)\n", "x = f(aaaaaaa, bbbb, c)\n"),
        ("x: int = f(aaaaaaa, bbbbb)\n", "x: int = f(\n    aaaaaaa, bbbbb\n)\n"),
        ("x += f(aaaaaaa, bbbbbbb, c)\n", "x += f(\n    aaaaaaa, bbbbbbb, c\n)\n"),
        (
            "def g():\n    return f(aaaaaaa, bbbb, c)\n",
            "def g():\n    return f(\n        aaaaaaa, bbbb, c\n    )\n",
        ),
        (
            "def g():\r\n    return f(aaaaaaa, bbbb, c)\r\n",
            "def g():\r\n    return f(\r\n        aaaaaaa, bbbb, c\r\n    )\r\n",
        ),
        ("x = f(aaaaaaa, bbbbbbb, c)  # c\n", "x = f(aaaaaaa, bbbbbbb, c)  # c\n"),
        ("x = 'aaaaaaaaaaaaaaaaaaaaaaaaaaa'\n", "x = 'aaaaaaaaaaaaaaaaaaaaaaaaaaa'\n"),
        ("if a: x = f(aaaaaaa, bbbb, c)\n", "if a: x = f(aaaaaaa, bbbb, c)\n"),
        ("x = f(ddddddd, eeeeeee, c)\n", "x = f(ddddddd, eeeeeee, c)\n"),
        (
            "x = f(\n    aaaaa(aaaa, b), cccc)\n",
            "x = f(\n    aaaaa(aaaa, b), cccc\n)\n",
        ),
    ],
)
def test_what_is_new_and_too_long_is_broken(text: str, result: str) -> None:
    original = Source(PATH, b"x = f(ddddddd, eeeeeee, c)\n")
    assert longlines.broken(Source(PATH, text.encode()), original, 24) == result
