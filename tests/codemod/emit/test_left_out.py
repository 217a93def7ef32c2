"""Layers of a list that a run may leave out."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

SOURCE = """
import flax.linen as nn


class Net(nn.Module):
    width: int
    depth: int = 3
    used: int = 2

    def setup(self):
        self.layers = [nn.Dense(self.width) for _ in range(self.depth)]
        self.a, self.b = nn.Dense(self.width), nn.Dense(self.width)

    def __call__(self, x):
        BODY
        return self.a(self.b(x))
"""

NONE = "layers, which have no parameters where nothing runs them"
ENDS = "the loop may end before all of its layers run, and those have no parameters then"
WHOLE = "for layer in self.layers:\n    x = layer(x)"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (WHOLE, None),
        ("for layer in self.layers[: self.used]:\n    x = layer(x)", f"leaves out {NONE}"),
        ("for layer in self.layers[::2]:\n    x = layer(x)", f"leaves out {NONE}"),
        (
            "layers = self.layers\nlayers = layers[1:]\nfor layer in layers:\n    x = layer(x)",
            f"leaves out {NONE}",
        ),
        ("for layer in self.layers[:-1]:\n    x = layer(x)\nx = self.layers[-1](x)", None),
        ("for i, one in enumerate(self.layers):\n    if i == self.used:\n        break\n    x = one(x)", ENDS),
        ("for i, one in enumerate(self.layers):\n    x = one(x)\n    if i == self.used:\n        return x", ENDS),
        ("for i, one in enumerate(self.layers):\n    if i == self.used:\n        continue\n    x = one(x)", ENDS),
        ("for i, one in enumerate(self.layers):\n    x = one(x)\n    if i == self.used:\n        continue\n    x = x + 1", None),
        (f"{WHOLE}\nfor _ in range(3):\n    if self.used:\n        break\n    x = x + 1", None),
        ("for i in range(self.depth):\n    x = self.layers[i](x)", None),
        ("for i in range(len(self.layers)):\n    x = self.layers[i](x)", None),
        ("for i in range(self.used):\n    x = self.layers[i](x)", f"may leave out {NONE}"),
        (f"{WHOLE}\nx = [self.a, self.b][self.used](x)", f"may leave out {NONE}"),
        (f"{WHOLE}\nx = self.layers[0](x)", None),
    ],
)  # fmt: skip
def test_left_out(body: str, why: str | None) -> None:
    done = rewritten(SOURCE.replace("BODY", body.replace("\n", "\n        ")))
    said = [d.message for d in done.outcomes["program.py"].report.diagnostics]
    assert len(said) == (0 if why is None else 1) and (why is None or said[0].endswith(why)), said
    assert done.statuses == {"Net": "rewritten" if why is None else "kept"}
