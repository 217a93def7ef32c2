"""Branches whose outcome is known: what stays of them where others stand beside."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

SOURCE = """
import haiku as hk


class Block(hk.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width

    def __call__(self, x):
        x = hk.Linear(self.width)(x)
        BODY
        return x
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "if self.width > 5:\n    x = x + 1\nelif hk.running_init():\n    x = x + 2\nelse:\n    x = x + 3",
            "if self.width > 5:\n    x = x + 1\nelse:\n    x = x + 3",
        ),
        (
            (
                "if self.width > 5:\n    x = x + 1\nelif hk.running_init():  # else: 2\n    x = x + 2\n"
                "# or\nelse:  # now: 3\n    # so\n    x = x + 3"
            ),
            "if self.width > 5:\n    x = x + 1\nelse:  # now: 3\n    # so\n    x = x + 3",
        ),
        (
            "if self.width > 5:\n    x = x + 1\nelif (\n    not hk.running_init()  # a: b\n):  # yes\n    x = x + 2",
            "if self.width > 5:\n    x = x + 1\nelse:  # yes\n    x = x + 2",
        ),
        (
            "if self.width > 5:\n    x = x + 1\nelif hk.running_init():\n    x = x + 2\nelif self.width:\n    x = x + 3",
            "if self.width > 5:\n    x = x + 1\nelif self.width:\n    x = x + 3",
        ),
        (
            "if self.width > 5:\n    x = x + 1\nelif hk.running_init():\n    x = x + 2",
            "if self.width > 5:\n    x = x + 1",
        ),
        (
            "if hk.running_init():\n    x = x + 1\nelif self.width:\n    x = x + 2\nelse:\n    x = x + 3",
            "if self.width:\n    x = x + 2\nelse:\n    x = x + 3",
        ),
        (
            "if self.width > 5: x = x + 1\nelif hk.running_init(): x = x + 2\nelse: x = x + 3",
            "if self.width > 5: x = x + 1\nelse: x = x + 3",
        ),
        (
            (
                "if not hk.running_init():\n    if self.width > 5:\n        x = x + 1\n"
                "    elif hk.running_init():\n        x = x + 2\n    else:\n        x = x + 3"
            ),
            "if self.width > 5:\n    x = x + 1\nelse:\n    x = x + 3",
        ),
        (
            (
                "policy = hk.mixed_precision.current_policy()\nif policy is None:\n    x = x + 1\n"
                "else:\n    x = policy.cast_to_output(x)"
            ),
            "x = x + 1",
        ),
        (
            "policy = hk.mixed_precision.current_policy()\nx = x if policy else x + 1",
            "x = x + 1",
        ),
        (
            (
                "policy = hk.mixed_precision.current_policy()\nif x.ndim == 2:\n    policy = x.dtype\n"
                "if policy is None:\n    x = x + 1"
            ),
            "policy = None\nif x.ndim == 2:\n    policy = x.dtype\nif policy is None:\n    x = x + 1",
        ),
    ],
)
def test_what_is_left_of_branches(before: str, after: str) -> None:
    before, after = (text.replace("\n", "\n        ") for text in (before, after))
    done = rewritten(SOURCE.replace("BODY", before))
    assert (
        f"        x = self.linear(x)\n        {after}\n        return x\n"
        in done.after["program.py"]
    )


LINEN = """
import flax.linen as nn
import jax.numpy as jnp


class Count(nn.Module):
    @nn.compact
    def __call__(self, x, update: bool):
        first = self.is_initializing()
        count = self.variable("counts", "count", lambda: jnp.zeros(()))
        if TEST:
            count.value += 1
        return x
"""


@pytest.mark.parametrize(
    ("test", "after"),
    [
        ("update and not first", "        if update:\n            self.count[...] += 1"),
        ("not first", "    def __call__(self, x, update: bool):\n        self.count[...] += 1"),
    ],
)
def test_what_only_a_known_part_of_a_test_reads_goes(test: str, after: str) -> None:
    done = rewritten(LINEN.replace("TEST", test))
    assert after in done.after["program.py"]
    assert "first" not in done.after["program.py"]
