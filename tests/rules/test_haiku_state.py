"""Layers of Haiku that hold state or choose by chance, against what their rules make of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nnx_codemod.codemod.rule import Declined
from nnx_codemod.codemod.shapes.values import Array
from nnx_codemod.tests.rules.haiku_translation import (
    carried,
    fill,
    flat,
    haiku_layer,
    paths,
    randomised,
    translated,
    variable,
)
from nnx_codemod.tests.shape_bits import equal_bits


@pytest.fixture
def equal_draws() -> Iterator[None]:
    with equal_bits():
        yield


def _values(shape: tuple[int, ...], count: int) -> list[jax.Array]:
    draws = np.random.RandomState(0)
    return [jnp.asarray(draws.normal(1.0, 2.0, shape), jnp.float32) for _ in range(count)]


class Both:
    """A Haiku function and its NNX layer with equal variables, called side by side."""

    def __init__(self, source: str, inputs: list[Any], keywords: dict[str, Any]) -> None:
        self.function = hk.without_apply_rng(hk.transform_with_state(haiku_layer(source)))
        params, self.state = self.function.init(jax.random.PRNGKey(0), *inputs, **keywords)
        self.new = translated(source, inputs, keywords)
        self.layer = self.new.build()
        self.params = randomised(params)
        fill(self.layer, carried(self.new.rule, flat(self.params), self.layer, "params"))
        self.carry_state()

    def carry_state(self) -> None:
        fill(self.layer, carried(self.new.rule, flat(self.state), self.layer, "state"))

    def check(self, *inputs: Any, **keywords: Any) -> None:
        """One call of each: results and states agree."""
        expected, self.state = self.function.apply(self.params, self.state, *inputs, **keywords)
        found = self.new.call(self.layer, inputs, keywords)
        np.testing.assert_allclose(expected, found, rtol=2e-5, atol=2e-5)
        for target, value in carried(self.new.rule, flat(self.state), self.layer, "state").items():
            np.testing.assert_allclose(
                value, variable(self.layer, target)[...], rtol=1e-5, atol=1e-6
            )


# ---- batch norm ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "hk.BatchNorm(True, True, 0.9)",
        "hk.BatchNorm(create_scale=False, create_offset=True, decay_rate=0.99, eps=1e-3)",
        "hk.BatchNorm(True, False, 0.5, scale_init=hk.initializers.Constant(0.5), axis=None)",
    ],
)
def test_batch_norms_are_equal_in_training_and_evaluation(source: str) -> None:
    first, *others = _values((2, 4, 5, 3), 4)
    both = Both(source, [first], {"is_training": True})
    for x in others:
        both.check(x, is_training=True)
        both.check(x, is_training=False)
    both.check(first, is_training=False, test_local_stats=True)
    both.check(first, is_training=True, test_local_stats=False)


def test_batch_norms_start_from_equal_averages() -> None:
    """The first averages are zero: of what `init` leaves, the program's rules take care."""
    layer = translated("hk.BatchNorm(True, True, 0.9)", _values((4, 3), 1)).build()
    assert paths(layer, nnx.Param) == {"scale", "bias"}
    assert all(
        float(jnp.abs(v[...]).sum()) == 0
        for v in jax.tree.leaves(
            nnx.state(layer, nnx.BatchStat), is_leaf=lambda v: isinstance(v, nnx.Variable)
        )
    )


def test_a_batch_norm_over_replicas_is_one_over_all() -> None:
    (x,) = _values((2, 6, 3), 1)
    new = translated("hk.BatchNorm(True, True, 0.9, cross_replica_axis='i')", [x[0]])
    alone, replicated = translated("hk.BatchNorm(True, True, 0.9)", [x[0]]).build(), new.build()
    whole = alone(x.reshape(12, 3)).reshape(x.shape)
    split = nnx.vmap(lambda layer, x: layer(x), in_axes=(None, 0), axis_name="i")(replicated, x)
    np.testing.assert_allclose(whole, split, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["scale", "offset"])
def test_a_scale_in_a_call_has_no_place(mode: str) -> None:
    new = translated("hk.BatchNorm(False, False, 0.9)", _values((4, 3), 1))
    assert mode in new.rule.call


# ---- averages and spectral norm ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "shape"),
    [
        ("hk.ExponentialMovingAverage(0.9)", (3, 2)),
        ("hk.ExponentialMovingAverage(decay=0.5, zero_debias=False)", ()),
        ("hk.ExponentialMovingAverage(0.9, False, warmup_length=2)", (3,)),
    ],
)
def test_moving_averages_are_equal(source: str, shape: tuple[int, ...]) -> None:
    first, *others = _values(shape, 5)
    both = Both(source, [first], {})
    for x in others:
        both.check(x)
    both.check(first, update_stats=False)


def test_an_average_of_whole_numbers_is_declined() -> None:
    with pytest.raises(Declined, match="int32"):
        translated("hk.ExponentialMovingAverage(0.9)", [jnp.arange(3)])


@pytest.mark.parametrize("source", ["hk.SpectralNorm()", "hk.SpectralNorm(eps=1e-3, n_steps=2)"])
def test_spectral_norms_are_equal(source: str) -> None:
    first, *others = _values((2, 3, 4), 4)
    both = Both(source, [first], {})
    for x in others:
        both.check(x)
    both.check(first, update_stats=False)


@pytest.mark.usefixtures("equal_draws")
def test_spectral_norms_start_from_equal_vectors() -> None:
    (x,) = _values((3, 4), 1)
    function = hk.transform_with_state(haiku_layer("hk.SpectralNorm()"))
    _, state = function.init(jax.random.PRNGKey(0), x)
    layer = translated("hk.SpectralNorm()", [x]).build()
    np.testing.assert_allclose(flat(state)["u0"], layer.u0[...], rtol=1e-6)


# ---- embeddings ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("equal_draws")
@pytest.mark.parametrize(
    "source",
    [
        "hk.Embed(7, 3)",
        "hk.Embed(vocab_size=7, embed_dim=3, w_init=hk.initializers.RandomNormal(stddev=0.02))",
        "hk.Embed(7, 3, lookup_style='array_index', w_init=None)",
        "hk.Embed(7, 3, lookup_style=hk.EmbedLookupStyle.ARRAY_INDEX)",
        "hk.Embed(embedding_matrix=np.arange(21.0).reshape(7, 3))",
        "hk.Embed(7, 3, np.arange(21.0).reshape(7, 3))",
    ],
)
def test_embeddings_are_equal(source: str) -> None:
    ids = jnp.array([[0, 6, 3], [2, 2, 5]])
    function = hk.without_apply_rng(hk.transform(haiku_layer(source)))
    params = function.init(jax.random.PRNGKey(0), ids)
    new = translated(source, [ids])
    layer = new.build()
    for target, value in carried(new.rule, flat(params), layer, "params").items():
        np.testing.assert_allclose(value, variable(layer, target)[...], rtol=1e-6)
    result = function.apply(params, ids)
    np.testing.assert_allclose(result, layer(ids), rtol=1e-6)
    assert new.result() == Array(result.shape, "float32")


# ---- dropout and sequences -----------------------------------------------------------------------------


@pytest.mark.usefixtures("equal_draws")
@pytest.mark.parametrize("more", ["", ", broadcast_dims=(1,)", ", broadcast_dims=[-1]"])
def test_dropouts_are_equal(more: str) -> None:
    x = jnp.arange(1.0, 61.0).reshape(4, 5, 3)
    new = translated(f"hk.dropout(hk.next_rng_key(), 0.3, x{more})", [x])
    layer = new.build()
    dims = eval(f"dict({more.removeprefix(', ')})")
    np.testing.assert_allclose(
        hk.dropout(jax.random.PRNGKey(3), 0.3, x, **dims), layer(x), rtol=1e-6
    )
    layer.eval()
    np.testing.assert_array_equal(x, layer(x))


def test_sequences_take_their_layers_one_by_one() -> None:
    new = translated("hk.Sequential([jnp.tanh, jax.nn.relu])", _values((3,), 1))
    x = jnp.linspace(-1.0, 1.0, 5)
    assert new.text == "nnx.Sequential(jnp.tanh, jax.nn.relu)"
    np.testing.assert_allclose(new.build()(x), jax.nn.relu(jnp.tanh(x)))
