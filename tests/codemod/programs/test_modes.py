"""Where a program says that its model trains or evaluates."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import flax.linen as nn
import jax
import jax.numpy as jnp


class Net(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x, train=False):
        return nn.Dropout(0.5, deterministic=not train)(nn.Dense(self.width)(x))


x = jax.random.normal(jax.random.key(1), (4, 3))
BODY
"""
MADE = """model = Net(WIDTH)
params = model.init(jax.random.key(0), x)
"""
RUN = "print('RESULT', float(jnp.abs(model.apply(params, x)).sum()))\n"


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    ("body", "switches"),
    [
        ("for width in (3, 4):\n" + indented(MADE.replace("WIDTH", "width") + RUN), 1),
        (MADE.replace("WIDTH", "3") + RUN + MADE.replace("WIDTH", "4") + RUN, 2),
        (MADE.replace("WIDTH", "3") + "for _ in range(2):\n" + indented(RUN), 1),
    ],
    ids=["a model in each turn", "two models of one name", "one model before the loop"],
)
def test_each_model_is_told(body: str, switches: int, tmp_path: Path) -> None:
    done = rewritten(PROGRAM.replace("BODY", body))
    assert done.statuses == {"Net": "rewritten"}
    assert done.after["program.py"].count("model.eval()") == switches
    check(done, tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        "print('RESULT', float(model.apply(params, x).sum()), float(RUN))",
        "print('RESULT', float(RUN), float(model.apply(params, x).sum()))",
        (
            "left = 3\nwhile model.apply(params, x).sum() < 1e9 and left:\n    left -= 1\n"
            "    print('RESULT', float(RUN))"
        ),
    ],
    ids=["evaluates, then trains", "trains, then evaluates", "a test beside its loop"],
)
def test_one_statement_in_two_modes_is_not_told(body: str, tmp_path: Path) -> None:
    train = "model.apply(params, x, train=True, rngs={'dropout': jax.random.key(2)}).sum()"
    made = MADE.replace("WIDTH", "3")
    done = rewritten(PROGRAM.replace("BODY", made + body.replace("RUN", train)))
    check(done, tmp_path)
