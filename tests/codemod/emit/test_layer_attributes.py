"""What classes ask of their layers: attributes that NNX calls otherwise, or does not keep, and whether one is of a class."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

PROGRAM = """
import haiku as hk
import jax


class Doubled(hk.Linear):
  def __call__(self, x):
    return 2 * super().__call__(x)


class Net(hk.Module):
  def __init__(self, width, name=None):
    super().__init__(name=name)
    self.layers = [Doubled(width), jax.nn.relu, hk.Linear(width)]
    self.norm = hk.LayerNorm(-1, True, True)
    self.head = hk.Linear(3)
    self.table = hk.Embed(7, 3)

  def __call__(self, x):
    for layer in self.layers:
      x = layer(x)
    return self.head(self.norm(x)) + self.table(jax.numpy.array([0]))

  def told(self):
    return TOLD
"""


@pytest.mark.parametrize(
    ("told", "after"),
    [
        ("self.head.output_size", "self.head.out_features"),
        ("self.head.input_size + 1", "self.head.in_features + 1"),
        ("self.table.vocab_size", "self.table.num_embeddings"),
        ("self.table.embed_dim", "self.table.features"),
        ("self.table.lookup_style", None),
        ("self.head.with_bias", None),
        ("self.norm.eps", None),
        ("sum(isinstance(layer, hk.Linear) for layer in self.layers)", None),
        ("sum(isinstance(layer, (int, hk.Linear)) for layer in self.layers)", None),
        ("sum(isinstance(layer, Doubled) for layer in self.layers)", "isinstance(layer, Doubled)"),
    ],
)
def test_what_is_asked_of_a_layer(told: str, after: str | None) -> None:
    done = rewritten(PROGRAM.replace("TOLD", told))
    assert (done.statuses["Net"] == "rewritten") is (after is not None)
    if after is not None:
        assert after in done.after["program.py"]


HEIRS = PROGRAM.replace("hk.Linear(width)]", "LAST]")


@pytest.mark.parametrize(
    ("last", "asked", "after"),
    [
        ("Doubled(width)", "hk.Linear", "isinstance(layer, Doubled)"),
        ("jax.nn.tanh", "hk.Linear", "isinstance(layer, Doubled)"),
        ("hk.Linear(width)", "hk.Linear", None),
        ("last", "hk.Linear", None),
        ("jax.nn.tanh", "hk.Conv2D", None),
    ],
)
def test_heirs_are_asked_for_by_their_own_class(last: str, asked: str, after: str | None) -> None:
    told = f"[isinstance(layer, {asked}) for layer in self.layers]"
    program = HEIRS.replace("TOLD", told).replace("LAST", last)
    done = rewritten(program.replace("width, name", "width, last=None, name"))
    assert (done.statuses["Net"] == "rewritten") is (after is not None)
    if after is not None:
        assert after in done.after["program.py"]
