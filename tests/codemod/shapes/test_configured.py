"""Sizes and equations that a configuration says: those of the tree count, if all of them say the same."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

PROGRAM = """
import haiku as hk
import jax.numpy as jnp

CONFIGS = [
    {"channels": 6, "equation": "ikc,jkc->ijc"},
    {"channels": 4, "equation": "kjc,kic->ijc"},
]


class Triangle(hk.Module):
    def __init__(self, config, name=None):
        super().__init__(name=name)
        self.config = config

    def __call__(self, act):
        c = self.config
        both = hk.Linear(2 * c.channels)(act)
        left = both[:, :, : c.channels]
        right = both[:, :, c.channels :]
        out = jnp.einsum(c.equation, left, right)
        return hk.LayerNorm(-1, True, True)(out)
"""


def test_all_say_the_same() -> None:
    done = rewritten(PROGRAM)
    assert done.statuses["Triangle"] == "rewritten"
    assert "nnx.LayerNorm(\n            config.channels," in done.after["program.py"]


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ('"kjc,kic->ijc"', '"kjc,kic->icj"'),  # the last axis is another one
        ('"kjc,kic->ijc"', '"kjc,kic->c"'),
        ('"kjc,kic->ijc"', '"".join(["kjc,kic", "->ijc"])'),
        ('"kjc,kic->ijc"', "None"),
        ('    {"channels": 6, "equation": "ikc,jkc->ijc"},\n', ""),
    ],
)
def test_some_say_otherwise(said: str, instead: str) -> None:
    text = PROGRAM.replace(said, instead)
    one = '"ikc' not in text  # a single one tells, too
    assert (rewritten(text).statuses["Triangle"] == "rewritten") is one


@pytest.mark.parametrize("channels", ["0", "None", "True", "4.0", "len([1, 2])"])
def test_what_is_no_size_everywhere(channels: str) -> None:
    text = PROGRAM.replace('"channels": 4', f'"channels": {channels}')
    text = text.replace("        left =", "        assert c.channels > 0\n        left =")
    assert rewritten(text).statuses["Triangle"] == "kept"


def test_a_tree_without_configurations_tells_nothing() -> None:
    start, end = PROGRAM.index("CONFIGS"), PROGRAM.index("class Triangle")
    assert rewritten(PROGRAM[:start] + PROGRAM[end:]).statuses["Triangle"] == "kept"
