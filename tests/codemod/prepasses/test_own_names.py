"""Names that a constructor works out are left out, where only the base is given them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import haiku as hk
import jax
import jax.numpy as jnp


class Net(hk.Module):
    def __init__(self, width, name="net"):
        BODY
        self.width = width

    def __call__(self, x):
        return hk.Linear(self.width)(x)


class Outer(hk.Module):
    def __call__(self, x):
        return Net(4)(x)


model = hk.without_apply_rng(hk.transform(lambda x: Outer()(x)))
x = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
params = model.init(jax.random.PRNGKey(0), x)
params = jax.tree.map(lambda p: jnp.linspace(-1.0, 1.0, p.size).reshape(p.shape), params)
print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))
"""
SUPER = "super().__init__(name=name)"


@pytest.mark.parametrize(
    ("body", "source"),
    [
        (SUPER, "net/linear/w"),
        (f"name = name + '_block'\n{SUPER}", "{*}/linear/w"),
        (
            f"if name:\n    name = f'{{name}}_{{width}}'\nelse:\n    name = 'a'\n{SUPER}",
            "{*}/linear/w",
        ),
        ("super().__init__(name=name + '_block')", "{*}/linear/w"),
        ("super().__init__(f'net_{width}')", "{*}/linear/w"),
    ],
)
def test_names_that_are_worked_out(body: str, source: str, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("BODY", body.replace("\n", "\n        ")))
    assert done.statuses == {"Net": "rewritten", "Outer": "rewritten"}
    report = done.outcomes["program.py"].report
    outer = next(each for each in report.classes if each.name == "Outer")
    assert source in [each["source"] for each in outer.variables]
    assert "name" not in done.after["program.py"]
    check(done, tmp_path)


def test_names_that_something_else_reads_keep_the_class(tmp_path: Path) -> None:
    body = f"name = name + '_block'\n        {SUPER}\n        self.tag = name"
    text = PROGRAM.replace("BODY", body)
    done = rewritten(text.replace("(self.width)(x)", "(self.width)(x) * len(self.tag)"))
    assert done.statuses["Net"] == "kept"
    check(done, tmp_path)
