"""Trees of arrays, lists whose length is not known, and segments: what the interpreter makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod.project import Project
from nnx_codemod.codemod.rulebook import Rulebook
from nnx_codemod.codemod.shapes import frameworks
from nnx_codemod.codemod.shapes.interpreter import Interpreter
from nnx_codemod.codemod.shapes.values import Array, Constant, Items, Table, Value
from nnx_codemod.codemod.source import Source
from nnx_codemod.rules import catalogue

HEAD = """
import jax
import jax.numpy as jnp
from somewhere import items

x = jnp.ones((3, 4))
"""


def names(tmp_path: Path, text: str) -> dict[str, Value]:
    path = tmp_path / "program.py"
    path.write_text(HEAD + text)
    project = Project.of([Source(path)])
    interp = Interpreter(project, Rulebook(catalogue()))
    frameworks.install(interp)
    return dict(interp.environment_of(project.modules[path]).names)


def shape(value: Value) -> tuple[object, ...]:
    assert isinstance(value, Array) and value.shape is not None
    return tuple(dim if isinstance(dim, int) else "?" for dim in value.shape)


def test_a_function_goes_through_a_tree(tmp_path: Path) -> None:
    text = "y = jax.tree.map(lambda a, b: a @ b.T, {'p': x, 'q': None}, {'p': x, 'q': None})"
    y = names(tmp_path, text)["y"]
    assert isinstance(y, Table) and shape(y.items["p"]) == (3, 3)
    assert y.items["q"] == Constant(None)


def test_leaves_of_a_known_tree(tmp_path: Path) -> None:
    y = names(tmp_path, "y = jax.tree_util.tree_leaves((x, [x[0]], None))")["y"]
    assert isinstance(y, Items) and [shape(item) for item in y.items] == [(3, 4), (4,)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y = jnp.asarray([0 for _ in items])", ("?",)),
        ("y = jnp.array([(1, 2) for _ in items])", ("?", 2)),
        ("y = jnp.asarray([x for _ in items])", ("?", 3, 4)),
        ("y = jax.ops.segment_sum(x, jnp.zeros(3, jnp.int32), 5)", (5, 4)),
        ("y = jax.ops.segment_max(x, jnp.zeros(3, jnp.int32))", ("?", 4)),
    ],
)
def test_shapes_with_an_unknown_axis(
    tmp_path: Path, text: str, expected: tuple[object, ...]
) -> None:
    assert shape(names(tmp_path, text)["y"]) == expected


def test_a_list_that_grows_by_an_unknown_one_has_no_known_length(tmp_path: Path) -> None:
    grown = names(tmp_path, "y = [1, 2]\ny += [i for i in items]\nn = len(y)\nz = [0] + y")
    assert isinstance(grown["y"], Items) and grown["y"].open
    assert isinstance(grown["z"], Items) and grown["z"].open
    assert not isinstance(grown["n"], Constant)


@pytest.mark.parametrize(
    "made",
    [
        "collections.namedtuple('Pair', ['one', 'two'], defaults=(None,))",
        "collections.namedtuple('Pair', 'one two', defaults=[None])",
    ],
)
def test_named_tuples_that_a_call_makes(made: str, tmp_path: Path) -> None:
    text = f"import collections\nPair = {made}\np = Pair(one=x)\ny = p.one\nz = p.two\nw = p._replace(two=x[0]).two"
    found = names(tmp_path, text)
    assert shape(found["y"]) == (3, 4) and shape(found["w"]) == (4,)
    assert found["z"] == Constant(None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("leaves, tree = jax.tree.flatten({'b': x, 'a': x[0]})\ny = leaves[0]", (4,)),
        ("leaves, tree = jax.tree_util.tree_flatten({'b': x})\ny = tree.unflatten(leaves)", None),
        ("y = jax.tree.unflatten(jax.tree.structure({'b': 1}), [x])['b']", (3, 4)),
        ("y = jax.tree.unflatten(jax.tree.structure({'b': 1}), [x, x])", None),
        ("axes = jax.api_util.flatten_axes('', AXES, 1)\ny = jnp.sum(x, axis=axes[1])", (3,)),
        ("y = jax.lax.dynamic_slice_in_dim(x, items, 2)", (2, 4)),
        ("y = jax.lax.dynamic_slice_in_dim(x, items, items, -1)", (3, "?")),
        ("y = jax.lax.dynamic_slice(x, items, (2, 1))", (2, 1)),
        ("y = jax.lax.dynamic_index_in_dim(x, items, 1, keepdims=False)", (3,)),
        ("y = jax.lax.dynamic_update_slice(x, items, items)", (3, 4)),
    ],
)
def test_structures_and_slices(
    tmp_path: Path, text: str, expected: tuple[object, ...] | None
) -> None:
    found = names(tmp_path, text.replace("AXES", "jax.tree.structure((x, x))"))["y"]
    assert (shape(found) == expected) if expected else not isinstance(found, Array)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y = jnp.take_along_axis(x, jnp.ones((5, 4)), 0)", (5, 4)),
        ("y = jnp.take_along_axis(x[None], jnp.ones((1, 5, 4)), -2)", (1, 5, 4)),
        ("y = jnp.take_along_axis(x, items, 1)", (3, "?")),
    ],
)
def test_what_is_taken_by_an_input_is_taken_by_integers(
    tmp_path: Path, text: str, expected: tuple[object, ...]
) -> None:
    assert shape(names(tmp_path, text)["y"]) == expected
