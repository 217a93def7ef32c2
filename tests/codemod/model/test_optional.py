"""What the report says of the size of an argument that a call may leave out."""

from __future__ import annotations

from types import SimpleNamespace

from nnx_codemod.tests.programs import rewritten

TEXT = """
import flax.linen as nn


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, context=None):
        if context is not None:
            x = x + nn.Dense(3)(context)
        return nn.Dense(3)(x)
"""


def test_the_expression_is_right_for_calls_with_and_without_it() -> None:
    (report,) = rewritten(TEXT).outcomes["program.py"].report.classes
    text = {each.name: each.from_ for each in report.added_parameters}["context_features"]
    assert eval(text, {"x": None}) is None
    assert eval(text, {"x": None, "context": None}) is None
    assert eval(text, {"x": None, "context": SimpleNamespace(shape=(2, 7))}) == 7
