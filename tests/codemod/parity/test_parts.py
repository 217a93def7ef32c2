"""What a function reads off its arguments."""

from __future__ import annotations

import ast

from nnx_codemod.codemod.parity.child import parts

TREE = ast.parse("""
def call(self, step, batch, x, y: Float[Array, "a b c"], z, u, v, w):
    assert z.ndim == 2
    assert u.shape[0] == 2 and len(u.shape) == 4
    assert v.ndim == 2 or v.ndim == 3
    chex.assert_rank(w, 5)
    b, t = x.shape
    return step.reward + step.reward + batch["a b"] + batch["class"].mean() + x.mean() + x.extra
""")


def test_parts() -> None:
    found = parts.read(TREE)
    assert found["step"] == parts.Parts(attributes=["reward"])
    assert found["batch"] == parts.Parts(keys=["a b", "class"])
    assert found["x"] == parts.Parts(attributes=["extra"], array=True)


def test_ranks() -> None:
    assert parts.ranks(TREE) == {"x": 2, "y": 3, "z": 2, "u": 4, "w": 5}
