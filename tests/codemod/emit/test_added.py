"""Sizes of new parameters where modules hand on what they are chosen by."""

from __future__ import annotations

from nnx_codemod.tests.programs import rewritten

CHOSEN = """
import haiku as hk
import jax.numpy as jnp


class Scale(hk.Module):
    def __init__(self, axis=-1, name=None):
        super().__init__(name=name)
        self.axis = axis

    def __call__(self, x):
        shape = [1] * x.ndim
        shape[self.axis] = x.shape[self.axis]
        return x * hk.get_parameter('scale', (x.shape[self.axis],), init=jnp.ones).reshape(shape)


class Both(hk.Module):
    def __init__(self, axis=-1, name=None):
        super().__init__(name=name)
        self.axis = axis

    def __call__(self, x):
        return Scale(axis=self.axis)(x)


class Net(hk.Module):
    def __call__(self, x):
        return hk.Linear(3)(Both(GIVEN)(x))
"""


def test_a_module_hands_on_the_axis_that_it_is_told() -> None:
    text = rewritten(CHOSEN.replace("GIVEN", "-1")).after["program.py"]
    assert "self.scale = Scale(in_features, axis=axis)" in text
    assert "self.both = Both(in_features, -1)" in text


def test_another_axis_than_the_default_is_not_told() -> None:
    text = rewritten(CHOSEN.replace("GIVEN", "0")).after["program.py"]
    assert "class Net(hk.Module)" in text
