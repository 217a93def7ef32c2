"""The two trees: originals from git or from a folder, the rewrite in the working tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import git


class Unusable(Exception):
    """Originals that cannot be had; the message is one line."""


@dataclass(frozen=True)
class Trees:
    """Two folders with the same layout; `paths`, relative to both, are what the user named."""

    original: Path
    rewritten: Path
    paths: tuple[Path, ...]


def from_git(paths: Sequence[Path], revision: str, scratch: Path) -> Trees:
    """The originals at a revision, put into `scratch`; raises Unusable."""
    roots = {git.work_tree(path) for path in paths}
    if len(roots) != 1 or None in roots:
        raise Unusable(
            "the paths are in no git work tree; --original names a folder with the originals"
        )
    root = next(iter(roots))
    assert root is not None
    folder = scratch / "original" / root.name  # some imports speak of the checkout's own name
    folder.mkdir(parents=True)
    archive = scratch / "original.tar"
    done = subprocess.run(
        ["git", "-C", str(root), "archive", "--format=tar", f"--output={archive}", revision],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["git archive failed"])[-1]
        raise Unusable(f"no originals at {revision}: {reason.removeprefix('fatal: ')}")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    archive.unlink()
    as_work_tree(folder)
    return Trees(folder, root, relative(paths, root))


def from_folder(paths: Sequence[Path], original: Path, scratch: Path) -> Trees:
    """The originals in a folder that mirrors the one that the paths have in common; raises Unusable."""
    if not original.is_dir():
        raise Unusable(f"{original}: no such folder")
    shared = Path(os.path.commonpath([path.resolve() for path in paths]))
    base = shared if shared.is_dir() else shared.parent
    if not any((original / file.relative_to(base)).is_file() for file in _code(base)):
        raise Unusable(f"{original}: no file there lies as one of {base} does")
    folder = scratch / "original" / base.name
    ignored = shutil.ignore_patterns(".git", "__pycache__", ".venv")
    shutil.copytree(original.resolve(), folder, ignore=ignored, symlinks=True)
    as_work_tree(folder)
    return Trees(folder, base, relative(paths, base))


def _code(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*.py") if path.is_file())


def as_work_tree(folder: Path) -> None:
    """Makes a folder a git work tree of its own, in which the rewrite sees what it saw in the user's."""
    git.init(folder)


def relative(paths: Sequence[Path], root: Path) -> tuple[Path, ...]:
    """Paths as seen from a folder that holds them."""
    return tuple(path.resolve().relative_to(root.resolve()) for path in paths)
