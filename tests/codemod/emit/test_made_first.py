"""Layers that ask another for its size stand behind it, unless what is between them speaks against that."""

from __future__ import annotations

import pytest

from nnx_codemod.codemod.emit.made_first import in_order

HEAD = "    self.head = nnx.Linear(self.trunk.out_features, size, rngs=rngs)"
TRUNK = "    self.trunk = Trunk(8, rngs=rngs)"


def test_what_asks_stands_behind_what_tells_with_its_comment() -> None:
    other = "    self.other = nnx.Linear(self.trunk.out_features, 2, rngs=rngs)"
    found = in_order(["    # The head.", HEAD, other, TRUNK, "    self.last = 3"])
    assert found == [TRUNK, "    # The head.", HEAD, other, "    self.last = 3"]


@pytest.mark.parametrize(
    "between",
    [
        "    size = 2 * size",
        "    self.heads = [self.head]",
        "    if size > 3:\n        return",
    ],
)
def test_what_stands_between_them_may_speak_against_that(between: str) -> None:
    body = [HEAD, between, TRUNK]
    assert "\n".join(in_order(body)) == "\n".join(body)


def test_two_that_ask_each_other_stay() -> None:
    body = [HEAD, "    self.trunk = Trunk(self.head.out_features, rngs=rngs)"]
    assert in_order(body) == body
