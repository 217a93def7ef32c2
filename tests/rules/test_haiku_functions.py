"""Functions, initialisers and shapes of Haiku against what their rules make of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nnx_codemod.codemod.rule import Declined, Use, Written
from nnx_codemod.codemod.shapes.values import (
    Array,
    Behaviour,
    Constant,
    Either,
    External,
    Items,
    Size,
    Unknown,
    Value,
)
from nnx_codemod.rules.haiku_initializers import MADE, ONES, OPTIONAL, WEIGHTS, ZEROS
from nnx_codemod.tests.rules.haiku_translation import (
    CALLS,
    SOURCE_NAMES,
    TARGET_NAMES,
    as_value,
    qualified,
    rewritten,
    value_of,
)
from nnx_codemod.tests.shape_bits import equal_bits


@pytest.fixture
def equal_draws() -> Iterator[None]:
    with equal_bits():
        yield


def _rewritten(source: str) -> str:
    return rewritten(ast.parse(source, mode="eval").body)


# ---- initialisers --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("equal_draws")
@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (3, 2, 4, 5)])
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Constant(2.5)", "constant(2.5)"),
        ("Constant(constant=-1)", "constant(value=-1)"),
        ("RandomNormal()", "normal(stddev=1.0)"),
        ("RandomNormal(0.02)", "normal(0.02)"),
        ("RandomNormal(stddev=0.5, mean=0.0)", "normal(stddev=0.5)"),
        ("TruncatedNormal()", "truncated_normal(stddev=1.0)"),
        ("TruncatedNormal(stddev=0.1)", "truncated_normal(stddev=0.1)"),
        ("TruncatedNormal(0.1, 0, -1.0, 3.0)", "truncated_normal(0.1, lower=-1.0, upper=3.0)"),
        ("RandomUniform()", "uniform(1.0)"),
        ("RandomUniform(0, 0.3)", "uniform(0.3)"),
        ("RandomUniform(maxval=2.0)", "uniform(2.0)"),
        ("VarianceScaling()", 'variance_scaling(1.0, "fan_in", "truncated_normal")'),
        (
            "VarianceScaling(2.0, 'fan_avg')",
            "variance_scaling(2.0, 'fan_avg', \"truncated_normal\")",
        ),
        (
            "VarianceScaling(mode='fan_out', distribution='NORMAL')",
            "variance_scaling(1.0, 'fan_out', 'normal')",
        ),
        ("VarianceScaling(0.1, 'fan_in', 'uniform')", "variance_scaling(0.1, 'fan_in', 'uniform')"),
        ("UniformScaling()", 'variance_scaling(1.0, "fan_in", "uniform")'),
        ("UniformScaling(0.5)", 'variance_scaling(0.25, "fan_in", "uniform")'),
    ],
)
def test_initialisers_draw_the_same(source: str, expected: str, shape: tuple[int, ...]) -> None:
    text = _rewritten(f"hk.initializers.{source}")
    assert text == f"nnx.initializers.{expected}"
    _same_draws(f"hk.initializers.{source}", text, shape)


@pytest.mark.usefixtures("equal_draws")
@pytest.mark.parametrize("shape", [(2, 6, 4), (5, 5), (2, 3, 6), (3, 7), (7, 3)])
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Orthogonal()", "orthogonal()"),
        ("Orthogonal(2.0, axis=0)", "orthogonal(2.0, axis=0)"),
        ("Orthogonal(scale=0.5, axis=-2)", "orthogonal(scale=0.5, axis=-2)"),
        ("RandomUniform(-0.1, 0.3)", "uniform(-0.1, 0.3)"),
        ("RandomUniform(minval=-1)", "uniform(-1, 1.0)"),
        ("Identity()", "identity()"),
        ("Identity(gain=0.5)", "identity(gain=0.5)"),
    ],
)
def test_initialisers_beside_the_code_draw_the_same(
    source: str, expected: str, shape: tuple[int, ...]
) -> None:
    text = _rewritten(f"hk.initializers.{source}")
    assert text == expected
    _same_draws(f"hk.initializers.{source}", text, shape)


def _same_draws(source: str, target: str, shape: tuple[int, ...]) -> None:
    old = hk.transform(lambda: eval(source, SOURCE_NAMES)(shape, jnp.float32))
    new = eval(target, TARGET_NAMES)
    expected = old.apply({}, jax.random.PRNGKey(0))
    np.testing.assert_allclose(
        expected, new(jax.random.key(1), shape, jnp.float32), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    "source",
    [
        "RandomNormal(1.0, 0.5)",
        "TruncatedNormal(mean=1.0)",
        "VarianceScaling(1.0, fan_in_axes=(0,))",
    ],
)
def test_initialisers_that_nnx_cannot_state_are_declined(source: str) -> None:
    with pytest.raises(Declined):
        _rewritten(f"hk.initializers.{source}")


def _argument(text: str, value: Value) -> Written:
    return Written(text, value, Use({}, {}))


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("None", Constant(None), None),
        ("jnp.zeros", External("jax.numpy.zeros"), "nnx.initializers.zeros"),
        ("np.ones", External("numpy.ones"), "nnx.initializers.ones"),
        ("w_init", Unknown(told=MADE), "w_init"),
        ("w_init", Unknown(), "w_init or haiku_init"),
        ("w_init", Either((Constant(None), Unknown(told=MADE))), "w_init or haiku_init"),
        ("make()", Unknown(), "make()"),
        ("draw", External("jax.numpy.eye"), "lambda key, shape, dtype: draw(shape, dtype)"),
    ],
)
def test_initialisers_as_arguments(text: str, value: Value, expected: str | None) -> None:
    assert WEIGHTS(_argument(text, value)) == expected


def test_biases_that_may_be_none_have_their_own_default() -> None:
    unknown = _argument("b_init", Unknown())
    assert ZEROS(unknown) == "b_init or nnx.initializers.zeros"
    assert ONES(unknown) == "b_init or nnx.initializers.ones"
    assert OPTIONAL(unknown) == "b_init"


# ---- poolings ------------------------------------------------------------------------------------------

POOLINGS = [
    (
        "max_pool(x, (1, 2, 2, 1), (1, 2, 2, 1), 'SAME')",
        "max_pool(x, (2, 2), (2, 2), 'SAME')",
        (2, 5, 6, 3),
    ),
    (
        "max_pool(x, (2, 3, 1), (2, 2, 1), 'VALID')",
        "max_pool(x, (2, 3), (2, 2), 'VALID')",
        (2, 5, 6, 3),
    ),
    (
        "max_pool(x, window_shape=[1, 2, 2, 1], strides=(1, 1, 1, 1), padding='SAME')",
        "max_pool(x, window_shape=(2, 2), strides=(1, 1), padding='SAME')",
        (2, 5, 6, 3),
    ),
    (
        "max_pool(x, 3, 2, padding='SAME')",
        "max_pool(x, (3, 3), (2, 2), padding='SAME')",
        (2, 5, 6, 3),
    ),
    (
        "max_pool(value=x, window_shape=2, strides=(1, 2, 1), padding='SAME')",
        "max_pool(inputs=x, window_shape=(2,), strides=(2,), padding='SAME')",
        (2, 7, 3),
    ),
    (
        "max_pool(x, (3, 1), (2, 1), 'SAME', channel_axis=-1)",
        "max_pool(x, (3,), (2,), 'SAME')",
        (2, 7, 3),
    ),
    ("max_pool(x, (2, 2, 1), (2, 2, 1), 'SAME')", "max_pool(x, (2, 2), (2, 2), 'SAME')", (5, 6, 3)),
    (
        "avg_pool(x, (1, 3, 2, 1), (1, 2, 2, 1), 'SAME')",
        "avg_pool(x, (3, 2), (2, 2), 'SAME', count_include_pad=False)",
        (2, 5, 6, 3),
    ),
    (
        "avg_pool(x, padding='SAME', strides=(2, 1, 1), window_shape=(2, 2, 1))",
        "avg_pool(x, padding='SAME', count_include_pad=False, strides=(2, 1), window_shape=(2, 2))",
        (2, 5, 6, 3),
    ),
    ("avg_pool(x, (2, 2, 1), 1, 'VALID')", "avg_pool(x, (2, 2), (1, 1), 'VALID')", (2, 5, 6, 3)),
]


@pytest.mark.filterwarnings("ignore:When running under vmap")
@pytest.mark.parametrize(("source", "expected", "shape"), POOLINGS)
def test_poolings_are_equal(source: str, expected: str, shape: tuple[int, ...]) -> None:
    x = jnp.asarray(np.random.RandomState(0).normal(size=shape), jnp.float32)
    node = ast.parse(f"hk.{source}", mode="eval").body
    assert isinstance(node, ast.Call)
    rule = CALLS[qualified(node.func)]
    written, use = _pool_call(node, Array(shape, "float32"))
    assert written == f"nnx.{expected}"
    result = eval(f"hk.{source}", {"hk": hk, "x": x})
    np.testing.assert_allclose(result, eval(written, {"nnx": nnx, "x": x}), rtol=1e-6)
    assert rule.result is not None
    assert rule.result(use) == Array(result.shape, "float32")


def _pool_call(node: ast.Call, x: Value) -> tuple[str, Use]:
    from nnx_codemod.tests.rules import haiku_translation

    rule = CALLS[qualified(node.func)]
    expressions = haiku_translation.given(node, rule.signature)
    values = {n: x if ast.unparse(e) == "x" else value_of(e) for n, e in expressions.items()}
    text = haiku_translation.called(rule, node, values)
    return text, Use(
        values, {n: v for n, v in values.items() if isinstance(v, Array)}, frozenset(values)
    )


@pytest.mark.parametrize(
    "source",
    [
        "max_pool(x, (2, 2), (2, 2), 'SAME')",
        "max_pool(x, (1, 2, 2, 2), (1, 2, 2, 1), 'SAME')",
        "max_pool(x, (1, 2, 2, 1), (1, 2, 2, 1), 'SAME', channel_axis=None)",
        "max_pool(x, 2, 2, 'SAME')",
        "max_pool(x, window, window, 'SAME')",
    ],
)
def test_poolings_that_cannot_be_told_are_declined(source: str) -> None:
    node = ast.parse(f"hk.{source}", mode="eval").body
    assert isinstance(node, ast.Call)
    with pytest.raises(Declined):
        _pool_call(node, Array(None))


def test_windows_may_hold_names() -> None:
    assert _rewritten("hk.max_pool(x, (1, k, k, 1), (1, s, 2 * s, 1), 'SAME')") == (
        "nnx.max_pool(x, (k, k), (s, 2 * s), 'SAME')"
    )


# ---- shapes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4), (2, 3, 4, 5)])
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("hk.Flatten()", "flatten"),
        ("hk.Flatten(preserve_dims=1, name='flat')", "flatten"),
        ("hk.Flatten(2)", "Reshape((-1,), 2)"),
        ("hk.Flatten(preserve_dims=-2)", "Reshape((-1,), -2)"),
        ("hk.Reshape((3, -1))", "Reshape((3, -1))"),
        (
            "hk.Reshape(output_shape=[1, -1], preserve_dims=2)",
            "Reshape(output_shape=[1, -1], preserve_dims=2)",
        ),
    ],
)
def test_reshapings_are_equal(source: str, expected: str, shape: tuple[int, ...]) -> None:
    assert _rewritten(source) == expected
    x = jnp.arange(float(np.prod(shape))).reshape(shape)
    result = hk.testing.transform_and_run(lambda: eval(source, SOURCE_NAMES)(x))()
    np.testing.assert_array_equal(result, eval(expected, TARGET_NAMES)(x))

    node = ast.parse(source, mode="eval").body
    assert isinstance(node, ast.Call)
    rule = CALLS[qualified(node.func)]
    values = {k.arg: value_of(k.value) for k in node.keywords if k.arg}
    values |= {n: value_of(e) for n, e in zip(rule.signature, node.args, strict=False)}
    assert rule.result is not None
    made = rule.result(Use(values, {}))
    assert isinstance(made, Behaviour)
    told = made.call(None, [Array(shape, "float32")], {}, None)  # type: ignore[arg-type]
    assert told == Array(result.shape, "float32")


def test_equal_models_with_reshapings_have_equal_graphs() -> None:
    """Trees of two such models can be mapped together."""
    graphs = [nnx.graphdef(eval("Reshape([4, -1], 2)", TARGET_NAMES)) for _ in range(2)]
    assert graphs[0] == graphs[1]


# ---- other functions -----------------------------------------------------------------------------------


def test_sizes_of_trees() -> None:
    params = {"linear": {"w": jnp.ones((3, 4)), "b": jnp.ones(4, jnp.float16)}}
    for name, expected in (("tree_size", 16), ("tree_bytes", 56)):
        text = _rewritten(f"hk.data_structures.{name}(params)")
        assert eval(text, {"jax": jax, "params": params}) == expected
        assert getattr(hk.data_structures, name)(params) == expected


@pytest.mark.parametrize("name", ["to_immutable_dict", "to_haiku_dict"])
def test_kinds_of_dictionaries_go(name: str) -> None:
    assert _rewritten(f"hk.data_structures.{name}(params)") == "params"


def test_one_hot() -> None:
    labels = jnp.array([0, 2, 1])
    for source in ("hk.one_hot(labels, 3)", "hk.one_hot(labels, 3, jnp.int32)"):
        text = _rewritten(source)
        names: dict[str, Any] = {**SOURCE_NAMES, "labels": labels}
        found = eval(text, names)
        np.testing.assert_array_equal(eval(source, names), found)
        assert found.dtype == eval(source, names).dtype
    use = Use({"x": as_value(labels), "num_classes": Constant(3)}, {"x": as_value(labels)})
    assert CALLS["haiku.one_hot"].result(use) == Array((3, 3), "float32")  # type: ignore[misc]


def test_multinomial() -> None:
    key, logits = jax.random.PRNGKey(0), jnp.zeros((2, 5))
    source = "hk.multinomial(key, logits, num_samples=1)"
    names: dict[str, Any] = {**SOURCE_NAMES, "key": key, "logits": logits}
    np.testing.assert_array_equal(eval(source, names), eval(_rewritten(source), names))
    with pytest.raises(Declined):
        _rewritten("hk.multinomial(key, logits, 3)")


def test_results_of_unknown_shape_are_not_guessed() -> None:
    use = Use({"x": Array(None), "num_classes": Constant(3)}, {"x": Array(None)})
    assert CALLS["haiku.one_hot"].result(use) is None  # type: ignore[misc]
    pooled = Use(
        {"value": Array((2, 8, 8, 3)), "window_shape": Unknown(), "strides": Constant(2)},
        {"value": Array((2, 8, 8, 3))},
        unknown=lambda why: -1,
    )
    assert CALLS["haiku.max_pool"].result(pooled) == Array((-1, -1, -1, -1))  # type: ignore[misc]


def test_a_window_of_one_symbolic_size_is_spelt_out() -> None:
    rule = CALLS["haiku.max_pool"]
    write = rule.arguments["window_shape"].write  # type: ignore[union-attr]
    use = Use({"value": Array((2, 8, 8, 3)), "strides": Items([Constant(1)] * 4)}, {})
    assert write(Written("k", Size(3), use)) == "(k, k)"  # type: ignore[misc]
