"""Modules that stay Linen or Haiku code and run rewritten ones: which are bridged, and what they compute."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

LINEN = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Block(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x):
        return nn.relu(nn.Dense(self.features)(x))

    def scaled(self, x):
        return 2 * x


class Noisy(nn.Module):
    rate: float

    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.BatchNorm(use_running_average=not train)(x)
        return nn.Dropout(self.rate, deterministic=not train)(x)


STAYS


x = jax.random.normal(jax.random.key(1), (4, 6))
model = Model()
variables = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.abs(model.apply(variables, x)).sum()))
"""

GROWING = """
class Model(nn.Module):
    @nn.compact
    def __call__(self, x):
        while x.shape[-1] > 2:
            x = nn.Dense(x.shape[-1] - 2)(x)
        return LAST
"""

HAIKU = """
import haiku as hk
import jax
import jax.numpy as jnp


class Block(hk.Module):
    def __init__(self, features, name=None):
        super().__init__(name=name)
        self.features = features

    def __call__(self, x):
        return jax.nn.relu(hk.Linear(self.features)(x))


class Model(hk.Module):
    def __init__(self, name=None):
        super().__init__(name=name)
        self.block = Block(3)

    def __call__(self, x):
        while x.shape[-1] > 2:
            x = hk.Linear(x.shape[-1] - 2)(x)
        return Block(4)(x) + Block(features=4)(x).sum() + self.block(x).sum()


model = hk.without_apply_rng(hk.transform(lambda x: Model()(x)))
x = jax.random.normal(jax.random.PRNGKey(1), (4, 6))
params = model.init(jax.random.PRNGKey(0), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


def linen(last: str) -> str:
    return LINEN.replace("STAYS", GROWING.replace("LAST", last).strip())


@pytest.mark.parametrize(
    "last",
    [
        "Block(4)(x)",
        "Block(features=4)(x)",
        "Block(4, name='last')(x)",
        "nn.Sequential([Block(4)])(x)",
        "Noisy(0.5)(x, train=False)",
    ],
)
def test_a_call_of_the_class_is_bridged(last: str, tmp_path: Path) -> None:
    done = rewritten(linen(last))
    used = "Noisy" if "Noisy" in last else "Block"
    assert done.statuses[used] == "rewritten"
    assert done.statuses["Model"] == "bridged"
    assert f"class {used}(nnx.Module)" in done.after["program.py"]
    check(done, tmp_path)


def test_a_module_of_setup_is_bridged(tmp_path: Path) -> None:
    model = """
class Model(nn.Module):
    def setup(self):
        self.block = Block(4)

    @nn.compact
    def __call__(self, x):
        x = self.block(x)
        while x.shape[-1] > 2:
            x = nn.Dense(x.shape[-1] - 1)(x)
        return x
"""
    model = model.replace("    @nn.compact\n", "").replace(
        "x = nn.Dense(x.shape[-1] - 1)(x)", "x = x[:, 1:]"
    )
    model = model.replace("self.block = Block(4)", "self.block = Block(4)\n        self.make()")
    model = model.rstrip() + (
        "\n\n    def make(self):\n        while not hasattr(self, 'last'):\n"
        "            self.last = nn.Dense(3)\n"
    )
    done = rewritten(LINEN.replace("STAYS", model.strip()))
    assert (done.statuses["Block"], done.statuses["Model"]) == ("rewritten", "bridged")
    check(done, tmp_path)


@pytest.mark.parametrize(
    "last",
    [
        "Block(4).scaled(Block(4)(x)) if isinstance(x, Block) else Block(4)(x)",
        "nn.remat(Block)(4)(x)",
    ],
)
def test_what_needs_the_class_itself_keeps_it(last: str, tmp_path: Path) -> None:
    done = rewritten(linen(last))
    assert (done.statuses["Block"], done.statuses["Model"]) == ("kept", "kept")
    assert "class Block(nn.Module)" in done.after["program.py"]
    check(done, tmp_path)


NORMED = """
class Normed(nn.Module):
    norm: object = nn.LayerNorm

    @nn.compact
    def __call__(self, x):
        return self.norm()(x) if self.norm is not None else x


def chosen(kind):
    return {'layer': nn.LayerNorm, 'none': None}[kind] if kind else None


class Model(nn.Module):
    kind: str = 'layer'
    norm: object = None

    @nn.compact
    def __call__(self, x):
        while x.shape[-1] > 2:
            x = nn.Dense(x.shape[-1] - 2)(x)
        return Normed(norm=GIVEN)(x).sum() + Block(4)(x)
"""


@pytest.mark.parametrize("given", ["chosen(self.kind)", "self.norm", "getattr(nn, 'LayerNorm')"])
def test_a_class_that_makes_what_it_is_given_stays_with_who_gives_it(
    given: str, tmp_path: Path
) -> None:
    done = rewritten(LINEN.replace("STAYS", NORMED.replace("GIVEN", given).strip()))
    assert (done.statuses["Normed"], done.statuses["Block"]) == ("kept", "rewritten")
    check(done, tmp_path)


CONFIGURED = """
@dataclasses.dataclass(frozen=True)
class Config:
    width: int = 4


class Sized(nn.Module):
    config: Config

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.config.width)(x)


class Model(nn.Module):
    config: Config = Config()

    @nn.compact
    def __call__(self, x):
        while x.shape[-1] > 2:
            x = nn.Dense(x.shape[-1] - 2)(x)
        return Sized(self.config)(x)
"""


def test_a_class_that_is_given_a_configuration_is_bridged(tmp_path: Path) -> None:
    done = rewritten(("import dataclasses\n" + LINEN).replace("STAYS", CONFIGURED.strip()))
    assert (done.statuses["Sized"], done.statuses["Model"]) == ("rewritten", "bridged")
    check(done, tmp_path)


def test_a_subclass_that_stays_keeps_its_base(tmp_path: Path) -> None:
    model = """
class Model(Block):
    features: int = 4

    @nn.compact
    def __call__(self, x):
        while x.shape[-1] > 2:
            x = nn.Dense(x.shape[-1] - 2)(x)
        return self.scaled(x)
"""
    done = rewritten(LINEN.replace("STAYS", model.strip()))
    assert (done.statuses["Block"], done.statuses["Model"]) == ("kept", "kept")
    check(done, tmp_path)


def test_haiku_code_runs_rewritten_modules(tmp_path: Path) -> None:
    done = rewritten(HAIKU)
    assert (done.statuses["Block"], done.statuses["Model"]) == ("rewritten", "bridged")
    assert "haiku_module" in done.after["nnx_layers.py"]
    check(done, tmp_path)


def test_fields_may_have_the_names_of_the_bridge(tmp_path: Path) -> None:
    block = LINEN.replace("    features: int\n", "    sizes: tuple\n    module: str = 'relu'\n")
    block = block.replace("self.features", "self.sizes[0]")
    last = "Block(sizes=(4,), module='relu')(x)"
    done = rewritten(block.replace("STAYS", GROWING.replace("LAST", last).strip()))
    assert done.statuses["Block"] == "rewritten" and done.statuses["Model"] == "bridged"
    check(done, tmp_path)


HAIKU_SHAPES = """
import haiku as hk
import jax
import jax.numpy as jnp


class Project(hk.Module):
    def __init__(self, width, axes=1, name=None):
        super().__init__(name=name)
        self.width = width
        self.axes = axes

    def __call__(self, x):
        shape = x.shape[-self.axes:] + (self.width,)
        w = hk.get_parameter('w', shape, init=hk.initializers.RandomNormal())
        letters = 'ab'[:self.axes]
        return jnp.einsum(f'...{letters},{letters}c->...c', x, w)


class Model(hk.Module):
    def __call__(self, x):
        while x.shape[-1] > 2:
            x = hk.Linear(x.shape[-1] - 2)(x)
        for axes in (1, 2):
            x = x + Project(1, axes=axes)(x)[..., None].sum()
        return Project(4)(x).sum() + Project(4, axes=2)(x).sum()


model = hk.without_apply_rng(hk.transform(lambda x: Model()(x)))
x = jax.random.normal(jax.random.PRNGKey(1), (4, 3, 6))
params = model.init(jax.random.PRNGKey(0), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


def test_sizes_that_a_field_chooses_are_told_by_what_each_call_gives(tmp_path: Path) -> None:
    done = rewritten(HAIKU_SHAPES)
    assert (done.statuses["Project"], done.statuses["Model"]) == ("rewritten", "bridged")
    text = done.after["program.py"]
    assert "haiku_module(Project, x.shape[-1:], 4)(x)" in text
    assert "haiku_module(Project, x.shape[-2:], 4, axes=2)(x)" in text
    check(done, tmp_path)


READ = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Encoder(nn.Module):
    vocabulary: int
    width: int

    def setup(self):
        self.shared = nn.Embed(self.vocabulary, self.width)
        self.dense = nn.Dense(self.width)

    def __call__(self, tokens):
        return self.dense(self.shared(tokens))


class Tied(nn.Module):
    vocabulary: int
    width: int

    def setup(self):
        self.encoder = Encoder(self.vocabulary, self.width)
        self.head = nn.Dense(self.vocabulary, use_bias=False)

    def __call__(self, tokens):
        x = self.encoder(tokens)
        shared = self.encoder.variables['params']['shared']['embedding']
        return self.head.apply({'params': {'kernel': shared.T}}, x)


tokens = jnp.array([[1, 2, 3, 0]])
model = Tied(5, 4)
variables = model.init(jax.random.key(0), tokens)
print('RESULT', len(jax.tree.leaves(variables)), float(jnp.abs(model.apply(variables, tokens)).sum()))
"""


def test_variables_of_a_bridge_are_read_by_a_path_that_stays(tmp_path: Path) -> None:
    done = rewritten(READ)
    assert done.statuses == {"Encoder": "rewritten", "Tied": "bridged"}
    check(done, tmp_path)


def test_variables_of_a_bridge_by_another_path() -> None:
    text = READ.replace("self.shared = ", "self.table = ").replace("self.shared(", "self.table(")
    compact = text.replace("['shared']", "['Embed_0']")
    assert "rewritten" not in rewritten(compact).statuses.values()
