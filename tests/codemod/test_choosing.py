"""Programs that ask for their models by names."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.tests.programs import Rewritten, check, rewritten

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
OTHER = """

class Other(nn.Module):{1}
    outputs: int

    @nn.compact
    def __call__(self, x, train: bool = False):
        return {0}
"""
BRIDGED = 'model_cls = getattr(models, f"Linen{name}", getattr(models, name))'
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
        ("SIZE = len('models')", True),
    ],
)
def test_what_else_the_name_may_find(more: str, follows: bool) -> None:
    done = rewritten({"models.py": MODELS + more, "main.py": program("getattr(models, name)")})
    assert done.statuses["Wide"] == "rewritten"
    assert (CALL in done.after["main.py"]) is follows
    assert ("PR103" in done.codes) is not follows


def test_what_nobody_knows() -> None:
    models = MODELS + "Given = load('Given')"
    done = rewritten({"models.py": models, "main.py": program("getattr(models, name)")})
    assert done.statuses["Wide"] == done.statuses["Deep"] == "kept"
    assert "NX104" in done.codes


@pytest.mark.parametrize(
    ("other", "status"),
    [
        ("nn.Dense(self.outputs)(nn.Dense(4)(x.T).T)", "rewritten"),  # another first size
        ("nn.Dense(self.outputs)(x)", "kept"),
    ],
)
def test_models_that_ask_for_other_programs(other: str, status: str, tmp_path: Path) -> None:
    cls = OTHER.format(other, "" if status == "rewritten" else "  # nnx-codemod: skip")
    files = {"models.py": MODELS + cls, "program.py": program("getattr(models, name)")}
    done = rewritten(files)
    assert done.statuses["Wide"] == done.statuses["Deep"] == "rewritten"
    assert done.statuses["Other"] == status
    assert BRIDGED in done.after["program.py"]
    assert "PR103" in done.codes
    for name in ("Wide", "Other") if status == "rewritten" else ("Wide",):
        assert_same(done, name, tmp_path / name)


def test_fields_of_the_models_that_a_name_finds(tmp_path: Path) -> None:
    cls = OTHER.format("nn.Dense(self.outputs)(nn.Dense(4)(x.T).T)", "")
    main = program("getattr(models, name)").replace(
        "    print(model", "    print(model.outputs)\n    print(model"
    )
    done = rewritten({"models.py": MODELS + cls, "program.py": main})
    assert set(done.statuses.values()) == {"rewritten"}
    assert "PR103" in done.codes
    for name in ("Wide", "Other"):
        assert_same(done, name, tmp_path / name)


def assert_same(done: Rewritten, name: str, folder: Path) -> None:
    """Both versions compute the same with the model of a name."""
    sides = [dict(texts) for texts in (done.before, done.after)]
    for texts in sides:
        texts["program.py"] = texts["program.py"].replace("sys.argv[1]", f"'{name}'")
    check(Rewritten(done.outcomes, *sides), folder)


@pytest.mark.parametrize(
    "found",
    [
        "getattr(models, name, models.Wide)",
        "vars(models).get(name)",
        "print(getattr(models, name)) or load(name)",
    ],
)
def test_names_whose_models_are_not_followed(found: str) -> None:
    done = rewritten({"models.py": MODELS, "main.py": program(found)})
    assert done.statuses["Wide"] == done.statuses["Deep"] == "kept"
    assert "NX104" in done.codes
    assert done.after["main.py"] == program(found)


@pytest.mark.parametrize(
    ("key", "asked"),
    [
        ("name", "f'Linen{name}'"),
        ("f'{name}'", "f'Linen{name}'"),
        ("names.model", "f'Linen{names.model}'"),
        ("names['model']", "'Linen' + names['model']"),
        ("'De' + name", "'Linen' + 'De' + name"),
        ("'Deep'", "'LinenDeep'"),
        ("name.title()", None),
    ],
)
def test_second_names(key: str, asked: str | None) -> None:
    other = f"import models\n\ndef run(name, names, variables, x):\n    model_cls = getattr(models, {key})\n    return model_cls(outputs=3).apply(variables, x)\n"
    files = {"models.py": MODELS, "main.py": program("getattr(models, name)"), "other.py": other}
    done = rewritten(files)
    if asked is None:
        assert done.statuses["Wide"] == done.statuses["Deep"] == "kept"
        assert done.after["main.py"] == files["main.py"]
        assert done.after["other.py"] == files["other.py"]
        return
    assert done.statuses["Deep"] == "rewritten"
    asks = f"getattr(models, {asked}, getattr(models, {key}))"
    assert asks in done.after["other.py"].replace('"', "'")
    assert BRIDGED in done.after["main.py"]


@pytest.mark.parametrize(
    "asks",
    [
        "print(model_cls.__name__)",
        "print(issubclass(model_cls, object))",
        "print(variables['params']['Dense_0'])",
    ],
)
def test_what_no_bridge_has(asks: str) -> None:
    other = "import models\n\ndef run(name, variables, x):\n    return getattr(models, name)(outputs=3).apply(variables, x)\n"
    main = program("getattr(models, name)").replace(
        "    print(model", f"    {asks}\n    print(model"
    )
    done = rewritten({"models.py": MODELS, "main.py": main, "other.py": other})
    assert done.statuses["Wide"] == done.statuses["Deep"] == "kept"
    assert done.after["main.py"] == main


def test_second_names_of_a_package() -> None:
    other = "import models\n\ndef run(name, variables, x):\n    return getattr(models, name)(outputs=3).apply(variables, x)\n"
    files = {
        "models/__init__.py": "from .nets import Wide, Deep as Tall, Deep\n",
        "models/nets.py": MODELS,
        "main.py": program("getattr(models, name)"),
        "other.py": other,
    }
    done = rewritten(files)
    assert done.statuses["Deep"] == "kept"  # a second import name finds it, too
    assert done.after["models/__init__.py"].startswith("from .nets import Wide, LinenWide, ")
    files["models/__init__.py"] = "from .nets import *\n"
    done = rewritten(files)
    assert done.statuses["Deep"] == done.statuses["Wide"] == "rewritten"


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


def test_registered_models_that_programs_bridge() -> None:
    other = "import registry\n\ndef run(name, variables, x):\n    return registry.get(name)(outputs=3).apply(variables, x)\n"
    done = rewritten({**registered(), "other.py": other})
    assert done.statuses["Wide"] == "rewritten"
    assert done.statuses["Deep"] == "kept"  # its name is asked for, which a bridge does not have
    assert (
        "\nLinenWide = registry.register('wide')(\n    functools.partial("
        in done.after["models.py"]
    )
    assert "\n@registry.register('wide')" not in done.after["models.py"]
    assert "\n@registry.register()\nclass Deep(nn.Module)" in done.after["models.py"]


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
