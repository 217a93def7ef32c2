"""The few questions that are asked of git; each has a quiet answer where there is no git or no work tree."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

_HOOK_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


def _git(folder: Path, *arguments: str) -> str | None:
    """What a git command prints in a folder; None where it fails."""
    # In a hook these describe the repository of the commit, which need not be the folder's.
    environment = {key: value for key, value in os.environ.items() if key not in _HOOK_VARIABLES}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, env=environment, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return os.fsdecode(done.stdout)


def init(folder: Path) -> None:
    """Makes a folder a work tree of its own."""
    _git(folder, "init", "--quiet")


def work_tree(path: Path) -> Path | None:
    """The root of the work tree that holds a path and would track it; None outside any."""
    folder = path if path.is_dir() else path.parent
    root = _git(folder, "rev-parse", "--show-toplevel")
    if not root or not root.strip("\n"):
        return None
    if _git(folder, "check-ignore", "-q", str(path.absolute())) is not None:
        return None
    return Path(root.strip("\n"))


def files(folder: Path) -> list[Path] | None:
    """The files below a folder that git tracks or would, sorted; None outside any work tree.

    Submodules and repositories within the repository keep their files to themselves.
    """
    if work_tree(folder) is None:
        return None
    listed = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ".")
    if listed is None:
        return None
    return sorted(
        folder / name for name in set(listed.split("\0")) if name and not name.endswith("/")
    )


def uncommitted(paths: Iterable[Path]) -> list[str]:
    """What stands in the way of changing these files so that git can undo it; empty outside any work tree.

    These are the tracked files of their work trees with changes that are not committed, and those of `paths` that git
    does not know yet.
    """
    mine = {path.resolve() for path in paths}
    found: list[str] = []
    for tree in sorted({tree for path in mine if (tree := work_tree(path))}):
        status = (
            _git(tree, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames") or ""
        )
        for entry in filter(None, status.split("\0")):
            kind, name = entry[:2], entry[3:]
            if kind != "??" or (tree / name).resolve() in mine:
                found.append(name)
    return found
