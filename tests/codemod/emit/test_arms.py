"""Layers that only some calls need: what is said of those that are made in any case."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

AGENT = """
import haiku as hk
import jax
import jax.numpy as jnp


class Agent(hk.RNNCore):
    def __init__(self, recurrent, name=None):
        super().__init__(name=name)
        self.recurrent = recurrent
        self.torso = hk.Linear(4)
        self.core = hk.LSTM(5)
        self.head = hk.Linear(2)

    def initial_state(self, batch_size):
        return self.core.initial_state(batch_size)

    def __call__(self, x, state):
        x = self.torso(x)
        if TEST:
            x, state = self.core(x, state)
        return self.head(x), state


def forward(x):
    agent = Agent(recurrent=True)
    return agent(x, agent.initial_state(x.shape[0]))


net = hk.without_apply_rng(hk.transform(forward))
x = jax.random.normal(jax.random.PRNGKey(1), (2, 3))
params = net.init(jax.random.PRNGKey(0), x)
print('RESULT', float(net.apply(params, x)[0].sum()))
"""


@pytest.mark.parametrize(("test", "told"), [("self.recurrent", True), ("True", False)])
def test_a_cell_that_is_asked_for_a_state_where_it_is_not_run(
    test: str, told: bool, tmp_path: Path
) -> None:
    text = AGENT.replace("if TEST:", f"if {test}:")
    if not told:
        text = text.replace("        if True:\n            x, state", "        x, state")
    done = rewritten(text)
    assert done.statuses == {"Agent": "rewritten", "forward": "rewritten"}
    assert ("NX114" in done.codes) is told
    check(done, tmp_path)


PATHS = """
import haiku as hk
import jax
import jax.numpy as jnp


class Net(hk.Module):
    def __init__(self, deep, name=None):
        super().__init__(name=name)
        self.deep = deep

    def __call__(self, x):
        CALL
        return hk.Linear(2)(x)

    def extra(self, x):
        return jax.nn.relu(hk.Linear(3)(x))


def forward(x):
    return Net(True)(x)


net = hk.without_apply_rng(hk.transform(forward))
x = jax.random.normal(jax.random.PRNGKey(1), (2, 3))
params = net.init(jax.random.PRNGKey(0), x)
print('RESULT', float(net.apply(params, x).sum()))
"""
UNDER = "if deep:\n            self.linear"


@pytest.mark.parametrize(
    ("call", "under"),
    [
        ("if self.deep:\n            x = self.extra(x)", True),
        ("x = self.extra(x) if self.deep else x", True),
        ("x = self.extra(x)\n        if self.deep:\n            x = x + 1", False),
    ],
)
def test_a_method_that_is_only_called_under_a_test(call: str, under: bool, tmp_path: Path) -> None:
    done = rewritten(PATHS.replace("CALL", call))
    assert done.statuses["Net"] == "rewritten"
    assert (UNDER in "".join(done.after.values())) is under
    check(done, tmp_path)


def test_a_method_that_others_call_may_need_its_layers_in_any_case() -> None:
    text = PATHS.replace("CALL", "if self.deep:\n            x = self.extra(x)")
    done = rewritten(text.replace("Net(True)(x)", "Net(False).extra(x)"))
    assert UNDER not in "".join(done.after.values())
