"""Classes that code finds by a name which reading does not tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod import engine
from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.source import Source
from nnx_codemod.tests.programs import rewritten

NET = """
import flax.linen as nn
from registry import *


class Layer(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(x)


DECORATOR
class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(Layer()(x))
"""
REGISTRY = """
MODELS = {}


def register(cls):
    MODELS[cls.__name__] = cls
    return cls


def registered(name):
    def add(cls):
        MODELS[name] = cls
        return cls
    return add


def titled(cls):
    cls.title = cls.__name__.lower()
    return cls
"""


@pytest.mark.parametrize(
    ("decorator", "follows"),
    [
        ("@register", False),
        ("@registered('net')", False),
        ("@unknown.thing", False),
        ("@titled", True),
        ("", True),
    ],
)
def test_decorators(decorator: str, follows: bool) -> None:
    done = rewritten(
        {"net.py": NET.replace("DECORATOR\n", decorator + "\n"), "registry.py": REGISTRY}
    )
    assert (done.statuses["Net"] == "rewritten") is follows
    assert ("NX104" in done.codes) is not follows


@pytest.mark.parametrize(
    ("asked", "follows"),
    [
        ("getattr(net, name)", False),
        ("getattr(net, f'N{name}')", False),
        ("getattr(net, f'get_{name}')", True),
        ("getattr(net, 'Other', None)", True),
        ("getattr(name, 'Net')", True),
    ],
)
def test_names_that_are_asked_for(asked: str, follows: bool) -> None:
    user = f"import net\n\n\ndef model(name):\n    return {asked}\n"
    done = rewritten({"net.py": NET.replace("DECORATOR\n", ""), "user.py": user})
    assert (done.statuses["Net"] == "rewritten") is follows
    assert done.statuses["Layer"] == "rewritten"


@pytest.mark.parametrize(
    ("decorator", "follows"),
    [("gin.register", False), ("gin.configurable", True), ("gin.configurable(name='net')", True)],
)
def test_what_is_registered_for_configurations_alone(decorator: str, follows: bool) -> None:
    text = NET.replace("DECORATOR", f"@{decorator}").replace("from registry import *", "import gin")
    done = rewritten({"net.py": text})
    assert (done.statuses["Net"] == "rewritten") is follows


@pytest.mark.parametrize(
    ("line", "follows"),
    [
        ("train.model = @Net()", False),
        ("train.model = @net.Net", False),
        ("train.model = @eval/models.net.Net()", False),
        ("Net.width = 3", True),
        ("train.model = @NetOfNets()", True),
        ("train.optimizer = @optim.Adam()", True),
        ("# train.model = @Net()", True),
    ],
)
def test_what_a_configuration_makes_stays(line: str, follows: bool) -> None:
    source = Source(Path("/nowhere/net.py"), NET.replace("DECORATOR\n", "").encode())
    (outcome, *_) = engine.rewrite(
        [source], Options(), configurations={Path("/nowhere/base.gin"): f"# all\n{line}\n"}
    )
    statuses = {each.name: each.status for each in outcome.report.classes}
    assert (statuses["Net"] == "rewritten") is follows
    messages = [d.message for d in outcome.report.diagnostics if d.code == "NX104"]
    assert follows or messages == ["class `Net` is made by a configuration (line 2 of base.gin)"]
