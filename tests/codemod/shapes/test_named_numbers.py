"""Sizes that a constructor rounds go by the names it gives them, where these always mean them."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

PROGRAM = """
import haiku as hk


class Net(hk.Module):
    def __init__(self, narrow, wide, is_wide, name=None):
        super().__init__(name=name)
BODY
        self.first = hk.Linear(width)
        self.last = hk.Linear(3)

    def __call__(self, x):
        return self.last(self.first(x))
"""

ROUNDED = "int((wide if is_wide else narrow) * 0.5)"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (f"        width = {ROUNDED}", "nnx.Linear(width, 3,"),
        (f"        width = half = {ROUNDED}", None),
        (f"        width = 2 * {ROUNDED}", "nnx.Linear(width, 3,"),
        (f"        width = {ROUNDED}\n        width += 1", None),
        (f"        if is_wide:\n            width = {ROUNDED}", None),
    ],
)
def test_rounded_sizes_go_by_their_names(body: str, text: str | None) -> None:
    found = rewritten(PROGRAM.replace("BODY", body)).after["program.py"]
    assert text is None or text in found, found
    assert ("class Net(nnx.Module)" in found) is (text is not None)
