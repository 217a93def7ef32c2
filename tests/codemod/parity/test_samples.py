"""Cases from the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnx_codemod.codemod.config import ConfigError, load
from nnx_codemod.codemod.parity.samples import samples

WHOLE = """
[tool.nnx-codemod]
names = "original"

[[tool.nnx-codemod.samples]]
module = "models:ResNet"
path = "examples/imagenet"
kwargs = { num_classes = 5, stage_sizes = [1, 1], block_cls = "py:module.ResNetBlock" }
inputs = ["f32[2,32,32,3]"]
call = { train = false }

[[tool.nnx-codemod.samples]]
module = "pkg.heads:Head"
args = [3]
inputs = [["f32[2,3]", { mask = "bool[2]" }], "i32[2]<9"]
method = "encode"
"""


def test_samples_are_read(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(WHOLE)
    first, second = samples(tmp_path)
    assert (first.module, first.name, first.path) == ("models", "ResNet", "examples/imagenet")
    assert first.case == {
        "origin": "configuration",
        "args": [],
        "kwargs": {
            "num_classes": 5,
            "stage_sizes": [1, 1],
            "block_cls": "py:module.ResNetBlock",
        },
        "inputs": ["f32[2,32,32,3]"],
        "call": {"train": False},
        "method": "__call__",
    }
    assert (second.path, second.case["method"], second.case["args"]) == (".", "encode", [3])


def test_the_other_options_are_read_beside_samples(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(WHOLE)
    assert load(tmp_path).names == "original"


def test_no_configuration(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert samples(tmp_path) == []


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('module = "models"', "package.module:Class"),
        ('module = "models:A"\ninput = ["f32[2]"]', "no key input"),
        ('module = "models:A"\ninputs = "f32[2]"', "inputs must be an array"),
        ('module = "models:A"\ncall = []', "call must be a table"),
        ("module = 3", "module must be a string"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, table: str, words: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[[tool.nnx-codemod.samples]]\n{table}\n")
    with pytest.raises(ConfigError, match="sample 1") as error:
        samples(tmp_path)
    assert words in str(error.value)
