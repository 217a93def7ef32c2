"""What `setup` computes of variables is computed anew for each call: a constructor cannot keep it."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import check, rewritten

LINEN = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    states: int = 3

    def setup(self):
        self.embed = nn.Embed(self.states, self.states)
        self.decay = self.param("decay", nn.initializers.uniform(1.0), (self.states,))
        self.count = self.variable("stats", "count", lambda: jnp.zeros(3))
        self.kept = KEPT

    def rates(self):
        return jnp.exp(-self.decay)

    def __call__(self, x):
        self.embed(jnp.arange(2))
        return (x * self.decay * self.count.value).sum() + jnp.size(self.kept)


x = jnp.ones((2, 3))
model = Net()
params = model.init(jax.random.key(1), x)
print('RESULT', float(model.apply(params, x)))
"""
HAIKU = """
import haiku as hk
import jax.numpy as jnp


class Net(hk.Module):
    def __init__(self, states, name=None):
        super().__init__(name=name)
        self.decay = hk.get_parameter("decay", (states,), init=jnp.ones)
        self.kept = KEPT

    def __call__(self, x):
        return x * self.decay * self.kept
"""


@pytest.mark.parametrize(
    "kept",
    [
        "self.embed(jnp.arange(3)) * self.decay",
        "self.embed(jnp.arange(3))",
        "self.count.value * 2",
    ],
)
def test_what_is_computed_of_variables_keeps_the_class(kept: str) -> None:
    done = rewritten(LINEN.replace("KEPT", kept))
    assert done.statuses == {"Net": "kept"}
    said = [d.message for o in done.outcomes.values() for d in o.report.diagnostics]
    assert any("anew for each call" in message for message in said)


def test_so_does_what_a_constructor_of_haiku_computes() -> None:
    assert rewritten(HAIKU.replace("KEPT", "jnp.exp(self.decay)")).statuses == {"Net": "kept"}
    other = HAIKU.replace("self.kept", "w = self.decay\n        self.kept", 1)
    assert rewritten(other.replace("KEPT", "jnp.exp(w)")).statuses == {"Net": "kept"}
    assert rewritten(HAIKU.replace("KEPT", "self.decay.shape[0]")).statuses == {"Net": "rewritten"}


@pytest.mark.parametrize(
    "kept",
    [
        "self.decay.shape[0]",
        "self.states * 2",
        "len(self.decay.shape)",
        "self.param('kept', lambda key, rates: jnp.exp(rates[0]), (self.decay, 1))",
        "self.param('kept', lambda key, rate: rate + 1, jnp.exp(self.decay))",
    ],
)
def test_what_never_changes_does_not(kept: str, tmp_path) -> None:
    done = rewritten(LINEN.replace("KEPT", kept))
    assert done.statuses == {"Net": "rewritten"}
    check(done, tmp_path)


PARTS = """
import flax.linen as nn
import jax.numpy as jnp


class Base(nn.Module):
    width: int

    def setup(self):
        self.decay = self.param("decay", nn.initializers.uniform(), (self.width,))
        self.rate = jnp.exp(self.decay)

    def twice(self):
        return 2 * self.rate

    def __call__(self, x):
        return x * self.rate


class Heir(Base):
    def setup(self):
        super().setup()
        self.kept = HEIR

    def __call__(self, x):
        return x * self.kept


class Whole(nn.Module):
    def setup(self):
        self.part = Base(3)
        self.kept = WHOLE

    def __call__(self, x):
        return self.part(x) * self.kept
"""


@pytest.mark.parametrize("read", ["decay * 3", "rate", "rate + 1", "twice()"])
def test_what_is_computed_of_the_variables_of_bases_and_parts_does_too(read: str) -> None:
    program = PARTS.replace("HEIR", f"self.{read}").replace("WHOLE", f"self.part.{read}")
    statuses = rewritten(program).statuses
    assert statuses["Heir"] != "rewritten"
    assert statuses["Whole"] != "rewritten"


def test_what_never_changes_of_these_does_not() -> None:
    program = PARTS.replace("HEIR", "self.decay.shape[0]").replace("WHOLE", "self.part.rate.ndim")
    assert set(rewritten(program).statuses.values()) == {"rewritten"}
