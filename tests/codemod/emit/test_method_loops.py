"""Loops whose turns make layers: the method goes through the lists that the constructor fills."""

from __future__ import annotations

from pathlib import Path

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Encoder(nn.Module):
    depth: int

    @nn.compact
    def __call__(self, inputs):
        for _ in range(self.depth):
            projected = nn.Dense(8, name=f'projection_{_}')(inputs)
            normalised = nn.LayerNorm(name=f'normalisation_{_}')(projected)
            widened = nn.Dense(16, name=f'expansion_{_}')(normalised)
            inputs = nn.Dense(8, name=f'contraction_{_}')(nn.relu(widened))
        return inputs


x = jax.random.normal(jax.random.key(0), (4, 3))
model = Encoder(2)
params = model.init(jax.random.key(1), x)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""


def test_a_header_that_is_too_long_goes_over_lines(tmp_path: Path) -> None:
    done = rewritten(PROGRAM)
    assert done.statuses == {"Encoder": "rewritten"}
    lines = done.after["program.py"].splitlines()
    assert any(line.endswith(" in zip(") for line in lines)
    assert max(map(len, lines)) <= 100
    check(done, tmp_path)


def test_an_iterator_does_not_take_the_name_of_a_local(tmp_path: Path) -> None:
    made = """            if self.depth > 1:
                layers = nn.Dense(8)
            else:
                layers = None
            if layers is not None:
                inputs = layers(inputs)
"""
    head, rest = PROGRAM.split("            projected", 1)
    done = rewritten(head + made + "        return" + rest.split("        return", 1)[1])
    assert done.statuses == {"Encoder": "rewritten"}
    assert "layers = next(layers_)" in done.after["program.py"]
    check(done, tmp_path)
