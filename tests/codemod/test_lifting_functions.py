"""Functions that lift the class that they are given follow with all classes that call them, or stay with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod import engine
from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.source import Source
from nnx_codemod.tests.programs import check, rewritten

PROGRAM = """
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp


def several(cls, num, **options):
    LIFT


class Layer(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        return nn.tanh(nn.Dense(self.width)(x))


class Net(nn.Module):
    num: int = 2

    def setup(self):
BODY

    def __call__(self, x):
        return self.net(x)


AROUND

x = jax.random.normal(jax.random.key(1), (6, 3))
model = Net()
variables = model.init(jax.random.key(0), x)
print('RESULT', float(jnp.square(model.apply(variables, x)).sum()))
"""
AXES = "variable_axes={'params': 0}, split_rngs={'params': True}, axis_size=num"
ALL = f"return nn.vmap(cls, in_axes=None, {AXES}, **options)"
STAYS = """
class Odd(nn.Module):
    @nn.compact
    def __call__(self, x):
        layers = {str(x): nn.Dense(2)}
        return several(Layer, 2)(4)(layers[str(x)](x))
"""
OUTSIDE = """
made = several(Layer, 2)(4)
print(jax.tree.map(jnp.shape, made.init(jax.random.key(0), jnp.ones((6, 3)))))
"""
CASES = {
    "at once": ([ALL], ["self.net = several(Layer, self.num)(4)"], "", True),
    "one branch": (
        [ALL],
        [
            "kind = Layer",
            "if self.num > 1:",
            "    kind = several(kind, self.num)",
            "self.net = kind(4)",
        ],
        "",
        True,
    ),
    "out axis": ([ALL], ["self.net = several(Layer, 3, out_axes=1)(4)"], "", True),
    "a partial": ([ALL], ["self.net = several(functools.partial(Layer, width=4), 2)()"], "", True),
    "a partial by position": (
        [ALL],
        ["self.net = several(functools.partial(Layer, 4), 2)()"],
        "",
        False,
    ),
    "a partial by position, without a function": (
        ["return cls"],
        [
            f"self.net = nn.vmap(functools.partial(Layer, 4), in_axes=None, {AXES.replace('num', '2')})()"
        ],
        "",
        False,
    ),
    "axes of arguments": (
        [f"return nn.vmap(cls, in_axes=0, {AXES})"],
        ["self.net = several(Layer, 6)(4)"],
        "",
        True,
    ),
    "other transforms": (
        ["return nn.remat(cls, prevent_cse=False)"],
        ["self.net = several(Layer, 6)(4)"],
        "",
        True,
    ),
    "shared parameters": (
        ["return nn.vmap(cls, variable_axes={'params': None}, split_rngs={'params': False})"],
        ["self.net = several(Layer, 6)(4)"],
        "",
        False,
    ),
    "an option that NNX lacks": (
        ["return nn.remat(cls, variables='params')"],
        ["self.net = several(Layer, 6)(4)"],
        "",
        False,
    ),
    "a class that stays": ([ALL], ["self.net = several(Layer, 2)(4)"], STAYS, False),
    "other code": ([ALL], ["self.net = several(Layer, 2)(4)"], OUTSIDE, False),
}


@pytest.mark.parametrize("case", CASES)
def test_classes_and_functions_follow_together(case: str, tmp_path: Path) -> None:
    lift, body, around, follows = CASES[case]
    text = PROGRAM.replace("LIFT", "\n    ".join(lift)).replace("AROUND", around)
    done = rewritten(text.replace("BODY", "\n".join(f"        {line}" for line in body)))
    assert (done.statuses["Net"] == "rewritten") == follows
    assert ("nn.vmap" in done.after["program.py"]) == (
        not follows and ("nn.vmap" in "".join([*lift, *body]))
    )
    check(done, tmp_path)


def test_a_name_that_a_branch_decides(tmp_path: Path) -> None:
    """In a compact method the variables of a lifted class have another name than those of the class itself."""
    body = ["kind = Layer", "if self.num > 1:", "    kind = several(kind, self.num)"]
    text = PROGRAM.replace("LIFT", ALL).replace("AROUND", "").replace("self.net(x)", "kind(4)(x)")
    text = text.replace("    def setup(self):\nBODY\n\n", "    @nn.compact\n")
    lines = "".join(f"        {line}\n" for line in body)
    done = rewritten(text.replace("        return kind", f"{lines}        return kind"))
    assert done.statuses["Net"] == "kept"
    check(done, tmp_path)


def test_a_function_of_a_file_that_stays(tmp_path: Path) -> None:
    """The file is only read: what it lifts has to stay a class of Linen."""
    text = PROGRAM.replace("AROUND", "").replace("BODY", "        self.net = several(Layer, 2)(4)")
    start = text.index("def several")
    function = text[start : text.index("class Layer")].replace("LIFT", ALL)
    (tmp_path / "lifting.py").write_text(f"import flax.linen as nn\n\n\n{function}")
    program = tmp_path / "program.py"
    program.write_text(
        text.replace(text[start : text.index("class Layer")], "from lifting import several\n\n\n")
    )

    def load(path: Path) -> Source | None:
        return Source(path) if path.exists() else None

    (outcome,) = engine.rewrite([Source(program)], Options(), load=load)
    statuses = {each.name: each.status for each in outcome.report.classes}
    assert statuses == {"Layer": "kept", "Net": "kept"}
