"""Functions that choose initialisers for rewritten classes and for code that stays."""

from __future__ import annotations

from nnx_codemod.tests.programs import rewritten

SHARED = """
import haiku as hk
import jax.numpy as jnp


def init():
    return RETURNED


class Scores(hk.Module):
    def __call__(self, x):
        return x @ hk.get_parameter('w', (x.shape[-1], 3), init=init())


def stays(x):
    with hk.custom_creator(None):
LOCAL
        return hk.Linear(4, w_init=init())(x)


net = hk.transform(stays)
"""


LOCAL = "        init = lambda: hk.initializers.Constant(1.0)\n"


def shared(returned: str, local: str = "") -> str:
    text = SHARED.replace("RETURNED", returned).replace("LOCAL\n", local)
    return rewritten(text).after["program.py"]


def test_code_that_stays_reads_the_old_function_by_another_name() -> None:
    text = shared("hk.initializers.RandomNormal(0.1)")
    assert "def init():\n    return nnx.initializers.normal(0.1)" in text
    assert "def haiku_init():\n    return hk.initializers.RandomNormal(0.1)" in text
    assert "w_init=haiku_init())" in text
    assert "init()(rngs.params(), (in_features, 3))" in text


def test_a_local_of_the_same_name_is_not_the_function() -> None:
    text = shared("hk.initializers.RandomNormal(0.1)", LOCAL)
    assert "haiku_init" not in text
    assert "class Scores(nnx.Module)" in text


def test_a_function_that_does_more_keeps_its_users() -> None:
    text = shared("hk.initializers.RandomNormal(hk.running_init() + 0.1)")
    assert "class Scores(hk.Module)" in text


def test_a_function_with_a_call_that_no_rule_writes_keeps_its_users() -> None:
    done = rewritten(
        """
import functools

import haiku as hk
import jax.numpy as jnp


@functools.wraps(hk.vmap)
def mapped(*args, **kwargs):
    return hk.vmap(*args, **kwargs)


class Net(hk.Module):
    def __call__(self, x):
        return mapped(hk.Linear(3), split_rng=False)(x)


class Scaled(hk.Module):
    def __call__(self, x):
        scale = hk.get_parameter('scale', (x.shape[-1],), init=jnp.ones)
        return mapped(lambda row: row * scale, split_rng=False)(x)
"""
    )
    assert "nnx" not in done.after["program.py"]


IN_CHUNKS = """
import haiku as hk
import jax.numpy as jnp


def in_chunks(f, x):
    return hk.scan(lambda carry, chunk: (carry, f(chunk)), 0, x)[1]


class Scores(hk.Module):
    def __call__(self, x):
        linear = hk.Linear(3)
        return in_chunks(lambda chunk: CALLED, x)


def stays(x):
    with hk.custom_creator(None):
        return in_chunks(hk.Linear(4), x)


net = hk.transform(stays)
other = hk.transform(lambda x: Scores()(x))
"""


def test_a_function_that_calls_what_it_is_given_has_a_second_name() -> None:
    text = rewritten(IN_CHUNKS.replace("CALLED", "linear(chunk)")).after["program.py"]
    assert "class Scores(nnx.Module)" in text
    assert "    return jax.lax.scan(lambda carry" in text
    assert "def haiku_in_chunks(f, x):\n    return hk.scan(" in text
    assert "haiku_in_chunks(hk.Linear(4), x)" in text


def test_what_is_called_in_a_loop_of_a_function_may_not_draw_keys() -> None:
    drawn = "hk.dropout(hk.next_rng_key(), 0.5, linear(chunk))"
    text = rewritten(IN_CHUNKS.replace("CALLED", drawn)).after["program.py"]
    assert "class Scores(hk.Module)" in text
