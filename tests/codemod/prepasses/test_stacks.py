"""Layer stacks over functions, which are written with a name first."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

MODEL = """
import haiku as hk
import jax


class Model(hk.Module):
    def __init__(self, depth, width):
        super().__init__()
        self.depth = depth
        self.width = width

    def __call__(self, x):
        x = hk.Linear(self.width)(x)
BODY
        return x
"""


@pytest.mark.parametrize(
    "body",
    [
        "x = hk.experimental.layer_stack(self.depth)(lambda h: h + hk.Linear(self.width)(h))(x)",
        (
            "stack = hk.experimental.layer_stack(self.depth)\n"
            "        x = stack(lambda h: h + hk.Linear(self.width)(h))(x)"
        ),
    ],
)
def test_a_stack_scans_over_its_layers(body: str) -> None:
    done = rewritten(MODEL.replace("BODY", f"        {body}"))
    assert done.statuses == {"Model": "rewritten"}
    assert "@nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)" in done.after["program.py"]


@pytest.mark.parametrize(
    "body",
    [
        "x = hk.experimental.layer_stack(self.depth, name='s')(lambda h: hk.Linear(self.width)(h))(x)",
        "x, y = hk.experimental.layer_stack(self.depth)(lambda h, y: (hk.Linear(self.width)(h), y))(x, 1)",
    ],
)
def test_other_stacks_are_left_as_they_were_written(body: str) -> None:
    done = rewritten(MODEL.replace("BODY", f"        {body}"))
    assert done.statuses == {"Model": "kept"}
    assert body in done.after["program.py"]
