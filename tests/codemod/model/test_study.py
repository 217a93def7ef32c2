"""Ranks that no program tells: a size that depends on one is not guessed."""

from __future__ import annotations

import jax.numpy as jnp
import pytest
from flax import nnx

from nnx_codemod.tests.programs import check, rewritten

JOINED = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x, latent):
        h = nn.Dense(self.width)(latent)
        h = jnp.concatenate([h, latent])
        return nn.Dense(self.width)(h).sum() + nn.Dense(self.width)(x)
"""
PROGRAM = """

x, latent = jnp.ones(SHAPE), jnp.ones(SHAPE)
model = Net(3)
params = model.init(jax.random.key(1), x, latent)
print('RESULT', float(jnp.abs(model.apply(params, x, latent)).sum()))
"""


def test_vectors_or_batches_that_are_joined_in_front_are_not_told_apart():
    done = rewritten(JOINED)
    assert done.statuses == {"Net": "kept"}
    said = [d.message for o in done.outcomes.values() for d in o.report.diagnostics]
    assert any("rank" in message for message in said)


@pytest.mark.parametrize(("shape", "size"), [("(3,)", "width + latent_features"), ("(3, 3)", "")])
def test_a_program_tells_which_is_meant(shape, size, tmp_path):
    done = rewritten(JOINED + PROGRAM.replace("SHAPE", shape))
    assert done.statuses == {"Net": "rewritten"}
    assert size in done.after["program.py"]
    check(done, tmp_path)


IMAGES = """
import flax.linen as nn
import jax.numpy as jnp
from helper import scale


class Net(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x, y):
        for _ in range(2):
            x = nn.Conv(self.width, (3, 3))(x)
        b, h, w, c = x.shape
        x = scale(x.reshape(b, h * w, c))
        return nn.Dense(self.width)(x) + nn.Dense(self.width)(y)[:, None]
"""
HELPER = """
def first(x):
    return x


def scale(x):
    return first(x) * 2
"""


def test_inputs_given_up_on_leave_the_files_that_they_reached_whole():
    done = rewritten({"program.py": IMAGES, "helper.py": HELPER})
    assert done.statuses == {"Net": "rewritten"}
    text = done.after["program.py"]
    assert "nnx.Linear(x_features, width" in text and "nnx.Linear(y_features, width" in text


LISTED = """
import flax.linen as nn
import jax.numpy as jnp


class Net(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x: ANNOTATION):
        return nn.Dense(self.width)(x)


class Stacked(nn.Module):
    table: dict
    names: tuple

    @nn.compact
    def __call__(self, x):
        return Net(4)([self.table[name] for name in self.names])
"""


@pytest.mark.parametrize(
    ("annotation", "status"), [("jnp.ndarray", "rewritten"), ("list[jnp.ndarray]", "kept")]
)
def test_a_list_of_nothing_known_tells_less_than_an_annotation(
    annotation: str, status: str
) -> None:
    assert rewritten(LISTED.replace("ANNOTATION", annotation)).statuses["Net"] == status


@pytest.mark.parametrize("unrolled", ["dynamic_unroll", "static_unroll"])
def test_what_is_unrolled_has_an_axis_for_time_and_one_for_the_batch(unrolled: str) -> None:
    done = rewritten(
        f"""
import haiku as hk


class Net(hk.Module):
    def __call__(self, x):
        core = hk.LSTM(4)
        state = core.initial_state(batch_size=x.shape[0])
        x, _ = hk.{unrolled}(core, x, state, time_major=False)
        return hk.Linear(3)(x)
"""
    )
    text = done.after["program.py"]
    assert "self.core = LSTM(in_features, 4, rngs=rngs)" in text
    assert "self.linear = nnx.Linear(4, 3" in text


ONE_IMAGE = """
import flax.linen as nn
import jax.numpy as jnp


class Angles(nn.Module):
    actions: int

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3), (2, 2))(x))
        x = x.reshape(-1)
        angles = jnp.cos(jnp.linspace(0.0, 3.0, 5 * 8).reshape(5, 8))
        tiled = jnp.tile(x, [5, 1])
        return nn.Dense(self.actions)(tiled * nn.Dense(x.shape[-1])(angles))
"""


def test_whoever_repeats_a_whole_image_as_a_width_takes_one_without_a_batch():
    done = rewritten(ONE_IMAGE)
    assert done.statuses == {"Angles": "rewritten"}
    space: dict = {}
    exec(done.after["program.py"], space)
    module = space["Angles"](6, 4, 3, actions=2, rngs=nnx.Rngs(0))
    assert module(jnp.ones((6, 4, 3))).shape == (5, 2)
