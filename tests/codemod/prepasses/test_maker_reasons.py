"""Functions that make layers and stay: the diagnostics of what they name say why."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod import engine
from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.source import Source

PROGRAM = """
import functools

import haiku as hk
import jax
import jax.numpy as jnp
import other


FUNCTION


def forward(x):
    BODY


x = jnp.ones((2, 4))
net = hk.transform(forward)
params = net.init(jax.random.PRNGKey(0), x)
"""

PLAIN = "def layer(x, width=3):\n    return hk.Linear(width)(x)"


@pytest.mark.parametrize(
    ("function", "body", "why"),
    [
        (
            PLAIN,
            "return other.apply(layer, x)",
            "`layer` is given to `other.apply`, which may call it more than once",
        ),
        (
            f"@other.wrapped\n{PLAIN}",
            "return layer(x)",
            "`layer` is decorated with `other.wrapped`",
        ),
        (
            "def layer(x, *widths):\n    return hk.Linear(*widths)(x)",
            "return layer(x, 3)",
            "`layer` takes any arguments",
        ),
        (PLAIN, "return layer(*[x])", "`layer` is called with arguments that are unpacked"),
        (
            PLAIN,
            "return [f(x) for f in [layer]][0]",
            "`layer` is put away to be called later",
        ),
        (
            "def layer(width):\n    return hk.LSTM(width)",
            "core = layer(3)\n    return core(x, core.initial_state(2))[0]",
            "`layer` hands back what it makes",
        ),
        (
            "calls = 0\n\n\ndef layer(x):\n    global calls\n    calls += 1\n    return hk.Linear(3)(x)",
            "return layer(x)",
            "`layer` is no plain function of its arguments",
        ),
    ],
)
def test_why_a_layer_stays(function: str, body: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(PROGRAM.replace("FUNCTION", function).replace("BODY", body))
    (outcome, *_) = engine.rewrite([Source(path)], Options())
    told = [d.message for d in outcome.report.diagnostics if d.code == "NX110"]
    assert any(message.endswith(f"stays: {why}") for message in told), told


def test_a_transform_stays_for_what_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(
        PROGRAM.replace("FUNCTION", PLAIN).replace("BODY", "return other.apply(layer, x)")
    )
    (outcome, *_) = engine.rewrite([Source(path)], Options())
    told = [d.message for d in outcome.report.diagnostics]
    assert any(m.startswith("`hk.transform` stays: `Net` makes layers") for m in told), told
