"""Functions that make layers and stay are in the report, with a reason."""

from __future__ import annotations

from pathlib import Path

from nnx_codemod.codemod import engine
from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.report import FileReport
from nnx_codemod.codemod.source import Source

FACTORIES = """
import haiku as hk
import jax


def make_tower(core, widths):
    def tower(x):
        for width in widths:
            x = core(width)(x)
        return hk.Linear(3)(x)

    return tower


def head(x):
    return hk.Linear(2)(x)


def make_head(scale):
    def scaled(x):
        return scale * head(x)

    return scaled


class Agent:
    def __init__(self):
        def net(x):
            return head(x)

        self.net = net


def program(x):
    net = hk.transform(lambda x: hk.Linear(4)(x))
    return net.apply(net.init(jax.random.PRNGKey(0), x), None, x)
"""


def report(tmp_path: Path, text: str) -> FileReport:
    path = tmp_path / "program.py"
    path.write_text(text)
    return engine.rewrite([Source(path)], Options())[0].report


def test_functions_that_stay_have_an_outcome_and_a_reason(tmp_path: Path) -> None:
    found = report(tmp_path, FACTORIES)
    kept = {c.name for c in found.classes if c.source == "haiku-function" and c.status == "kept"}
    assert kept == {"make_tower", "head", "make_head", "Agent.__init__"}
    reasons = {d.line for d in found.diagnostics}
    lines = FACTORIES.split("\n")
    for start, end in (("def make_tower", "return tower"), ("def make_head", "return scaled")):
        first = next(i for i, line in enumerate(lines, 1) if line.startswith(start))
        last = next(i for i, line in enumerate(lines, 1) if line.strip() == end)
        assert any(first <= line <= last for line in reasons)


def test_functions_that_follow_are_there_once(tmp_path: Path) -> None:
    text = """
import haiku as hk
import jax
import jax.numpy as jnp


def net_fn(x):
    return hk.Linear(3)(jnp.tanh(hk.Linear(8)(x)))


net = hk.transform(net_fn)
params = net.init(jax.random.PRNGKey(0), jnp.ones((2, 4)))
"""
    found = report(tmp_path, text)
    assert [(c.name, c.status) for c in found.classes] == [("net_fn", "rewritten")]
