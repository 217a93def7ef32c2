"""Attributes and locals that a constructor reads before it sets them."""

from __future__ import annotations

import ast

import pytest

from nnx_codemod.codemod.unset import read_too_early, unbound_local


@pytest.mark.parametrize(
    ("lines", "early"),
    [
        (["self.a = 1", "self.b = self.a"], None),
        (["self.b = self.a", "self.a = 1"], "a"),
        (["for i in range(2):", "    x = self.a if i else 0", "self.a = 1"], "a"),
        (["self.b = self.method()"], None),  # set nowhere in the constructor: the class has it
        (["self.a = 1", "self.a = self.a + 1"], None),
        (["self.a = [", "    1,", "    self.a", "]"], "a"),
        (["for self.a in range(2):", "    x = self.a"], None),
    ],
)
def test_read_too_early(lines: list[str], early: str | None) -> None:
    text = "class A:\n    def __init__(self):\n" + "".join(f"        {line}\n" for line in lines)
    (cls,) = ast.parse(text).body
    assert isinstance(cls, ast.ClassDef)
    assert read_too_early(cls) == early


@pytest.mark.parametrize(
    ("lines", "unbound"),
    [
        (["x = 1", "self.a = x"], None),
        (["x = x + 1", "self.a = x"], "x"),
        (["x += 1", "self.a = x"], "x"),
        (["x = 1", "x += 1", "x = x + 1"], None),
        (["given = given + 1", "given += 1"], None),
        (["self.a = x", "x = 1"], "x"),
        (["self.a = given", "given = 1"], None),
        (["self.a = outside"], None),
        (["for i in range(2):", "    self.a = x if i else 0", "    x = 1"], None),
        (["for i in range(2):", "    self.a = x", "    x = 1"], "x"),
        (["for i in range(2):", "    if given:", "        self.a = x", "    x = 1"], "x"),
        (["for i in range(2):", "    if i > 0:", "        self.a = x", "    x = 1"], None),
        (["for i in range(2):", "    self.a = i"], None),
        (["x = 0", "for i in range(2):", "    self.a = x", "    x = 1"], None),
        (["self.a = [y for y in range(2)]", "y = 1"], None),
        (["self.a = lambda: x", "x = 1"], None),
    ],
)
def test_unbound_local(lines: list[str], unbound: str | None) -> None:
    text = "class A:\n    def __init__(self, given):\n" + "".join(f"        {x}\n" for x in lines)
    (cls,) = ast.parse(text).body
    assert isinstance(cls, ast.ClassDef)
    assert unbound_local(cls) == unbound
