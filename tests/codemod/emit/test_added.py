"""Sizes of new parameters where modules hand on what they are chosen by."""

from __future__ import annotations

from pathlib import Path

from nnx_codemod.tests.programs import check, rewritten

CHOSEN = """
import haiku as hk
import jax
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


PROGRAM = """

net = hk.without_apply_rng(hk.transform(lambda x: Net()(x)))
x = jnp.linspace(-1.0, 1.0, 20).reshape(4, 5)
params = net.init(jax.random.PRNGKey(0), x)
print('RESULT', float(jnp.abs(net.apply(params, x)).sum()))
"""


def test_a_module_hands_on_the_axis_that_it_is_told() -> None:
    text = rewritten(CHOSEN.replace("GIVEN", "-1")).after["program.py"]
    assert "self.scale = Scale(in_features, axis=axis)" in text
    assert "self.both = Both(in_features, -1)" in text


def test_another_axis_than_the_default_has_its_own_size(tmp_path: Path) -> None:
    done = rewritten(CHOSEN.replace("GIVEN", "0") + PROGRAM)
    assert "self.both = Both(in_batch, 0)" in done.after["program.py"]
    check(done, tmp_path)


def test_an_axis_that_nobody_knows_is_not_told() -> None:
    text = rewritten(CHOSEN.replace("GIVEN", "len(str(x))")).after["program.py"]
    assert "class Net(hk.Module)" in text
