"""The norms of Haiku."""

from __future__ import annotations

from pathlib import Path

from nnx_codemod.tests.programs import check, rewritten

UNPACKED = """
import haiku as hk
import jax
import jax.numpy as jnp


class Block(hk.Module):

  def __init__(self, channels, name=None):
    super().__init__(name=name)
    self._norm = hk.BatchNorm(True, True, 0.9, name='norm')
    self._conv = hk.Conv2D(channels, 3, name='conv')

  def __call__(self, inputs, **norm_kwargs):
    x = self._norm(inputs, **norm_kwargs)
    return inputs + self._conv(jax.nn.relu(x))


class Net(hk.Module):

  def __init__(self, channels, classes, depth=2, name=None):
    super().__init__(name=name)
    self._first = hk.Conv2D(channels, 3, name='first')
    self._blocks = [Block(channels, name='block_{}'.format(i)) for i in range(depth)]
    self._norm = hk.BatchNorm(True, True, 0.9, name='norm')
    self._last = hk.Linear(classes, name='last')

  def __call__(self, inputs, **norm_kwargs):
    x = self._first(inputs)
    for block in self._blocks:
      x = block(x, **norm_kwargs)
    x = self._norm(x, **norm_kwargs)
    return self._last(jnp.mean(x, axis=(1, 2)))


def main():
  net = hk.transform_with_state(lambda x, **modes: Net(4, 3)(x, **modes))
  x = jax.random.normal(jax.random.PRNGKey(1), (2, 5, 5, 3))
  params, state = net.init(jax.random.PRNGKey(0), x, is_training=True)
  for _ in range(2):
    y, state = net.apply(params, state, None, x, is_training=True)
    print('RESULT', float(jnp.abs(y).sum()))
  y, _ = net.apply(params, state, None, 2 * x + 1, is_training=False, test_local_stats=True)
  print('RESULT', float(jnp.abs(y).sum()))
  y, _ = net.apply(params, state, None, 2 * x + 1, is_training=False)
  print('RESULT', float(jnp.abs(y).sum()))


if __name__ == '__main__':
  main()
"""


def test_modes_that_calls_unpack_get_their_names_in_a_run(tmp_path: Path) -> None:
    done = rewritten(UNPACKED)
    assert done.statuses == {"Block": "rewritten", "Net": "rewritten"}
    assert "self._norm(x, **norm_modes(norm_kwargs))" in done.after["program.py"]
    check(done, tmp_path)
