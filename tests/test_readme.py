"""The README says what the program does."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from nnx_codemod.cli import cli
from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.parity.samples import samples
from nnx_codemod.codemod.report import ClassReport, FileReport

README = (Path(__file__).parent.parent / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The fenced blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)


def test_the_diff_is_what_the_program_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shown,) = blocks("diff")
    body = shown.splitlines(keepends=True)[3:]
    before = "".join(line[1:] for line in body if line[0] in " -")
    monkeypatch.chdir(tmp_path)
    Path("models.py").write_text(before)
    printed = CliRunner().invoke(cli, ["rewrite", "--diff", "."]).stdout
    differences = difflib.unified_diff(shown.splitlines(), printed.splitlines(), lineterm="")
    assert printed == shown, "\n".join(differences)


@pytest.mark.parametrize("name", ["rewrite", "verify"])
def test_every_option_is_listed(name: str) -> None:
    section = README.partition(f"### `nnx-codemod {name}")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| (`--[^|]*(?:\\\|[^|]*)*)\|", section, re.M)
    listed = {option for row in rows for option in re.findall(r"--[a-z-]+", row)}
    options = {
        option for one in cli.commands[name].params for option in one.opts if option[:2] == "--"
    }
    assert listed - {"--help"} == options


def test_the_configuration_holds_every_key() -> None:
    _, table = blocks("toml")
    keys = {key.replace("-", "_") for key in tomllib.loads(table)["tool"]["nnx-codemod"]}
    assert keys == {field.name for field in dataclasses.fields(Options)} - {"root"}


def test_the_sample_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(blocks("toml")[0])
    (sample,) = samples(tmp_path)
    assert (sample.name, sample.path) == ("ResNet", "examples/imagenet")


def test_the_report_has_the_shape_of_a_report() -> None:
    (text,) = blocks("json")
    (file,) = json.loads(text)["files"]
    assert FileReport.from_json(file).to_json() == file
    assert file["classes"] == [ClassReport.from_json(one).to_json() for one in file["classes"]]


def test_every_command_has_a_section() -> None:
    for name in cli.commands:
        assert f"nnx-codemod {name}" in README
