"""The helpers for Haiku's cores and functions, against Haiku's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nnx_codemod.helpers import haiku as helpers
from nnx_codemod.helpers.haiku_cores import (
    DeepRNN,
    IdentityCore,
    ResetCore,
    VanillaRNN,
    deep_rnn_with_skip_connections,
    static_unroll,
)
from nnx_codemod.helpers.haiku_functions import PRNGSequence, batch_apply, expand_apply

TIME, BATCH, INPUTS, HIDDEN = 4, 3, 5, 2


def array(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.RandomState(seed).normal(size=shape), jnp.float32)


def close(mine: Any, theirs: Any) -> None:
    assert len(jax.tree.leaves(mine)) == len(jax.tree.leaves(theirs))
    for a, b in zip(jax.tree.leaves(mine), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def in_haiku(function: Callable[..., Any], *args: Any) -> tuple[Any, dict[str, Any]]:
    """The result of a function of Haiku's and its parameters by path."""
    model = hk.without_apply_rng(hk.transform(function))
    params = model.init(jax.random.key(0), *args)
    flat = {f"{path}/{name}": v for path, leaves in params.items() for name, v in leaves.items()}
    return model.apply(params, *args), flat


def rnn(params: dict[str, Any], first: str, second: str, inputs: int) -> VanillaRNN:
    """A VanillaRNN with the parameters of Haiku's, whose two layers have these names."""
    core = VanillaRNN(inputs, HIDDEN, rngs=nnx.Rngs(0))
    for layer, path in ((core.input_to_hidden, first), (core.hidden_to_hidden, second)):
        layer.kernel[...] = params[f"{path}/w"]
        layer.bias[...] = params[f"{path}/b"]
    return core


def one_rnn(params: dict[str, Any]) -> VanillaRNN:
    return rnn(params, "vanilla_rnn/linear", "vanilla_rnn/linear_1", INPUTS)


# ---- unrolls ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("time_major", [True, False])
@pytest.mark.parametrize("reverse", [True, False])
@pytest.mark.parametrize("every", [True, False])
def test_dynamic_unroll(time_major: bool, reverse: bool, every: bool) -> None:
    xs = array(TIME, BATCH, INPUTS) if time_major else array(BATCH, TIME, INPUTS)
    options = {"time_major": time_major, "reverse": reverse, "return_all_states": every}

    def unrolled(xs: jax.Array) -> Any:
        core = hk.VanillaRNN(HIDDEN)
        return hk.dynamic_unroll(core, xs, core.initial_state(BATCH), **options)

    theirs, params = in_haiku(unrolled, xs)
    core = one_rnn(params)
    close(helpers.dynamic_unroll(core, xs, core.initial_state(BATCH), **options), theirs)


@pytest.mark.parametrize("time_major", [True, False])
def test_static_unroll(time_major: bool) -> None:
    xs = array(TIME, BATCH, INPUTS) if time_major else array(BATCH, TIME, INPUTS)

    def unrolled(xs: jax.Array) -> Any:
        core = hk.VanillaRNN(HIDDEN)
        return hk.static_unroll(core, xs, core.initial_state(BATCH), time_major)

    theirs, params = in_haiku(unrolled, xs)
    core = one_rnn(params)
    close(static_unroll(core, xs, core.initial_state(BATCH), time_major), theirs)


def test_a_function_is_unrolled_as_a_core_is() -> None:
    core = VanillaRNN(INPUTS, HIDDEN, rngs=nnx.Rngs(0))
    xs, state = array(TIME, BATCH, INPUTS), core.initial_state(BATCH)
    close(
        helpers.dynamic_unroll(lambda x, s: core(x, s), xs, state),
        helpers.dynamic_unroll(core, xs, state),
    )


def test_what_a_core_draws_while_unrolled_is_kept() -> None:
    class Noisy(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.dropout = nnx.Dropout(0.5, rngs=rngs)

        def __call__(self, inputs: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array]:
            return self.dropout(inputs), state

    outputs, _ = helpers.dynamic_unroll(Noisy(nnx.Rngs(0)), jnp.ones((TIME, 50)), jnp.zeros(()))
    assert not np.array_equal(outputs[0], outputs[1])


def test_averages_go_from_step_to_step() -> None:
    xs = array(TIME, BATCH, INPUTS)

    class Normed(hk.RNNCore):
        def __call__(self, inputs: Any, state: Any) -> Any:
            norm = hk.BatchNorm(True, True, 0.9, name="norm")
            return norm(inputs, is_training=True), state

        def initial_state(self, batch_size: int | None) -> Any:
            return jnp.zeros(())

    class Core(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.norm = helpers.BatchNorm(INPUTS, momentum=0.9, rngs=rngs)

        def __call__(self, inputs: jax.Array, state: Any) -> Any:
            return self.norm(inputs), state

    def unrolled(xs: jax.Array) -> Any:
        return hk.dynamic_unroll(Normed(), xs, jnp.zeros(()))

    model = hk.transform_with_state(unrolled)
    params, state = model.init(None, xs)
    theirs, state = model.apply(params, state, None, xs)
    core = Core(nnx.Rngs(0))
    close(helpers.dynamic_unroll(core, xs, jnp.zeros(())), theirs)
    averages = state["normed/norm/~/mean_ema"]
    assert int(core.norm.mean_ema.counter[...]) == TIME == int(averages["counter"])
    close(core.norm.mean_ema.average[...], averages["average"][0])


def test_evaluation_before_any_update() -> None:
    """Haiku's averages start as those of the batch that initialised them; carried ones count from then on."""
    x = array(BATCH, INPUTS)

    def forward(x: jax.Array, training: bool) -> jax.Array:
        return hk.BatchNorm(True, True, 0.9)(x, training)

    model = hk.without_apply_rng(hk.transform_with_state(forward))
    params, state = model.init(None, x, True)
    norm = helpers.BatchNorm(INPUTS, momentum=0.9, rngs=nnx.Rngs(0))
    close(norm(x, use_running_average=True), model.apply(params, state, x, False)[0])
    mine = jax.grad(lambda x: jnp.sin(norm(x, use_running_average=True)).sum())(x)
    theirs = jax.grad(lambda x: jnp.sin(model.apply(params, state, x, False)[0]).sum())(x)
    close(mine, theirs)
    for moment in ("mean", "var"):
        average = getattr(norm, f"{moment}_ema").average
        average[...] = state[f"batch_norm/~/{moment}_ema"]["average"][0]
    close(norm(2 * x, use_running_average=True), model.apply(params, state, 2 * x, False)[0])


def test_gradients_of_an_unroll() -> None:
    xs = array(TIME, BATCH, INPUTS)

    def loss(xs: jax.Array) -> jax.Array:
        core = hk.VanillaRNN(HIDDEN)
        return hk.dynamic_unroll(core, xs, core.initial_state(BATCH))[0].sum()

    model = hk.without_apply_rng(hk.transform(loss))
    params = model.init(jax.random.key(0), xs)
    theirs = jax.grad(model.apply)(params, xs)
    flat = {f"{path}/{name}": v for path, leaves in params.items() for name, v in leaves.items()}
    core = one_rnn(flat)

    def mine(core: VanillaRNN) -> jax.Array:
        return helpers.dynamic_unroll(core, xs, core.initial_state(BATCH))[0].sum()

    found = nnx.grad(mine)(core)
    close(found.input_to_hidden.kernel[...], theirs["vanilla_rnn/linear"]["w"])
    close(found.hidden_to_hidden.kernel[...], theirs["vanilla_rnn/linear_1"]["w"])


# ---- cores of cores ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skip", [False, True])
def test_deep_cores(skip: bool) -> None:
    xs = array(TIME, BATCH, INPUTS)

    def unrolled(xs: jax.Array) -> Any:
        make = hk.deep_rnn_with_skip_connections if skip else hk.DeepRNN
        between = [] if skip else [jax.nn.relu]
        core = make([hk.VanillaRNN(HIDDEN), *between, hk.VanillaRNN(HIDDEN)])
        return hk.dynamic_unroll(core, xs, core.initial_state(BATCH))

    theirs, params = in_haiku(unrolled, xs)
    inputs = HIDDEN + INPUTS if skip else HIDDEN
    first = one_rnn(params)
    second = rnn(params, "vanilla_rnn_1/linear", "vanilla_rnn_1/linear_1", inputs)
    between = [] if skip else [jax.nn.relu]
    core = (deep_rnn_with_skip_connections if skip else DeepRNN)([first, *between, second])
    close(helpers.dynamic_unroll(core, xs, core.initial_state(BATCH)), theirs)


def resets(kind: str) -> Any:
    draws = np.random.RandomState(1).uniform(size=(TIME, BATCH)) < 0.4
    if kind == "unbatched":
        return jnp.asarray(draws[:, 0])
    if kind == "tree":
        return hk.LSTMState(jnp.asarray(draws), jnp.asarray(~draws))
    return jnp.asarray(draws)


@pytest.mark.parametrize("kind", ["array", "tree", "unbatched"])
def test_reset_core(kind: str) -> None:
    batch = None if kind == "unbatched" else BATCH
    xs = array(TIME, INPUTS) if batch is None else array(TIME, BATCH, INPUTS)
    should_reset = resets(kind)

    def unrolled(xs: jax.Array) -> Any:
        core = hk.ResetCore(hk.LSTM(HIDDEN))
        return hk.dynamic_unroll(core, (xs, should_reset), core.initial_state(batch))

    theirs, params = in_haiku(unrolled, xs)
    lstm = helpers.LSTM(INPUTS, HIDDEN, rngs=nnx.Rngs(0))
    lstm.linear.kernel[...] = params["lstm/linear/w"]
    lstm.linear.bias[...] = params["lstm/linear/b"]
    core = ResetCore(lstm)
    if kind == "tree":
        should_reset = helpers.LSTMState(*should_reset)
    close(helpers.dynamic_unroll(core, (xs, should_reset), core.initial_state(batch)), theirs)


def test_reset_core_refuses_flags_of_another_shape() -> None:
    core = ResetCore(VanillaRNN(INPUTS, HIDDEN, rngs=nnx.Rngs(0)))
    with pytest.raises(ValueError, match="cannot reset"):
        core((array(BATCH, INPUTS), jnp.zeros(BATCH + 1, bool)), core.initial_state(BATCH))


def test_identity_core() -> None:
    core = IdentityCore()
    assert core.initial_state(3) == ()
    assert core(1, ()) == (1, ())


# ---- functions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_dims", [2, 3])
def test_batch_apply(num_dims: int) -> None:
    x, scale = array(2, 3, 4, 5), jnp.asarray(2.0)

    def f(x: jax.Array, scale: jax.Array) -> dict[str, jax.Array]:
        return {
            "sum": x.sum(axis=1) * scale,
            "all": x + jnp.arange(x.shape[0]).reshape(-1, *[1] * (x.ndim - 1)),
        }

    close(batch_apply(f, num_dims)(x, scale=scale), hk.BatchApply(f, num_dims)(x, scale=scale))


@pytest.mark.parametrize("axis", [0, -1])
def test_expand_apply(axis: int) -> None:
    x = array(3, 4)

    def f(x: jax.Array) -> jax.Array:
        assert x.ndim == 3
        return jnp.cumsum(x, axis=1)

    close(expand_apply(f, axis)(x), hk.expand_apply(f, axis)(x))


@pytest.mark.parametrize("seed", [7, jax.random.PRNGKey(3)], ids=["seed", "key"])
def test_key_sequence(seed: Any) -> None:
    mine, theirs = PRNGSequence(seed), hk.PRNGSequence(seed)
    for _ in range(3):
        np.testing.assert_array_equal(next(mine), next(theirs))
    np.testing.assert_array_equal(mine.take(2), theirs.take(2))
    np.testing.assert_array_equal(next(iter(mine)), next(theirs))


@pytest.mark.parametrize("rate", [0.0, 0.3])
@pytest.mark.parametrize("broadcast_dims", [(), (0,), (0, 1)])
def test_dropout_with_a_rate_of_its_own(rate, broadcast_dims):
    key, x = jax.random.key(3), array(TIME, BATCH)
    theirs = hk.dropout(key, rate, x, broadcast_dims)
    close(helpers.haiku_dropout(key, rate, x, broadcast_dims), theirs)
    close(jax.jit(helpers.haiku_dropout, static_argnums=3)(key, rate, x, broadcast_dims), theirs)


@pytest.mark.parametrize(
    "padding",
    ["SAME", (1, 0), [(0, 2)], ((0, 1), (2, 0)), hk.pad.causal, [hk.pad.full, hk.pad.same]],
)
def test_padding_is_what_haiku_makes_of_it(padding):
    x = array(2, 6, 5, 3)
    theirs = hk.transform(lambda x: hk.Conv2D(2, (3, 2), padding=padding, w_init=jnp.ones)(x))
    mine = nnx.Conv(
        3,
        2,
        (3, 2),
        padding=helpers.haiku_padding(padding, (3, 2)),
        kernel_init=nnx.initializers.ones,
        rngs=nnx.Rngs(0),
    )
    params = theirs.init(jax.random.key(0), x)
    close(mine(x), theirs.apply(params, None, x))
