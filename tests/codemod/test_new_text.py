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
