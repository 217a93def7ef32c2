"""The hooks, run by the real pre-commit in a git repository of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pre_commit")

import yaml  # pre-commit's own dependency

MANIFEST = Path(__file__).parent.parent / ".pre-commit-hooks.yaml"
HOOKS: list[dict[str, Any]] = yaml.safe_load(MANIFEST.read_text())
MODEL = """\
from flax import linen as nn


class MLP(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.features)(x)
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with a model and a staged text, the current folder; both hooks are on hand in it."""
    commands = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "pre-commit"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "models.py").write_text(MODEL)
    (folder / "notes.txt").write_text("from flax import linen as nn\n")
    run("git", "init", "-q")
    run("git", "add", ".")
    return folder


def run(*command: str) -> str:
    """What a command prints, which has to succeed."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def pre_commit(hook: str) -> subprocess.CompletedProcess[str]:
    """Runs one hook on what is staged, from the program at hand instead of a fresh installation."""
    here = [{**fields, "language": "system"} for fields in HOOKS if fields["id"] == hook]
    config = {"repos": [{"repo": "local", "hooks": here}]}
    Path(".pre-commit-config.yaml").write_text(json.dumps(config))
    run("git", "add", ".pre-commit-config.yaml")
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--color=never", "--verbose", hook],
        check=False,
        capture_output=True,
        text=True,
    )


def test_the_manifest_is_one_that_pre_commit_takes() -> None:
    run(sys.executable, "-m", "pre_commit", "validate-manifest", str(MANIFEST))


def test_one_process_sees_all_python_files() -> None:
    assert [hook["id"] for hook in HOOKS] == ["nnx-codemod", "nnx-codemod-check"]
    assert all(hook["require_serial"] and hook["types_or"] == ["python"] for hook in HOOKS)


@pytest.mark.slow
def test_the_rewriting_hook_writes_and_passes_the_second_time(repository: Path) -> None:
    first = pre_commit("nnx-codemod")
    assert first.returncode == 1
    assert "files were modified by this hook" in first.stdout
    assert "class MLP(nnx.Module):" in (repository / "models.py").read_text()
    run("git", "add", "models.py")
    second = pre_commit("nnx-codemod")
    assert second.returncode == 0, second.stdout


@pytest.mark.slow
def test_the_checking_hook_names_files_and_writes_none(repository: Path) -> None:
    done = pre_commit("nnx-codemod-check")
    assert done.returncode == 1
    assert "models.py" in done.stdout.splitlines()
    assert "files were modified" not in done.stdout
    assert (repository / "models.py").read_text() == MODEL


@pytest.mark.slow
def test_unstaged_changes_come_back(repository: Path) -> None:
    with (repository / "notes.txt").open("a") as file:
        file.write("not staged\n")
    assert pre_commit("nnx-codemod").returncode == 1
    assert "class MLP(nnx.Module):" in (repository / "models.py").read_text()
    assert (repository / "notes.txt").read_text().endswith("not staged\n")


@pytest.mark.slow
def test_a_file_that_does_not_parse_fails_the_hook(repository: Path) -> None:
    (repository / "bad.py").write_text("import flax.linen\ndef f(:\n")
    run("git", "add", "bad.py")
    done = pre_commit("nnx-codemod")
    assert done.returncode == 1
    assert "bad.py:2:7: E001" in done.stdout
    assert "Traceback" not in done.stdout
    assert "class MLP(nnx.Module):" in (repository / "models.py").read_text()
