"""Instances of classes from outside of the tree that code calls."""

from __future__ import annotations

import ast

import pytest

from nnx_codemod.codemod.shapes.values import External
from nnx_codemod.codemod.strangers import makers, strangers


def meaning(node: ast.expr) -> object:
    return External(ast.unparse(node))


@pytest.mark.parametrize(
    ("code", "heads"),
    [
        ("y = lib.Net(8)(x)", ["lib.Net"]),
        ("net = lib.Net(8)\ny = net(x)", ["lib.Net"]),
        ("net = lib.Net(8)\ny = net.mean()", []),
        ("y = lib.make(8)(x)", []),
        ("y = optax.Adam(8)(x)", []),
        ("y = collections.Counter(8)(x)", []),
    ],
)
def test_strangers(code: str, heads: list[str]) -> None:
    assert [ast.unparse(head) for head in strangers(ast.parse(code), meaning)] == heads


@pytest.mark.parametrize(
    ("code", "heads"),
    [
        ("self.core = self.make(8)\ny = self.core(x)", ["self.make"]),
        ("self.core = self.make(8)\ny = self.core + x", []),
        ("cores = [make(8), other(8)]\nfor core in cores:\n  x = core(x)", ["make", "other"]),
        ("self.cores = [self.make(n) for n in sizes]\ny = self.cores[0](x)", ["self.make"]),
        (
            "self.sizes = [self.count(n) for n in names]\nfor size in self.sizes:\n  x = x * size",
            [],
        ),
        (
            "self.core = self.make(8) if deep else self.other()\ny = self.core(x)",
            ["self.make", "self.other"],
        ),
    ],
)
def test_makers(code: str, heads: list[str]) -> None:
    assert [ast.unparse(head) for head in makers(ast.parse(code))] == heads
