"""Instances of classes from outside of the tree that code calls."""

from __future__ import annotations

import ast

import pytest

from nnx_codemod.codemod.shapes.values import External
from nnx_codemod.codemod.strangers import strangers


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
