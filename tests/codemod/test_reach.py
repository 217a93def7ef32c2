"""Which files a rewrite concerns."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod.reach import Import, concerned, dependents, imports

MODELS = "import flax.linen as nn\nclass MLP(nn.Module):\n  pass\nLIMIT = 3\ndef make():\n  return MLP()\n"


def reached(files: dict[str, str]) -> list[str]:
    """The concerned files of a tree, given by name and text."""
    root = Path("/tree")
    found = concerned({root / name: text.encode() for name, text in files.items()})
    return [path.relative_to(root).as_posix() for path in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import a", [Import("a", bound="a")]),
        ("import a.b, c.d as e", [Import("a.b", bound="a"), Import("c.d", bound="e")]),
        ("from a.b import c, d as e", [Import("a.b", (("c", "c"), ("d", "e")))]),
        ("from . import a", [Import("", (("a", "a"),), level=1)]),
        ("from ... a import b", [Import("a", (("b", "b"),), level=3)]),
        ("froma import b", []),
        ("from.a import(b)", [Import("a", (("b", "b"),), level=1)]),
        ("from a import *", [Import("a", (("*", "*"),))]),
        (
            "from a import (  # why\n  b,  # c, d\n  e as f,\n)",
            [Import("a", (("b", "b"), ("e", "f")))],
        ),
        ("from a import b, \\\n  c", [Import("a", (("b", "b"), ("c", "c")))]),
        ("try: import a\nexcept: import b", [Import("a", bound="a"), Import("b", bound="b")]),
        ("import a; import b  # import c", [Import("a", bound="a"), Import("b", bound="b")]),
        ("if x:\r\n\timport a\r\n", [Import("a", bound="a")]),
        ("\ufeffimport a", [Import("a", bound="a")]),
        ("import a\rimport b\r", [Import("a", bound="a"), Import("b", bound="b")]),
        ("x = 'no import a'\nimportant = 3\n# import b", []),
    ],
)
def test_imports_by_their_look(text: str, expected: list[Import]) -> None:
    assert list(imports(text.encode())) == expected


@pytest.mark.parametrize(
    ("text", "concerns"),
    [
        ("import flax", True),
        ("import flax.linen as nn", True),
        ("from flax import linen as nn, nnx", True),
        ("from flax.training import train_state", True),
        ("import flax.linen", True),
        ("import haiku as hk", True),
        ("from haiku import Linear", True),
        ("from flax import nnx", False),
        ("import flax.nnx as nnx", False),
        ("from flax.nnx import bridge", False),
        ("import flaxen, haikus", False),
        ("from .flax import linen", False),
        ("# flax.linen\nimport jax", False),
    ],
)
def test_what_imports_a_framework(text: str, concerns: bool) -> None:
    assert bool(reached({"a.py": text})) is concerns


@pytest.mark.parametrize(
    ("text", "concerns"),
    [
        ("from models import MLP", True),
        ("from models import make", True),
        ("from models import LIMIT", False),
        ("from models import *", True),
        ("import models\nmodels.MLP()", True),
        ("import models as m\nm.make()", True),
        ("import models\nprint(models.LIMIT)", False),
        ("import models\ngetattr(models, name)()", True),
        ("import models\nvars(models)[name]()", True),
        ("import models\nmodels.__dict__[name]()", True),
        ("import importlib\nimportlib.import_module(name).MLP()", True),
        ("import models\nprint('make')  # MLP", False),
        ("from .models import MLP", True),
        ("from . import models\nmodels.MLP()", True),
        ("from other import MLP", False),
        ("def f():\n  from models import MLP", True),
    ],
)
def test_what_takes_a_module_from_there(text: str, concerns: bool) -> None:
    assert ("train.py" in reached({"models.py": MODELS, "train.py": text})) is concerns


def test_what_takes_it_through_others() -> None:
    files = {
        "pkg/models/mlp.py": MODELS,
        "pkg/models/__init__.py": "from .mlp import MLP as Net, LIMIT\n",
        "pkg/__init__.py": "from . import models\n__version__ = '1'\n",
        "pkg/build.py": "from pkg.models import Net\n@f\ndef build(): return Net()\nSIZE = 3\n",
        "train.py": "from pkg.build import build\nstate = build().init(0)\n",
        "info.py": "from pkg.build import SIZE\n",
        "about.py": "from pkg import __version__\n",
        "eval.py": "import pkg\nnet = pkg.models.Net()\n",
    }
    assert reached(files) == [
        "eval.py",
        "pkg/__init__.py",
        "pkg/build.py",
        "pkg/models/__init__.py",
        "pkg/models/mlp.py",
        "train.py",
    ]


def test_what_only_reads_weights_makes_no_modules() -> None:
    files = {
        "io.py": "from flax.serialization import to_bytes\ndef save(x): to_bytes(x)\n",
        "a.py": "from io import save",
    }
    assert reached(files) == ["io.py"]


def test_files_that_import_one_another_come_to_an_end() -> None:
    files = {
        "a.py": "import haiku as hk\nfrom b import g\ndef f(): hk.Linear(1); g()\n",
        "b.py": "from a import f\ndef g(): f()\n",
        "c.py": "from b import g\nfrom c import h\ndef h(): g()\n",
    }
    assert reached(files) == ["a.py", "b.py", "c.py"]


def test_names_that_depend_on_others() -> None:
    text = "A = 1\nB = f(\n  A,\n)\n@d\n@e(A)\nclass C:\n  pass\nasync def d(): return C\nE = 'A'  # A\nF: int = 2\n"
    assert dependents(text.encode(), {"A"}) == {"A", "B", "C", "d"}


def test_tables_that_decorators_fill() -> None:
    files = {
        "tables.py": "MODELS = {}\nSIZES = {}\ndef register(cls):\n  MODELS[cls.__name__] = cls\n  return cls\n"
        "def get(name): return MODELS[name]\ndef size(name): return SIZES[name]\n",
        "models.py": "import flax.linen as nn\nimport tables\n\n@tables.register\nclass MLP(nn.Module):\n  pass\n",
        "train.py": "from tables import get\nget('MLP')().init(0)\n",
        "sizes.py": "from tables import size\nprint(size('MLP'))\n",
    }
    assert reached(files) == ["models.py", "tables.py", "train.py"]
