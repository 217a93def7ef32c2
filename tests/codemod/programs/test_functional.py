"""Programs that keep their parameters as trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

LONG = """
import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.training.train_state import TrainState
import optax


class Net(nn.Module):
    @nn.compact
    def __call__(self, first, both):
        x, scale = both
        return nn.Dense(3)(jnp.concatenate([first, x], axis=-1)) * scale


def make(learning_rate):
    def train(key):
        network = Net()
        first_of_all_inputs = jnp.ones((2, 1))
        params = network.init(key, first_of_all_inputs, (jnp.ones((2, 4)), 1.0))
        state = TrainState.create(
            apply_fn=network.apply, params=params, tx=optax.sgd(learning_rate)
        )

        def update(state, scale):
            def loss(params, every_other_input):
                out = network.apply(params, first_of_all_inputs, (every_other_input + 1.0, scale))
                return jnp.square(out).mean()

            value, grads = jax.value_and_grad(loss)(state.params, jnp.ones((2, 4)))
            return state.apply_gradients(grads=grads), value

        return jax.lax.scan(update, state, jnp.arange(3.0))[1]

    return train


print('RESULT', float(make(0.1)(jax.random.key(0)).sum()))
"""


def test_a_call_that_loses_its_parameters_is_broken_without_them(tmp_path: Path) -> None:
    done = rewritten(LONG)
    assert done.statuses == {"Net": "rewritten"}
    new = """\
                out = nnx.merge(graphdef, params)(
                    first_of_all_inputs, (every_other_input + 1.0, scale)
                )
"""
    assert new in done.after["program.py"]
    check(done, tmp_path)


SQUARES = """
import jax


def squares(variables, out):
    params = variables['params']
    for name in sorted(params):
        out.append(jax.tree.map(lambda p: (p**2).sum(), params[name]))
    variables = dict(variables)
    variables['params'] = params
    return sum(float(leaf) for leaf in jax.tree.leaves(out))
"""
READ = """
import flax.linen as nn
import jax
import jax.numpy as jnp
from squares import squares


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(WIDTH)(nn.Dense(4)(x))


def make(more=False):
    model = Net()
    x = jnp.ones((1, 3))
    variables = model.init(jax.random.key(0), x)
    if more:
        print('RESULT', squares(variables, []))
    return model, variables, x


model, variables, x = make(more=True)
print('RESULT', float(model.apply(variables, x).sum()))
"""


def test_variables_that_another_file_reads_keep_their_names(tmp_path: Path) -> None:
    done = rewritten({"program.py": READ.replace("WIDTH", "3"), "squares.py": SQUARES})
    assert done.after["squares.py"] == SQUARES
    assert done.codes == ["PR103"]
    check(done, tmp_path)


def test_code_that_reads_variables_of_a_class_that_stays_is_left_alone() -> None:
    reading = "def squares(variables, out):\n    return variables['params']\n"
    files = {"program.py": READ.replace("WIDTH", "int(x.sum())"), "squares.py": reading}
    done = rewritten(files)
    assert done.statuses == {"Net": "kept"}
    assert done.after["squares.py"] == reading


HANDED_OUT = """
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn


class State(NamedTuple):
    params: Any
    batch_stats: Any


class Net(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(self.width)(x))
        return nn.relu(x)


def create(key, shape, width):
    model = Net(width=width)
    variables = model.init(key, jnp.ones(shape), train=False)
    return model, State(params=variables['params'], batch_stats=variables['batch_stats'])

"""


def test_a_model_is_defined_before_it_is_split(tmp_path: Path) -> None:
    program = """
model, state = create(jax.random.key(0), (2, 3), 4)
variables = {'params': state.params, 'batch_stats': state.batch_stats}
print('RESULT', float(model.apply(variables, jnp.ones((2, 3)), train=False).sum()))
"""
    done = rewritten(HANDED_OUT + program)
    new = done.after["program.py"]
    assert new.index("def make_model(") < new.index("nnx.split(make_model(")
    check(done, tmp_path)


def test_a_model_that_may_come_back_stays_what_it_was(tmp_path: Path) -> None:
    library = (
        HANDED_OUT
        + """
def embed(state, model, x):
    variables = {'params': state.params, 'batch_stats': state.batch_stats}
    return model.apply(variables, x, train=False)
"""
    )
    program = """
import jax
import jax.numpy as jnp
import library

create, embed = vars(library)['create'], vars(library)['embed']
model, state = create(jax.random.key(0), (2, 3), 4)
print('RESULT', float(embed(state, model, jnp.ones((2, 3))).sum()))
"""
    done = rewritten({"library.py": library, "program.py": program})
    assert "class Net(nnx.Module)" in done.after["library.py"]
    assert "model.init(key" in done.after["library.py"]
    assert done.codes == ["PR103"]
    check(done, tmp_path)


ORDER = """
import jax
import jax.numpy as jnp
from flax import linen as nn


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(x)


model = Net()


def total(params, x):
    return model.apply(params, x).sum()


BETWEEN
x = jax.random.normal(jax.random.key(2), (2, 3))
first = model.init(jax.random.key(0), x)
second = model.init(jax.random.key(1), x)
mean = jax.tree.map(lambda p, q: (p + q) / 2, first, second)
print(total(mean, x))
"""


@pytest.mark.parametrize(
    ("between", "follows"),
    [
        ("", True),
        ("report = [total]", False),  # the function might be called there
        ("apply = jax.jit(model.apply)", False),
    ],
)
def test_the_graphdef_is_made_behind_the_sample_that_tells_its_sizes(
    between: str, follows: bool
) -> None:
    text = rewritten(ORDER.replace("BETWEEN", between)).after["program.py"]
    assert ("linen" not in text) is follows
    assert not follows or text.index("x = jax") < text.index("graphdef = ")


HANDED_ON = """
import functools
import jax
import jax.numpy as jnp
from flax import linen as nn


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        return nn.Dense(2)(nn.Dropout(0.5, deterministic=not train)(x))


net = Net()
x = jax.random.normal(jax.random.key(2), (2, 3))
variables = net.init(jax.random.key(0), x)
predict = functools.partial(net.apply, variables)
print('RESULT', float(CALL))
"""


@pytest.mark.parametrize(
    ("call", "follows"),
    [
        ("predict(x).sum()", True),
        ("(jax.vmap(predict)(x[None])[0] * predict(x)).sum()", True),
        ("predict(x, train=True, rngs={'dropout': jax.random.key(1)}).sum()", False),
        ("predict(x, mutable=['cache'])[0].sum()", False),
    ],
)
def test_apply_of_a_model_that_only_evaluates_is_handed_on(
    call: str, follows: bool, tmp_path: Path
) -> None:
    done = rewritten(HANDED_ON.replace("CALL", call))
    assert ("linen" not in done.after["program.py"]) is follows
    check(done, tmp_path)


MIXED = """
import jax
import jax.numpy as jnp
from flax import linen as nn


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool):
        return nn.BatchNorm(use_running_average=not train)(nn.Dense(2)(x))


x = jax.random.normal(jax.random.key(0), (4, 3))
model = Net()
variables = model.init(jax.random.key(1), x, False)
leaves, tree = jax.tree.flatten(variables['params'])
params = jax.tree.unflatten(tree, [0.5 * leaf for leaf in leaves])
stats = variables['batch_stats']
y = model.apply({'params': params, 'batch_stats': stats}, x, False)
print('RESULT', float(jnp.abs(y).sum()))
"""


def test_parameters_from_elsewhere_beside_known_state_are_not_the_models_own(
    tmp_path: Path,
) -> None:
    done = rewritten(MIXED)
    assert "nnx.merge(graphdef, params, stats)(x)" in done.after["program.py"]
    check(done, tmp_path)


TWO = """
import jax
import jax.numpy as jnp
from flax import linen as nn


class Actor(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool):
        return nn.Dense(2)(nn.Dropout(0.5, deterministic=not train)(x))


class Critic(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.Dropout(0.1, deterministic=not train)(nn.Dense(3)(x))
        return nn.Dense(1)(nn.Dropout(0.5, deterministic=not train)(x))


rng_state = 2.0
x = jax.random.normal(jax.random.key(0), (4, 3))
actor = Actor()
actor_params = actor.init(jax.random.key(1), x, False)
critic = Critic()
critic_params = critic.init(jax.random.key(2), x, False)
halved = jax.tree.map(lambda p: 0.5 * p, actor_params)


def loss(params):
    return critic.apply(params, x, True, rngs={'dropout': jax.random.key(3)}).mean()


grads = jax.grad(loss)(critic_params)
critic_params = jax.tree.map(lambda p, g: p - 0.1 * g, critic_params, grads)
print('RESULT', rng_state * float(jnp.abs(actor.apply(halved, x, False)).sum()))
print('RESULT', bool(jnp.isfinite(critic.apply(critic_params, x, False)).all()))
"""


def test_two_models_that_draw_have_a_state_each(tmp_path: Path) -> None:
    done = rewritten(TWO)
    text = done.after["program.py"]
    assert set(done.statuses.values()) == {"rewritten"}
    assert "actor_rng_state" in text and "critic_rng_state" in text
    check(done, tmp_path)


def test_the_state_of_a_model_does_not_take_a_name_of_the_programs(tmp_path: Path) -> None:
    start, end = TWO.index("class Critic"), TWO.index("rng_state")
    text = (TWO[:start] + TWO[end:]).replace("critic_params", "actor_params")
    text = text.replace("critic = Critic()\nactor_params = critic", "again = actor")
    done = rewritten(text.replace("critic", "actor"))
    assert "rng_state2" in done.after["program.py"]
    check(done, tmp_path)


ANNOTATED = """
import functools

import haiku as hk
import jax
import jax.numpy as jnp


def forward(x):
    return hk.Linear(3)(jax.nn.relu(hk.Linear(4)(x)))


def make_loss(model: hk.Transformed):
    def loss(params: hk.Params, x):
        return jnp.square(model.apply(params, None, x)).mean()

    return loss


@functools.partial(jax.jit, static_argnames='grad_fn')
def update(params: hk.Params, grad_fn, x):
    grad = grad_fn(params, x)
    return jax.tree_util.tree_map(lambda p, g: p - 0.1 * g, params, grad)


model = hk.transform(forward)
x = jnp.linspace(-1.0, 1.0, 10).reshape(2, 5)
params = model.init(jax.random.PRNGKey(0), x)
loss = make_loss(model)
params = update(params, jax.grad(loss), x)
print('RESULT', float(loss(params, x)))
"""


def test_the_annotation_of_a_parameter_goes_with_it(tmp_path: Path) -> None:
    done = rewritten(ANNOTATED)
    assert done.statuses == {"forward": "rewritten"}
    assert "def make_loss(graphdef):" in done.after["program.py"]
    check(done, tmp_path)
