"""Which files are read at all."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.discover import Found, discover

FILES = {
    "models.py": "import flax.linen as nn\n",
    "pkg/net.py": "import haiku as hk\n",
    "pkg/tool.py": "import os\n",
    "pkg/notes.txt": "flax\n",
    "pkg/study.ipynb": "flax\n",
    "build/gen.py": "import flax\n",
    "pkg/gen/made.py": "import flax\n",
    "pkg/gen/kept.py": "import flax\n",
    ".gitignore": "build/\n",
    "pkg/.gitignore": "gen/*\n!gen/kept.py\n",
}


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def planted(folder: Path) -> Path:
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A tree outside any git work tree."""
    return planted(tmp_path / "tree")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The same tree as a git repository, half of it tracked."""
    folder = planted(tmp_path / "tree")
    git(folder, "init", "-q")
    git(folder, "add", "pkg")
    return folder


@pytest.fixture(params=["plain", "repository"])
def tree(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.getfixturevalue(request.param)
    return folder


def names(paths: list[Path], folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in paths]


def notes(found: Found) -> list[tuple[str, str, bool]]:
    return [
        (problem.path.name, problem.message.split(",")[0], problem.fatal)
        for problem in found.problems
    ]


def test_what_git_would_track_and_names_a_framework(tree: Path) -> None:
    found = discover([tree], Options())
    assert names(found.candidates, tree) == ["models.py", "pkg/gen/kept.py", "pkg/net.py"]
    assert names(sorted(found.files), tree) == [
        "models.py",
        "pkg/gen/kept.py",
        "pkg/net.py",
        "pkg/tool.py",
    ]
    assert not found.problems


def test_a_part_of_the_tree(tree: Path) -> None:
    found = discover([tree / "pkg"], Options())
    assert names(found.candidates, tree) == ["pkg/gen/kept.py", "pkg/net.py"]


def test_excludes_are_patterns_from_the_configuration_s_folder(tree: Path) -> None:
    found = discover(
        [tree, tree / "models.py"], Options(exclude=("/models.py", "tool.py"), root=tree)
    )
    assert names(found.candidates, tree) == ["pkg/gen/kept.py", "pkg/net.py"]
    assert len(found.files) == 2


def test_a_file_that_is_named_is_taken_even_if_ignored(tree: Path) -> None:
    found = discover([tree / "build/gen.py", tree / "pkg/notes.txt"], Options())
    assert names(found.candidates, tree) == ["build/gen.py", "pkg/notes.txt"]
    assert found.named == set(found.candidates)


def test_an_ignored_folder_that_is_named_is_searched(tree: Path) -> None:
    found = discover([tree / "build"], Options())
    assert names(found.candidates, tree) == ["build/gen.py"]


def test_a_file_is_found_once(tree: Path) -> None:
    found = discover([tree, tree / "pkg", tree / "models.py", tree / "pkg/../models.py"], Options())
    assert len(found.candidates) == 3


def test_a_relative_path_stays_relative(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    assert discover([Path("pkg")], Options()).candidates[-1] == Path("pkg/net.py")
    assert Path("models.py") in discover([Path()], Options()).candidates


def test_deleted_but_tracked(repository: Path) -> None:
    (repository / "pkg/net.py").unlink()
    assert names(discover([repository], Options()).candidates, repository) == [
        "models.py",
        "pkg/gen/kept.py",
    ]


def test_a_repository_within_keeps_its_files(repository: Path) -> None:
    inner = repository / "vendor"
    inner.mkdir()
    git(inner, "init", "-q")
    (inner / "theirs.py").write_text("import flax")
    assert "vendor/theirs.py" not in names(discover([repository], Options()).candidates, repository)
    assert names(discover([inner], Options()).candidates, inner) == ["theirs.py"]


def test_environments_and_caches_are_nobody_s_sources(plain: Path) -> None:
    for name in (".hidden/a.py", "venv/pyvenv.cfg", "venv/lib/a.py", "__pycache__/a.py"):
        (plain / name).parent.mkdir(parents=True, exist_ok=True)
        (plain / name).write_text("import flax")
    assert len(discover([plain], Options()).candidates) == 3


def test_a_hook_s_environment_does_not_confuse(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere/.git")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert len(discover([repository], Options()).candidates) == 3


def test_odd_names(repository: Path) -> None:
    for name in ("a b.py", "é.py", 'q"uote.py', "new\nline.py", "-dash.py"):
        (repository / name).write_text("import flax")
    assert len(discover([repository], Options()).candidates) == 8


# ---- paths that lead nowhere, or out ---------------------------------------------------------------


def test_a_path_that_does_not_exist(tree: Path) -> None:
    found = discover([tree / "gone.py", tree / "models.py"], Options())
    assert names(found.candidates, tree) == ["models.py"]
    assert notes(found) == [("gone.py", "no such file or directory", True)]


def test_a_notebook_that_is_named(tree: Path) -> None:
    assert notes(discover([tree / "pkg/study.ipynb"], Options())) == [
        ("study.ipynb", "notebooks are not rewritten", False)
    ]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "theirs.py").write_text("import flax")
    (folder / "plain.py").write_text("import os")
    return folder


def test_symlinks_out_of_the_tree_are_not_followed(tree: Path, outside: Path) -> None:
    os.symlink(outside / "theirs.py", tree / "theirs.py")
    os.symlink(outside / "plain.py", tree / "plain.py")
    os.symlink(outside, tree / "folder")
    os.symlink("nowhere", tree / ".#models.py")
    found = discover([tree], Options())
    assert names(found.candidates, tree) == ["models.py", "pkg/gen/kept.py", "pkg/net.py"]
    assert notes(found) == [
        ("folder", "a symlink out of the tree", False),
        ("theirs.py", "a symlink out of the tree", True),
    ]


def test_a_symlink_out_of_the_tree_that_is_named(tree: Path, outside: Path) -> None:
    os.symlink(outside / "theirs.py", tree / "theirs.py")
    found = discover([tree / "theirs.py"], Options())
    assert not found.candidates
    assert notes(found) == [("theirs.py", "a symlink out of the tree", True)]


def test_a_symlink_within_the_tree_is_its_target(tree: Path) -> None:
    os.symlink("models.py", tree / "alias.py")
    assert names(discover([tree], Options()).candidates, tree)[0] == "models.py"
    assert discover([tree / "alias.py"], Options()).candidates == [(tree / "models.py").resolve()]
    assert len(discover([tree, tree / "alias.py"], Options()).candidates) == 3


def test_a_file_that_cannot_be_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "tool.py":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    found = discover([tree], Options())
    assert notes(found) == [("tool.py", "cannot be read: Permission denied", True)]
    assert len(found.candidates) == 3


def test_configurations_of_gin_are_met_in_folders(plain: Path) -> None:
    (plain / "pkg" / "base.gin").write_text("train.model = @MLP\n")
    (plain / "build" / "gen.gin").write_text("train.model = @MLP\n")
    found = discover([plain], Options())
    assert list(found.configurations) == [plain / "pkg" / "base.gin"]
    assert not any(path.suffix == ".gin" for path in found.files)
    assert plain / "pkg" / "base.gin" in discover([plain / "pkg" / "base.gin"], Options()).files
