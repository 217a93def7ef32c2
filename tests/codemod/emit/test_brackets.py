"""Text that takes the place of a part of an expression means there what it means alone."""

from __future__ import annotations

import ast
import itertools

import pytest

from nnx_codemod.codemod.emit.brackets import bare, bracketed

_TEXTS = (
    "size",
    "a.b[0]",
    "f(a, b)",
    "(a, b)",
    "2",
    "a + b",
    "a - b",
    "a * b",
    "a // b",
    "a ** b",
    "-a",
    "a if b else c",
    "a or b",
    "a < b",
    "lambda: a",
)
_PLACES = (
    "N * 2",
    "2 * N",
    "N + 2",
    "2 + N",
    "N - 2",
    "2 - N",
    "N // 2",
    "2 // N",
    "N ** 2",
    "2 ** N",
    "-N",
    "not N",
    "N.real",
    "N[0]",
    "x[N]",
    "x[N:]",
    "N(1)",
    "f(N)",
    "f(k=N)",
    "f(*N)",
    "(N, 1)",
    "[N]",
    "N if t else 1",
    "1 if N else 2",
    "1 if t else N",
    "N and t",
    "t or N",
    "N < 1",
    "1 < N",
    "[i for i in N]",
    "lambda: N",
)


class _Put(ast.NodeTransformer):
    def __init__(self, text: str) -> None:
        self.new = ast.parse(text, mode="eval").body

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.new if node.id == "N" else node


@pytest.mark.parametrize(("text", "place"), list(itertools.product(_TEXTS, _PLACES)))
def test_the_whole_means_what_its_parts_mean(text: str, place: str) -> None:
    tree = ast.parse(place, mode="eval")
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    node = next(n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == "N")
    written = place.replace("N", bracketed(text, node, parents[node]))
    meant = ast.unparse(_Put(text).visit(tree))
    if {ast.unparse(ast.parse(written)), meant} <= {
        "2 + (a + b)",
        "2 + a + b",
        "2 + (a - b)",
        "2 + a - b",
    }:
        return  # sums of sizes may be regrouped
    assert ast.dump(ast.parse(written)) == ast.dump(ast.parse(meant))


def test_no_parentheses_without_need() -> None:
    tree = ast.parse("f(N, k=N) + N", mode="eval")
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in parents:
        if isinstance(node, ast.Name) and node.id == "N":
            assert bracketed("a * b", node, parents[node]) == "a * b"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(a if b else c)", "a if b else c"),
        ("(a if b else c) + (d)", "(a if b else c) + (d)"),
        ("(a, b)", "(a, b)"),
        ("(a + b)", "(a + b)"),
        ("(a or b)", "a or b"),
        ("a", "a"),
    ],
)
def test_a_choice_alone_needs_no_brackets(text: str, expected: str) -> None:
    assert bare(text) == expected
