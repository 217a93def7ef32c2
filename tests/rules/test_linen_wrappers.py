"""nn.WeightNorm and nn.SpectralNorm over several calls: results, statistics and gradients."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx, traverse_util

from nnx_codemod.codemod.rule import Declined, Mode
from nnx_codemod.tests.rules.linen_translation import LAYERS, Translation, randomised
from nnx_codemod.tests.shape_bits import equal_bits

_X = jnp.asarray(np.random.RandomState(0).normal(size=(4, 6, 5)), jnp.float32)

WEIGHT_NORMS = [
    "nn.WeightNorm(nn.Dense(3))",
    "nn.WeightNorm(nn.Dense(3), feature_axes=None, scale_init=nn.initializers.normal(1.0))",
    "nn.WeightNorm(nn.Conv(3, (3,)), 1e-6, use_scale=False)",
    "nn.WeightNorm(nn.DenseGeneral((3, 2)), feature_axes=(0, -1), variable_filter=None)",
    "nn.WeightNorm(nn.Dense(3), variable_filter={'kernel', 'bias'})",
]


def _targets(layer: nnx.Module, variables: Any) -> list[tuple[nnx.Variable[Any], Any]]:
    """Linen's variables with those of the NNX module: statistics are found under the path that Linen writes."""
    found = []
    for path, value in traverse_util.flatten_dict(variables["params"]).items():
        if path[-1].endswith("/scale"):
            name = path[-1].removeprefix("layer_instance/").removesuffix("/scale")
            found.append((layer.scales[name], value))
        else:
            found.append((getattr(layer.layer_instance, path[-1]), value))
    for path, value in variables.get("batch_stats", {}).items():
        name, _, kind = path.removeprefix("layer_instance/").rpartition("/")
        found.append((getattr(layer, kind)[name], value))
    return found


@pytest.mark.parametrize("source", WEIGHT_NORMS)
def test_weight_norm(source: str) -> None:
    with equal_bits():
        translation = Translation(source, [_X])
        linen, layer = translation.linen(), translation.build()
        first = linen.init(jax.random.key(0), _X)
        for target, value in _targets(layer, first):
            np.testing.assert_allclose(target[...], value, 1e-6)
        variables = randomised(first)
        for target, value in _targets(layer, variables):
            target[...] = value

        for _ in range(2):  # a second call shows whether the first left the weights as they were
            grads = jax.grad(lambda v: jnp.sin(linen.apply(v, _X)).sum())(variables)
            new = nnx.grad(lambda m: jnp.sin(m(_X)).sum())(layer)
            np.testing.assert_allclose(layer(_X), linen.apply(variables, _X), 1e-5, 1e-6)
            assert sum(leaf.size for leaf in jax.tree.leaves(new)) == sum(
                leaf.size for leaf in jax.tree.leaves(grads)
            )
            stand_in = translation.build()
            nnx.update(stand_in, new)
            for target, value in _targets(stand_in, grads):
                np.testing.assert_allclose(target[...], value, 1e-4, 1e-5)


SPECTRAL_NORMS = [
    "nn.SpectralNorm(nn.Dense(3))",
    "nn.SpectralNorm(nn.Conv(3, (3,)), n_steps=3, epsilon=1e-6)",
    "nn.SpectralNorm(nn.Dense(3), 0)",
]


@pytest.mark.parametrize("source", SPECTRAL_NORMS)
def test_spectral_norm(source: str) -> None:
    with equal_bits():
        translation = Translation(source, [_X], {"update_stats": True})
        linen, layer = translation.linen(), translation.build()
        variables = linen.init(jax.random.key(0), _X, update_stats=False)
        for target, value in _targets(layer, variables):
            np.testing.assert_allclose(target[...], value, 1e-6)

        for update in (True, True, False, True):
            (layer.train if update else layer.eval)()

            def loss(params: Any, variables: Any = variables, update: bool = update) -> Any:
                result, left = linen.apply(
                    {**variables, "params": params},
                    _X,
                    update_stats=update,
                    mutable=["batch_stats"],
                )
                return jnp.sin(result).sum(), (result, left)

            (_, (wanted, left)), grads = jax.value_and_grad(loss, has_aux=True)(variables["params"])
            new = nnx.grad(lambda m: jnp.sin(m(_X)).sum())(nnx.clone(layer))
            np.testing.assert_allclose(layer(_X), wanted, 1e-5, 1e-6)
            variables = {**variables, **left}
            for target, value in _targets(layer, variables):
                np.testing.assert_allclose(target[...], value, 1e-5, 1e-6)
            stand_in = translation.build()
            nnx.update(stand_in, new)
            for target, value in _targets(stand_in, {"params": grads}):
                np.testing.assert_allclose(target[...], value, 1e-4, 1e-5)


def test_the_flag_of_spectral_norm_is_a_mode() -> None:
    flag = LAYERS["flax.linen.SpectralNorm"].call["update_stats"]
    assert flag == Mode("train", "use_running_average", negated=True)
    layer = Translation(SPECTRAL_NORMS[0], [_X], {"update_stats": True}).build()
    before = layer.u["kernel"][...]
    layer(_X, use_running_average=True)
    np.testing.assert_array_equal(layer.u["kernel"][...], before)
    layer(_X, use_running_average=False)
    assert not np.array_equal(layer.u["kernel"][...], before)


@pytest.mark.parametrize(
    "source",
    [
        "nn.WeightNorm(nn.Dense(3), dtype=jnp.bfloat16)",
        "nn.SpectralNorm(nn.Dense(3), error_on_non_matrix=True)",
        "nn.SpectralNorm(nn.Dense(3), collection_name='spectral')",
    ],
)
def test_declined(source: str) -> None:
    with pytest.raises(Declined):
        Translation(source, [_X])
