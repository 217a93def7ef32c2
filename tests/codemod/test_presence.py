"""Tests of attributes that are None unless a test holds."""

import ast

import pytest

from nnx_codemod.codemod.model.presence import decided_by_test


def _decided(body: str, rest: str = "pass") -> dict[str, str]:
    lines = "\n".join(f"        {line}" for line in body.splitlines())
    text = f"class A:\n    def __init__(self, project, width=2):\n{lines}\n    def other(self):\n        {rest}\n"
    cls = ast.parse(text).body[0]
    found = decided_by_test(cls, cls.body[0], lambda node: isinstance(node, ast.Call))
    return {name: ast.unparse(test) for name, test in found.items()}


@pytest.mark.parametrize(
    "body",
    [
        "if project:\n    self.a = Layer()\nelse:\n    self.a = None",
        "self.a = None\nif project:\n    self.a = Layer()",
        "self.a = Layer() if project else None",
    ],
)
def test_a_test_decides(body):
    assert _decided(body) == {"a": "project"}


@pytest.mark.parametrize(
    "body",
    [
        "project = width > 2\nif project:\n    self.a = Layer()\nelse:\n    self.a = None",
        "if ask(project):\n    self.a = Layer()\nelse:\n    self.a = None",
        "if project:\n    self.a = width\nelse:\n    self.a = None",
        "if project:\n    self.a = Layer()\nelse:\n    self.a = 3",
    ],
)
def test_a_test_that_may_change_or_says_less_decides_nothing(body):
    assert _decided(body) == {}


def test_an_attribute_that_is_set_elsewhere_is_not_decided():
    body = "if project:\n    self.a = Layer()\nelse:\n    self.a = None"
    assert _decided(body, "self.a = None") == {}
