"""A module of either side in one form: flat variables and a pure function over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Flat = dict[str, Any]  # variables by path
Apply = Callable[[Flat, Flat, list[Any], str], tuple[list[Any], Flat]]


@dataclass
class Subject:
    """A built module.

    `params` and `state` hold the initial variables by path ("params:Dense_0/kernel" for Linen and Haiku,
    "linear.kernel" for NNX). `apply(params, state, arrays, mode)` runs it in mode "train" or "eval" on the arrays of
    the case's inputs and returns the numeric leaves of its output and the new state. `arrays` are those of the case.
    `draw(seed)` gives the initial parameters for a seed, an
    integer or a traced one. `facts` goes to the other side as JSON.
    """

    params: Flat
    state: Flat
    apply: Apply
    arrays: list[Any]
    draw: Callable[[Any], Flat]
    modes: bool = False  # whether "train" and "eval" differ
    stochastic: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    partitioning: dict[str, list[Any]] = field(default_factory=dict)


def numeric(tree: Any) -> list[Any]:
    """The numbers in an output, in order: arrays and Python numbers; of an object without a pytree, its attributes."""
    import jax
    import jax.numpy as jnp

    leaves = jax.tree_util.tree_leaves(tree)
    if leaves and not any(hasattr(leaf, "shape") for leaf in leaves):
        opened = [v for leaf in leaves for v in _attributes(leaf)]
        leaves = opened or leaves
    found = []
    for leaf in leaves:
        if not (hasattr(leaf, "shape") or isinstance(leaf, (bool, int, float, complex))):
            continue
        if hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            continue
        found.append(jnp.asarray(leaf))
    return found


def _attributes(leaf: Any) -> list[Any]:
    return [
        value
        for _, value in sorted(getattr(leaf, "__dict__", {}).items())
        if hasattr(value, "shape")
    ]


def wide() -> bool:
    """Whether JAX computes in float64."""
    import jax.numpy as jnp

    return bool(jnp.result_type(float) == jnp.float64)


def flatten(tree: Any, prefix: str = "") -> Flat:
    """Nested dictionaries as one, with paths joined by slashes."""
    found: Flat = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            found.update(flatten(value, f"{path}/"))
        else:
            found[path] = value
    return found


def filled(tree: Any, flat: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A tree like the one that was flattened, with other values; names in it may hold slashes of their own."""
    return {
        name: filled(value, flat, f"{prefix}{name}/")
        if isinstance(value, Mapping)
        else flat[f"{prefix}{name}"]
        for name, value in tree.items()
        if isinstance(value, Mapping) or f"{prefix}{name}" in flat
    }
