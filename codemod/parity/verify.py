"""The order of it all: trees, subjects, cases, two processes for each side, rungs."""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..config import Options
from . import around, ladder, samples, sites, subjects
from .process import Child, Settings
from .programs import Compared
from .rungs import FAILS, Climb, Rung
from .subjects import Subject
from .trees import Trees, Unusable

_STEPS = 3  # training passes after which the state is compared; the trajectory is a little longer
_DRAWS = 2_000_000  # initial numbers that are drawn to compare distributions
_STAGES = ("imports", "builds", "eval")
_ATTEMPTS = 8  # cases of the search: enough for arrays of each of four ranks, and integers
_AT_ONCE = 2  # modules
_NOT_GIVEN = "the rewrite cannot be given this case: "


class NothingRewritten(Exception):
    """The working tree is as the originals are."""


@dataclass(frozen=True)
class Wishes:
    """What the user asked for: the processes of each side and the seed of inputs and weights."""

    original: Settings = field(default_factory=Settings)
    rewritten: Settings = field(default_factory=Settings)
    seed: int = 0


@dataclass
class Verdict:
    """What a run came to: a climb for each module, and what each side runs on."""

    climbs: list[Climb]
    seed: int
    platforms: dict[str, dict[str, Any]] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)  # classes that stayed what they were
    programs: list[Compared] = field(default_factory=list)
    different: list[str] = field(default_factory=list)  # files that were changed since

    @property
    def failed(self) -> bool:
        """Whether anything failed; what did not run has not."""
        statuses = [climb.status for climb in self.climbs]
        return "fail" in (*statuses, *(program.status for program in self.programs))


def verify(
    trees: Trees,
    report: Mapping[str, Any],
    options: Options,
    wishes: Wishes,
    *,
    progress: Callable[[Climb], None] = lambda climb: None,
) -> Verdict:
    """Climbs the ladder with each rewritten class of a report.

    Raises NothingRewritten, Unusable where a device is not there, and ConfigError for samples that cannot be read.
    """
    found = [one for one in subjects.subjects(report, trees) if subjects.asked_for(one, trees)]
    named = [Path(file["path"]) for file in report["files"] if file["status"] != "unchanged"]
    changed = [path for path in (subjects.located(one, trees) for one in named) if path is not None]
    if subjects.unchanged(trees, [p for p in changed if (trees.original / p).is_file()]):
        raise NothingRewritten
    chosen = [one for one in found if one.entry["status"] == "rewritten"]
    add_cases(chosen, trees, options)
    kept = [one.label for one in found if one.entry["status"] != "rewritten"]
    with tempfile.TemporaryDirectory(prefix="nnx-codemod-parity-") as scratch:
        sides = _Sides.start(trees, wishes, scratch)
        try:
            if chosen:
                _expect_device(sides, wishes)
            runs = _runs_around(found, trees, options, wishes, sides, Path(scratch))
            climbs = _climbs(chosen, trees, wishes, sides, Path(scratch), runs, progress)
            return Verdict(climbs, wishes.seed, sides.platforms() if chosen else {}, kept)
        finally:
            sides.close()


def _expect_device(sides: _Sides, wishes: Wishes) -> None:
    """Raises Unusable where an interpreter cannot run JAX, or JAX would take another device than was asked for."""
    asked = wishes.rewritten.device.split(",")[0]
    wanted = {"cuda": "gpu"}.get(asked, asked)
    for side, facts in sides.platforms().items():
        if wanted in ("", "cpu"):
            if facts.get("status") != "ok":
                raise Unusable(f"the {side} cannot be run: {facts.get('error', 'no answer')}")
        elif facts.get("platform") != wanted:
            there = facts.get("platform") or facts.get("error", "nothing")
            raise Unusable(f"there is no {wanted} for the {side}: JAX finds {there}")


def add_cases(chosen: Sequence[Subject], trees: Trees, options: Options) -> None:
    """Gives each subject its configured cases, or those that the originals' code shows."""
    from ..discover import discover

    for sample in samples.samples(trees.rewritten):
        for subject in chosen:
            if _samples(sample, subject):
                place = subjects.Place(sample.module, (sample.path, *subject.place.folders))
                subject.place = place
                subject.cases.append(sample.case)
    missing = [subject for subject in chosen if not subject.cases]
    files = discover([trees.original], replace(options, root=None)).files
    relative = {path.relative_to(trees.original): data for path, data in files.items()}
    sites.add_cases(missing, relative, trees.original)


def _samples(sample: samples.Sample, subject: Subject) -> bool:
    """Whether a sample is of a subject: same name, and a module of the same file."""
    if sample.name != subject.name:
        return False
    path = (Path(sample.path) / Path(*sample.module.split("."))).as_posix()
    file = subject.file.with_suffix("").as_posix().removesuffix("/__init__")
    return file == path or file.endswith(f"/{path}")


# ---- processes -----------------------------------------------------------------------------------------


@dataclass
class _Sides:
    """The processes: both sides in float32, and in float64."""

    children: dict[tuple[str, bool], Child]

    @classmethod
    def start(cls, trees: Trees, wishes: Wishes, scratch: str) -> _Sides:
        cache = str(Path(scratch) / "compiled")
        return cls(
            {
                (side, x64): Child(replace(settings, x64=x64, cache=cache), folder, scratch)
                for side, settings, folder in (
                    ("original", wishes.original, trees.original),
                    ("rewritten", wishes.rewritten, trees.rewritten),
                )
                for x64 in (False, True)
            }
        )

    def ask(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a job; one whose process died carries the stage that it had reached."""
        side = "rewritten" if job["side"] == "rewritten" else "original"
        answer = self.children[side, bool(job.get("x64"))].ask(job)
        if answer.get("stage") == "process":
            stage = Path(job["folder"]) / "stage"
            answer["stage"] = stage.read_text() if stage.exists() else "imports"
            answer["died"] = True
        return answer

    def platforms(self) -> dict[str, dict[str, Any]]:
        """Versions and devices of both sides."""
        sides = ("original", "rewritten")
        with ThreadPoolExecutor(len(sides)) as pool:
            answers = pool.map(
                lambda side: self.children[side, False].ask({"side": "versions"}), sides
            )
            return dict(zip(sides, answers, strict=True))

    def close(self) -> None:
        for child in self.children.values():
            child.close()


# ---- one module ----------------------------------------------------------------------------------------


def _climbs(
    chosen: Sequence[Subject],
    trees: Trees,
    wishes: Wishes,
    sides: _Sides,
    scratch: Path,
    runs: around.Runs,
    progress: Callable[[Climb], None],
) -> list[Climb]:
    def climbed(numbered: tuple[int, Subject]) -> Climb:
        number, subject = numbered
        climb = _climb(subject, trees, wishes, sides, scratch / str(number), runs)
        progress(climb)
        return climb

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(climbed, enumerate(chosen)))


def _climb(
    subject: Subject,
    trees: Trees,
    wishes: Wishes,
    sides: _Sides,
    folder: Path,
    runs: around.Runs,
) -> Climb:
    """The ladder for one module.

    A case that the search found may be none that the module is for: where the rewrite does not fit it, the next ones
    are tried, and then what the module is given in runs of those around it. If none fits, the first one stands.
    """
    first = _attempt(subject, trees, wishes, sides, folder / "0", 0)
    configured = any(case["origin"] == "configuration" for case in subject.cases)
    if not _unfit(first) and (configured or first.stopped != "case"):
        return first
    for number in range(1, _ATTEMPTS if first.case is not None else 1):
        other = _attempt(subject, trees, wishes, sides, folder / str(number), number)
        if other.case is None:
            break
        if not _unfit(other):
            other.note = f"{other.note}; " if other.note else ""
            other.note += _why_another(first)
            return other
    for number, given in enumerate(runs.cases(subject)):
        one = replace(subject, cases=[given])
        other = _attempt(one, trees, wishes, sides, folder / f"around-{number}", None)
        if other.case is not None and not _unfit(other):
            return other
    return _without_guess(first)


def _runs_around(
    found: Sequence[Subject],
    trees: Trees,
    options: Options,
    wishes: Wishes,
    sides: _Sides,
    scratch: Path,
) -> around.Runs:
    """The runs of the originals around each other, those that stay among them."""
    entries: dict[str, dict[str, dict[str, Any]]] = {}
    for one in found:
        entries.setdefault(one.file.as_posix(), {})[one.name] = one.entry
    files = [
        (file, ast.parse((trees.original / file).read_bytes()), named)
        for file, named in entries.items()
    ]
    by_place = {(one.file.as_posix(), one.name): one for one in found}

    def run(place: around.Place) -> dict[str, Any]:
        outer = by_place[place]
        if not outer.cases:
            add_cases([outer], trees, options)
        folder = Path(tempfile.mkdtemp(dir=scratch))
        return sides.ask({**job("inside", outer, trees, wishes, folder), "skip": 0})

    return around.Runs(trees.original, around.Users.of(files), run)


def _without_guess(climb: Climb) -> Climb:
    """A module that is not built with the layer which the search put in a field's place is not run: it may be for others."""
    failed = next((r for r in climb.rungs if r.name == "builds" and r.status == "fail"), None)
    case = climb.case or {"origin": "", "kwargs": {}}
    given = [n for n, v in case["kwargs"].items() if str(v).startswith("py:nn.")]
    if failed is None or not given or "search" not in case["origin"]:
        return climb
    other = Climb(climb.file, climb.name, climb.source)
    other.rest(
        f"the search gave `{given[0]}` a layer that the rewrite is not built with: {failed.why}"
    )
    return other


def _unfit(climb: Climb) -> bool:
    """Whether the rewrite does not run on a case that was searched, or has other parameters there, or nothing comes of it."""
    if any(rung.why.startswith(_NOT_GIVEN) for rung in climb.rungs):
        return True
    searched = climb.case is not None and "search" in climb.case["origin"]
    return searched and any(
        (rung.status == "fail" and (rung.name == "parameters" or rung.figure == FAILS))
        or rung.why == ladder.NAN
        for rung in climb.rungs
    )


def _why_another(first: Climb) -> str:
    if any(rung.why == ladder.NAN for rung in first.rungs):
        return f"the original makes NaN of {_inputs(first)}"
    if any(rung.why.startswith(_NOT_GIVEN) for rung in first.rungs):
        return first.rungs[0].why
    return f"the rewrite does not take {_inputs(first)}, which the original does"


def _inputs(climb: Climb) -> str:
    return ", ".join(map(str, (climb.case or {}).get("inputs", [])))


def _attempt(
    subject: Subject, trees: Trees, wishes: Wishes, sides: _Sides, folder: Path, skip: int | None
) -> Climb:
    """The ladder for one module with the case that comes after `skip` others; None: with its cases alone."""
    folder.mkdir(parents=True)
    climb = Climb(subject.file.as_posix(), subject.name, subject.entry["source"])
    first = job("original", subject, trees, wishes, folder)
    first |= {"skip": skip or 0, "search": skip is not None}
    original = sides.ask(first)
    if original["status"] != "ok":
        climb.stopped = "" if original.get("died") else original["stage"]
        climb.rest(_why_not(original))
        return climb
    climb.case = original["case"]
    rewritten = sides.ask(_second(first, original, subject, trees))
    if rewritten["status"] == "unmapped":
        original, rewritten = _again(first, original, rewritten, subject, trees, sides)
        if original["status"] != "ok":
            climb.rest(_why_not(original))
            return climb
    if rewritten["status"] != "ok" and rewritten.get("stage") == "stranger":
        climb.rest(_NOT_GIVEN + str(rewritten["error"]))
        return climb
    if rewritten["status"] != "ok":
        _stopped(climb, original, rewritten)
        return climb
    climb.add(Rung("imports", "pass"))
    climb.add(Rung("builds", "pass"))
    climb.add(ladder.parameters(original, rewritten))
    single = ladder.Measured.read(original, rewritten, folder, "")
    double = None
    if not ladder.beyond_rounding(single):
        double = _in_double(first, original, subject, trees, sides, folder)
    ladder.climb_all(climb, single, double)
    climb.note = "; ".join(note for note in _notes(original) if note)
    climb.rest("not asked for")
    return climb


_NOTES = {
    "initial": "weights as initialised: the original makes NaN of random ones",
    "by size": "no weights carried over: both sides start from equal random draws by shape",
}


def _notes(original: Mapping[str, Any]) -> list[str]:
    missing = ", ".join(original.get("stand_ins", ()))
    dropped = ", ".join(original.get("dropped", ()))
    return [
        _NOTES.get(original["weights"], ""),
        f"imported without {missing} (not installed)" if missing else "",
        f"run with {dropped} put back, which this JAX dropped" if dropped else "",
    ]


def job(side: str, subject: Subject, trees: Trees, wishes: Wishes, folder: Path) -> dict[str, Any]:
    return {
        "side": side,
        "class": subject.entry,
        "cases": subject.cases,
        "seed": wishes.seed,
        "folder": str(folder),
        "steps": _STEPS,
        "draws": _DRAWS,
        "full": True,
        "x64": False,
        "weights": "",
        "plain_state": False,
        "name": subject.name,
        **_where(subject, trees.original),
    }


def _where(subject: Subject, tree: Path) -> dict[str, Any]:
    return {
        "module": subject.place.module,
        "paths": [str((tree / folder).resolve()) for folder in subject.place.folders],
        "tree": str(tree),
    }


def _second(
    first: Mapping[str, Any], original: Mapping[str, Any], subject: Subject, trees: Trees
) -> dict[str, Any]:
    """The rewrite's job, once the original is measured."""
    return {
        **first,
        **_where(subject, trees.rewritten),
        "side": "rewritten",
        "name": subject.entry["new_name"],
        **{name: original[name] for name in ("case", "facts", "weights", "shapes", "partitioning")},
    }


def _again(
    first: dict[str, Any],
    original: Mapping[str, Any],
    rewritten: Mapping[str, Any],
    subject: Subject,
    trees: Trees,
    sides: _Sides,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both sides once more, without what the map does not cover."""
    lost_parameters, lost_state = (bool(problem) for problem in rewritten["problems"])
    first |= {"cases": [original["case"]], "skip": 0}
    first["weights"] = "by size" if lost_parameters else ""
    first["plain_state"] = lost_state
    if not lost_parameters:
        (Path(first["folder"]) / "weights.npz").unlink(missing_ok=True)
    second = sides.ask(first)
    if second["status"] != "ok":
        return second, {}
    return second, sides.ask(_second(first, second, subject, trees))


def _in_double(
    first: Mapping[str, Any],
    original: Mapping[str, Any],
    subject: Subject,
    trees: Trees,
    sides: _Sides,
    folder: Path,
) -> ladder.Measured | None:
    """Forward and gradients in float64; None where a side cannot."""
    job = {**first, "cases": [original["case"]], "weights": original["weights"], "full": False}
    job |= {"x64": True, "skip": 0}
    one = sides.ask(job)
    if one["status"] != "ok":
        return None
    two = sides.ask(_second(job, one, subject, trees))
    return ladder.Measured.read(one, two, folder, "-64") if two["status"] == "ok" else None


# ---- sides that stop ---------------------------------------------------------------------------------


def _why_not(original: Mapping[str, Any]) -> str:
    error = str(original["error"])
    return {
        "imports": f"the original does not import: {error}",
        "case": f"no case: {error}" if original.get("died") else error,
    }.get(original["stage"], f"the original fails: {error}")


def _stopped(climb: Climb, original: Mapping[str, Any], rewritten: Mapping[str, Any]) -> None:
    """The rungs of a rewrite that fails on its way."""
    stage = rewritten["stage"] if rewritten["stage"] in _STAGES else "builds"
    for name in _STAGES[: _STAGES.index(stage)]:
        climb.add(Rung(name, "pass"))
    if "shapes" in rewritten and "problems" in rewritten:
        climb.add(ladder.parameters(original, rewritten))
    climb.add(Rung(stage, "fail", FAILS, rewritten["error"]))
    climb.rest(f"the rewrite fails: {rewritten['error']}")
