"""Which part of a rewrite may be written: files whose classes hold, found out on copies of the tree."""

from __future__ import annotations

import ast
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .. import git
from ..config import Options, find_pyproject
from ..report import ClassReport, Diagnostic, FileReport, Outcome, document
from ..run import Examined
from . import verify
from .rungs import TITLES, Climb
from .trees import Trees, as_work_tree, relative
from .verify import Verdict, Wishes

FAILED = "PA101"
_LEFT_OUT = shutil.ignore_patterns(".git", "__pycache__", ".venv", ".tox", "node_modules")
Examine = Callable[
    [Mapping[Path, Outcome]], Examined
]  # with files that stay, and what to say of them


@dataclass
class Passed:
    """What may be written, and what came of each class: those that failed on the way, too."""

    examined: Examined
    verdict: Verdict

    @property
    def unverified(self) -> list[str]:
        """The classes that are written although nothing could be run."""
        return [f"{c.file}:{c.name}" for c in self.verdict.climbs if c.status == "not run"]


def settle(
    first: Examined,
    again: Examine,
    paths: Sequence[Path],
    options: Options,
    wishes: Wishes | None = None,
    *,
    progress: Callable[[Climb], None] = lambda climb: None,
) -> Passed:
    """Verifies a rewrite that is not written yet, and works it out `again` without the files in which a class fails.

    That goes on until nothing fails. The user's files are only read; raises ConfigError for samples that cannot be.
    """
    with tempfile.TemporaryDirectory(prefix="nnx-codemod-verify-") as scratch:
        gate = _Gate(root_of(paths), options, wishes or Wishes(), Path(scratch), progress)
        return gate.settle(first, again)


def root_of(paths: Sequence[Path]) -> Path:
    """The folder that is copied: the work tree, else the project or at least the whole package."""
    trees = {git.work_tree(path) for path in paths if path.exists()}
    if len(trees) == 1 and (tree := next(iter(trees))) is not None:
        return tree.resolve()
    shared = Path(os.path.commonpath([path.resolve() for path in paths]))
    folder = shared if shared.is_dir() else shared.parent
    project = find_pyproject(folder)
    if project is not None:
        return project.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def copied(root: Path, target: Path) -> None:
    """Copies a tree as git has it, else what is no byproduct of a program."""
    listed = git.files(root)
    if listed is None:
        shutil.copytree(root, target, ignore=_LEFT_OUT, symlinks=True)
        return
    target.mkdir(parents=True)
    for file in listed:
        if file.is_file() or file.is_symlink():
            place = target / file.relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, place, follow_symlinks=False)


@dataclass
class _Round:
    """One rewrite, by paths relative to the root: the new texts and the reports of classes."""

    texts: dict[str, bytes]
    entries: dict[tuple[str, str], dict[str, object]]


@dataclass
class _Gate:
    root: Path
    options: Options
    wishes: Wishes
    scratch: Path
    progress: Callable[[Climb], None]
    stay: dict[Path, Outcome] = field(default_factory=dict)
    failures: list[Climb] = field(default_factory=list)
    held: dict[tuple[str, str], Climb] = field(default_factory=dict)  # of the round before
    before: _Round = field(default_factory=lambda: _Round({}, {}))

    def settle(self, examined: Examined, again: Examine) -> Passed:
        verdict = Verdict([], self.wishes.seed)
        while examined.changes:
            verdict = self._verdict(examined)
            failed = [climb for climb in verdict.climbs if climb.status == "fail"]
            if not failed:
                break
            self.failures += failed
            self._keep(failed, examined)
            self.held = {(c.file, c.name): c for c in verdict.climbs if c not in failed}
            examined = again(self.stay)
            verdict.climbs = []
        verdict.climbs = [*self.failures, *verdict.climbs]
        return Passed(examined, verdict)

    # ---- one round ---------------------------------------------------------------------------------------

    def _verdict(self, examined: Examined) -> Verdict:
        """What a rewrite comes to; a class that is as it was in the round before is not run again."""
        trees = self._materialised(examined)
        report = document([self._relative(outcome) for outcome in examined.outcomes], "")
        this = _Round(
            {
                path.as_posix(): (trees.rewritten / path).read_bytes()
                for change in examined.changes
                if (path := self._place(change.path))
            },
            {
                (file["path"], entry["name"]): entry
                for file in report["files"]
                for entry in file["classes"]
            },
        )
        known = self._known(this)
        for file in report["files"]:
            file["classes"] = [e for e in file["classes"] if (file["path"], e["name"]) not in known]
        self.before = this
        verdict = verify.verify(trees, report, self.options, self.wishes, progress=self.progress)
        verdict.climbs += known.values()
        verdict.climbs.sort(key=lambda climb: (climb.file, climb.name))
        return verdict

    def _known(self, this: _Round) -> dict[tuple[str, str], Climb]:
        """The climbs that stand: same entry, and no file changed that the class can depend on."""
        texts = {**self.before.texts, **this.texts}
        different = {path for path in texts if self.before.texts.get(path) != this.texts.get(path)}
        return {
            place: climb
            for place, climb in self.held.items()
            if self.before.entries.get(place) == this.entries.get(place)
            and not _reached(place[0], texts) & different
        }

    def _relative(self, outcome: Outcome) -> FileReport:
        """A report whose path is relative to the root."""
        report = outcome.report
        path = self._place(Path(report.path)).as_posix()
        return FileReport(path, report.status, report.diagnostics, report.classes)

    def _place(self, path: Path) -> Path:
        return relative([path], self.root)[0]

    def _materialised(self, examined: Examined) -> Trees:
        """Two copies of the tree, one with the new texts."""
        name = self.root.name
        folders = self.scratch / "original" / name, self.scratch / "rewritten" / name
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
            copied(self.root, folder)
        for change in examined.changes:
            place = self._place(change.path)
            for folder, data in zip(folders, (change.before, change.data), strict=True):
                if data is not None:
                    _put(folder / place, data)
        as_work_tree(folders[0])
        named = {self._place(Path(outcome.report.path)) for outcome in examined.outcomes}
        return Trees(folders[0], folders[1], tuple(sorted(named)))

    # ---- what fails ------------------------------------------------------------------------------------------

    def _keep(self, failed: Sequence[Climb], examined: Examined) -> None:
        """Marks the files of classes that fail."""
        for outcome in examined.outcomes:
            path = Path(outcome.report.path)
            place = self._place(path).as_posix()
            climbs = [climb for climb in failed if climb.file == place]
            if not climbs:
                continue
            diagnostics = [_diagnostic(climb, outcome) for climb in climbs]
            kept = [ClassReport(c.name, c.source, "kept") for c in outcome.report.classes]
            self.stay[path] = Outcome(FileReport(str(path), "unchanged", diagnostics, kept))


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _diagnostic(climb: Climb, outcome: Outcome) -> Diagnostic:
    rung = next(rung for rung in climb.rungs if rung.status == "fail")
    why = ": ".join(part for part in (rung.figure, rung.why) if part)
    line, column = _location(outcome, climb.name.rpartition(".")[2])
    return Diagnostic(
        FAILED,
        line,
        column,
        f"the rewrite of `{climb.name}` does not hold ({TITLES[rung.name]}: {why})",
        "the file stays as it is; please report it, and rewrite the class by hand meanwhile",
    )


def _location(outcome: Outcome, name: str) -> tuple[int, int]:
    source = outcome.source
    for node in ast.walk(source.tree) if source is not None else ():
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            assert source is not None
            return source.location(source.span(node)[0])
    return 1, 0


def _reached(file: str, texts: Mapping[str, bytes]) -> set[str]:
    """The files among `texts` that a file may import: those whose names it or one of them has as a word."""
    names = {path: _module_name(path) for path in texts}
    found, pending = {file}, [file]
    while pending:
        text = texts.get(pending.pop(), b"")
        words = set(re.findall(rb"\w+", text))
        more = {path for path in texts if path not in found and names[path] in words}
        found |= more
        pending += more
    return found


def _module_name(path: str) -> bytes:
    place = Path(path)
    return (place.parent.name if place.stem == "__init__" else place.stem).encode()
