"""Transparent methods that hand back a module: where they are written out, and where they stay."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

SOURCE = """
import haiku as hk


class Block(hk.Module):
    def __init__(self, width, name=None):
        super().__init__(name=name)
        self.dense = hk.Linear(width)

    def __call__(self, x):
        return self.dense(x)


class Tower(hk.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width

    @hk.transparent
    def part(self, i, width=4):
        return BACK

    def __call__(self, x):
        BODY
        return x
"""

BACK = 'Block(width, name=f"part_{i}")'
LOOP = "for layer in [self.part(i) for i in range(3)]:\n    x = layer(x)"


@pytest.mark.parametrize(
    ("back", "body", "made"),
    [
        (BACK, LOOP, "Block(features, 4, rngs=rngs)"),
        (BACK, LOOP.replace("(i)", "(i, width=5)"), "Block(features, 5, rngs=rngs)"),
        (BACK, LOOP.replace("(i)", "(width=3 + 3, i=i)"), None),
        (BACK, "Block = 3\n" + LOOP, None),
        (BACK, "part = self.part\n" + LOOP, None),
        (BACK.replace("{i}", "{i + width}"), LOOP, None),
        (f"[{BACK}][0]", LOOP, None),
    ],
)
def test_where_it_is_written_out(back: str, body: str, made: str | None) -> None:
    text = SOURCE.replace("BACK", back).replace("BODY", body.replace("\n", "\n        "))
    done = rewritten(text)
    if made is None:
        assert done.statuses["Tower"] != "rewritten"
        assert "    def part(self, i, width=4):\n" in done.after["program.py"]
    else:
        assert done.statuses == {"Block": "rewritten", "Tower": "rewritten"}
        assert made in done.after["program.py"]
        assert "def part" not in done.after["program.py"]


def test_a_method_that_heirs_may_have() -> None:
    heir = "\n\nclass Wide(Tower):\n    pass\n"
    text = SOURCE.replace("BACK", BACK).replace("BODY", LOOP.replace("\n", "\n        ")) + heir
    assert "    def part(self, i, width=4):\n" in rewritten(text).after["program.py"]
