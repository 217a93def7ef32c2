"""Lists of layers that run in another order than they are made, or that a call changes."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

SOURCE = """
import haiku as hk


class Net(hk.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width

    def __call__(self, x):
        layers = [hk.Linear(self.width) for _ in range(3)]
        BODY
        return x
"""

ORDER = "layers run in another order than they are made in, and the size of each follows from the one before"
CHANGED = "changes a list of layers, which a module keeps for the next call"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("for layer in layers:\n    x = layer(x)", None),
        ("for layer in reversed(layers):\n    x = layer(x)", ORDER),
        ("for layer in layers[::-1]:\n    x = layer(x)", ORDER),
        ("layers = layers[::-1]\nfor layer in layers:\n    x = layer(x)", ORDER),
        ("layers.reverse()\nfor layer in layers:\n    x = layer(x)", f"`reverse` {CHANGED}"),
        ("layers.pop()\nfor layer in layers:\n    x = layer(x)", f"`pop` {CHANGED}"),
    ],
)
def test_other_orders(body: str, why: str | None) -> None:
    done = rewritten(SOURCE.replace("BODY", body.replace("\n", "\n        ")))
    said = [d.message for d in done.outcomes["program.py"].report.diagnostics]
    assert said == ([] if why is None else [why])
    assert done.statuses == {"Net": "rewritten" if why is None else "kept"}
