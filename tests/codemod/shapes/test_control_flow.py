"""What comes out of JAX's control flow, and of `jax.vmap`, has the sizes of what the functions in it return."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Inner(nn.Module):
    def setup(self):
        self.dense = nn.Dense(6)

    def __call__(self, x, y, train=False):
        return self.dense(x) + (1 if train else 2), y


class Net(nn.Module):
    def setup(self):
        self.first = nn.Dense(7)
        self.inner = Inner()
        self.last = nn.Dense(3)

    def __call__(self, x):
        z = self.first(x).sum() + self.inner(x, x)[0].sum()
        y = BODY
        return self.last(y) + z


x = jax.random.normal(jax.random.key(1), (2, 4, 5))
model = Net()
variables = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.square(model.apply(variables, x)).sum()))
"""
FOLLOWED = [
    "jax.vmap(self.first)(x)",
    "jax.vmap(lambda each: self.first(each))(x)",
    "jax.vmap(lambda each: each.T, in_axes=1, out_axes=2)(x)",
    "jax.vmap(lambda a, b: a @ b, in_axes=(0, None))(x, x[0].T)",
    "jax.vmap(lambda a, b: a @ b, in_axes=(0, -3))(x, x.transpose(0, 2, 1))",
    "jax.vmap(lambda pair: pair[0] + pair[1], in_axes=((0, None),))((x, x[0]))",
    "jax.vmap(lambda a: (a, a.T), out_axes=(1, 2))(x)[1]",
    "jax.vmap(jnp.diag)(x[:, 0])",
    "jax.vmap(jnp.dot, (None, 0), 1)(x[0], x.transpose(0, 2, 1))",
    "jax.vmap(self.inner)(x, x)[0]",
    "jax.lax.scan(lambda c, each: (c + each.mean(), each.T), 0.0, x)[1]",
    "jax.lax.scan(lambda c, each: (c * each, None), x[0], x)[0]",
    "jax.lax.map(lambda each: jnp.concatenate([each, each], -1), x)",
    "jax.lax.associative_scan(jnp.add, x, axis=1)",
    "jax.lax.fori_loop(0, 3, lambda i, y: y * i, x)",
    "jax.lax.while_loop(lambda y: y.sum() > 9, lambda y: y / 2, x)",
    "jax.lax.cond(x.sum() > 0, lambda y: y.T, lambda y: y.T * 2, x)",
]
# A flag that goes would leave an axis too many behind: what is mapped over is as unknown as it was.
UNKNOWN = ["jax.vmap(self.inner, in_axes=(0, 0, None))(x, x, False)[0]"]


@pytest.mark.parametrize("body", FOLLOWED)
def test_the_sizes_are_those_of_one_turn(body: str, tmp_path) -> None:
    done = rewritten(PROGRAM.replace("BODY", body))
    assert done.statuses == {"Inner": "rewritten", "Net": "rewritten"}
    check(done, tmp_path)


@pytest.mark.parametrize("body", UNKNOWN)
def test_what_is_not_told_is_not_rewritten(body: str, tmp_path) -> None:
    done = rewritten(PROGRAM.replace("BODY", body))
    assert done.statuses["Net"] != "rewritten"
    check(done, tmp_path)


DRAWING = [
    "jax.vmap(self.inner)(x, x)[0]",
    "jax.vmap(lambda each: self.inner(each, each)[0])(x)",
    "jax.lax.map(lambda each: self.drop(each), x)",
    "jax.lax.scan(lambda c, each: (c, self.drop(each)), 0.0, x)[1]",
]


@pytest.mark.parametrize("body", DRAWING)
def test_what_draws_or_changes_there_keeps_the_class(body: str) -> None:
    program = PROGRAM.replace("BODY", body).replace(
        "        self.dense =", "        self.drop = nn.Dropout(0.5)\n        self.dense ="
    )
    program = program.replace("return self.dense(x)", "return self.drop(self.dense(x))")
    program = program.replace(
        "        self.last =", "        self.drop = nn.Dropout(0.5)\n        self.last ="
    ).replace("nn.Dropout(0.5)", "nn.Dropout(0.5, deterministic=False)")
    done = rewritten(program)
    assert done.statuses["Net"] != "rewritten"
    decorated = program.replace(f"y = {body}", "y = each(x)").replace(
        "        z =",
        "        @jax.vmap\n        def each(x):\n            return self.drop(x)\n\n        z =",
    )
    assert rewritten(decorated).statuses["Net"] != "rewritten"
