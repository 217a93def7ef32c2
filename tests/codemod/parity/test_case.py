"""A case's values, from the text that it is written in."""

from __future__ import annotations

import types
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from nnx_codemod.codemod.parity.child.case import evaluate
from nnx_codemod.codemod.parity.child.failure import Failure

MODULE = types.ModuleType("models")
MODULE.__dict__["WIDTH"] = 7


def inputs(*items: Any) -> list[Any]:
    return evaluate({"inputs": list(items)}, MODULE, 0, {}).inputs


@pytest.mark.parametrize(
    ("text", "shape", "dtype"),
    [
        ("f32[2,3]", (2, 3), "float32"),
        ("bf16[4]", (4,), "bfloat16"),
        ("i32[2, 6]<100", (2, 6), "int32"),
        ("u8[]", (), "uint8"),
        ("bool[5]", (5,), "bool"),
        ("c64[2]", (2,), "complex64"),
    ],
)
def test_arrays(text: str, shape: tuple[int, ...], dtype: str) -> None:
    (array,) = inputs(text)
    assert (array.shape, str(array.dtype)) == (shape, dtype)


def test_integers_stay_below_their_bound_and_reach_it() -> None:
    (array,) = inputs("i32[1000]<10")
    assert set(np.asarray(array)) == set(range(10))


def test_values_nest_and_expressions_see_the_module() -> None:
    (table, size, plain) = inputs({"a": ["f32[2]", 3]}, "py:jnp.ones(module.WIDTH)", "same")
    assert table["a"][0].shape == (2,) and table["a"][1] == 3
    assert size.shape == (7,) and plain == "same"


def test_constructor_arguments_that_look_like_arrays_are_texts() -> None:
    values = evaluate({"kwargs": {"kind": "f32[2]", "size": "py:module.WIDTH"}}, MODULE, 0, {})
    assert values.kwargs == {"kind": "f32[2]", "size": 7}


def test_a_seed_gives_the_same_numbers() -> None:
    first, second = ([np.asarray(x) for x in inputs("f32[3]", "f32[3]")] for _ in range(2))
    assert np.array_equal(first[0], second[0]) and np.array_equal(first[1], second[1])
    assert not np.array_equal(first[0], first[1])
    other = evaluate({"inputs": ["f32[3]"]}, MODULE, 1, {}).inputs[0]
    assert not np.array_equal(other, first[0])


def test_an_expression_that_fails_is_said() -> None:
    with pytest.raises(Failure, match="cannot be evaluated: NameError"):
        inputs("py:missing")
    assert jnp.asarray(inputs("py:1.5")[0]) == 1.5
