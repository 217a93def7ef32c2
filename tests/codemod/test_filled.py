"""Tests of attributes that methods fill in, or set to something else."""

import ast

import pytest

from nnx_codemod.codemod.model.filled import changed_attributes

FILL = "if self.width is None:\n    self.width = x.shape[-1]"


def _found(call: str, other: str = "pass") -> tuple[list[str], set[str]]:
    lines = "\n".join(f"        {line}" for line in call.splitlines())
    text = (
        "class A:\n"
        "    def __init__(self, width=None):\n        self.width = width\n"
        f"    def __call__(self, x):\n{lines}\n"
        f"    def other(self):\n        {other}\n"
    )
    cls = ast.parse(text).body[0]
    found, changed = changed_attributes(cls, {"width": "width"})
    return [fill.attribute for fill in found], changed


def test_a_width_is_filled_in():
    assert _found(f"{FILL}\nreturn x * self.width") == (["width"], set())


@pytest.mark.parametrize(
    ("call", "other"),
    [
        (FILL, "return self.width"),  # which may be called first
        (FILL, "self.width = 3"),
        (f"print(self.width)\n{FILL}", "pass"),
        (f"{FILL}\nself.width = 2", "pass"),
        ("if self.width is None:\n    self.width = 3\nelse:\n    self.width = 4", "pass"),
        ("self.width = 3", "pass"),
    ],
)
def test_what_is_not_certain_is_a_change(call, other):
    found, changed = _found(call, other)
    assert (found, changed) == ([], {"width"} if "self.width = " in call + other else set())
