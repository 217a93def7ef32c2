"""Functions of Linen against what takes their place: equal signatures, equal results."""

from __future__ import annotations

import inspect
from functools import reduce
from typing import Any

import flax
import flax.linen
import flax.linen.linear
import flax.linen.recurrent
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nnx_codemod.codemod.rule import Call, Declined, Renames, Written
from nnx_codemod.codemod.shapes.values import External
from nnx_codemod.rules import (
    linen_activations,
    linen_initializers,
    linen_masks,
    linen_pooling,
    linen_unsupported,
)
from nnx_codemod.tests.shape_bits import equal_bits


def _names(module: Any) -> list[tuple[str, str]]:
    return [
        pair for rule in module.RULES if isinstance(rule, Renames) for pair in rule.names.items()
    ]


def _found(name: str) -> Any:
    """What a qualified name is; Linen's inner names are exported by one of its inner modules."""
    try:
        return reduce(getattr, name.split(".")[1:], flax)
    except AttributeError:
        last = name.rpartition(".")[2]
        inner = (flax.linen.pooling, flax.linen.linear, flax.linen.recurrent)
        return next(getattr(module, last) for module in inner if hasattr(module, last))


@pytest.mark.parametrize(("source", "target"), _names(linen_activations) + _names(linen_pooling))
def test_the_same_function(source: str, target: str) -> None:
    assert _found(source) is _found(target)


@pytest.mark.parametrize(("source", "target"), _names(linen_initializers)[1:])
def test_initialisers_draw_the_same(source: str, target: str) -> None:
    one, other = _found(source), _found(target)
    if one is other:
        return
    with equal_bits():
        key = jax.random.key(0)
        np.testing.assert_array_equal(one()(key, (3, 4)), other()(key, (3, 4)))


@pytest.mark.parametrize(("source", "target"), _names(linen_unsupported))
def test_inner_names_exist(source: str, target: str) -> None:
    one, other = _found(source), _found(target)
    assert type(one) is type(other)
    if inspect.isfunction(one):
        assert [*inspect.signature(one).parameters] == [*inspect.signature(other).parameters]


_TOKENS = jnp.array([[3, 1, 0], [2, 0, 0]])


def test_masks() -> None:
    linen, new = flax.linen, nnx
    for one, other in (
        (linen.make_causal_mask(_TOKENS), new.make_causal_mask(_TOKENS)),
        (
            linen.make_attention_mask(_TOKENS > 0, _TOKENS > 0),
            new.make_attention_mask(_TOKENS > 0, _TOKENS > 0),
        ),
    ):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(
            linen.combine_masks(one, None, one), new.combine_masks(other, None, other)
        )


_CALLS = {rule.source: rule for rule in linen_masks.RULES if isinstance(rule, Call)}


@pytest.mark.parametrize("name", sorted(_CALLS))
def test_attention_functions(name: str) -> None:
    """Arguments that stay have the same place and the same meaning."""
    rule = _CALLS[name]
    source, target = _found(name), _found(rule.target)
    kept = [p for p in rule.signature if p not in rule.arguments or p == "dtype"]
    assert [*inspect.signature(source).parameters] == [*rule.signature]
    assert [*inspect.signature(target).parameters][: len(kept)] == kept
    draws = np.random.RandomState(0)
    arrays = [jnp.asarray(draws.normal(size=(2, 3, 2, 4)), jnp.float32) for _ in range(3)]
    arrays = arrays if "value" in rule.signature else arrays[:2]
    options: dict[str, Any] = {
        "bias": jnp.asarray(draws.normal(size=(1, 2, 3, 3)), jnp.float32),
        "mask": jnp.tri(3, dtype=bool)[None, None],
    }
    dropped = {"dropout_rng": jax.random.key(2), "dropout_rate": 0.5}
    for more in ({}, dropped, {**dropped, "broadcast_dropout": False}, {"deterministic": True}):
        wanted, actual = source(*arrays, **options, **more), target(*arrays, **options, **more)
        np.testing.assert_allclose(actual, wanted, 1e-5, 1e-5)


def test_half_precision_is_declined_in_attention_functions() -> None:
    argument: Any = _CALLS["flax.linen.dot_product_attention"].arguments["dtype"]
    use: Any = None
    assert argument.write(Written("self.dtype", None, use)) == "self.dtype"
    with pytest.raises(Declined):
        argument.write(Written("jnp.bfloat16", External("jax.numpy.bfloat16"), use))
