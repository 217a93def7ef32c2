"""A layer that the constructor makes and that runs behind a loop of the call: it is made behind what the loop makes."""

from __future__ import annotations

from pathlib import Path

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import haiku as hk
import jax
import jax.numpy as jnp


class Net(hk.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.width = width
        self.depth = depth
        self.head = hk.Linear(3)
        self.scale = 2.0

    def __call__(self, x):
        for _ in range(self.depth):
            x = jax.nn.relu(hk.Linear(self.width)(x))
        return self.head(x) * self.scale


model = hk.without_apply_rng(hk.transform(lambda x: Net(5, 2)(x)))
x = jnp.linspace(-1.0, 2.0, 12).reshape(4, 3) ** 2
params = model.init(jax.random.PRNGKey(0), x)
print("RESULT", float(jnp.abs(model.apply(params, x)).sum()))
"""


def test_a_head_behind_a_loop(tmp_path: Path) -> None:
    done = rewritten(PROGRAM)
    text = done.after["program.py"]
    assert done.statuses == {"Net": "rewritten"}
    assert text.index("self.linears = nnx.List()") < text.index("self.head = nnx.Linear(")
    check(done, tmp_path)


def test_a_head_whose_width_changes_in_between() -> None:
    text = PROGRAM.replace("hk.Linear(3)", "hk.Linear(depth)").replace(
        "self.scale = 2.0", "depth = 2 * depth\n        self.scale = depth"
    )
    done = rewritten(text)
    assert done.statuses == {"Net": "kept"}
    assert any(
        d.message == "`depth` changes before the size is known of a layer that asks for it"
        for d in done.outcomes["program.py"].report.diagnostics
    )
