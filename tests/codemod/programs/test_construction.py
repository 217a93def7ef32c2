"""Where a program's model is made of several parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp


class Encoder(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        return nn.tanh(nn.Dense(self.width)(x))


class Holder(nn.Module):
    encoder: nn.Module

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(self.encoder(x))


class Maker(nn.Module):
    encoder: type
    width: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(self.encoder(self.width)(x))


x = jax.random.normal(jax.random.key(1), (4, 3))
MADE
params = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


def program_of(made: str) -> str:
    """The program with a model; a class that nothing gives its own class to is left out."""
    text = PROGRAM.replace("MADE", made)
    if "Maker" in made:
        return text
    return text[: text.index("class Maker")] + text[text.index("x = jax.random") :]


@pytest.mark.parametrize(
    "made",
    [
        "model = Holder(Encoder(5))",
        "model = Holder(encoder=Encoder(width=5))",
        "encoder = Encoder(5)\nmodel = Holder(encoder)",
        "model = Holder(nn.Dense(5))",
        "Small = partial(Maker, encoder=Encoder)\nmodel = Small(width=5)",
    ],
)
def test_modules_that_modules_are_given(made: str, tmp_path: Path) -> None:
    done = rewritten(program_of(made))
    assert set(done.statuses.values()) == {"rewritten"}
    assert not done.codes
    check(done, tmp_path)


@pytest.mark.parametrize(
    "made",
    [
        "Small = partial(Maker, Encoder)\nmodel = Small(5)",
        "encoder = Encoder(5)\nmodel = Holder(encoder)\nprint(float(encoder.width))",
    ],
)
def test_what_cannot_be_told_runs_as_before(made: str, tmp_path: Path) -> None:
    done = rewritten(program_of(made))
    assert done.codes
    check(done, tmp_path)


@pytest.mark.parametrize(
    "made", ["model = Holder(Encoder(5))", "encoder = Encoder(5)\nmodel = Holder(encoder)"]
)
def test_a_module_that_holds_one_that_stays_does_so_too(made: str, tmp_path: Path) -> None:
    kept = "class Encoder(nn.Module):  # nnx-codemod: skip"
    program = PROGRAM.replace("class Encoder(nn.Module):", kept).replace("MADE", made)
    done = rewritten(program)
    assert done.statuses["Encoder"] == done.statuses["Holder"] == "kept"
    check(done, tmp_path)


def test_a_layer_called_value_is_no_variable_that_the_first_run_sets(tmp_path: Path) -> None:
    setup = """
    def setup(self):
        self.value = nn.Dense(self.width)

    def __call__(self, x):
        return nn.tanh(self.value(x))
"""
    head, _, rest = PROGRAM.replace("MADE", "model = Encoder(5)").partition("    @nn.compact\n")
    tail = rest[rest.index("\n\nclass Holder") :]
    done = rewritten(head.rstrip() + "\n" + setup + tail)
    assert done.statuses["Encoder"] == "rewritten"
    assert "ran the model once" not in done.after["program.py"]
    check(done, tmp_path)


def test_two_models_that_one_statement_makes(tmp_path: Path) -> None:
    done = rewritten(
        "import flax.linen as nn\nimport jax\nimport jax.numpy as jnp\n\n\n"
        "class Net(nn.Module):\n    width: int\n\n"
        "    @nn.compact\n    def __call__(self, x):\n        return nn.Dense(self.width)(x)\n\n\n"
        "x = jnp.ones((2, 7))\n"
        "small, large = Net(3), Net(4)\n"
        "of_small = small.init(jax.random.key(1), x)\n"
        "of_large = large.init(jax.random.key(2), x)\n"
        "print('RESULT', float(jnp.abs(small.apply(of_small, x)).sum()))\n"
        "print('RESULT', float(jnp.abs(large.apply(of_large, x)).sum()))\n"
    )
    check(done, tmp_path)


def test_a_function_that_returns_variables_of_a_prepared_class(tmp_path: Path) -> None:
    done = rewritten(
        "import functools\n\nimport flax.linen as nn\nimport jax\nimport jax.numpy as jnp\n\n\n"
        "class Net(nn.Module):\n    width: int\n\n"
        "    @nn.compact\n    def __call__(self, x):\n        return nn.Dense(self.width)(x)\n\n\n"
        "Large = functools.partial(Net, width=3)\n\n\n"
        "def make(x, key):\n    return Large().init(key, x)\n\n\n"
        "variables = make(jnp.ones((2, 7)), jax.random.key(1))\n"
        "print('RESULT', float(jnp.abs(Large().apply(variables, jnp.ones((1, 7)))).sum()))\n"
    )
    check(done, tmp_path)


def test_a_function_that_is_given_models_of_several_classes(tmp_path: Path) -> None:
    program = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Near(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(x)


class Far(nn.Module):
    width: int = 3

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(nn.tanh(nn.Dense(self.width)(x)))


def report(model, x):
    params = model.init(jax.random.key(0), x)
    print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))


x = jax.random.normal(jax.random.key(1), (4, 3))
report(Near(), x)
report(Far(), x)
"""
    done = rewritten(program)
    assert set(done.statuses.values()) == {"rewritten"}
    assert not done.codes
    check(done, tmp_path)


NOISE = "x = x + jax.random.normal(self.make_rng('dropout'), x.shape) if train else x"
DRAWS = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        LAYER
        return nn.Dense(2)(x)


x = jnp.linspace(-1.0, 1.0, 12).reshape(4, 3)
net = Net()
v = net.init({KEYS}, x)
print('RESULT', float(jnp.abs(net.apply(v, x)).sum()))
print('RESULT', net.apply(v, x, train=True, rngs={'dropout': jax.random.key(2)}).shape)
"""


@pytest.mark.parametrize(
    ("layer", "keys", "rngs"),
    [
        ("x = nn.Dropout(0.5, deterministic=not train)(x)", "'params': KEY", "nnx.Rngs(0)"),
        (NOISE, "'params': KEY", "nnx.Rngs(0)"),
        ("x = nn.relu(x)", "'params': KEY", "nnx.Rngs(params=0)"),
        (
            "x = nn.Dropout(0.5, deterministic=not train)(x)",
            "'params': KEY, 'dropout': jax.random.key(1)",
            "nnx.Rngs(params=0, dropout=1)",
        ),
    ],
)
def test_a_key_of_the_parameters_serves_all_streams(
    layer: str, keys: str, rngs: str, tmp_path: Path
) -> None:
    program = DRAWS.replace("LAYER", layer).replace("KEYS", keys)
    done = rewritten(program.replace("KEY", "jax.random.key(0)"))
    assert f"rngs={rngs})" in done.after["program.py"]
    check(done, tmp_path)


TURNS = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Field(nn.Module):
    @nn.compact
    def __call__(self, points, view=None, light=None):
        if view is not None:
            points = points + nn.Dense(points.shape[-1], use_bias=False)(view)
        if light is not None:
            points = points + nn.Dense(points.shape[-1], use_bias=False)(light)
        return nn.Dense(6)(points)


points = jnp.linspace(-1.0, 1.0, 12).reshape(3, 4)
view = jnp.linspace(0.0, 1.0, 6).reshape(3, 2)
light = jnp.linspace(0.5, 1.0, 15).reshape(3, 5)
for LOOP:
    field = Field()
    variables = field.init(jax.random.key(0), points, GIVEN)
    print("RESULT", float(jnp.square(field.apply(variables, points, GIVEN)).sum()))
"""


@pytest.mark.parametrize(
    ("loop", "given", "text"),
    [
        ("one in (view, light)", "one", "view_features=one.shape[-1]"),
        ("one in (view, None)", "one", "None if one is None else one.shape[-1]"),
        ("a, b in ((view, light), (view, None))", "a, b", "None if b is None else b.shape[-1]"),
        ("both in ((view, light), (view, light))", "*both", "light_features=5"),
        ("both in ((view, light), (view, None), (None, None))", "*both", "linen_module("),
    ],
)
def test_inputs_that_some_runs_leave_out(loop: str, given: str, text: str, tmp_path: Path) -> None:
    done = rewritten(TURNS.replace("LOOP", loop).replace("GIVEN", given))
    assert text in done.after["program.py"]
    assert done.statuses == {"Field": "rewritten"}
    check(done, tmp_path)


IN_FUNCTION = (
    TURNS.split("for LOOP")[0]
    + """
def run(points, DECLARED):
    field = Field()
    variables = field.init(jax.random.key(0), points, GIVEN)
    return jnp.square(field.apply(variables, points, GIVEN)).sum()


for result in RUNS:
    print("RESULT", float(result))
"""
)


@pytest.mark.parametrize(
    ("declared", "given", "runs", "text"),
    [
        (
            "view=None",
            "view",
            "(run(points), run(points, view))",
            "view_features=None if view is None else",
        ),
        ("view=None", "view=view", "(run(points),)", "view_features=None if view is None else"),
        (
            "view",
            "view",
            "(run(points, view),)",
            "Field(in_features=points.shape[-1], view_features=view.",
        ),
        ("view", "None, view", "(run(points, view),)", "], light_features=view.shape[-1]"),
        ("view", "None", "(run(points, view),)", "Field(in_features=points.shape[-1], rngs"),
    ],
)
def test_inputs_that_callers_of_a_function_leave_out(
    declared: str, given: str, runs: str, text: str, tmp_path: Path
) -> None:
    program = IN_FUNCTION.replace("DECLARED", declared).replace("GIVEN", given)
    done = rewritten(program.replace("RUNS", runs))
    assert text in " ".join(done.after["program.py"].split())
    check(done, tmp_path)


COMMENTED = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    width: int
    depth: int = 1

    @nn.compact
    def __call__(self, x):
        for _ in range(self.depth):
            x = nn.Dense(self.width)(x)
        return x


model = Net(
    # How wide.
    width=4,    # all layers
    depth=2  # how deep
)
rngs = {'params': jax.random.key(0)}
x = jax.random.normal(jax.random.key(1), (2, 3))
variables = model.init(rngs, x)
print('RESULT', float(jnp.abs(model.apply(variables, x)).sum()))
"""


def test_a_model_that_is_made_further_down_keeps_its_comments(tmp_path: Path) -> None:
    done = rewritten(COMMENTED)
    made = """
    # How wide.
    width=4,    # all layers
    depth=2,  # how deep
    rngs=nnx.Rngs(rngs),
)
"""
    assert made in done.after["program.py"]
    check(done, tmp_path)
