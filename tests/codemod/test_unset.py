"""Attributes that a constructor reads before it sets them."""

from __future__ import annotations

import ast

import pytest

from nnx_codemod.codemod.unset import read_too_early


@pytest.mark.parametrize(
    ("lines", "early"),
    [
        (["self.a = 1", "self.b = self.a"], None),
        (["self.b = self.a", "self.a = 1"], "a"),
        (["for i in range(2):", "    x = self.a if i else 0", "self.a = 1"], "a"),
        (["self.b = self.method()"], None),  # set nowhere in the constructor: the class has it
        (["self.a = 1", "self.a = self.a + 1"], None),
    ],
)
def test_read_too_early(lines: list[str], early: str | None) -> None:
    text = "class A:\n    def __init__(self):\n" + "".join(f"        {line}\n" for line in lines)
    (cls,) = ast.parse(text).body
    assert isinstance(cls, ast.ClassDef)
    assert read_too_early(cls) == early
