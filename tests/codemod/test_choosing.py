"""Programs that ask for their models by names."""

from __future__ import annotations

import pytest

from nnx_codemod.tests.programs import rewritten

MODELS = """
import functools

import flax.linen as nn


class Wide(nn.Module):
    outputs: int
    width: int = 8

    @nn.compact
    def __call__(self, x, train: bool = False):
        x = nn.Dense(self.width)(x)
        return nn.Dense(self.outputs)(nn.Dropout(0.1, deterministic=not train)(x))


class Deep(nn.Module):
    outputs: int
    depth: int = 2

    @nn.compact
    def __call__(self, x, train: bool = False):
        for _ in range(self.depth):
            x = nn.Dropout(0.1, deterministic=not train)(nn.Dense(8)(x))
        return nn.Dense(self.outputs)(x)


class Part(nn.Module):
    rate: float

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(x) * self.rate


def count(words):
    return len(words)

"""
PROGRAM = """
import importlib
import sys

import jax
import jax.numpy as jnp

import models
IMPORT

def main(name):
    model_cls = FOUND
    model = model_cls(outputs=3)
    x = jnp.ones((4, 5))
    variables = model.init(jax.random.key(0), x)
    print(model.apply(variables, x))


main(sys.argv[1])
"""
CALL = "model_cls(in_features=x.shape[-1], outputs=3, rngs=nnx.Rngs(0))"


def program(found: str, imports: str = "") -> str:
    """A program that finds its model like this."""
    return PROGRAM.replace("FOUND", found).replace("IMPORT", imports)


@pytest.mark.parametrize(
    "found",
    [
        "getattr(models, name)",
        "getattr(models, name, None)",
        "getattr(models, f'{name}')",
        "vars(models)[name]",
        "models.__dict__[name]",
        "getattr(sys.modules['models'], name)",
        "getattr(importlib.import_module('models'), name)",
        "{'wide': models.Wide, 'deep': models.Deep}[name]",
    ],
)
def test_models_that_a_name_finds(found: str) -> None:
    done = rewritten({"models.py": MODELS, "main.py": program(found)})
    assert done.statuses == {"Wide": "rewritten", "Deep": "rewritten", "Part": "rewritten"}
    assert f"model_cls = {found}" in done.after["main.py"]
    assert CALL in done.after["main.py"]
    assert not done.codes


@pytest.mark.parametrize(
    ("more", "follows"),
    [
        ("Deeper = functools.partial(Deep, depth=4)", True),
        ("Deeper = functools.partial(Deep, 3)", True),  # it cannot be given the outputs again
        ("def sum(rows, columns): return 2", True),
        ("def build(outputs): return Deep(outputs)", True),
        ("def describe(**options): return str(options)", False),
        ("Given = load('Given')", False),
        ("SIZE = len('models')", True),
    ],
)
def test_what_else_the_name_may_find(more: str, follows: bool) -> None:
    done = rewritten({"models.py": MODELS + more, "main.py": program("getattr(models, name)")})
    assert (done.statuses["Wide"] == "rewritten") is follows
    assert ("NX104" in done.codes) is not follows


@pytest.mark.parametrize(
    "other",
    [
        # another first size
        "nn.Dense(self.outputs)(nn.Dense(4)(x.T).T.sum(0, keepdims=True))",
        # a class that stays
        "nn.Dense(self.outputs)(unknown(x))",
        # statistics, which go with the parameters in a tree
        "nn.BatchNorm(use_running_average=not train)(nn.Dense(self.outputs)(x))",
    ],
)
def test_models_that_ask_for_other_programs(other: str) -> None:
    cls = f"""
class Other(nn.Module):
    outputs: int

    @nn.compact
    def __call__(self, x, train: bool = False):
        return {other}
"""
    done = rewritten({"models.py": MODELS + cls, "main.py": program("getattr(models, name)")})
    if done.statuses["Wide"] == "rewritten":
        assert done.statuses["Other"] == "rewritten"
        assert CALL in done.after["main.py"]
        return
    assert done.after["main.py"] == program("getattr(models, name)")


@pytest.mark.parametrize(
    "found",
    [
        "getattr(models, name, models.Wide)",
        "vars(models).get(name)",
        "[getattr(models, n) for n in (name, 'Deep')][0]",
        "print(getattr(models, name)) or load(name)",
    ],
)
def test_names_whose_models_are_not_followed(found: str) -> None:
    done = rewritten({"models.py": MODELS, "main.py": program(found)})
    assert done.statuses["Wide"] == done.statuses["Deep"] == "kept"
    assert "NX104" in done.codes
    assert done.after["main.py"] == program(found)


def test_one_of_two_programs() -> None:
    other = "import models\n\ndef run(name, variables, x):\n    return getattr(models, name)(outputs=3).apply(variables, x)\n"
    files = {"models.py": MODELS, "main.py": program("getattr(models, name)"), "other.py": other}
    done = rewritten(files)
    assert done.statuses["Wide"] == done.statuses["Deep"] == "kept"
    assert done.after["main.py"] == files["main.py"]


REGISTRY = """
TABLE = {}


def register(name=None):
    def keep(cls):
        key = cls.__name__ if name is None else name
        KEEP
        return cls
    return keep


def get(name):
    return TABLE[name]

"""


def registered(keep: str = "TABLE[key] = cls", more: str = "") -> dict[str, str]:
    """Models that a decorator puts into a dict, and a program that reads it."""
    models = MODELS.replace(
        "import flax.linen as nn\n", "import flax.linen as nn\nimport registry\n"
    )
    models = models.replace("class Wide", "@registry.register('wide')\nclass Wide")
    models = models.replace("class Deep", "@registry.register()\nclass Deep")
    return {
        "registry.py": REGISTRY.replace("KEEP", keep) + more,
        "models.py": models,
        "main.py": program("registry.get(name)", "import registry"),
    }


@pytest.mark.parametrize(
    ("keep", "more", "follows"),
    [
        ("TABLE[key] = cls", "", True),
        ("assert key not in TABLE; TABLE[key] = cls", "", True),
        ("TABLE[key] = cls; print(cls.__name__)", "", True),
        ("TABLE[key] = cls; others.append(cls)", "others = []", False),
        ("assert issubclass(cls, object); TABLE[key] = cls", "", False),
        ("TABLE[load(key)] = cls", "", False),
        ("TABLE[key] = cls", "def all(): return list(TABLE.values())", False),
        ("TABLE[key] = cls", "def names(): return sorted(TABLE)", True),
        ("TABLE[key] = cls", "def table(): return load(TABLE)", False),
        ("TABLE[key] = cls", "def more(name): TABLE[name] = load(name)", False),
        ("TABLE[key] = cls", "TABLE.update(load('more'))", False),
    ],
)
def test_models_that_a_decorator_registers(keep: str, more: str, follows: bool) -> None:
    files = registered(keep, more)
    done = rewritten(files)
    assert (done.statuses["Wide"] == done.statuses["Deep"] == "rewritten") is follows
    assert (CALL in done.after["main.py"]) is follows
    if not follows:
        assert done.after["main.py"] == files["main.py"]


@pytest.mark.parametrize(
    ("asked", "follows"),
    [
        ("importlib.import_module(f'models.{name}').Net(2)", False),
        ("importlib.import_module(f'models.{name}').load(2)", True),
        ("importlib.import_module(f'configs.{name}').Net(2)", True),
        ("importlib.import_module(f'models.{name}')", True),  # nobody says `.Net`
        ("getattr(importlib.import_module(f'models.{name}'), 'Net')(2)", False),
        ("getattr(importlib.import_module(f'models.{name}'), 'load')(2)", True),
        ("getattr(importlib.import_module(f'models.{name}'), name)(2)", False),
        ("importlib.import_module('models.net').Net(2)", False),
    ],
)
def test_files_that_a_name_finds(asked: str, follows: bool) -> None:
    net = "import flax.linen as nn\n\nclass Net(nn.Module):\n    size: int\n\n    @nn.compact\n    def __call__(self, x):\n        return nn.Dense(self.size)(x)\n"
    user = f"import importlib\n\ndef make(name):\n    return {asked}\n"
    done = rewritten({"models/__init__.py": "", "models/net.py": net, "user.py": user})
    assert (done.statuses["Net"] == "rewritten") is follows


def test_files_that_are_handed_on() -> None:
    net = "import flax.linen as nn\n\nclass Net(nn.Module):\n    @nn.compact\n    def __call__(self, x):\n        return nn.Dense(3)(x)\n"
    user = "import importlib\n\ndef find(name):\n    return importlib.import_module(f'models.{name}')\n"
    files = {"models/__init__.py": "", "models/net.py": net, "user.py": user}
    assert rewritten(files).statuses == {"Net": "rewritten"}
    files["main.py"] = (
        "import flax\nimport user\n\ndef make():\n    return user.find('net').Net()\n"
    )
    assert rewritten(files).statuses == {"Net": "kept"}
