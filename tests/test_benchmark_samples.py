"""`benchmarks/samples.py`: a manifest's cases as samples that `verify` reads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nnx_codemod.codemod.parity.samples import samples

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "samples.py"
MANIFEST = [
    {
        "id": "net",
        "repo": "owner/name",
        "root": "src",
        "import_as": "models",
        "class": "Net",
        "ctor": {
            "act": "py:mod.relu",
            "sizes": [1, 2],
            "config": "py:cfg(size=(4, 4))",
            "other": None,
        },
        "inputs": [
            {"shape": [2, 8], "dtype": "float32"},
            {"ids": {"shape": [2, 3], "dtype": "int32", "maxval": 9}},
            {"py": "M.start(np.ones(3))"},
        ],
        "kwargs": {"train": False},
        "method": "encode",
    },
    {
        "id": "made",
        "repo": "owner/name",
        "import_as": "models",
        "class": "Net",
        "factory": "mod.make()",
        "inputs": [],
    },
]
CALLED = {
    "id": "called",
    "repo": "owner/name",
    "root": "@parent:package",
    "import_as": "package.nets.models",
    "name": "Net",
    "inputs": [{"shape": [2, 8], "dtype": "float32"}, {"shape": [2], "dtype": "bool"}],
}


def run(tmp_path: Path, manifest: list[dict[str, Any]] = MANIFEST) -> str:
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    arguments = [sys.executable, SCRIPT, tmp_path / "manifest.json", tmp_path / "trees"]
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout


def test_what_it_writes_is_read_back(tmp_path: Path) -> None:
    tree = tmp_path / "trees" / "owner+name"
    tree.mkdir(parents=True)
    (tree / "pyproject.toml").write_text('[project]\nname = "x"\n')

    said = run(tmp_path)
    assert "left out: made: it has `factory`" in said

    (sample,) = samples(tree)
    assert (sample.module, sample.name, sample.path) == ("models", "Net", "src")
    assert sample.case == {
        "origin": "configuration",
        "args": [],
        "kwargs": {
            "act": "py:module.relu",
            "sizes": [1, 2],
            "config": "py:(lambda **k: load('ml_collections').ConfigDict(k))(size=(4, 4))",
            "other": "py:None",
        },
        "inputs": ["f32[2,8]", {"ids": "i32[2,3]<9"}, "py:module.start(np.ones(3))"],
        "call": {"train": False},
        "method": "encode",
    }


def test_a_second_run_replaces_what_the_first_wrote(tmp_path: Path) -> None:
    tree = tmp_path / "trees" / "owner+name"
    tree.mkdir(parents=True)
    run(tmp_path)
    first = (tree / "pyproject.toml").read_text()
    run(tmp_path)
    assert (tree / "pyproject.toml").read_text() == first


def test_a_tree_that_is_a_package_and_a_call_of_its_own(tmp_path: Path) -> None:
    tree = tmp_path / "trees" / "owner+name"
    tree.mkdir(parents=True)
    call = "py:lambda m, x, mask: m.encode(x, M.Config(3), mask=mask, train=False)"
    run(tmp_path, [{**CALLED, "call": call}])
    (sample,) = samples(tree)
    assert (sample.module, sample.name, sample.path) == ("nets.models", "Net", ".")
    assert sample.case["method"] == "encode"
    assert sample.case["inputs"] == ["f32[2,8]", "py:module.Config(3)"]
    assert sample.case["call"] == {"mask": "bool[2]", "train": False}


@pytest.mark.parametrize(
    "call",
    [
        "py:lambda m, x, mask: m(x, m.start(2))",
        "py:lambda m, x, mask: m(x)[0]",
        "py:lambda m, *x: m(*x)",
        "py:lambda m, x, mask: unroll(m, x)",
        "py:M.run",
    ],
)
def test_a_call_that_no_sample_says(call: str, tmp_path: Path) -> None:
    assert "left out: called: " in run(tmp_path, [{**CALLED, "call": call}])
