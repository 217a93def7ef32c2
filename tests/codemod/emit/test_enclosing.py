"""Functions under hk.remat and hk.vmap: those that do more than read parameters keep their class."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

PROGRAM = """
import haiku as hk
import jax


class Net(hk.Module):
    def draw(self, x):
        return hk.dropout(hk.next_rng_key(), 0.5, x)

    def __call__(self, x, is_training):
        linear, norm = hk.Linear(4), hk.BatchNorm(True, True, 0.9)
        return norm(BODY, is_training)
"""


@pytest.mark.parametrize(
    ("body", "follows"),
    [
        ("hk.remat(linear)(x)", True),
        ("hk.vmap(lambda x: linear(x), split_rng=False)(x)", True),
        ("hk.remat(self.draw)(linear(x))", False),
        ("hk.vmap(lambda x: self.draw(linear(x)), split_rng=True)(x)", False),
        ("hk.remat(lambda x: norm(x, is_training))(linear(x))", False),
        ("hk.remat(len(x))(linear(x))", False),
        ("hk.cond(x.sum() > 0, linear, linear, x)", True),
        ("hk.cond(x.sum() > 0, self.draw, lambda x: x, linear(x))", False),
        ("hk.fori_loop(0, 3, lambda _, y: norm(y, is_training), linear(x))", False),
        ("hk.scan(lambda c, y: (c + linear(y), y), linear(x[0]), x)[1]", True),
        ("hk.scan(lambda c, y: (self.draw(c), y), linear(x[0]), x)[1]", False),
    ],
)
def test_only_what_reads_parameters_follows(body: str, follows: bool) -> None:
    done = rewritten(PROGRAM.replace("BODY", body))
    assert ("class Net(nnx.Module)" in done.after["program.py"]) is follows
