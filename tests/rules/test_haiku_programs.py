"""Programs whose layers are run by other things than their own calls, rewritten whole: both print equal numbers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.engine import rewrite
from nnx_codemod.codemod.source import Source
from nnx_codemod.tests.shape_bits import equal_bits

HEAD = """
import haiku as hk
import jax
import jax.numpy as jnp


class Net(hk.Module):
    def __call__(self, x):
"""
TAIL = """

def forward(x):
    return Net()(x)


def main():
    keys = hk.PRNGSequence(0)
    x = jax.random.normal(jax.random.PRNGKey(1), {shape})
    model = hk.transform(forward)
    params = model.init(next(keys), x)
    return model.apply(params, None, x)
"""

SEQUENCE, SET = (4, 3, 5), (3, 5, 8)
BODIES = {
    "dynamic_unroll": (
        SEQUENCE,
        "core = hk.LSTM(6)\nreturn hk.dynamic_unroll(core, x, core.initial_state(x.shape[1]))",
    ),
    "all states": (
        SEQUENCE,
        (
            "core = hk.LSTM(6)\n"
            "out, states = hk.dynamic_unroll(core, x, core.initial_state(3), return_all_states=True)\n"
            "return out, hk.Linear(2)(states.cell)"
        ),
    ),
    "batch major": (
        SEQUENCE,
        (
            "core = hk.GRU(6)\n"
            "out, _ = hk.dynamic_unroll(core, x, core.initial_state(x.shape[0]), time_major=False, reverse=True)\n"
            "return hk.Linear(2)(out)"
        ),
    ),
    "static_unroll": (
        SEQUENCE,
        "core = hk.VanillaRNN(6)\nout, _ = hk.static_unroll(core, x, core.initial_state(3))\nreturn hk.Linear(2)(out)",
    ),
    "deep": (
        SEQUENCE,
        (
            "core = hk.DeepRNN([hk.LSTM(6), jax.nn.relu, hk.Linear(4), hk.GRU(3)])\n"
            "out, _ = hk.dynamic_unroll(core, x, core.initial_state(3))\n"
            "return hk.Linear(2)(out)"
        ),
    ),
    "skipping": (
        SEQUENCE,
        (
            "core = hk.deep_rnn_with_skip_connections([hk.LSTM(6), hk.GRU(3)])\n"
            "out, _ = hk.dynamic_unroll(core, x, core.initial_state(3))\n"
            "return hk.Linear(2)(out)"
        ),
    ),
    "reset": (
        SEQUENCE,
        (
            "core = hk.ResetCore(hk.GRU(3))\n"
            "out, _ = hk.dynamic_unroll(core, (x, x[..., 0] > 0), core.initial_state(3))\n"
            "return hk.Linear(2)(out)"
        ),
    ),
    "batch_apply": (SEQUENCE, "return hk.BatchApply(hk.nets.MLP([7, 2]))(x)"),
    "expand_apply": (SEQUENCE, "return hk.expand_apply(hk.Linear(2))(x)"),
    "attention": (
        SET,
        (
            "mask = jnp.tril(jnp.ones((1, 1, 5, 5)))\n"
            "x = hk.MultiHeadAttention(2, 3, w_init=hk.initializers.VarianceScaling(2.0), model_size=8)(x, x, x, mask)\n"
            "return hk.MultiHeadAttention(2, 4, w_init_scale=0.5)(query=x, key=x, value=x, mask=mask)"
        ),
    ),
    "bias and norm": (SET, "return hk.SpectralNorm()(hk.Bias(bias_dims=[-1], b_init=jnp.ones)(x))"),
    "cond": (
        SET,
        "linear = hk.Linear(8)\nx = linear(hk.Linear(8)(x))\nreturn hk.cond(x.sum() > 0, linear, lambda y: 2 * y, x)",
    ),
    "fori_loop": (
        SET,
        "linear = hk.Linear(8)\nx = linear(hk.Linear(8)(x))\nreturn hk.fori_loop(0, 3, lambda i, y: linear(y), x)",
    ),
}


def program(shape: tuple[int, ...], body: str) -> str:
    indented = "".join(f"        {line}\n" for line in body.split("\n"))
    text = HEAD + indented + TAIL.format(shape=shape)
    return (
        text.replace("hk.transform", "hk.transform_with_state") if "SpectralNorm" in body else text
    )


def with_state(text: str) -> str:
    """The program of a model that has state."""
    return text.replace("params = model.init", "params, state = model.init").replace(
        "return model.apply(params, None, x)",
        "out, state = model.apply(params, state, None, x)\n    return out",
    )


def result(text: str) -> Any:
    names: dict[str, Any] = {"__name__": "program"}
    exec(compile(text, "program.py", "exec"), names)
    return names["main"]()


@pytest.mark.parametrize("name", BODIES)
def test_both_print_equal_numbers(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = program(*BODIES[name])
    text = with_state(text) if "transform_with_state" in text else text
    path = tmp_path / "program.py"
    path.write_text(text)
    outcomes = rewrite([Source(path)], Options())
    found = {Path(o.report.path).name: o for o in outcomes}
    assert found["program.py"].report.diagnostics == []
    new = found["program.py"].new_text
    assert new is not None
    assert "hk." not in new
    for outcome in outcomes:
        Path(outcome.report.path).write_text(outcome.new_text or "")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "nnx_layers", raising=False)
    with equal_bits():
        before, after = result(text), result(new)
    monkeypatch.delitem(sys.modules, "nnx_layers", raising=False)
    for mine, theirs in zip(jax.tree.leaves(after), jax.tree.leaves(before), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
