"""The helpers as they are copied: what nnx_layers.py holds works on its own, also under NNX's transforms."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nnx_codemod import helpers
from nnx_codemod.codemod.emit.helpers import nnx_layers
from nnx_codemod.helpers import linen

_TREE = ast.parse(Path(linen.__file__).read_text())
_DEFINED = [node for node in _TREE.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def test_no_name_comes_twice() -> None:
    """All helpers share one file beside the user's code."""
    names: Counter[str] = Counter()
    for info in pkgutil.iter_modules(helpers.__path__):
        module = importlib.import_module(f"{helpers.__name__}.{info.name}")
        names.update(
            n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__
        )
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("node", _DEFINED, ids=lambda node: node.name)
def test_every_helper_says_what_it_is(node: ast.FunctionDef | ast.ClassDef) -> None:
    assert ast.get_docstring(node)


def test_each_is_whole_when_copied(tmp_path: Path) -> None:
    """Every helper alone, with what it needs, is a module without unknown names."""
    for node in _DEFINED:
        folder = tmp_path / node.name
        folder.mkdir()
        (folder / "nnx_layers.py").write_text(nnx_layers([node.name], None, "    "))
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--select",
        "F,E9",
        str(tmp_path),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_two_spaces_a_level() -> None:
    text = nnx_layers(["ConvLSTMCell"], None, "  ")
    assert "\n  def __call__(" in text
    compile(text, "nnx_layers.py", "exec")


_X = jnp.asarray(np.random.RandomState(0).normal(size=(2, 6, 3)), jnp.float32)


def _layers() -> dict[str, Any]:
    rngs = nnx.Rngs(0)
    return {
        "GRUCell": nnx.RNN(linen.GRUCell(3, 4, rngs=rngs)),
        "MGUCell": nnx.RNN(linen.MGUCell(3, 4, rngs=rngs)),
        "OptimizedLSTMCell": nnx.RNN(linen.OptimizedLSTMCell(3, 4, rngs=rngs)),
        "ConvLocal": linen.ConvLocal((6, 3), 4, (3,), rngs=rngs),
        "WeightNorm": linen.WeightNorm(nnx.Linear(3, 4, rngs=rngs), rngs=rngs),
        "SpectralNorm": linen.SpectralNorm(nnx.Linear(3, 4, rngs=rngs), rngs=rngs),
    }


@pytest.mark.parametrize("name", _layers())
def test_trained_under_jit(name: str) -> None:
    """The split form of a train step gives what a plain call gives, and state changes come back."""
    layer, other = _layers()[name], _layers()[name]

    @nnx.jit
    def step(layer: Any, x: Any) -> Any:
        graphdef, params, rest = nnx.split(layer, nnx.Param, ...)

        def loss(params: Any, rest: Any) -> Any:
            return jnp.sin(nnx.merge(graphdef, params, rest)(x)).sum()

        return nnx.value_and_grad(loss)(params, rest)

    loss, grads = step(layer, _X)
    np.testing.assert_allclose(loss, jnp.sin(other(_X)).sum(), 1e-5)
    assert any(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(grads))
    for one, two in zip(
        jax.tree.leaves(nnx.state(layer, nnx.BatchStat)),
        jax.tree.leaves(nnx.state(other, nnx.BatchStat)),
        strict=True,
    ):
        np.testing.assert_allclose(one, two, 1e-5)


def test_wrapped_layers_may_be_called_under_plain_jit() -> None:
    """No weight is written, so a traced function may close over the module."""
    layer = _layers()["WeightNorm"]
    np.testing.assert_allclose(jax.jit(lambda x: layer(x))(_X), layer(_X), 1e-5)


def test_gates_are_initialised_one_by_one() -> None:
    """Each recurrent kernel of the fused LSTM is orthogonal by itself."""
    cell = linen.OptimizedLSTMCell(3, 4, rngs=nnx.Rngs(0))
    for kernel in jnp.split(cell.dense_h.kernel[...], 4, axis=-1):
        np.testing.assert_allclose(kernel @ kernel.T, jnp.eye(4), atol=1e-5)


def test_keys_of_gates_differ() -> None:
    first, second = jnp.split(
        linen.gatewise(nnx.initializers.normal(), 2)(jax.random.key(0), (3, 8)), 2, -1
    )
    assert not np.allclose(first, second)


def test_first_carries_are_zeros_of_the_parameters_dtype() -> None:
    cell = linen.ConvLSTMCell(3, 2, (3, 3), param_dtype=jnp.bfloat16, rngs=nnx.Rngs(0))
    assert cell.num_feature_axes == 3
    for carry in cell.initialize_carry((2, 5, 6, 3)):
        assert carry.shape == (2, 5, 6, 2)
        assert carry.dtype == jnp.bfloat16
        assert not carry.any()
