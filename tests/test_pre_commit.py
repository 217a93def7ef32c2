"""The hooks, run by the real pre-commit on a scratch repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

MANIFEST = Path(__file__).parent.parent / ".pre-commit-hooks.yaml"
LINEN = "from flax import linen as nn\n\n\nclass MLP(nn.Module):\n    @nn.compact\n    def __call__(self, x):\n"
LINEN += "        x = nn.Dense(32)(x)\n        return nn.Dense(3)(nn.relu(x))\n"


def pre_commit(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs pre-commit in a folder, with this environment's programs on the path."""
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]),
        "PRE_COMMIT_HOME": str(folder.parent / "pre-commit"),
    }
    command = [sys.executable, "-m", "pre_commit", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def hooks() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(MANIFEST.read_text())
    return found


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one Linen file, whose hooks are ours but for the installation: they use this environment's."""
    folder = tmp_path / "repository"
    folder.mkdir()
    local = [{**hook, "language": "system"} for hook in hooks()]
    (folder / ".pre-commit-config.yaml").write_text(
        yaml.safe_dump({"repos": [{"repo": "local", "hooks": local}]})
    )
    (folder / "models.py").write_text(LINEN)
    (folder / "tools.py").write_text("import os\n")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "add", "."], cwd=folder, check=True)
    return folder


def test_the_manifest_is_valid(tmp_path: Path) -> None:
    assert pre_commit(tmp_path, "validate-manifest", str(MANIFEST)).returncode == 0
    assert {hook["id"] for hook in hooks()} == {"nnx-codemod", "nnx-codemod-check"}
    assert all(hook["require_serial"] and hook["types_or"] == ["python"] for hook in hooks())


@pytest.mark.slow
def test_the_check_names_what_would_change(repository: Path) -> None:
    done = pre_commit(repository, "run", "nnx-codemod-check", "--all-files")
    assert done.returncode == 1, done.stdout
    assert "\nmodels.py\n" in done.stdout
    assert (repository / "models.py").read_text() == LINEN


@pytest.mark.slow
def test_the_hook_rewrites_once(repository: Path) -> None:
    done = pre_commit(repository, "run", "nnx-codemod")
    assert done.returncode == 1, done.stdout
    assert "files were modified by this hook" in done.stdout
    assert "class MLP(nnx.Module):" in (repository / "models.py").read_text()
    assert (repository / "tools.py").read_text() == "import os\n"
    subprocess.run(["git", "add", "."], cwd=repository, check=True)
    for hook in ("nnx-codemod", "nnx-codemod-check"):
        again = pre_commit(repository, "run", hook)
        assert again.returncode == 0, again.stdout


@pytest.mark.slow
def test_the_hook_says_what_it_cannot_do(repository: Path) -> None:
    (repository / "broken.py").write_text("import flax.linen as nn\ndef f(:\n")
    subprocess.run(["git", "add", "."], cwd=repository, check=True)
    done = pre_commit(repository, "run", "nnx-codemod")
    assert done.returncode == 1
    assert "exit code: 2" in done.stdout
    assert "broken.py:2:7: E001" in done.stdout
