"""Loops over a list of arrays that another loop has filled."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    widths: tuple[int, ...]

    @nn.compact
    def __call__(self, x):
        skips = []
        for f in self.widths:
            x = nn.Dense(f)(x)
            skips.append(x)
        LOOP
            x = nn.Dense(WIDTH)(jnp.concatenate([x, s], axis=-1))
        return nn.Dense(2)(x)


x = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
model = Net((4, 7, 5))
params = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


@pytest.mark.parametrize(
    ("loop", "header"),
    [
        ("for s in skips:", "for s_features in skips_features:"),
        ("for s in reversed(skips):", "for s_features in reversed(skips_features):"),
        (
            "for w, s in zip(self.widths[::-1], skips[::-1]):",
            "for w, s_features in zip(widths[::-1], skips_features[::-1]):",
        ),
        (
            "for w, s in reversed(list(zip(self.widths[:-1], skips, strict=False))):",
            "for w, s_features in reversed(list(zip(widths[:-1], skips_features, strict=False))):",
        ),
        (
            "for i, (w, s) in enumerate(zip(self.widths, skips), 1):",
            "for i, (w, s_features) in enumerate(zip(widths, skips_features), 1):",
        ),
    ],
)
def test_each_turn_has_the_size_of_its_array(loop: str, header: str, tmp_path: Path) -> None:
    width = "w + i" if "i, " in loop else "w + 1" if "w, " in loop else "s.shape[-1] + 1"
    done = rewritten(PROGRAM.replace("LOOP", loop).replace("WIDTH", width))
    assert done.statuses == {"Net": "rewritten"}
    assert header in done.after["program.py"]
    check(done, tmp_path)


def test_arrays_of_one_size(tmp_path: Path) -> None:
    text = PROGRAM.replace("nn.Dense(f)(x)", "nn.Dense(6, use_bias=f > 4)(x)")
    done = rewritten(text.replace("LOOP", "for s in reversed(skips):").replace("WIDTH", "6"))
    assert done.statuses == {"Net": "rewritten"}
    check(done, tmp_path)


@pytest.mark.parametrize("skips", ["skips + [x]", "map(nn.relu, skips)"])
def test_other_ways_through_a_list_stay(skips: str) -> None:
    loop = f"for s in {skips}:"
    done = rewritten(PROGRAM.replace("LOOP", loop).replace("WIDTH", "s.shape[-1]"))
    assert done.statuses == {"Net": "kept"}
