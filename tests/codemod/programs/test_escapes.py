"""Module classes that programs hand on as values, to code in other files that makes the models."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import check, rewritten

NET = """
import functools
import flax.linen as nn


class Net(nn.Module):
    width: int = 4

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(nn.relu(nn.Dense(self.width)(x)))


class Wide(Net):
    width: int = 8


"""
BASE = """
import jax


class Base:
    module_class = None

    def __init__(self, **given):
        self.keep(self.module_class(**given))

    def keep(self, module):
        self._module = module

    @property
    def module(self):
        return self._module

    def run(self, x):
        variables = self.module.init(jax.random.key(0), x)
        return self.module.apply(variables, x)
"""
RUN = """
import jax
import jax.numpy as jnp
IMPORTS


def run(model):
    x = jnp.ones((2, 3))
    variables = model.init(jax.random.key(0), x)
    print('RESULT', float(jnp.abs(model.apply(variables, x)).sum()))


"""
MADE = {
    "import": ("from net import Net", "for cls in [Net]:\n    run(cls(width=5))"),
    "argument": ("from net import Net\nfrom maker import make", "run(make(Net))"),
    "default": ("from maker import make", "run(make())"),
    "table": ("from maker import TABLE", "run(TABLE['net'](width=5))"),
    "partial": ("from maker import Small", "run(Small())"),
    "field": ("from maker import Spec", "run(Spec().cls(width=5))"),
}
MAKER = """
import dataclasses
import functools
from net import Net, Wide


def make(cls=Net):
    return cls(width=5)


TABLE = {'net': Net, 'wide': Wide}
Small = functools.partial(Net, width=3)


@dataclasses.dataclass
class Spec:
    cls: type = Net
"""


def test_a_class_attribute_that_a_base_in_another_file_calls(tmp_path: Path) -> None:
    user = "from base import Base\nfrom net import Net\n\n\nclass Wrapped(Base):\n    module_class = Net\n"
    program = (
        "import jax.numpy as jnp\nfrom wrapped import Wrapped\n\n"
        "print('RESULT', float(jnp.abs(Wrapped(width=3).run(jnp.ones((2, 5)))).sum()))\n"
    )
    done = rewritten({"net.py": NET, "base.py": BASE, "wrapped.py": user, "program.py": program})
    assert done.statuses["Net"] == "rewritten"
    assert "module_class = LinenNet" in done.after["wrapped.py"]
    assert "PR103" in done.codes
    check(done, tmp_path)


@pytest.mark.parametrize("way", MADE)
def test_ways_to_hand_a_class_on(way: str, tmp_path: Path) -> None:
    imports, last = MADE[way]
    program = RUN.replace("IMPORTS", imports) + last + "\n"
    check(rewritten({"net.py": NET, "maker.py": MAKER, "program.py": program}), tmp_path)


def test_what_is_not_a_value_is_no_escape() -> None:
    rest = (
        "def is_net(model: Net) -> bool:\n"
        "    return isinstance(model, Net) or type(model) == Net\n\n\n"
        "Other = Net\nprint(Net.__name__, is_net(None))\n"
    )
    done = rewritten(NET + rest)
    assert not done.codes and done.statuses["Net"] == "rewritten"
