"""Convolutions by hand, and tables of functions: what they return where JAX cannot tell."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

CONVOLUTION = """
import haiku as hk
import jax


class Net(hk.Module):
    def __init__(self, groups, name=None):
        super().__init__(name=name)
        self.groups = groups

    def __call__(self, x):
        w = hk.get_parameter('w', (3, 3, x.shape[-1] // self.groups, 8), init=hk.initializers.RandomNormal())
        y = jax.lax.conv_general_dilated(x, w, (1, 1), 'SAME', NUMBERS, feature_group_count=self.groups)
        return hk.Linear(3)(y)
"""


@pytest.mark.parametrize(
    ("numbers", "follows"),
    [
        ("dimension_numbers=('NHWC', 'HWIO', 'NHWC')", True),
        ("dimension_numbers=('NHWC', 'HWIO', self.groups)", False),
    ],
)
def test_channels_of_a_convolution_in_groups(numbers: str, follows: bool) -> None:
    text = rewritten(CONVOLUTION.replace("NUMBERS", numbers)).after["program.py"]
    assert ("nnx.Linear(8, 3," in text) is follows


TABLE = """
import haiku as hk
import jax

ACTIVATIONS = {ENTRIES}


class Net(hk.Module):
    def __init__(self, act, name=None):
        super().__init__(name=name)
        self.act = ACTIVATIONS[act]

    def __call__(self, x):
        return hk.Linear(3)(self.act(hk.Linear(8)(x)))
"""


@pytest.mark.parametrize(
    ("entries", "follows"),
    [
        ("'a': jax.nn.relu, 'b': jax.nn.glu, 'c': jax.nn.gelu, 'd': jax.nn.silu", True),
        ("'a': jax.nn.relu, 'b': lambda x: x[..., :3], 'c': jax.nn.glu, 'd': jax.nn.silu", False),
        ("'a': jax.nn.relu, 'b': jax.nn.glu", False),
    ],
)
def test_one_entry_of_a_table_may_be_out_of_line(entries: str, follows: bool) -> None:
    text = rewritten(TABLE.replace("ENTRIES", entries)).after["program.py"]
    assert ("nnx.Linear(8, 3," in text) is follows
