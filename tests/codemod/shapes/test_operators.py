"""What arrays tell each other where they meet."""

from __future__ import annotations

from pathlib import Path

from nnx_codemod.tests.programs import check, rewritten

MASKED = """
import haiku as hk
import jax
import jax.numpy as jnp


class Scaled(hk.Module):
    def __call__(self, x, mask):
        return hk.Linear(x.shape[-1])(x) * mask


class Net(hk.Module):
    def __call__(self, x, mask):
        x = x + Scaled()(x, mask)
        return hk.Linear(4)(x)


x = jnp.cos(jnp.arange(12.0)).reshape(3, 4)
mask = jnp.array([1.0, 0.0, 1.0])[:, None]
model = hk.without_apply_rng(hk.transform(lambda x, mask: Net()(x, mask)))
params = model.init(jax.random.PRNGKey(0), x, mask)
print("RESULT", float(jnp.abs(model.apply(params, x, mask)).sum()))
"""


def test_a_mask_is_not_asked_for_the_size_of_what_it_masks(tmp_path: Path) -> None:
    check(rewritten(MASKED), tmp_path)
