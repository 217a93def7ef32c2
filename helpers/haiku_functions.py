"""Haiku's functions of functions, its sequence of keys, and small layers that NNX does not have."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx


def batch_apply(f: Callable[..., Any], num_dims: int = 2) -> Callable[..., Any]:
    """hk.BatchApply: `f` sees the first `num_dims` axes of its inputs as one."""

    def merge(x: Any) -> Any:
        return x.reshape(-1, *x.shape[num_dims:]) if jnp.ndim(x) >= num_dims else x

    def apply(*args: Any, **kwargs: Any) -> Any:
        arrays = [x for x in jax.tree.leaves((args, kwargs)) if jnp.ndim(x) >= num_dims]
        leading = arrays[0].shape[:num_dims]
        args, kwargs = jax.tree.map(merge, (args, kwargs))
        return jax.tree.map(lambda y: y.reshape(*leading, *y.shape[1:]), f(*args, **kwargs))

    return apply


def expand_apply(f: Callable[..., Any], axis: int = 0) -> Callable[..., Any]:
    """hk.expand_apply: `f` sees its inputs with another axis, of size 1."""

    def apply(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = jax.tree.map(lambda x: jnp.expand_dims(x, axis), (args, kwargs))
        return jax.tree.map(lambda y: jnp.squeeze(y, axis), f(*args, **kwargs))

    return apply


def scaled(
    norm: Callable[..., jax.Array],
    x: jax.Array,
    scale: jax.Array | None = None,
    offset: jax.Array | None = None,
    **kwargs: Any,
) -> jax.Array:
    """What a normalisation makes of `x`, times a scale and plus an offset, where they are given."""
    y = norm(x, **kwargs)
    if scale is not None:
        y = y * scale
    return y if offset is None else y + offset


class PRNGSequence:
    """An endless sequence of random keys: `next(keys)` is a new one each time."""

    def __init__(self, key_or_seed: jax.Array | int):
        is_seed = isinstance(key_or_seed, int)
        self.key = jax.random.PRNGKey(key_or_seed) if is_seed else key_or_seed

    def __iter__(self) -> "PRNGSequence":
        return self

    def __next__(self) -> Any:
        self.key, key = jax.random.split(self.key)
        return key

    def take(self, num: int) -> tuple[jax.Array, ...]:
        self.key, *keys = jax.random.split(self.key, num + 1)
        return tuple(keys)


class Bias(nnx.Module):
    """hk.Bias over the last axis."""

    def __init__(
        self,
        num_features: int,
        *,
        bias_init: nnx.Initializer = nnx.initializers.zeros,
        rngs: nnx.Rngs,
    ):
        self.bias = nnx.Param(bias_init(rngs.params(), (num_features,)))

    def __call__(self, inputs: jax.Array, multiplier: Any = None) -> jax.Array:
        bias = self.bias[...] if multiplier is None else self.bias[...] * multiplier
        return inputs + bias


class SpectralNormalizer(nnx.Module):
    """hk.SpectralNorm: divides an array by an estimate of its first singular value.

    `in_features` is the size of its last axis; the other axes count as one.
    """

    def __init__(self, in_features: int, eps: float = 1e-4, n_steps: int = 1, *, rngs: nnx.Rngs):
        self.eps = eps
        self.n_steps = n_steps
        self.u0 = nnx.BatchStat(jax.random.normal(rngs.params(), (1, in_features)))
        self.sigma = nnx.BatchStat(jnp.ones(()))

    def __call__(self, value: jax.Array, update_stats: bool = True) -> jax.Array:
        matrix = value.reshape(-1, value.shape[-1])
        u = self.u0[...]
        for _ in range(self.n_steps):
            v = self._normalized(u @ matrix.T)
            u = self._normalized(v @ matrix)
        u, v = jax.lax.stop_gradient((u, v))
        sigma = (v @ matrix @ u.T)[0, 0]
        if update_stats:
            self.u0[...] = u
            self.sigma[...] = jax.lax.stop_gradient(sigma)
        return value / sigma

    def _normalized(self, x: jax.Array) -> jax.Array:
        return x * jax.lax.rsqrt(jnp.sum(x * x) + self.eps)
