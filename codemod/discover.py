"""Which files are read at all: those that git would track, and of them those that name a framework."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

from . import git
from .config import Options

FRAMEWORKS = (b"flax", b"haiku")
CONFIGURATION = ".gin"
_NEVER = frozenset(("__pycache__", "node_modules", "site-packages"))


@dataclass
class Problem:
    """A path that is not followed; `fatal` where the user has to know before trusting the result."""

    path: Path
    message: str
    fatal: bool = True


@dataclass
class Found:
    """The Python files below the given paths and what is in them.

    `configurations` are gin's files, which speak of classes by their names. `named` are those that a path of the
    command line names itself; the others were met in a folder.
    """

    files: dict[Path, bytes] = field(default_factory=dict)
    named: set[Path] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    configurations: dict[Path, bytes] = field(default_factory=dict)

    @property
    def candidates(self) -> list[Path]:
        """The files that mention a framework, sorted."""
        return sorted(path for path, data in self.files.items() if mentions_framework(data))


def discover(paths: Iterable[Path], options: Options) -> Found:
    """The Python files at and below `paths`, less the excludes.

    A file that is named itself is taken whatever its suffix, ignored by git or not.
    """
    found = Found()
    seen: dict[Path, Path] = {}
    excluded = _excluded(options)
    for path in sorted(set(paths)):
        for file in _named(path, found.problems):
            real = file.resolve()
            if excluded(real):
                continue
            if real not in seen:
                seen[real] = file
                configures = path.is_dir() and file.suffix == CONFIGURATION
                _read(file, found.configurations if configures else found.files, found.problems)
            if not path.is_dir() and seen[real] in found.files:
                found.named.add(seen[real])
    return found


def _read(file: Path, into: dict[Path, bytes], problems: list[Problem]) -> None:
    try:
        into[file] = file.read_bytes()
    except OSError as error:
        problems.append(Problem(file, f"cannot be read: {error.strerror}"))


def mentions_framework(data: bytes) -> bool:
    """Whether the bytes of a file hold a framework's name."""
    return any(name in data for name in FRAMEWORKS)


def _excluded(options: Options) -> Callable[[Path], bool]:
    """Whether a resolved path is excluded by the configuration."""
    if not options.exclude or options.root is None:
        return lambda path: False
    patterns, root = GitIgnoreSpec.from_lines(options.exclude), options.root.resolve()
    return lambda path: (
        path.is_relative_to(root) and patterns.match_file(path.relative_to(root).as_posix())
    )


# ---- paths that the user named -----------------------------------------------------------------------


def _named(path: Path, problems: list[Problem]) -> Iterator[Path]:
    """The Python files that a path of the command line stands for."""
    if not path.exists():
        problems.append(Problem(path, "no such file or directory"))
    elif path.is_dir():
        yield from _below(path, problems)
    elif path.suffix == ".ipynb":
        problems.append(Problem(path, "notebooks are not rewritten", fatal=False))
    elif not path.is_symlink():
        yield path
    elif _inside(path, git.work_tree(path) or path.parent):
        yield path.resolve()
    else:
        problems.append(Problem(path, f"a symlink out of the tree, to {os.readlink(path)}"))


def _below(folder: Path, problems: list[Problem]) -> Iterator[Path]:
    """The Python files in a folder, and gin's, that are files of their own; links to others of them are not."""
    listed = git.files(folder)
    for path in _walk(folder) if listed is None else listed:
        if path.is_symlink():
            problems.extend(_link(path, folder))
        elif path.suffix in (".py", CONFIGURATION) and path.is_file():
            yield path


def _link(path: Path, folder: Path) -> Iterator[Problem]:
    """What there is to say of a symlink: nothing if it leads to a file of the same folder, or to no code."""
    if _inside(path, folder):
        return
    message = f"a symlink out of the tree, to {os.readlink(path)}"
    if path.is_dir():
        yield Problem(path, message, fatal=False)
    elif path.suffix == ".py" and path.is_file() and mentions_framework(path.read_bytes()):
        yield Problem(path, message)


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


# ---- outside a git work tree -------------------------------------------------------------------------


def _walk(folder: Path) -> Iterator[Path]:
    """The files and links below a folder, sorted, less what its .gitignore files name.

    Hidden folders, virtual environments and other tools' caches are nobody's sources.
    """
    yield from _entries(folder, [])


def _entries(folder: Path, ignores: Sequence[tuple[Path, GitIgnoreSpec]]) -> Iterator[Path]:
    own = _gitignore(folder)
    ignores = [*ignores, (folder, own)] if own else ignores
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = folder / entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if _ignored(path, is_folder, ignores):
            continue
        if not is_folder:
            yield path
        elif not (
            entry.name.startswith(".") or entry.name in _NEVER or (path / "pyvenv.cfg").exists()
        ):
            yield from _entries(path, ignores)


def _gitignore(folder: Path) -> GitIgnoreSpec | None:
    try:
        lines = (folder / ".gitignore").read_text(errors="replace").splitlines()
    except OSError:
        return None
    return GitIgnoreSpec.from_lines(lines)


def _ignored(path: Path, is_folder: bool, ignores: Sequence[tuple[Path, GitIgnoreSpec]]) -> bool:
    """Whether the innermost .gitignore file with an opinion ignores a path."""
    for folder, patterns in reversed(ignores):
        name = path.relative_to(folder).as_posix() + ("/" if is_folder else "")
        verdict = patterns.check_file(name).include
        if verdict is not None:
            return verdict
    return False
