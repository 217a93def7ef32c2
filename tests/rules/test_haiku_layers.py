"""Every layer of Haiku against what its rule makes of it: weights, results, gradients, and the first values of weights."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nnx_codemod.codemod.rule import Declined
from nnx_codemod.codemod.shapes.values import Array, Items, Value
from nnx_codemod.tests.rules.haiku_translation import (
    LAYERS,
    UNTOLD,
    Translated,
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


@dataclass(frozen=True)
class Case:
    """A layer and what it is called with: shapes stand for arrays of that shape."""

    source: str
    inputs: tuple[Any, ...]
    keywords: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.source.removeprefix("hk.")

    def arrays(self, seed: int = 0) -> list[Any]:
        draws = np.random.RandomState(seed)
        return jax.tree.map(
            lambda shape: jnp.asarray(draws.normal(size=shape), jnp.float32),
            list(self.inputs),
            is_leaf=lambda x: type(x) is tuple and all(isinstance(n, int) for n in x),
        )


# Compiling takes far longer than running these.
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}

_STATE = hk.LSTMState((2, 4), (2, 4))

CASES = [
    Case("hk.Linear(3)", ((2, 5),)),
    Case("hk.Linear(3, False)", ((2, 4, 5),)),
    Case("hk.Linear(output_size=3, w_init=hk.initializers.RandomNormal(0.02))", ((2, 5),)),
    Case("hk.Linear(3, w_init=hk.initializers.VarianceScaling(2.0), b_init=jnp.ones)", ((2, 5),)),
    Case("hk.Linear(3, w_init=None, b_init=hk.initializers.Constant(0.5))", ((2, 5),)),
    Case("hk.Linear(3, w_init=lambda shape, dtype: jnp.full(shape, 0.1, dtype))", ((2, 5),)),
    Case("hk.Linear(3, w_init=np.zeros)", ((2, 5),)),
    Case("hk.Conv1D(4, 3)", ((2, 7, 3),)),
    Case("hk.Conv1D(4, 3, padding=hk.pad.causal, rate=2)", ((2, 9, 3),)),
    Case("hk.Conv2D(4, 3)", ((2, 7, 8, 3),)),
    Case("hk.Conv2D(4, (3, 2), 2)", ((2, 7, 8, 3),)),
    Case("hk.Conv2D(4, [3, 2], stride=(2, 1), padding='VALID')", ((7, 8, 3),)),
    Case("hk.Conv2D(4, 3, rate=2, padding='valid', with_bias=False)", ((2, 9, 8, 3),)),
    Case("hk.Conv2D(4, (3,), stride=(2,), padding=(1, 2))", ((2, 7, 8, 3),)),
    Case("hk.Conv2D(4, 3, stride=2, padding=hk.pad.same)", ((2, 8, 8, 3),)),
    Case("hk.Conv2D(4, 3, padding=[hk.pad.causal, hk.pad.full])", ((2, 8, 8, 3),)),
    Case("hk.Conv2D(4, 3, padding=((1, 0), (2, 1)), data_format='NHWC')", ((2, 8, 8, 3),)),
    Case("hk.Conv2D(4, 3, padding=[(1, 2)], feature_group_count=2)", ((2, 8, 8, 6),)),
    Case("hk.Conv2D(4, 1, mask=np.tri(3, 4).reshape(1, 1, 3, 4))", ((2, 5, 5, 3),)),
    Case("hk.Conv3D(4, 2, stride=2)", ((1, 4, 5, 6, 2),)),
    Case("hk.ConvND(2, 4, 3, stride=2)", ((2, 7, 8, 3),)),
    Case("hk.Conv1DTranspose(4, 3, stride=2)", ((2, 5, 3),)),
    Case("hk.Conv2DTranspose(4, 3)", ((2, 5, 6, 3),)),
    Case("hk.Conv2DTranspose(4, (3, 2), 2, padding='VALID', with_bias=False)", ((2, 5, 6, 3),)),
    Case(
        "hk.Conv2DTranspose(4, 4, stride=2, w_init=hk.initializers.VarianceScaling())",
        ((2, 5, 6, 3),),
    ),
    Case("hk.Conv2DTranspose(4, 3, stride=2, output_shape=(9, 12))", ((2, 5, 6, 3),)),
    Case(
        "hk.Conv2DTranspose(4, 3, stride=2, output_shape=(11, 13), padding='VALID')",
        ((2, 5, 6, 3),),
    ),
    Case("hk.Conv3DTranspose(2, 2, stride=2)", ((1, 3, 3, 2, 2),)),
    Case("hk.ConvNDTranspose(2, 4, 3, stride=3)", ((2, 4, 3, 3),)),
    Case("hk.DepthwiseConv1D(3, 3)", ((2, 7, 2),)),
    Case("hk.DepthwiseConv2D(2, 3, stride=2, padding='VALID')", ((2, 7, 8, 3),)),
    Case("hk.DepthwiseConv3D(1, 2, with_bias=False)", ((1, 4, 4, 4, 2),)),
    Case("hk.SeparableDepthwiseConv2D(2, (3, 2), stride=2)", ((2, 7, 8, 3),)),
    Case(
        "hk.SeparableDepthwiseConv2D(1, 3, with_bias=False, w_init=hk.initializers.RandomNormal())",
        ((2, 7, 8, 3),),
    ),
    Case("hk.LayerNorm(-1, True, True)", ((2, 5),)),
    Case("hk.LayerNorm(axis=-1, create_scale=True, create_offset=False, eps=1e-3)", ((2, 4, 5),)),
    Case("hk.LayerNorm(2, True, True, use_fast_variance=True)", ((2, 4, 5),)),
    Case(
        "hk.LayerNorm((-2, -1), True, True, scale_init=hk.initializers.Constant(2.0))", ((2, 4, 5),)
    ),
    Case("hk.LayerNorm([1, 2, 3], False, False)", ((2, 4, 5, 3),)),
    Case("hk.LayerNorm(slice(1, None), True, True, offset_init=jnp.ones)", ((2, 4, 5, 3),)),
    Case("hk.LayerNorm(slice(-1, None), True, True, param_axis=-1)", ((2, 4, 5),)),
    Case("hk.LayerNorm((2, 3), True, True, param_axis=(2, 3))", ((2, 4, 5, 3),)),
    Case("hk.LayerNorm(-1, True, True, param_axis=1)", ((2, 4, 5),)),
    Case("hk.RMSNorm(-1)", ((2, 5),)),
    Case("hk.RMSNorm(axis=(1, 2), eps=1e-3, create_scale=False)", ((2, 4, 5),)),
    Case("hk.RMSNorm(-1, scale_init=hk.initializers.Constant(0.5), param_axis=-1)", ((2, 5),)),
    Case("hk.GroupNorm(2)", ((2, 4, 5, 6),)),
    Case(
        "hk.GroupNorm(groups=3, axis=slice(1, None), create_offset=False, data_format='channels_last')",
        ((2, 4, 6),),
    ),
    Case("hk.GroupNorm(2, [1, 2, 3], eps=1e-2)", ((2, 4, 5, 6),)),
    Case("hk.InstanceNorm(True, True)", ((2, 4, 5, 3),)),
    Case("hk.InstanceNorm(create_scale=False, create_offset=True, eps=1e-3)", ((2, 7, 3),)),
    Case("hk.nets.MLP([6, 4])", ((2, 5),)),
    Case(
        "hk.nets.MLP((6, 4, 3), activation=jnp.tanh, activate_final=True, with_bias=False)",
        ((2, 3, 5),),
    ),
    Case("hk.nets.MLP([4], hk.initializers.RandomUniform(-0.1, 0.1), jnp.ones)", ((2, 5),)),
    Case("hk.MaxPool((2, 2, 1), (2, 2, 1), 'SAME')", ((2, 5, 6, 3),)),
    Case("hk.MaxPool(2, 1, padding='VALID')", ((2, 5, 6, 3),)),
    Case("hk.AvgPool((1, 3, 2, 1), (1, 2, 2, 1), 'SAME')", ((2, 5, 6, 3),)),
    Case(
        "hk.AvgPool(window_shape=(3, 1), strides=(2, 1), padding='VALID', channel_axis=-1)",
        ((2, 7, 3),),
    ),
    Case("hk.Bias()", ((2, 5),)),
    Case("hk.Bias(bias_dims=[-1], b_init=jnp.ones)", ((2, 4, 5),), {"multiplier": 2.0}),
    Case(
        "hk.MultiHeadAttention(2, 3, w_init=hk.initializers.VarianceScaling(0.5))",
        ((2, 4, 5), (2, 6, 5), (2, 6, 5)),
    ),
    Case("hk.MultiHeadAttention(2, 3, w_init_scale=1.0)", ((2, 4, 5), (2, 6, 3), (2, 6, 3))),
    Case(
        "hk.MultiHeadAttention(2, key_size=3, model_size=7, with_bias=False, w_init_scale=0.5)",
        ((4, 5), (4, 5), (4, 5)),
        {"mask": np.tri(4)[None]},
    ),
    Case(
        "hk.MultiHeadAttention(2, 3, w_init=jnp.ones, b_init=jnp.ones, value_size=3)",
        (),
        {"query": np.ones((4, 5)), "key": np.eye(5)[:4], "value": np.eye(5)[1:]},
    ),
    Case("hk.VanillaRNN(4)", ((2, 5), (2, 4))),
    Case("hk.VanillaRNN(4, double_bias=False)", ((5,), (4,))),
    Case("hk.Conv1DLSTM([6], 4, 3)", ((2, 6, 3), hk.LSTMState((2, 6, 4), (2, 6, 4)))),
    Case("hk.Conv2DLSTM((5, 6), 2, (3, 2))", ((5, 6, 3), hk.LSTMState((5, 6, 2), (5, 6, 2)))),
    Case(
        "hk.Conv3DLSTM((2, 3, 2), 2, 2)",
        ((1, 2, 3, 2, 3), hk.LSTMState((1, 2, 3, 2, 2), (1, 2, 3, 2, 2))),
    ),
    Case("hk.IdentityCore()", ((2, 5), ())),
    Case("hk.LSTM(4)", ((2, 5), _STATE)),
    Case("hk.GRU(4)", ((2, 5), (2, 4))),
    Case(
        "hk.GRU(4, w_i_init=hk.initializers.RandomNormal(0.1), w_h_init=hk.initializers.Orthogonal(), b_init=jnp.ones)",
        ((2, 5), (2, 4)),
    ),
]


@pytest.fixture
def equal_draws() -> Iterator[None]:
    with equal_bits():
        yield


def _pair(case: Case) -> tuple[Any, Any, Any, Translated, Any]:
    """Haiku's function, parameters and state, and NNX's layer."""
    function = hk.without_apply_rng(hk.transform_with_state(haiku_layer(case.source)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Haiku's, of windows that are numbers
        params, state = function.init(jax.random.PRNGKey(0), *case.arrays(), **case.keywords)
    new = translated(case.source, case.arrays(), case.keywords)
    return function, params, state, new, new.build()


def _differentiated(run: Any, variables: Any) -> tuple[Any, Any]:
    """The gradients of a function of all that `run` returns, and what it returns."""

    def loss(variables: Any) -> Any:
        result = run(variables)
        return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(result)), result

    with jax.default_matmul_precision("highest"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gradients, result = jax.jit(jax.grad(loss, has_aux=True), compiler_options=QUICK)(variables)
    return gradients, result


@pytest.mark.usefixtures("equal_draws")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_weights_results_and_gradients_are_equal(case: Case) -> None:
    function, params, state, new, layer = _pair(case)
    first = carried(new.rule, flat(params), layer, "params")
    assert paths(layer, nnx.Param) == set(first)
    for target, value in first.items():
        np.testing.assert_allclose(value, variable(layer, target)[...], rtol=1e-6, atol=1e-7)

    params, inputs = randomised(params), case.arrays(2)
    fill(layer, carried(new.rule, flat(params), layer, "params"))
    graphdef, variables, rest = nnx.split(layer, nnx.Param, ...)
    old_grads, old_result = _differentiated(
        lambda params: function.apply(params, state, *inputs, **case.keywords)[0], params
    )
    new_grads, new_result = _differentiated(
        lambda variables: new.call(nnx.merge(graphdef, variables, rest), inputs, case.keywords),
        variables,
    )
    for left, right in zip(jax.tree.leaves(old_result), jax.tree.leaves(new_result), strict=True):
        np.testing.assert_allclose(left, right, rtol=2e-5, atol=2e-6)
    _told(new.result(), old_result)
    nnx.update(layer, new_grads)
    for target, value in carried(new.rule, flat(old_grads), layer, "params").items():
        np.testing.assert_allclose(value, variable(layer, target)[...], rtol=2e-4, atol=2e-5)


def _told(told: Value | None, result: Any) -> None:
    if isinstance(told, Items):
        assert len(told.items) == len(result)
        for left, right in zip(told.items, result, strict=True):
            _told(left, right)
        return
    assert isinstance(told, Array)
    assert told.shape is not None
    assert len(told.shape) == result.ndim
    for left, right in zip(told.shape, result.shape, strict=True):
        assert left in (UNTOLD, right)


def test_every_layer_has_a_case() -> None:
    """Layers that hold state, choose by chance or call others have tests of their own."""
    elsewhere = {
        "haiku.BatchNorm",
        "haiku.Embed",
        "haiku.Sequential",
        "haiku.DeepRNN",
        "haiku.deep_rnn_with_skip_connections",
        "haiku.ResetCore",
        "haiku.SpectralNorm",
        "haiku.ExponentialMovingAverage",
        "haiku.dropout",
    } | {name for name in LAYERS if name.startswith("haiku.nets.") and name != "haiku.nets.MLP"}
    covered = {f"haiku.{case.source.removeprefix('hk.').split('(')[0]}" for case in CASES}
    assert set(LAYERS) - elsewhere - covered == set()


@pytest.mark.parametrize(
    ("source", "shape"),
    [
        ("hk.Conv2D(4, 3, data_format='NCHW')", (2, 3, 8, 8)),
        ("hk.Conv2D(4, 3, padding=jnp.abs)", (2, 8, 8, 3)),
        ("hk.Conv2DTranspose(4, 3, mask=np.ones((3, 3, 4, 3)))", (2, 8, 8, 3)),
        ("hk.GroupNorm(2, axis=3)", (2, 4, 5, 6)),
        ("hk.BatchNorm(True, True, 0.9, axis=[0])", (2, 4, 6)),
        ("hk.BatchNorm(True, True, 0.9, data_format='NC...')", (2, 4, 6)),
        ("hk.Embed(5, 3, lookup_style='ONE_HOT')", (2, 4)),
        ("hk.MaxPool((2, 2), (2, 2), 'SAME')", (2, 5, 6, 3)),
        ("hk.MaxPool((2, 2, 1), (2, 2, 1), 'SAME', channel_axis=1)", (2, 5, 6, 3)),
        ("hk.nets.MLP([])", (2, 5)),
        ("hk.Linear(3, w_init=lambda s, d: jax.random.normal(hk.next_rng_key(), s, d))", (2, 5)),
    ],
)
def test_what_has_no_counterpart_is_declined(source: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(Declined):
        translated(source, [jnp.zeros(shape)])


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_is_declined(dtype: Any) -> None:
    with pytest.raises(Declined, match="dtype of its input"):
        translated("hk.Linear(3)", [jnp.zeros((2, 3), dtype)])


def test_a_scale_that_is_given_does_not_scale_an_offset_of_the_layer() -> None:
    x, scale = jnp.zeros((2, 3, 4)), jnp.ones(4)
    translated("hk.LayerNorm(-1, False, False)", [x, scale])
    with pytest.raises(Declined, match="an offset of its own"):
        translated("hk.LayerNorm(-1, False, True)", [x, scale])
