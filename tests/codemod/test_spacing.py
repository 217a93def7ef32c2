"""Signs of keywords in the way of their file."""

from __future__ import annotations

import pytest

from nnx_codemod.codemod import spacing

APART = "x = f(1, axis = 0)\n\ndef g(a, b = 1, *, c: int = 2): ...\n"
CLOSE = "x = f(1, axis=0)\n"


@pytest.mark.parametrize(
    ("text", "original", "result"),
    [
        ("y = g(a=1)\n", APART, "y = g(a = 1)\n"),
        ("y = g(a=1, b=h(c=2))\n", APART, "y = g(a = 1, b = h(c = 2))\n"),
        ("y = g(a=1)\n", CLOSE, "y = g(a=1)\n"),
        ("y = g(a=1)\n", APART + CLOSE, "y = g(a=1)\n"),
        ("y = g(a=1)\n", APART * 2 + CLOSE, "y = g(a = 1)\n"),
        ("y = g(a=1)\n", "x = 1\n", "y = g(a=1)\n"),
        ("y = g(a == 1, b=[c for c in d])\n", APART, "y = g(a == 1, b = [c for c in d])\n"),
        ("y = g(a=1)\nz = 1\n", APART + "y = g(a=1)\n", "y = g(a=1)\nz = 1\n"),
        (
            "def h(a, b=1, c: int=2, d={1: 2}): ...\n",
            APART,
            "def h(a, b = 1, c: int=2, d = {1: 2}): ...\n",
        ),
        ("y = g(\n    a=1,\n    b = 2,\n)\r\n", APART, "y = g(\n    a = 1,\n    b = 2,\n)\r\n"),
        ("y = f'{g(a=1)}', '(a=1)'  # (a=1)\n", APART, "y = f'{g(a=1)}', '(a=1)'  # (a=1)\n"),
        ("y = (a := 1), g(ü='=', a=1)\n", APART, "y = (a := 1), g(ü = '=', a = 1)\n"),
    ],
)
def test_signs_stand_as_in_the_file(text: str, original: str, result: str) -> None:
    assert spacing.like(text, original) == result
