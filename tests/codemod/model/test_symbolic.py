"""Which annotations say that an argument is an array."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from nnx_codemod.codemod.model.symbolic import looks_like_array
from nnx_codemod.tests.programs import check, rewritten


@pytest.mark.parametrize(
    ("annotation", "is_array"),
    [
        ("jax.Array", True),
        ("chex.Array", True),
        ("_Array", True),
        ("Optional[_Array]", True),
        ("NDArray", True),
        ("Float[Array, 'b c']", True),
        ("IrrepsArray", False),
        ("list[int]", False),
        ("_Graph", False),
    ],
)
def test_annotations(annotation: str, is_array: bool) -> None:
    assert looks_like_array(ast.parse(annotation, mode="eval").body) is is_array


PROGRAM = """
import haiku as hk
import jax
import jax.numpy as jnp

_Array = jax.Array


class Joined(hk.Module):
    def __call__(self, nodes: _Array, hidden: _Array) -> _Array:
        return hk.Linear(4)(jnp.concatenate([nodes, hidden], axis=-1))


model = hk.without_apply_rng(hk.transform(lambda x: Joined()(x, 2 * x)))
x = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
params = model.init(jax.random.PRNGKey(0), x)
params = jax.tree.map(lambda p: jnp.linspace(-1.0, 1.0, p.size).reshape(p.shape), params)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


def test_arrays_under_a_name_of_the_file(tmp_path: Path) -> None:
    done = rewritten(PROGRAM)
    assert done.statuses["Joined"] == "rewritten"
    assert "nodes_features: int, hidden_features: int" in done.after["program.py"]
    check(done, tmp_path)
