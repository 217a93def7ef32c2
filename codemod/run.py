"""A run over paths: what is read, what the engine makes of it, and what may be written."""

from __future__ import annotations

import ast
import gc
import hashlib
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import git, reach, report, write
from .cache import Cache, key
from .config import Options
from .culprit import culprit
from .discover import Found, Problem, discover
from .report import Diagnostic, FileReport, Outcome
from .source import Source, Unreadable

if TYPE_CHECKING:
    from .shapes.traced import Traced

Progress = Callable[[str, int], None]  # the file that work begins on, and of how many
_RECURSION = 5000  # frames; a tree may be source.DEEPEST deep and takes several frames a level
_COLLECT_AFTER = (50_000, 20, 100)  # CPython's own are (700, 10, 10), before 3.14


@dataclass
class Examined:
    """What a run over paths comes to; nothing is written yet."""

    outcomes: list[Outcome]
    problems: list[Problem]
    files: int  # Python files that were looked at

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """What is left to do in all files."""
        return [
            diagnostic for outcome in self.outcomes for diagnostic in outcome.report.diagnostics
        ]

    @property
    def fatal(self) -> bool:
        """Whether a path could not be dealt with at all."""
        return any(problem.fatal for problem in self.problems) or any(
            diagnostic.code in report.FATAL for diagnostic in self.diagnostics
        )

    @property
    def changes(self) -> list[write.Change]:
        """The files to write, new ones first, so that no import is ever left dangling."""
        found = [
            write.Change(
                Path(outcome.report.path), data, outcome.source.bytes if outcome.source else None
            )
            for outcome in self.outcomes
            if (data := outcome.new_bytes()) is not None
        ]
        return sorted(found, key=lambda change: change.before is not None)


def examine(
    paths: Sequence[Path],
    options: Options,
    *,
    cache: Cache | None = None,
    progress: Progress = lambda path, total: None,
    stay: Mapping[Path, Outcome] | None = None,
    traced: Traced | None = None,
) -> Examined:
    """What becomes of the files at and below `paths`.

    A file that has to change and cannot be written stays, with a diagnostic, and what uses it is treated accordingly.
    So are the files in `stay`, which have their outcomes there. `traced` holds facts from runs of the originals; what
    is worked out with them is not taken from the cache.
    """
    found = discover(paths, options)
    as_given = _AsGiven({path.resolve(): path for path in found.files})
    located = as_given.located(found)
    around = _around(paths, options)
    bystanders = {path: data for path, data in around.files.items() if path not in located.files}
    located.configurations |= around.configurations
    stuck: dict[Path, Outcome] = dict(stay or {})
    while True:
        fixed = {**bystanders, **_contents(located, [path.resolve() for path in stuck])}
        task = _Task(located, fixed, options, traced)
        outcomes = task.outcomes(
            cache if traced is None else None,
            lambda path, total: progress(str(as_given.path(Path(path))), total),
        )
        outcomes = [as_given.outcome(outcome) for outcome in outcomes]
        more = {path: why for outcome in outcomes for path, why in _unwritable(outcome)}
        if not more:
            break
        stuck |= more
    together = sorted([*outcomes, *stuck.values()], key=lambda outcome: outcome.report.path)
    return Examined(together, found.problems, len(found.files))


@dataclass(frozen=True)
class _AsGiven:
    """The way between files as the engine has them and as the user wrote them.

    Imports lead to folders above a file and to files of the work tree that the user did not name, which a path
    relative to the working directory cannot tell: the engine has resolved paths alone.
    """

    paths: Mapping[Path, Path]  # as given, by where they lead

    def located(self, found: Found) -> Found:
        """What was found, by where it lies."""
        real = {given: place for place, given in self.paths.items()}
        files = {real[path]: data for path, data in found.files.items()}
        named = {real[path] for path in found.named}
        configurations = {path.resolve(): data for path, data in found.configurations.items()}
        return Found(files, named, found.problems, configurations)

    def path(self, place: Path) -> Path:
        """A file as the user would write it; one that is new is written like its neighbours."""
        if place in self.paths:
            return self.paths[place]
        beside = (given for real, given in self.paths.items() if real.parent == place.parent)
        neighbour = next(beside, None)
        return place if neighbour is None else neighbour.parent / place.name

    def outcome(self, outcome: Outcome) -> Outcome:
        """An outcome whose report names the file as the user does."""
        named = replace(outcome.report, path=str(self.path(Path(outcome.report.path))))
        return replace(outcome, report=named)


def _contents(found: Found, paths: Iterable[Path]) -> dict[Path, bytes]:
    return {path: found.files[path] for path in paths if path in found.files}


def _unwritable(outcome: Outcome) -> Iterator[tuple[Path, Outcome]]:
    """The file of an outcome, with another outcome for it, where the new text could not be written."""
    if outcome.new_bytes() is None:
        return
    path = Path(outcome.report.path)
    try:
        write.check(path)
    except write.Unwritable as error:
        yield path, report.failed(path, Diagnostic(report.UNWRITABLE, 1, 0, error.message))


def _around(paths: Sequence[Path], options: Options) -> Found:
    """What there is in the git work tree, by where it lies, where `paths` are not all of it: it may use what changes."""
    trees = {git.work_tree(path) for path in paths if path.exists()}
    if len(trees) != 1 or None in trees:
        return Found()
    (tree,) = trees
    assert tree is not None
    if any(path.resolve() == tree.resolve() for path in paths):
        return Found()
    found = discover([tree], options)
    return _AsGiven({path.resolve(): path for path in found.files}).located(found)


# ---- one question to the engine ----------------------------------------------------------------------


@dataclass
class _Task:
    """Files to rewrite and, in `fixed`, files that stay as they are."""

    found: Found
    fixed: Mapping[Path, bytes]
    options: Options
    traced: Traced | None = None
    loaded: dict[Path, bytes | None] = field(default_factory=dict)
    sources: dict[Path, Source | None] = field(default_factory=dict)  # those that were asked for

    def outcomes(self, cache: Cache | None, progress: Progress) -> list[Outcome]:
        if cache is None:
            return self._work_out(progress)
        name = key(
            {**self.found.files, **self.fixed, **self.found.configurations},
            self.options,
            sorted(self.fixed),
            sorted(self.found.named),
            str(Path.cwd()),
        )
        kept = cache.get(name)
        if kept is not None and all(
            _digest(Path(path)) == was for path, was in kept["loaded"].items()
        ):
            return [self._from_json(outcome) for outcome in kept["outcomes"]]
        outcomes = self._work_out(progress)
        if not any(outcome.has(report.INTERNAL_ERROR) for outcome in outcomes):
            cache.put(name, self._to_json(outcomes))
        return outcomes

    def _to_json(self, outcomes: Sequence[Outcome]) -> dict[str, Any]:
        return {
            "loaded": {str(path): _digest_of(data) for path, data in self.loaded.items()},
            "outcomes": [
                {
                    "report": outcome.report.to_json(),
                    "text": outcome.new_text,
                    "created": outcome.created,
                }
                for outcome in outcomes
            ],
        }

    def _from_json(self, kept: Mapping[str, Any]) -> Outcome:
        of_file = FileReport.from_json(kept["report"])
        if kept["text"] is None or kept["created"]:
            return Outcome(of_file, new_text=kept["text"])
        path = Path(of_file.path)
        return Outcome(of_file, Source(path, self.found.files.get(path)), kept["text"])

    def _work_out(self, progress: Progress) -> list[Outcome]:
        everything = {**self.found.files, **self.fixed}
        concerned = [*reach.concerned(everything), *sorted(self.found.named)]
        sources: list[Source] = []
        fixed: list[Source] = []
        outcomes: list[Outcome] = []
        for path in dict.fromkeys(concerned):
            try:
                source = _parsed(path, everything[path])
            except Unreadable as error:
                if path not in self.fixed:
                    outcomes.append(report.unreadable(error))
                continue
            (fixed if path in self.fixed else sources).append(source)
        return outcomes + self._guarded(sources, fixed, progress)

    def _guarded(
        self, sources: list[Source], fixed: list[Source], progress: Progress
    ) -> list[Outcome]:
        """The engine's outcomes; a file at which it fails stays as it is."""
        failed: list[Outcome] = []
        while sources:
            at = _Place(len(sources), progress)
            try:
                with _deep_recursion(), _rare_collections():
                    outcomes = self._engine(sources, fixed, at)
                broken = {
                    outcome.report.path: why for outcome in outcomes if (why := _no_python(outcome))
                }
            except Exception as error:
                outcomes, broken = [], {str(culprit(error) or at.path): _crash(error)}
            if not broken:
                return failed + outcomes
            culprits = [source for source in sources if str(source.path) in broken] or sources
            for source in culprits:
                why = broken.get(str(source.path)) or next(iter(broken.values()))
                failed.append(report.failed(source.path, why))
            fixed = fixed + culprits
            sources = [source for source in sources if source not in culprits]
        return failed

    def _engine(self, sources: list[Source], fixed: list[Source], at: _Place) -> list[Outcome]:
        from . import engine

        return engine.rewrite(
            sources,
            self.options,
            fixed=fixed,
            load=self._load,
            progress=at,
            traced=self.traced,
            configurations={
                path: data.decode(errors="replace")
                for path, data in self.found.configurations.items()
            },
        )

    def _load(self, path: Path) -> Source | None:
        """A file that is read for information; None where there is none, or none that can be read."""
        if path not in self.sources:
            self.sources[path] = self._source(path)
        return self.sources[path]

    def _source(self, path: Path) -> Source | None:
        data = self.found.files.get(path, self.fixed.get(path))
        if data is None:
            data = self.loaded[path] = _content(path)
        if data is None:
            return None
        try:
            return _parsed(path, data)
        except Unreadable:
            return None


def _content(path: Path) -> bytes | None:
    """What a file holds; None where there is none, or none that may be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _parsed(path: Path, data: bytes) -> Source:
    """A source whose tree is there; raises Unreadable."""
    source = Source(path, data)
    assert source.tree
    return source


class _Place:
    """Where the engine is, passed on to whoever shows it."""

    def __init__(self, total: int, progress: Progress) -> None:
        self.path = ""
        self._total = total
        self._progress = progress

    def __call__(self, path: str) -> None:
        self.path = path
        self._progress(path, self._total)


@contextmanager
def _deep_recursion() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _RECURSION))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Lets the garbage collector look less often: next to nothing of what is allocated here is a cycle that can go."""
    before = gc.get_threshold()
    gc.set_threshold(*_COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _no_python(outcome: Outcome) -> Diagnostic | None:
    """What is wrong with a new text, which must be Python and fit the file's encoding."""
    try:
        if outcome.new_text is not None:
            ast.parse(outcome.new_text)
            outcome.new_bytes()
    except (SyntaxError, ValueError) as error:
        return _internal_error(f"the rewritten text is no Python: {error}")
    return None


def _crash(error: Exception) -> Diagnostic:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    said = " ".join(str(error).split())[:200]
    return _internal_error(f"{type(error).__name__}: {said}{where}")


def _internal_error(message: str) -> Diagnostic:
    return Diagnostic(
        report.INTERNAL_ERROR,
        1,
        0,
        f"internal error: {message}",
        "the file stays as it is; please report this with the file, it is a bug in nnx-codemod",
    )


def _digest(path: Path) -> str:
    return _digest_of(_content(path))


def _digest_of(data: bytes | None) -> str:
    return "" if data is None else hashlib.sha256(data).hexdigest()
