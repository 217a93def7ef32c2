import ast

import pytest

from nnx_codemod.codemod.chains import is_own, last_name, root_name


def _node(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


@pytest.mark.parametrize(
    ("text", "root", "last"),
    [
        ("x", "x", "x"),
        ("jax.numpy.dot", "jax", "dot"),
        ("f(x).y", None, "y"),
        ("f(x)", None, None),
        ("x[0].y", None, "y"),
    ],
)
def test_names_at_both_ends(text, root, last):
    assert (root_name(_node(text)), last_name(_node(text))) == (root, last)


@pytest.mark.parametrize(
    ("text", "own"),
    [("self.x", True), ("self.x.y", False), ("other.x", False), ("self", False)],
)
def test_only_an_attribute_of_self_is_own(text, own):
    assert is_own(_node(text)) is own
