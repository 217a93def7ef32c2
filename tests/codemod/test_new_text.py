"""New texts that would not do what the old ones did: each is refused, and says what it lacks."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

PARTED = """
from flax import linen as nn


class Net(nn.Module):
    widths: tuple = (3, 4)

    def setup(self):
        self.layers = [nn.Dense(w) for w in self.widths]
        self.first, *_ = self.layers

    def __call__(self, x):
        x = self.first(x)
        for layer in self.layers[1:]:
            x = layer(x)
        return x
"""

OVERRIDDEN = """
from flax import linen as nn


class Plain(nn.Module):
    def setup(self):
        self.add()

    def add(self):
        self.more = None

    def __call__(self, x):
        return x if self.more is None else self.more(x)


class Wide(Plain):
    def add(self):
        self.more = nn.Dense(4)
"""

STATEMENTS = """
from flax import linen as nn


class Net(nn.Module):
    kind: str = "a"

    @nn.compact
    def __call__(self, x):
        STATEMENT
"""

MATCHED = """match self.kind:
            case "a":
                return nn.Dense(4)(x)
        return x"""
TRIED = """try:
            return nn.Dense(int(self.kind))(x)
        except ValueError:
            return x"""


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (PARTED, "`Dense` is called with inputs of different sizes"),
        (OVERRIDDEN, "nothing would set `self.more` in the new text of `Wide`"),
        (STATEMENTS.replace("STATEMENT", MATCHED), "a layer is made in a `match` statement"),
        (STATEMENTS.replace("STATEMENT", TRIED), "a layer is made in a `try` statement"),
    ],
)
def test_a_text_that_lacks_something_is_no_new_text(program: str, reason: str) -> None:
    done = rewritten(program)
    assert "rewritten" not in done.statuses.values()
    messages = [d.message for o in done.outcomes.values() for d in o.report.diagnostics]
    assert reason in messages, messages


HEAD = """
from flax import linen as nn


class Head(nn.Module):
    tied: bool = True

    def setup(self):
        self.out = nn.Dense(7, use_bias=False)

    def __call__(self, x, table=None):
        if TEST:
            return self.out.apply({"params": {"kernel": table.T}}, x)
        return self.out(x)
"""

OTHER = """
from flax import linen as nn
from head import Head


class Whole(nn.Module):
    def setup(self):
        self.head = Head()

    def __call__(self, x):
        return self.head.OTHER(x)
"""


@pytest.mark.parametrize(
    ("test", "other", "follows"),
    [
        ("self.tied", "bias", True),
        ("table is not None", "bias", False),  # the constructor cannot know
        ("self.tied", "out", False),  # it is called without the test, too
    ],
)
def test_a_layer_that_may_have_no_parameters_is_not_made_in_any_case(
    test: str, other: str, follows: bool
) -> None:
    files = {"head.py": HEAD.replace("TEST", test), "whole.py": OTHER.replace("OTHER", other)}
    done = rewritten(files)
    assert (done.statuses["Head"] == "rewritten") is follows
    assert not follows or "if not tied:" in done.after["head.py"]
