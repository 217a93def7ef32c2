"""What there is to verify: the classes that a rewrite of the originals reports, and where each is imported from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..config import Options
from ..run import Examined
from .trees import Trees, Unusable


@dataclass(frozen=True)
class Place:
    """How a file is imported: the module's name and the folders for sys.path, relative to the tree."""

    module: str
    folders: tuple[str, ...]


@dataclass
class Subject:
    """A class or function of the report: its file relative to the tree and its entry."""

    file: Path
    entry: dict[str, Any]
    place: Place
    cases: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.entry["name"])

    @property
    def label(self) -> str:
        return f"{self.file.as_posix()}:{self.name}"


Settle = Callable[[Examined, Sequence[Path]], Examined]


def reported(
    trees: Trees, options: Options, settle: Settle = lambda examined, paths: examined
) -> dict[str, Any]:
    """The report of a rewrite of the originals, made in memory; its paths are relative to the tree.

    `settle` may go on from what the rewrite of these paths comes to.
    """
    return _in_memory(trees, trees.paths, options, settle).report


@dataclass(frozen=True)
class Found:
    """A report, and the files of the working tree that are not as that rewrite leaves them."""

    report: dict[str, Any]
    different: tuple[str, ...] = ()


def closest(
    trees: Trees, options: Options, settle: Settle = lambda examined, paths: examined
) -> Found:
    """The report of the rewrite that the working tree shows: of the paths alone, or of the whole tree.

    What becomes of a class depends on which of its users were rewritten with it, so that a file which was rewritten
    with the whole tree is another one than if it had been the only one.
    """
    found = _in_memory(trees, trees.paths, options, settle)
    if not found.different or Path() in trees.paths or unchanged(trees, _python(trees)):
        return found
    whole = _in_memory(trees, (Path(),), options, settle)
    return min(found, whole, key=lambda one: len(one.different))


def _in_memory(trees: Trees, paths: Sequence[Path], options: Options, settle: Settle) -> Found:
    from ..report import document
    from ..run import examine

    present = [path for path in paths if (trees.original / path).exists()]
    with chdir(trees.original):
        examined = settle(examine(present, options), present)
        different = tuple(_different(examined, trees))
    return Found(document([one.report for one in examined.outcomes], ""), different)


def _different(examined: Examined, trees: Trees) -> Iterator[str]:
    """The files at and below the named paths that are not as a rewrite of the originals leaves them."""
    for outcome in examined.outcomes:
        path = located(Path(outcome.report.path), trees) or Path(outcome.report.path)
        if not any(path.is_relative_to(named) for named in trees.paths):
            continue
        wanted, there = outcome.new_bytes(), trees.rewritten / path
        if wanted is None and outcome.source is not None:
            wanted = outcome.source.bytes
        if wanted is not None and (not there.is_file() or there.read_bytes() != wanted):
            yield path.as_posix()


def _python(trees: Trees) -> list[Path]:
    """The Python files at and below the named paths, relative to the trees."""
    files: set[Path] = set()
    for path in trees.paths:
        place = trees.original / path
        files.update(place.rglob("*.py") if place.is_dir() else [place] if place.is_file() else [])
    return sorted(file.relative_to(trees.original) for file in files)


def read_report(file: Path) -> dict[str, Any]:
    """A report from a file; raises Unusable."""
    try:
        data = json.loads(file.read_text())
        files = data["files"]
        assert isinstance(files, list)
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise Unusable(f"{file}: no report of a rewrite: {error}") from None
    return dict(data)


def subjects(report: Mapping[str, Any], trees: Trees) -> list[Subject]:
    """The rewritten and bridged classes of a report, in the order of files and lines."""
    found = []
    for file in report["files"]:
        path = located(Path(file["path"]), trees)
        if path is None:
            continue
        for entry in file["classes"]:
            found.append(Subject(path, dict(entry), place_of(path, trees.original)))
    return found


def asked_for(subject: Subject, trees: Trees) -> bool:
    """Whether a subject is at or below a path that the user named."""
    return any(subject.file.is_relative_to(path) for path in trees.paths)


def located(path: Path, trees: Trees) -> Path | None:
    """A path of a report, relative to the tree; None for one outside."""
    root = trees.rewritten.resolve()
    for candidate in (trees.original / path, Path.cwd() / path, trees.rewritten / path):
        for base in (trees.original.resolve(), root):
            resolved = candidate.resolve()
            if resolved.is_relative_to(base) and (base / resolved.relative_to(base)).is_file():
                return resolved.relative_to(base)
    return None


def place_of(file: Path, tree: Path) -> Place:
    """How a file is imported: as part of the packages that it is in, else as a module of its folder."""
    parts = [file.stem] if file.stem != "__init__" else []
    folder = file.parent
    while folder != Path() and (tree / folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    folders = list(dict.fromkeys([folder.as_posix(), *_sources(tree), file.parent.as_posix()]))
    if folder == file.parent and folder != Path() and _relative_imports(tree / file):
        return Place(".".join(file.with_suffix("").parts), (".", *folders))
    if folder == file.parent and _hides_its_folder(tree, folder):
        around = folder.parent.as_posix()
        return Place(f"{folder.name}.{file.stem}", tuple(dict.fromkeys((around, *_sources(tree)))))
    inner = file.parent.as_posix() if folder != file.parent else ""
    return Place(".".join(parts) or folder.name, tuple(f for f in folders if f != inner))


def _sources(tree: Path) -> Iterator[str]:
    """Folders that hold what a repository installs."""
    if (tree / "src").is_dir():
        yield "src"
    yield "."


def _relative_imports(file: Path) -> bool:
    try:
        return "from ." in file.read_text(errors="replace")
    except OSError:
        return False


def _hides_its_folder(tree: Path, folder: Path) -> bool:
    """Whether a folder without `__init__.py` is imported by name, and has a file of this name, found in its place."""
    if folder == Path() or not (tree / folder / f"{folder.name}.py").is_file():
        return False
    name = re.escape(folder.name)
    wanted = re.compile(rf"^\s*(?:from|import) {name}(?:\.(\w+)| import \(?\s*(\w+))", re.M)
    inside = {
        found.group(1) or found.group(2)
        for file in (tree / folder).glob("*.py")
        for found in wanted.finditer(file.read_text(errors="replace"))
    }
    return any((tree / folder / f"{one}.py").is_file() for one in inside)


def unchanged(trees: Trees, files: Sequence[Path]) -> bool:
    """Whether all these files are the same in both trees."""
    return all(
        (trees.rewritten / file).is_file()
        and (trees.rewritten / file).read_bytes() == (trees.original / file).read_bytes()
        for file in files
    )
