"""What `setup` computes of parameters becomes properties, wherever it can be computed anew."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    states: int = 3
    both: bool = True

    def setup(self):
        self.decay = self.param("decay", nn.initializers.uniform(1.0), (self.states,))
        self.more = nn.Dense(3)
BODY

    def rates(self):
        return jnp.exp(-self.decay)

    def __call__(self, x):
        return (self.more(x) * self.kept).sum()


x = jnp.ones((2, 3))
model = Net()
params = model.init(jax.random.key(1), x)
print('RESULT', float(model.apply(params, x)))


def loss(params):
    return model.apply(params, x)


grads = jax.grad(loss)(params)
print('RESULT', float(sum(jnp.abs(g).sum() for g in jax.tree_util.tree_leaves(grads))))
"""
AS_PROPERTY = [
    ["self.kept = jnp.exp(self.decay)"],
    ["self.kept = self.decay[..., 0]"],
    ["self.kept = self.rates()"],
    ["self.kept = (", "    1 + self.decay", ")"],
    ["self.first = self.decay * 2", "self.kept = [self.first, 1][0]"],
    ["w = self.decay", "self.kept = w + 1"],
    ["w = self.decay * 2", "w = w + 1", "self.kept = w"],
    ["w = self.param('w', nn.initializers.ones, ())", "w = w * 2", "self.kept = w * self.decay"],
    ["if self.both:", "    self.kept = self.decay + 1", "else:", "    self.kept = None"],
    ["if self.states == 3:", "    n = 2", "else:", "    n = 4", "self.kept = self.decay * n"],
    ["self.kept = self.decay + 1", "self.kept = self.kept * 2"],
    ["w = self.param('wide', nn.initializers.ones, ())", "self.kept = jnp.exp(self.decay * w)"],
    [
        "if self.both:",
        "    self.kept, self.rest = jnp.split(self.decay * jnp.ones(3), [3])",
        "elif self.states > 3:",
        "    self.kept, self.rest = self.decay * 2, None",
        "else:",
        "    raise ValueError(self.states)",
    ],
]
AS_IT_IS = [
    ["self.kept = self.more(self.decay)"],
    ["layer = nn.Dense(3)", "self.kept = layer(self.decay)"],
    [
        "count = self.variable('stats', 'count', jnp.zeros, 3)",
        "self.kept = count.value + self.decay",
    ],
    ["self.kept = jax.random.normal(self.make_rng('params'), (3,)) * self.decay"],
    ["parts = []", "parts.append(self.decay * 2)", "self.kept = parts[0]"],
    ["for n in range(2):", "    w = self.decay * n", "self.kept = w"],
    [
        "self.kept = self.decay.at[0].get()",
        "self.other = nn.Dense(3, bias_init=lambda *_: self.kept)",
    ],
    ["w = 2 * self.decay", "self.bound = lambda y: y * w", "self.kept = w", "self.kept *= 2"],
]


def _program(body: list[str]) -> str:
    return PROGRAM.replace("BODY", "\n".join(f"        {line}" for line in body))


@pytest.mark.parametrize("body", AS_PROPERTY, ids="; ".join)
def test_it_is_computed_of_the_parameters_as_they_are(body: list[str], tmp_path) -> None:
    done = rewritten(_program(body))
    assert done.statuses == {"Net": "rewritten"}
    text = done.after["program.py"]
    assert "def kept(self):" in text
    assert "self.kept =" not in text
    check(done, tmp_path)


@pytest.mark.parametrize("body", AS_IT_IS, ids="; ".join)
def test_what_cannot_be_computed_anew_keeps_the_class(body: list[str]) -> None:
    done = rewritten(_program(body))
    assert done.statuses == {"Net": "kept"}
    assert "\n".join(f"        {line}" for line in body) in done.after["program.py"]


def test_what_an_heir_sets_too_stays() -> None:
    heir = "\n\nclass Heir(Net):\n    def setup(self):\n        super().setup()\n        self.kept = 3\n"
    program = _program(["self.kept = jnp.exp(self.decay)"]).replace(
        "\n\nx = ", f"{heir}\n\nx = ", 1
    )
    assert rewritten(program).statuses["Net"] == "kept"


def test_what_only_holds_parameters_stays_where_it_is(tmp_path) -> None:
    done = rewritten(_program(["self.size = self.decay.shape[0]", "self.kept = self.size"]))
    assert "@property" not in done.after["program.py"]
    check(done, tmp_path)
