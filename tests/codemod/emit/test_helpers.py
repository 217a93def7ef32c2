"""The file of helpers beside the user's code."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from nnx_codemod.codemod.emit import helpers
from nnx_codemod.codemod.emit.helpers import DOCSTRING, helper_names, nnx_layers


def _run(text: str) -> dict[str, Any]:
    module = types.ModuleType("nnx_layers")
    sys.modules["nnx_layers"] = module  # dataclasses look their module up
    try:
        exec(compile(text, "nnx_layers.py", "exec"), vars(module))
    finally:
        del sys.modules["nnx_layers"]
    return vars(module)


def test_a_helper_comes_with_its_imports() -> None:
    text = nnx_layers(["haiku_init"], None, "    ")
    head, definition = text.split("\n\n\n")
    assert head.startswith(DOCSTRING + "\n\n")
    assert head.split("\n\n")[1:] == [
        "from collections.abc import Sequence\nimport math\nfrom typing import Any",
        "import jax\nimport jax.numpy as jnp",
    ]
    assert definition.startswith("def haiku_init(")
    assert text.endswith("sqrt(fan_in)\n")


@pytest.mark.parametrize("name", sorted(helper_names()))
def test_each_helper_runs_on_its_own(name: str) -> None:
    assert name in _run(nnx_layers([name], None, "    "))


@pytest.mark.parametrize("indent", ["    ", "  ", "\t", "   "])
def test_all_helpers_run_together_in_any_indentation(indent: str) -> None:
    text = nnx_layers(helper_names(), None, indent)
    assert helper_names() <= _run(text).keys()
    own = [line for line in text.split("\n") if line.startswith(" " if indent != "\t" else "\t")]
    assert any(line.startswith(indent) and line[len(indent) :][:1].isalpha() for line in own)


def test_what_a_helper_needs_comes_along() -> None:
    names = _run(nnx_layers(["BatchNorm"], None, "  "))
    assert {"BatchNorm", "ExponentialMovingAverage"} <= names.keys()
    assert "MLP" not in names


def test_the_order_of_names_does_not_matter() -> None:
    names = sorted(helper_names())
    assert nnx_layers(names, None, "  ") == nnx_layers(reversed(names), None, "  ")


def test_docstrings_move_with_their_code() -> None:
    text = nnx_layers(["haiku_init"], None, "  ")
    assert '\n  """The default weights' in text
    assert "\n  A truncated normal" in text
    assert "\n\n\n" in text


def test_a_second_run_changes_nothing() -> None:
    text = nnx_layers(["MLP", "flatten"], None, "  ")
    assert nnx_layers(["MLP"], text, "  ") == text
    assert nnx_layers([], text, "    ") == text


def test_helpers_of_an_earlier_run_stay() -> None:
    earlier = nnx_layers(["flatten"], None, "  ")
    text = nnx_layers(["MLP"], earlier, "  ")
    assert text.index("def flatten") < text.index("class MLP")
    assert _run(text).keys() == _run(nnx_layers(["MLP", "flatten"], None, "  ")).keys()
    assert nnx_layers(["flatten", "MLP"], text, "  ") == text


def test_what_a_person_changed_stays() -> None:
    earlier = nnx_layers(["flatten"], None, "  ").replace("Merges all axes", "Flattens all axes")
    text = nnx_layers(["haiku_init", "flatten"], earlier, "  ")
    assert "Flattens all axes" in text
    assert {"haiku_init", "flatten"} <= _run(text).keys()
    assert text.count("def flatten") == 1
    assert text.index("import math") < text.index("def flatten")
    assert nnx_layers(["haiku_init"], text, "  ") == text


@pytest.mark.parametrize(
    "existing",
    ["x = 1\n", DOCSTRING + "\nx = 1\n", '"""My layers."""\n', "def flatten(x):\n  return x\n"],
)
def test_a_file_of_the_users_own_is_an_error(existing: str) -> None:
    with pytest.raises(ValueError, match=r"nnx_layers\.py holds something else"):
        nnx_layers(["flatten"], existing, "  ")


def test_a_file_that_does_not_parse_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"nnx_layers\.py does not parse"):
        nnx_layers(["flatten"], "def flatten(:\n", "  ")


def test_two_helpers_of_one_name_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text("def same():\n    return 1\n")
    monkeypatch.setattr(helpers, "_FOLDER", tmp_path)
    helpers._definitions.cache_clear()
    try:
        with pytest.raises(ValueError, match="two helpers are called same"):
            helpers._definitions()
    finally:
        helpers._definitions.cache_clear()


def test_the_file_is_clean(tmp_path: Path) -> None:
    """Nothing unused, nothing undefined."""
    (tmp_path / "nnx_layers.py").write_text(nnx_layers(helper_names(), None, "    "))
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--select",
        "E4,E7,E9,F",
        tmp_path,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
