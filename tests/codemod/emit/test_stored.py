"""What a constructor keeps for the methods, and where."""

from __future__ import annotations

from pathlib import Path

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import haiku as hk
import jax
import jax.numpy as jnp


class Net(hk.Module):
    def __init__(self, width, scale, hidden=3, name=None):
        super().__init__(name=name)

        # Read by the call.
        self.scale = scale  # of the outputs
        # Read by nobody else.
        self.width = width

        # The layers.
        self.inner = hk.Linear(hidden)

        self.outer = hk.Linear(self.width)
        self.hidden = hidden

    def __call__(self, x):
        x = jax.nn.relu(self.inner(x))
        return self.scale * self.outer(x) + self.hidden


net = hk.without_apply_rng(hk.transform(lambda x: Net(4, 0.5)(x)))
x = jax.random.normal(jax.random.PRNGKey(1), (2, 6))
params = net.init(jax.random.PRNGKey(0), x)
print('RESULT', float(jnp.abs(net.apply(params, x)).sum()))
"""

CONSTRUCTOR = """
    def __init__(self, in_features: int, width, scale, hidden=3, *, rngs: nnx.Rngs):
        # Read by the call.
        self.scale = scale  # of the outputs

        # The layers.
        self.inner = nnx.Linear(in_features, hidden, kernel_init=haiku_init, rngs=rngs)

        self.outer = nnx.Linear(hidden, width, kernel_init=haiku_init, rngs=rngs)
        self.hidden = hidden

    def __call__"""


def test_what_methods_read_is_kept_where_it_was_with_its_comments(tmp_path: Path) -> None:
    done = rewritten(PROGRAM)
    assert done.statuses["Net"] == "rewritten"
    assert CONSTRUCTOR in done.after["program.py"]
    check(done, tmp_path)


SETUP = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    width: int

    def setup(self):
        self.inner = nn.Dense(3)

        # The last one.

        half = self.width // 2
        self.outer = nn.Dense(half)

        if self.width > 2:

            self.more = nn.Dense(self.width)

            self.most = nn.Dense(self.width)

    def __call__(self, x):
        return self.most(self.more(self.outer(nn.relu(self.inner(x)))))


x = jax.random.normal(jax.random.key(1), (2, 6))
model = Net(4)
variables = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.abs(model.apply(variables, x)).sum()))
"""


def test_blank_lines_of_setup_stay(tmp_path: Path) -> None:
    done = rewritten(SETUP)
    text = done.after["program.py"]
    body = text[text.index("def __init__") : text.index("def __call__")]
    assert [line.strip().partition(" = ")[0] for line in body.splitlines()[1:-2]] == [
        "self.inner",
        "",
        "# The last one.",
        "",
        "half",
        "self.outer",
        "",
        "if width > 2:",
        "self.more",
        "",
        "self.most",
    ]
    check(done, tmp_path)
