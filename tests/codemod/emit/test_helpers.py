"""The file of helpers: what is in it, what it imports, and what becomes of one that is there already."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys

import pytest

from nnx_codemod import helpers
from nnx_codemod.codemod.emit.helpers import DOCSTRING, helper_names, nnx_layers


def names_in(text: str) -> list[str]:
    """The definitions of a file, in order."""
    body = ast.parse(text).body
    return [n.name for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef)]


def imports_in(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.startswith(("import ", "from "))]


def executed(text: str) -> dict[str, object]:
    found: dict[str, object] = {"__name__": "nnx_layers"}
    exec(compile(text, "nnx_layers.py", "exec"), found)
    return found


def test_every_public_definition_is_a_helper() -> None:
    defined = set()
    for info in pkgutil.iter_modules(helpers.__path__):
        module = importlib.import_module(f"{helpers.__name__}.{info.name}")
        defined |= {
            name
            for name, value in vars(module).items()
            if getattr(value, "__module__", None) == module.__name__
        }
    assert helper_names() == defined


def test_names_are_read_without_jax() -> None:
    code = (
        "import sys; from nnx_codemod.codemod.emit.helpers import helper_names; "
        "assert helper_names(); print('jax' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize("name", sorted(helper_names()))
def test_each_helper_stands_alone(name: str) -> None:
    """Whatever one helper needs comes with it: nothing in it is undefined, nothing is superfluous."""
    text = nnx_layers([name], None, "    ")
    assert name in executed(text)
    tree = ast.parse(text)
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    for statement in tree.body:
        match statement:
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                assert all((a.asname or a.name.split(".")[0]) in used for a in names), name
            case ast.FunctionDef(name=other) | ast.ClassDef(name=other):
                assert other == name or other in used
    loaded = {
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }
    assert not (loaded & helper_names()) - set(names_in(text))


def test_what_helpers_need_comes_before_them() -> None:
    assert names_in(nnx_layers(["ConvLSTM"], None, "    ")) == [
        "haiku_init",
        "LSTMState",
        "ConvLSTM",
    ]


def test_imports_are_those_that_are_used_and_in_order() -> None:
    assert imports_in(nnx_layers(["flatten"], None, "    ")) == ["import jax"]
    text = nnx_layers(["MLP"], None, "    ")
    assert imports_in(text) == [
        "from collections.abc import Callable, Sequence",
        "import math",
        "from typing import Any",
        "from flax import nnx",
        "import jax",
        "import jax.numpy as jnp",
    ]
    assert "from typing import Any\n\nfrom flax import nnx\n" in text


def test_all_helpers_together() -> None:
    text = nnx_layers(helper_names(), None, "    ")
    assert sorted(names_in(text)) == sorted(helper_names())
    assert helper_names() <= set(executed(text))


def test_order_does_not_depend_on_the_order_of_names() -> None:
    assert nnx_layers(["LSTM", "GRU"], None, "  ") == nnx_layers(["GRU", "LSTM"], None, "  ")


@pytest.mark.parametrize("indent", ["  ", "    ", "\t", "        "])
def test_indentation_is_the_users(indent: str) -> None:
    text = nnx_layers(helper_names(), None, indent)
    assert helper_names() <= set(executed(text))
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert not re.search(r"[ \t]+$", text, re.MULTILINE)
    if indent == "    ":
        return
    usual = nnx_layers(helper_names(), None, "    ")
    assert [line.strip() for line in text.split("\n")] == [
        line.strip() for line in usual.split("\n")
    ]
    assert ast.dump(strip_docstrings(text)) == ast.dump(strip_docstrings(usual))


def strip_docstrings(text: str) -> ast.Module:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return tree


def test_helpers_of_an_earlier_run_stay() -> None:
    first = nnx_layers(["flatten"], None, "  ")
    both = nnx_layers(["haiku_init"], first, "  ")
    assert names_in(both) == ["flatten", "haiku_init"]
    assert {"flatten", "haiku_init"} <= set(executed(both))
    assert imports_in(both) == imports_in(nnx_layers(["flatten", "haiku_init"], None, "  "))
    assert nnx_layers(["flatten"], both, "  ") == both
    assert nnx_layers([], both, "  ") == both


def test_changes_by_hand_stay() -> None:
    first = nnx_layers(["flatten", "haiku_init"], None, "  ")
    changed = first.replace("def flatten", "# Ours.\ndef flatten").replace(
        "import math", "import math\nimport os"
    )
    assert changed != first
    assert nnx_layers(["haiku_init"], changed, "  ") == changed
    more = nnx_layers(["LSTM"], changed, "  ")
    assert "# Ours.\ndef flatten" in more
    assert "import os" in imports_in(more)
    assert names_in(more) == ["haiku_init", "flatten", "LSTMState", "LSTM"]
    assert "LSTM" in executed(more)


def test_what_a_helper_needs_is_not_added_twice() -> None:
    first = nnx_layers(["LSTM"], None, "    ")
    more = nnx_layers(["ConvLSTM"], first, "    ")
    assert names_in(more) == [*names_in(first), "ConvLSTM"]


@pytest.mark.parametrize(
    "existing",
    [
        "",
        "import jax\n",
        '"""Another file."""\n\n\ndef flatten(x):\n    return x\n',
        f"{DOCSTRING}\n\n\ndef mine(x):\n    return x\n",
    ],
    ids=["empty", "imports", "other docstring", "own definition"],
)
def test_a_file_of_the_users_is_not_overwritten(existing: str) -> None:
    with pytest.raises(ValueError, match=r"nnx_layers\.py holds something else"):
        nnx_layers(["flatten"], existing, "    ")
