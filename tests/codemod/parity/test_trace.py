"""`rewrite --trace`: sizes that reading cannot tell come from runs of the originals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nnx_codemod.cli import cli

# What `import_module` gives is not read, so nothing is known of what these functions return.
TOOLS = """import jax.numpy as jnp


def fold(x, heads):
    return jnp.concatenate([x] * heads, -1)


def glue(x, other):
    return jnp.concatenate([x, other], -1)


def sizes(x):
    return x.shape[1], x.shape[2]


def square(x):
    return jnp.repeat(x, x.shape[-1], -1)
"""
LINEN = """import importlib

from flax import linen as nn

tools = importlib.import_module("tools")


class Mixed(nn.Module):
    features: int
    heads: int = 2

    @nn.compact
    def __call__(self, x, other):
        h = nn.Dense(self.features)(tools.fold(x, self.heads))
        both = tools.glue(h, other)
        _, d = tools.sizes(both)
        return nn.Dense(d)(nn.LayerNorm()(both))


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(Mixed(12)(x, x))
"""
HAIKU = """import importlib

import haiku as hk

tools = importlib.import_module("tools")


class Mixed(hk.Module):
    def __init__(self, features, name=None):
        super().__init__(name=name)
        self.features = features

    def __call__(self, x, other):
        both = tools.glue(hk.Linear(self.features)(x), other)
        return hk.Linear(4)(both)
"""


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tools.py").write_text(TOOLS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rewritten(tree: Path, text: str, *more: str) -> Result:
    (tree / "models.py").write_text(text)
    return CliRunner().invoke(cli, ["rewrite", "--report", "-", "--allow-dirty", *more, "."])


def test_sizes_of_runs_are_expressions_over_fields_and_inputs(tree: Path) -> None:
    plain = rewritten(tree, LINEN, "--no-cache")
    assert plain.exit_code == 1
    assert (tree / "models.py").read_text() == LINEN

    traced = rewritten(tree, LINEN, "--trace", "--verify")
    assert traced.exit_code == 0, traced.output
    text = (tree / "models.py").read_text()
    assert "nnx.Linear(heads * x_features, features, rngs=rngs)" in text
    assert "nnx.LayerNorm(features + other_features, rngs=rngs)" in text
    assert "self.linear = nnx.Linear(in_features + 12, 3, rngs=rngs)" in text
    assert "2 of 2 modules hold" in " ".join(traced.stderr.split())

    entries = {c["name"]: c for f in json.loads(traced.stdout)["files"] for c in f["classes"]}
    lines = LINEN.split("\n")
    marked = [lines[place["line"] - 1].strip() for place in entries["Mixed"]["traced"]]
    assert "both = tools.glue(h, other)" in marked


def test_code_that_reads_numbers_runs_on_numbers(tree: Path) -> None:
    """What an array holds, if only one that the code makes, no abstract run can tell."""
    text = LINEN.replace("import importlib\n", "import importlib\n\nimport jax.numpy as jnp\n")
    text = text.replace(
        "        _, d = tools.sizes(both)\n",
        "        for rate in jnp.linspace(0, 0.2, 3):\n            both = both * (1 - rate.item())\n"
        "        _, d = tools.sizes(both)\n",
    )
    traced = rewritten(tree, text, "--trace")
    assert traced.exit_code == 0, traced.output
    assert "nnx.LayerNorm(features + other_features" in (tree / "models.py").read_text()


def test_haiku(tree: Path) -> None:
    assert rewritten(tree, HAIKU, "--no-cache").exit_code == 1
    traced = rewritten(tree, HAIKU, "--trace")
    assert traced.exit_code == 0, traced.output
    assert "nnx.Linear(other_features + features, 4," in " ".join(
        (tree / "models.py").read_text().split()
    )


def test_what_no_expression_explains_stays(tree: Path) -> None:
    text = LINEN.replace("tools.glue(h, other)", "tools.square(tools.glue(h, other))")
    traced = rewritten(tree, text, "--trace")
    assert traced.exit_code == 1
    assert "NX101" in traced.stderr
    assert (tree / "models.py").read_text() == text


def test_a_class_that_does_not_run_is_named(tree: Path) -> None:
    text = LINEN.replace("tools.glue(h", "tools.missing(h")
    traced = rewritten(tree, text, "--trace")
    assert traced.exit_code == 1
    assert "models.py:Mixed: no sizes, the original did not run" in traced.stderr


def test_runs_see_samples(tree: Path) -> None:
    """A case that no search would find."""
    text = LINEN.replace(
        "        h = nn", "        assert x.shape[-1] == 5 and other.shape[-1] == 7\n        h = nn"
    ).split("class Net")[0]
    (tree / "pyproject.toml").write_text(
        '[[tool.nnx-codemod.samples]]\nmodule = "models:Mixed"\nkwargs = { features = 6 }\n'
        'inputs = ["f32[2,4,5]", "f32[2,4,7]"]\n'
    )
    traced = rewritten(tree, text, "--trace")
    assert "case: configuration" in traced.stderr


INNER = """import functools
import importlib

from flax import linen as nn

tools = importlib.import_module("tools")


class Inner(nn.Module):
    features: int
    norm: type = functools.partial(nn.LayerNorm, epsilon=1e-5)

    @nn.compact
    def __call__(self, x, other):
        assert x.ndim == 5 and other.ndim == 3
        return nn.Dense(self.features)(tools.glue(x.sum((1, 2)), other))


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return Inner(5)(nn.Dense(7)(x)[:, None, None], x)
"""


def test_a_class_that_no_search_reaches_runs_as_it_does_inside_of_another(tree: Path) -> None:
    traced = rewritten(tree, INNER, "--trace")
    assert "models.py:Inner: sizes from a run of the original (case: a run of Net)" in traced.stderr
    text = (tree / "models.py").read_text()
    assert "nnx.Linear(x_features + other_features, features, rngs=rngs)" in text


def test_values_as_cases_write_them() -> None:
    import functools

    import jax.numpy as jnp
    from flax import linen as nn

    from nnx_codemod.codemod.parity.child.inside import Unwritten, given, written

    assert written(functools.partial(nn.LayerNorm, epsilon=1e-5)) == (
        "py:functools.partial(nn.LayerNorm, epsilon=1e-05)"
    )
    assert written(jnp.float32) == "py:jnp.float32"
    assert written(nn.relu) == "py:nn.relu"
    assert written((1, (2,))) == "py:(1, (2,))"
    assert written(nn.Dense(3)).startswith("py:nn.Dense(features=3")
    assert given({"x": [jnp.ones((2, 3))]}) == {"x": ["f32[2,3]"]}
    with pytest.raises(Unwritten):
        written(lambda x: x)
