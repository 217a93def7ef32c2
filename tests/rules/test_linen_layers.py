"""Every layer of Linen against what its rule makes of it: weights, results, gradients, first values of weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nnx_codemod.codemod.rule import Declined
from nnx_codemod.codemod.shapes.values import Array, Items, Value
from nnx_codemod.tests.rules.linen_translation import (
    LAYERS,
    Translation,
    carried,
    fill,
    randomised,
    values,
)
from nnx_codemod.tests.shape_bits import equal_bits

pytestmark = pytest.mark.filterwarnings("error::DeprecationWarning:nnx_codemod")


@dataclass(frozen=True)
class Case:
    """A layer and what it is called with: a tuple of numbers stands for an array of that shape."""

    source: str
    inputs: tuple[Any, ...]
    keywords: dict[str, Any] = field(default_factory=dict)
    integers: bool = False
    tolerance: float = 1e-6

    def __str__(self) -> str:
        return self.source.removeprefix("nn.") + (
            "" if not self.keywords else f"-{[*self.keywords]}"
        )

    def arrays(self) -> list[Any]:
        draws = np.random.RandomState(0)

        def array(shape: tuple[int, ...]) -> jax.Array:
            if self.integers:
                return jnp.asarray(draws.randint(0, 5, shape))
            return jnp.asarray(draws.normal(size=shape), jnp.float32)

        return jax.tree.map(array, list(self.inputs), is_leaf=_is_shape)


def _is_shape(x: Any) -> bool:
    return isinstance(x, tuple) and all(isinstance(n, int) for n in x)


_X, _IMAGE = ((2, 5),), ((2, 7, 8, 4),)
_PAIR = ((2, 4), (2, 4))
_MASK = np.tri(3, dtype=bool)[None, None]
_HALF = 4e-2

DENSE = [
    Case("nn.Dense(3)", _X),
    Case("nn.Dense(3, False)", ((2, 4, 5),)),
    Case("nn.Dense(features=3, kernel_init=nn.initializers.normal(0.02))", _X),
    Case("nn.Dense(3, bias_init=nn.initializers.ones, dtype=jnp.bfloat16)", _X, tolerance=_HALF),
    Case("nn.Dense(3, True, None, jnp.float32, 'highest')", _X),
    Case("nn.Dense(3, dot_general=jax.lax.dot_general, dot_general_cls=None)", _X),
    Case("nn.DenseGeneral(3)", ((2, 4, 5),)),
    Case("nn.DenseGeneral((2, 3), axis=1)", ((2, 4, 5),)),
    Case("nn.DenseGeneral(3, axis=(-2, -1))", ((2, 4, 5),)),
    Case("nn.DenseGeneral((3, 2), axis=(-1, 1), use_bias=False)", ((2, 4, 3, 5),)),
    Case("nn.DenseGeneral(features=(3,), axis=(-1,), kernel_init=nn.initializers.ones)", _X),
    Case("nn.Einsum((5, 2, 3), 'bta,ahd->bthd')", ((2, 4, 5),)),
    Case("nn.Einsum((2, 5, 3), '...ha,had->...d', use_bias=False)", ((4, 2, 5),)),
    Case("nn.Einsum((5, 2, 3), 'ta,ahd->dth', True)", ((4, 5),)),
]

CONV = [
    Case("nn.Conv(3, (3, 3))", _IMAGE),
    Case("nn.Conv(3, (3, 2), (2, 1), 'VALID')", _IMAGE),
    Case("nn.Conv(3, 3)", ((2, 9, 4),)),
    Case(
        "nn.Conv(3, kernel_size=(5,), strides=2, padding='CAUSAL', kernel_dilation=2)", ((2, 9, 4),)
    ),
    Case("nn.Conv(3, (3, 3), padding='CIRCULAR', strides=(2, 3))", _IMAGE),
    Case("nn.Conv(3, (2, 3), padding='REFLECT')", _IMAGE),
    Case("nn.Conv(3, (3, 3), padding=((1, 2), (0, 1)), input_dilation=2)", _IMAGE),
    Case("nn.Conv(4, (3, 3), padding=1, feature_group_count=2, use_bias=False)", _IMAGE),
    Case("nn.Conv(4, (3, 3), padding=[1, 0], strides=[2, 2])", _IMAGE),
    Case("nn.Conv(3, (3, 3), padding='VALID', kernel_dilation=(2, 1))", ((7, 8, 4),)),
    Case("nn.Conv(3, (2, 2, 2), strides=(2, 2, 2))", ((2, 4, 5, 6, 2),)),
    Case("nn.Conv(2, (1,), mask=np.eye(4, 2)[None])", ((2, 6, 4),)),
    Case("nn.Conv(2, (3,))", ((2, 3, 6, 4),)),
    Case("nn.ConvTranspose(3, (3, 3), strides=(2, 2))", _IMAGE),
    Case("nn.ConvTranspose(3, (3, 3))", ((7, 8, 4),)),
    Case("nn.ConvTranspose(3, (4, 3), (2, 2), 'VALID', use_bias=False)", _IMAGE),
    Case("nn.ConvTranspose(3, (2, 2), (3, 3), 'VALID')", _IMAGE),
    Case("nn.ConvTranspose(3, (3, 3), strides=2, padding='CIRCULAR')", _IMAGE),
    Case("nn.ConvTranspose(3, (3, 3), padding=((1, 1), (2, 1)), strides=(2, 2))", _IMAGE),
    Case("nn.ConvTranspose(3, (3, 3), strides=(2, 1), kernel_dilation=(2, 2))", _IMAGE),
    Case("nn.ConvTranspose(3, (3,), strides=2, transpose_kernel=True)", ((2, 9, 4),)),
    Case("nn.ConvLocal(3, (3, 2))", ((2, 5, 6, 2),)),
    Case("nn.ConvLocal(3, (3,), strides=2, padding='VALID', use_bias=False)", ((2, 9, 4),)),
    Case(
        "nn.ConvLocal(features=3, kernel_size=(3,), padding=((1, 0),), kernel_dilation=2)",
        ((2, 9, 4),),
    ),
    Case("nn.ConvLocal(2, (2,), bias_init=nn.initializers.normal(1.0))", ((2, 3, 5, 4),)),
]

NORMS = [
    Case("nn.LayerNorm()", ((2, 4, 5),)),
    Case("nn.LayerNorm(1e-3, use_bias=False)", ((2, 4, 5),)),
    Case("nn.LayerNorm(use_scale=False, use_fast_variance=False)", ((2, 4, 5),)),
    Case("nn.LayerNorm(reduction_axes=(1, 2))", ((2, 4, 5),)),
    Case("nn.LayerNorm(reduction_axes=-1, feature_axes=1)", ((2, 4, 5),)),
    Case("nn.LayerNorm(dtype=jnp.bfloat16, scale_init=nn.initializers.normal(1.0))", ((2, 4, 5),)),
    Case("nn.LayerNorm(dtype=jnp.float32)", ((2, 4, 5),), {"mask": np.arange(5)[None, None] < 3}),
    Case("nn.RMSNorm()", ((2, 4, 5),)),
    Case("nn.RMSNorm(epsilon=1e-3, reduction_axes=(1, 2), feature_axes=(-1,))", ((2, 4, 5),)),
    Case("nn.RMSNorm(dtype=jnp.float16)", ((2, 4, 5),)),
    Case("nn.GroupNorm(2)", ((2, 4, 5, 6),)),
    Case("nn.GroupNorm(num_groups=None, group_size=3, epsilon=1e-4)", ((2, 4, 6),)),
    Case("nn.GroupNorm(3, use_scale=False, reduction_axes=(1, 2, -1))", ((2, 4, 5, 6),)),
    Case("nn.GroupNorm(3, dtype=jnp.bfloat16)", ((2, 4, 6),)),
    Case("nn.InstanceNorm()", ((2, 4, 5, 3),)),
    Case("nn.InstanceNorm(epsilon=1e-3, feature_axes=1)", ((2, 4, 5, 3),)),
]
for _flag in (True, False):
    _given = {"use_running_average": _flag}
    NORMS += [
        Case("nn.BatchNorm()", ((6, 5),), _given),
        Case("nn.BatchNorm(momentum=0.9, epsilon=1e-3, use_bias=False)", ((6, 4, 5),), _given),
        Case("nn.BatchNorm(axis=1, use_fast_variance=False)", ((6, 4, 5),), _given),
        Case("nn.BatchNorm(None, -1, 0.8, dtype=jnp.bfloat16)", ((6, 4, 5),), _given),
    ]

OTHERS = [
    Case("nn.Embed(7, 5)", ((2, 3),), integers=True),
    Case(
        "nn.Embed(num_embeddings=7, features=5, embedding_init=nn.initializers.ones)",
        ((3,),),
        integers=True,
    ),
    Case("nn.Embed(7, 5, jnp.bfloat16)", ((3,),), integers=True),
    Case("nn.PReLU()", _X),
    Case("nn.PReLU(jnp.float32, 0.3)", _X),
    Case("nn.Dropout(0.4)", ((6, 5),), {"deterministic": False}),
    Case("nn.Dropout(0.4)", ((6, 5),), {"deterministic": True}),
    Case("nn.Dropout(rate=0.4, broadcast_dims=(1,), deterministic=False)", ((6, 5),)),
    Case("nn.Sequential([nn.Dense(4), nn.relu, nn.Dense(3)])", _X),
    Case("nn.Sequential((nn.Conv(4, (3,)), nn.LayerNorm(), nn.tanh))", ((2, 6, 3),)),
]

ATTENTION = [
    Case("nn.MultiHeadDotProductAttention(2)", ((2, 3, 4), (2, 3, 4)), tolerance=1e-5),
    Case(
        "nn.MultiHeadAttention(num_heads=2, qkv_features=8, out_features=5)",
        ((2, 3, 4),),
        tolerance=1e-5,
    ),
    Case(
        "nn.MultiHeadDotProductAttention(2, normalize_qk=True, use_bias=False)",
        ((2, 3, 4),),
        tolerance=1e-5,
    ),
    Case("nn.MultiHeadDotProductAttention(2)", ((2, 3, 4), (2, 5, 6)), tolerance=1e-5),
    Case("nn.MultiHeadDotProductAttention(2)", ((2, 3, 4), (2, 5, 6), (2, 5, 6)), tolerance=1e-5),
    Case("nn.MultiHeadDotProductAttention(2)", ((2, 3, 4),), {"mask": _MASK}, tolerance=1e-5),
    Case(
        "nn.MultiHeadDotProductAttention(2, dropout_rate=0.3, out_kernel_init=nn.initializers.normal(1.0))",
        ((2, 3, 4),),
        {"deterministic": False},
        tolerance=1e-5,
    ),
    Case(
        "nn.MultiHeadDotProductAttention(2, dropout_rate=0.3, broadcast_dropout=False)",
        ((2, 3, 4),),
        {"deterministic": False},
        tolerance=1e-5,
    ),
    Case(
        "nn.MultiHeadDotProductAttention(2, dropout_rate=0.3, deterministic=True)",
        ((2, 3, 4),),
        tolerance=1e-5,
    ),
    Case("nn.MultiHeadDotProductAttention(2, jnp.bfloat16)", ((2, 3, 4),)),
    Case("nn.MultiHeadDotProductAttention(2, jnp.bfloat16, normalize_qk=True)", ((2, 3, 4),)),
    Case(
        "nn.MultiHeadDotProductAttention(2, decode=False, attention_fn=nn.dot_product_attention)",
        ((2, 3, 4),),
        tolerance=1e-5,
    ),
    Case(
        "nn.SelfAttention(2, kernel_init=nn.initializers.normal(0.5))", ((2, 3, 4),), tolerance=1e-5
    ),
]

_CELLS = [
    "LSTMCell(4)",
    "OptimizedLSTMCell(4, activation_fn=nn.relu)",
    "GRUCell(4)",
    "SimpleCell(4)",
    "MGUCell(4)",
]
RECURRENT = [
    Case("nn.LSTMCell(4)", (_PAIR, (2, 3))),
    Case("nn.LSTMCell(4, nn.hard_sigmoid, bias_init=nn.initializers.normal(1.0))", (_PAIR, (2, 3))),
    Case("nn.OptimizedLSTMCell(4)", (_PAIR, (2, 3))),
    Case(
        "nn.OptimizedLSTMCell(4, kernel_init=nn.initializers.normal(0.1), dtype=jnp.float32)",
        (_PAIR, (2, 3)),
    ),
    Case("nn.GRUCell(4)", ((2, 4), (2, 3))),
    Case(
        "nn.GRUCell(4, bias_init=nn.initializers.normal(1.0), dtype=jnp.bfloat16)",
        ((2, 4), (2, 3)),
        tolerance=_HALF,
    ),
    Case("nn.SimpleCell(4)", ((2, 4), (2, 3))),
    Case("nn.SimpleCell(4, nn.relu, residual=True)", ((2, 4), (2, 3))),
    Case(
        "nn.SimpleCell(4, carry_init=nn.initializers.zeros_init(), dtype=jnp.float32)",
        ((2, 4), (2, 3)),
    ),
    Case("nn.MGUCell(4)", ((2, 4), (2, 3))),
    Case(
        "nn.MGUCell(4, reset_gate=False, forget_bias_init=nn.initializers.zeros)", ((2, 4), (2, 3))
    ),
    Case("nn.ConvLSTMCell(2, (3, 3))", (((2, 5, 6, 2), (2, 5, 6, 2)), (2, 5, 6, 3))),
    Case("nn.ConvLSTMCell(2, (3,), use_bias=False)", (((2, 5, 2), (2, 5, 2)), (2, 5, 3))),
    Case("nn.RNN(nn.ConvLSTMCell(2, (3,)))", ((2, 4, 5, 3),)),
    Case(
        "nn.RNN(nn.LSTMCell(4), return_carry=True)", ((2, 6, 3),), {"seq_lengths": np.array([6, 2])}
    ),
    Case(
        "nn.RNN(nn.LSTMCell(4))",
        ((2, 6, 3),),
        {"return_carry": True, "init_key": jax.random.key(3)},
    ),
    Case("nn.RNN(nn.GRUCell(4), time_major=True, reverse=True)", ((6, 2, 3),)),
    Case("nn.RNN(nn.GRUCell(4), unroll=2)", ((2, 6, 3),), {"reverse": True, "keep_order": True}),
    Case(
        "nn.RNN(nn.SimpleCell(4), variable_broadcast='params')",
        ((2, 6, 3),),
        {"initial_carry": np.ones((2, 4), np.float32)},
    ),
    Case(
        "nn.Bidirectional(nn.RNN(nn.GRUCell(4)), nn.RNN(nn.LSTMCell(3)))",
        ((2, 6, 3),),
        {"return_carry": True},
    ),
    Case(
        "nn.Bidirectional(nn.RNN(nn.GRUCell(4)), nn.RNN(nn.GRUCell(4)), merge_fn=lambda a, b: a + b)",
        ((2, 6, 3),),
    ),
    *(Case(f"nn.RNN(nn.{cell})", ((2, 6, 3),)) for cell in _CELLS),
]

CASES = [*DENSE, *CONV, *NORMS, *OTHERS, *ATTENTION, *RECURRENT]


def _close(actual: Any, wanted: Any, tolerance: float) -> None:
    assert jax.tree.structure(actual) == jax.tree.structure(wanted)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(wanted), strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        np.testing.assert_allclose(np.float64(a), np.float64(b), tolerance, tolerance)


def _applied(case: Case, translation: Translation, variables: Any, arrays: list[Any]) -> Any:
    """Linen's result and the state that it leaves."""
    return translation.linen().apply(
        variables,
        *arrays,
        **case.keywords,
        mutable=["batch_stats"],
        rngs={"dropout": jax.random.key(0)},
    )


def _first(case: Case, translation: Translation, arrays: list[Any]) -> Any:
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    return translation.linen().init(keys, *arrays, **case.keywords)


def _made(case: Case, translation: Translation) -> Any:
    layer = translation.build()
    if "deterministic=True" in case.source:
        layer.eval()
    elif "deterministic=False" in case.source:
        layer.train()
    return layer


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.filterwarnings("ignore:.*SelfAttention:DeprecationWarning")
def test_parity(case: Case) -> None:
    """First values, results, the state that is left, gradients, and the shape that the rule tells."""
    with equal_bits():
        arrays = case.arrays()
        translation = Translation(case.source, arrays, case.keywords)
        first = _first(case, translation, arrays)
        layer = _made(case, translation)
        _same_values(values(layer), carried(translation, first), 1e-6)

        variables = randomised(first)
        fill(layer, carried(translation, variables))
        params = variables.pop("params", {})

        def linen_loss(params: Any) -> Any:
            result, left = _applied(case, translation, {"params": params, **variables}, arrays)
            return _number(result), (result, left)

        def nnx_loss(layer: Any) -> Any:
            result = translation.call(layer, arrays)
            return _number(result), result

        (_, (wanted, left)), wanted_grads = jax.value_and_grad(linen_loss, has_aux=True)(params)
        actual = translation.call(layer, arrays)
        _close(actual, wanted, case.tolerance)
        _same_values(
            values(layer), carried(translation, {"params": params, **variables, **left}), 1e-6
        )
        _agrees(translation.result, wanted)
        if params:
            fill(layer, carried(translation, {"params": params, **variables}))
            grads = nnx.grad(nnx_loss, has_aux=True)(layer)[0]
            _same_values(
                values(grads), carried(translation, {"params": wanted_grads}), 100 * case.tolerance
            )


def _number(result: Any) -> Any:
    return sum(jnp.sin(leaf).astype(jnp.float32).sum() for leaf in jax.tree.leaves(result))


def _same_values(actual: dict[str, Any], wanted: dict[str, Any], tolerance: float) -> None:
    assert actual.keys() == wanted.keys()
    for path, value in wanted.items():
        assert actual[path].dtype == value.dtype
        np.testing.assert_allclose(
            np.float64(actual[path]), np.float64(value), tolerance, tolerance, err_msg=path
        )


def _agrees(told: Value, actual: Any) -> None:
    if isinstance(actual, tuple):
        assert isinstance(told, Items)
        for one, other in zip(told.items, actual, strict=True):
            _agrees(one, other)
        return
    assert isinstance(told, Array)
    if told.shape is not None:
        assert told.shape == actual.shape


def test_every_layer_has_a_case() -> None:
    tried = {name for case in CASES for name in LAYERS if f"nn.{name[11:]}(" in case.source}
    elsewhere = {"flax.linen.WeightNorm", "flax.linen.SpectralNorm"}  # test_linen_wrappers.py
    assert tried | elsewhere == set(LAYERS)


REFUSED = [
    ("nn.Dense(3, dot_general=lambda *args, **kwargs: 0)", ((2, 5),)),
    ("nn.Dense(3, dot_general_cls=nn.Fp8DotGeneralOp)", ((2, 5),)),
    ("nn.Dense(3, promote_dtype=lambda *args, **kwargs: args)", ((2, 5),)),
    ("nn.DenseGeneral(3, batch_dims=(0,))", ((2, 4, 5),)),
    ("nn.Einsum((5, 3))", ((2, 5),)),
    ("nn.Conv(3, (3,), conv_general_dilated_cls=nn.Dense)", ((2, 5, 4),)),
    ("nn.ConvLocal(3, (3,), padding='CIRCULAR')", ((2, 5, 4),)),
    ("nn.ConvLocal(3, (3,), mask=np.ones((3, 4, 3)))", ((2, 5, 4),)),
    ("nn.Embed(7, 5, param_dtype=jnp.bfloat16)", ((2, 5),)),
    ("nn.LayerNorm(feature_axes=(1, 2))", ((2, 4, 5),)),
    ("nn.LayerNorm(force_float32_reductions=False)", ((2, 4, 5),)),
    ("nn.GroupNorm(2, reduction_axes=-1)", ((2, 4, 6),)),
    ("nn.BatchNorm(axis=(1, 2))", ((2, 4, 6),)),
    ("nn.MultiHeadDotProductAttention(2, decode=True)", ((2, 3, 4),)),
    ("nn.MultiHeadDotProductAttention(2, attention_fn=jnp.dot)", ((2, 3, 4),)),
    ("nn.MultiHeadDotProductAttention(2, force_fp32_for_softmax=True)", ((2, 3, 4),)),
    ("nn.MultiHeadDotProductAttention(2)", ((2, 3, 4), (2, 5, 6), (2, 5, 4))),
    ("nn.GRUCell(4, carry_init=nn.initializers.normal(1.0))", ((2, 4), (2, 3))),
    ("nn.RNN(nn.GRUCell(4), variable_carry='batch_stats')", ((2, 6, 3),)),
    ("nn.RNN(jnp.tanh)", ((2, 6, 3),)),
]


@pytest.mark.parametrize(("source", "shapes"), REFUSED)
def test_what_would_compute_something_else_is_declined(source: str, shapes: Any) -> None:
    with pytest.raises(Declined) as caught:
        Translation(source, Case(source, shapes).arrays())
    assert caught.value.message
    assert caught.value.help


def test_refusals_of_defaults_written_out() -> None:
    """An argument without a counterpart may have Linen's own default."""
    source = "nn.LayerNorm(force_float32_reductions=True, axis_name=None)"
    assert (
        Translation(source, [jnp.ones((2, 5))]).text
        == "nnx.LayerNorm(5, axis_name=None, rngs=rngs)"
    )


def test_calls_that_name_their_keys_and_values_together() -> None:
    x, memory = jnp.ones((2, 3, 4)), jnp.ones((2, 5, 6))
    translation = Translation("nn.MultiHeadAttention(2)", [x], {"inputs_kv": memory})
    assert "in_kv_features=6" in translation.text
    assert translation.call(translation.build(), [x]).shape == (2, 3, 4)


@pytest.mark.filterwarnings("ignore:.*SelfAttention:DeprecationWarning")
def test_a_mask_by_position() -> None:
    """The second argument of nn.SelfAttention is its mask, that of nnx.MultiHeadAttention the keys."""
    x, mask = jnp.arange(24.0).reshape(2, 3, 4), jnp.tri(3, dtype=bool)[None, None]
    with equal_bits():
        translation = Translation("nn.SelfAttention(2)", [x, mask])
        variables = translation.linen().init(jax.random.key(0), x, mask)
        wanted = translation.linen().apply(variables, x, mask)
        actual = translation.call(translation.build(), [x, mask])
    np.testing.assert_allclose(actual, wanted, 1e-5, 1e-5)


@pytest.mark.parametrize("cell", ["LSTMCell(4)", "GRUCell(4)", "ConvLSTMCell(2, (3,))"])
def test_first_carries(cell: str) -> None:
    """`initialize_carry(key, shape)` becomes `initialize_carry(shape, rngs=...)`."""
    from nnx_codemod.codemod.rule import Method, Use, Written

    name = "nn." + cell
    shape = (2, 5, 3) if "Conv" in cell else (2, 3)
    translation = Translation(f"nn.RNN({name})", [jnp.ones((shape[0], 7, *shape[1:]))])
    inner = next(o for o in translation.objects.values() if o.rule.source.endswith("Cell"))
    method = inner.rule.methods["initialize_carry"]
    assert isinstance(method, Method)
    assert method.write is not None
    use = Use({}, {})
    text = method.write(
        {n: Written(t, None, use) for n, t in (("rng", "key"), ("input_shape", str(shape)))}
    )
    built = translation.build().cell
    actual = eval(f"built.initialize_carry({text})", {"built": built, "nnx": nnx})
    linen = translation.linen().cell
    wanted = linen.initialize_carry(jax.random.key(0), shape)
    _close(actual, wanted, 0.0)
    told = method(Use(inner.arguments, {"rng": Array(None), "input_shape": Items([Array(None)])}))
    assert isinstance(told, Items if isinstance(wanted, tuple) else Array)
