"""Attributes of Haiku modules that hold layers, or what only a call tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import haiku as hk
import jax
import jax.numpy as jnp


class Parallel(hk.Module):
    def __init__(self, size, name=None):
        super().__init__(name=name)
        self.size = size

    def __call__(self, x):
        _, width, self.members = x.shape
        w = hk.get_parameter('w', [width, self.size, self.members], init=jnp.ones)
        return jnp.einsum('bik,ijk->bjk', x, w) / self.members


class Model(hk.Module):
    def __init__(self, sizes, name=None):
        super().__init__(name=name)
        layers = []
        for size in sizes:
            layers.append(hk.Linear(size))
        self._layers = GIVEN
        self.parallel = Parallel(3)

    def __call__(self, x):
        for layer in self._layers:
            x = jax.nn.relu(layer(x))
        return self.parallel(jnp.stack([x, 2 * x], axis=-1))


model = hk.without_apply_rng(hk.transform(lambda x: Model((5, 4))(x)))
x = jax.random.normal(jax.random.PRNGKey(1), (2, 3))
params = model.init(jax.random.PRNGKey(0), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


@pytest.mark.parametrize("given", ["layers", "tuple(layers)", "list(layers)"])
def test_a_list_has_the_name_of_the_attribute_that_it_is_given_to(
    given: str, tmp_path: Path
) -> None:
    done = rewritten(PROGRAM.replace("GIVEN", given))
    assert done.statuses == {"Model": "rewritten", "Parallel": "rewritten"}
    text = done.after["program.py"]
    assert "self._layers.append(" in text and "self._layers = nnx.List()" in text
    assert text.count("self._layers = ") == 1
    assert "self.members)" not in text.split("def __call__")[0]
    check(done, tmp_path)


SET_ANEW = """
import haiku as hk
import jax
import jax.numpy as jnp


class Net(hk.Module):
    def __init__(self, scale, width, name=None):
        super().__init__(name=name)
        scale = 2.0 * scale[None, :]
        self.scale = scale
        width += 1
        self.width = width

    def __call__(self, x):
        return hk.Linear(self.width)(x * self.scale) * self.width


def forward(x):
    return Net(jnp.arange(3.0), 4)(x)


x = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
model = hk.transform(forward)
params = model.init(jax.random.PRNGKey(0), x)
print('RESULT', float(jnp.abs(model.apply(params, None, x)).sum()))
"""


def test_a_parameter_that_is_set_anew_is_kept_as_it_then_is(tmp_path: Path) -> None:
    done = rewritten(SET_ANEW)
    assert done.statuses == {"Net": "rewritten"}
    check(done, tmp_path)
