"""Whole networks of Haiku against the modules that their rules make of them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nnx_codemod.codemod.rule import Declined
from nnx_codemod.codemod.shapes.values import Array, Table
from nnx_codemod.tests.rules.haiku_translation import (
    LAYERS,
    TARGET_NAMES,
    carried,
    fill,
    flat,
    haiku_layer,
    pairs,
    paths,
    randomised,
    translated,
    variable,
)
from nnx_codemod.tests.shape_bits import equal_bits

QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
SMALL = (
    "channels_per_group=(4, 8, 8, 8), use_projection=(False, True, False, True), "
    "initial_conv_config={'output_channels': 4, 'padding': 'VALID', 'with_bias': True}"
)
DEEP = (
    "num_classes=5, bn_config=dict(decay_rate=0.5, eps=1e-3), resnet_v2=True, strides=[1, 1, 2, 1], "
    "channels_per_group=(8, 8, 16, 16), initial_conv_config=dict(kernel_shape=3, stride=1)"
)


@pytest.fixture
def equal_draws() -> Iterator[None]:
    with equal_bits():
        yield


def _images(seed: int, channels: int = 3) -> jax.Array:
    draws = np.random.RandomState(seed).normal(1.0, 2.0, (3, 12, 12, channels))
    return jnp.asarray(draws, jnp.float32)


@pytest.mark.usefixtures("equal_draws")
@pytest.mark.parametrize(
    "source",
    [
        f"hk.nets.ResNet([1, 1, 1, 1], 5, bottleneck=False, {SMALL})",
        f"hk.nets.ResNet((1, 2, 1, 1), {DEEP})",
        "hk.nets.ResNet((1, 1, 1, 1), 5, channels_per_group=(8, 8, 16, 16), bn_config={'decay_rate': 0.9})",
        "hk.nets.ResNet.BlockGroup(8, 2, 2, {'decay_rate': 0.9}, False, False, True)",
        "hk.nets.ResNet.BlockGroup(8, 2, (2, 1), dict(decay_rate=0.9, eps=1e-3), True, True, True)",
        "hk.nets.ResNet.BlockGroup(num_blocks=2, channels=3, stride=1, bn_config={}, resnet_v2=False, bottleneck=False, use_projection=False)",
        "hk.nets.MobileNetV1((1, 2), (8, 6), 5)",
        "hk.nets.MobileNetV1(strides=(2, 1), channels=(8, 6), num_classes=5, use_bn=False)",
    ],
)
def test_networks_are_equal_in_training_and_evaluation(source: str) -> None:
    function = hk.without_apply_rng(hk.transform_with_state(haiku_layer(source)))
    more = {"test_local_stats": False} if "BlockGroup" in source else {}
    params, state = function.init(jax.random.PRNGKey(0), _images(0), is_training=True, **more)
    new = translated(source, [_images(0)])
    layer = new.build()
    first = carried(new.rule, flat(params), layer, "params")
    assert paths(layer, nnx.Param) == set(first)
    for target, value in first.items():
        np.testing.assert_allclose(value, variable(layer, target)[...], rtol=1e-6, atol=1e-7)

    params = randomised(params)
    fill(layer, carried(new.rule, flat(params), layer, "params"))
    fill(layer, carried(new.rule, flat(state), layer, "state"))
    for seed, training in enumerate((True, True, False)):
        flags = {"is_training": training, **more}
        old = jax.jit(function.apply, static_argnames=[*flags], compiler_options=QUICK)
        expected, state = old(params, state, _images(seed), **flags)
        found = new.call(layer, [_images(seed)], flags)
        scale = float(jnp.abs(expected).max())
        np.testing.assert_allclose(expected, found, atol=1e-4 * scale)
        assert new.result() == Array(expected.shape, "float32")
    for target, value in carried(new.rule, flat(state), layer, "state").items():
        np.testing.assert_allclose(value, variable(layer, target)[...], rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize(
    "depth",
    [
        18,
        34,
        50,
        pytest.param(101, marks=pytest.mark.slow),
        pytest.param(200, marks=pytest.mark.slow),
    ],
)
def test_networks_of_each_depth_have_the_same_parameters(depth: int) -> None:
    source = f"hk.nets.ResNet{depth}(10)"
    function = hk.transform_with_state(haiku_layer(source))
    images = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    params, _ = jax.eval_shape(lambda x: function.init(jax.random.PRNGKey(0), x, True), images)
    new = translated(source, [_images(0)])
    layer = nnx.eval_shape(new.build)
    old = flat(params)
    found = {
        target: math.prod(old[name].shape) for name, target, _ in pairs(new.rule, old, "params")
    }
    assert len(found) == len(old)
    assert paths(layer, nnx.Param) == set(found)
    for target, size in found.items():
        assert math.prod(variable(layer, target).shape) == size


def test_all_depths_are_haikus() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        depths = hk.nets.ResNet.CONFIGS
    assert {f"haiku.nets.ResNet{depth}" for depth in depths} <= LAYERS.keys()
    assert {f"ResNet{depth}" for depth in depths} <= TARGET_NAMES.keys()


@pytest.mark.parametrize(
    "more",
    [
        "bn_config=config",
        "bn_config={'data_format': 'NCHW'}",
        "bn_config={**base, 'eps': 1.0}",
        "logits_config=dict(with_bias=False)",
        "initial_conv_config=dict(rate=2)",
    ],
)
def test_configurations_that_cannot_be_read_are_declined(more: str) -> None:
    with pytest.raises(Declined):
        translated(f"hk.nets.ResNet18(10, {more})", [_images(0)])


# ---- vector quantisation -------------------------------------------------------------------------------


@pytest.mark.usefixtures("equal_draws")
@pytest.mark.parametrize(
    ("source", "training"),
    [
        ("hk.nets.VectorQuantizer(3, 7, 0.25)", True),
        (
            "hk.nets.VectorQuantizer(embedding_dim=3, num_embeddings=7, commitment_cost=0.5, dtype=jnp.float32)",
            False,
        ),
        ("hk.nets.VectorQuantizerEMA(3, 7, 0.25, 0.9)", True),
        ("hk.nets.VectorQuantizerEMA(3, 7, commitment_cost=0.25, decay=0.5, epsilon=1e-3)", False),
    ],
)
def test_quantisers_are_equal(source: str, training: bool) -> None:
    images = _images(0)[:, :2, :2]
    function = hk.without_apply_rng(hk.transform_with_state(haiku_layer(source)))
    params, state = function.init(jax.random.PRNGKey(0), images, training)
    new = translated(source, [images])
    layer = new.build()
    for kind, tree in (("params", params), ("state", state)):
        for target, value in carried(new.rule, flat(tree), layer, kind).items():
            if target == "embeddings":
                np.testing.assert_allclose(
                    value, variable(layer, target)[...], rtol=1e-5, atol=1e-6
                )
    params = randomised(params)
    fill(layer, carried(new.rule, flat(params), layer, "params"))
    fill(layer, carried(new.rule, flat(state), layer, "state"))
    for seed in range(3):
        images = _images(seed)[:, :2, :2]
        expected, state = function.apply(params, state, images, training)
        found = new.call(layer, [images], {"is_training": training})
        assert expected.keys() == found.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(value, found[name], rtol=1e-4, atol=1e-4)
        _told(new.result(), expected)
    for target, value in carried(new.rule, flat(state), layer, "state").items():
        np.testing.assert_allclose(value, variable(layer, target)[...], rtol=1e-4, atol=1e-5)
    indices = jnp.array([[0, 6], [3, 3]])
    np.testing.assert_array_equal(layer.embeddings[...].T[indices], layer.quantize(indices))


def _told(told: Any, result: dict[str, jax.Array]) -> None:
    assert isinstance(told, Table)
    assert {name: value.shape for name, value in told.items.items()} == {  # type: ignore[attr-defined]
        name: value.shape for name, value in result.items()
    }


def test_a_quantiser_passes_gradients_straight_through() -> None:
    source = "hk.nets.VectorQuantizer(3, 7, 0.25)"
    layer = translated(source, [_images(0)]).build()
    function = hk.without_apply_rng(hk.transform(haiku_layer(source)))
    params = {"vector_quantizer": {"embeddings": layer.embeddings[...]}}

    def loss(out: dict[str, jax.Array]) -> jax.Array:
        return out["loss"] + jnp.sum(jnp.sin(out["quantize"]))

    expected = jax.grad(lambda p, x: loss(function.apply(p, x, True)), argnums=(0, 1))(
        params, _images(1)
    )
    found = nnx.grad(lambda layer, x: loss(layer(x)), argnums=(0, 1))(layer, _images(1))
    np.testing.assert_allclose(
        expected[0]["vector_quantizer"]["embeddings"],
        found[0].embeddings[...],
        rtol=1e-4,
        atol=1e-6,
    )
    np.testing.assert_allclose(expected[1], found[1], rtol=1e-4, atol=1e-6)


def test_a_quantiser_of_another_dtype_is_declined() -> None:
    with pytest.raises(Declined, match="dtype"):
        translated("hk.nets.VectorQuantizer(3, 7, 0.25, jnp.bfloat16)", [_images(0)])
