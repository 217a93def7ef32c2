"""The cost of the branches that a function takes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest

from nnx_codemod.codemod.parity.child import taken
from nnx_codemod.codemod.parity.child.compiled import Compiled

WEIGHT = jnp.ones((64, 64))


def choosing(counter: Any, x: Any) -> Any:
    return jax.lax.cond(counter == 0, lambda y: y @ WEIGHT @ WEIGHT @ WEIGHT, lambda y: 2 * y, x)


def flops(counter: int) -> float:
    arguments = jnp.asarray(counter), jnp.ones((8, 64))
    function = Compiled(choosing, effort=0)
    function(*arguments)
    analysis = taken.compiled(function, arguments).cost_analysis()
    return float((analysis[0] if isinstance(analysis, list) else analysis)["flops"])


def test_the_branch_that_runs_is_counted() -> None:
    assert flops(0) > 100_000 > flops(1)
    assert jax.lax.cond(True, lambda: 1, lambda: 2) == 1  # as it was


@pytest.mark.parametrize("transform", [jax.vmap, jax.jit])
def test_a_condition_that_is_traced_is_left(transform: Any) -> None:
    arguments = jnp.arange(3), jnp.ones((3, 64))
    over = transform(choosing) if transform is jax.vmap else None
    function = Compiled(over or jax.jit(lambda n, x: choosing(n[0], x)), effort=0)
    expected = function(*arguments)
    made = taken.compiled(function, arguments)
    assert jnp.allclose(made(*arguments), expected)
