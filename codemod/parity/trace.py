"""`rewrite --trace`: runs originals abstractly, and turns the sizes that were seen into facts for the interpreter."""

from __future__ import annotations

import ast
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

from ..config import Options
from ..report import ClassReport
from ..run import Examined
from ..shapes import traced as shapes
from ..shapes.traced import Called, Shown, Traced, TracedClass, Variable
from . import around, subjects, verify
from .child.recording import SEVERAL
from .fit import Experiment, Number
from .gate import copied, root_of
from .process import Child
from .samples import Sample, samples
from .trees import Trees, relative
from .verify import Wishes

_ROUNDS = 3  # a class that waits for another one may want sizes once that one is there
_AT_ONCE = 2


@dataclass
class Settled:
    """What became of a rewrite with the help of runs: by class, where its case came from or why there is none."""

    examined: Examined
    shown: dict[str, str] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)
    facts: Traced | None = None


def settle(
    first: Examined,
    again: Callable[[Traced], Examined],
    paths: Sequence[Path],
    options: Options,
    wishes: Wishes,
    progress: Callable[[str], None] = lambda label: None,
) -> Settled:
    """Runs the originals that stay for want of a size, and works the rewrite out `again` with what they showed.

    The runs happen in a copy of the tree. Raises ConfigError for samples that cannot be read.
    """
    result = Settled(first)
    classes: dict[tuple[Path, str], TracedClass] = {}
    asked: set[tuple[str, str]] = set()
    with tempfile.TemporaryDirectory(prefix="nnx-codemod-trace-") as scratch:
        root = root_of(paths)
        folder = Path(scratch) / "original" / root.name
        trees = Trees(folder, folder, ())
        for _ in range(_ROUNDS):
            wanted = _wanting(result.examined, root, asked)
            if not wanted:
                break
            if not folder.exists():
                copied(root, folder)
            asked |= {
                (file["path"], one["name"]) for file in wanted["files"] for one in file["classes"]
            }
            users = _users(result.examined, root)
            found = _Round(trees, options, wishes, Path(scratch), progress, users).run(
                wanted, result
            )
            if not found:
                break
            names = _written(result.examined, root)
            classes |= {
                (names[file], name): facts(names, folder) for (file, name), facts in found.items()
            }
            result.facts = Traced(classes)
            result.examined = again(result.facts)
    return result


def _wanting(
    examined: Examined, root: Path, asked: set[tuple[str, str]]
) -> dict[str, list[dict[str, Any]]]:
    """A report of the classes that stay for want of a size and were not run yet."""
    files = []
    for outcome in examined.outcomes:
        place = relative([Path(outcome.report.path)], root)[0].as_posix()
        # A class whose method makes layers may be named twice, as a class and as what that method stands for.
        sources = dict(reversed(outcome.report.unsized))
        entries = [
            ClassReport(name, source, "kept").to_json()
            for name, source in sources.items()
            if (place, name) not in asked
        ]
        if entries:
            files.append({"path": place, "classes": entries, "status": "unchanged"})
    return {"files": files} if files else {}


def _written(examined: Examined, root: Path) -> dict[str, Path]:
    """The path of each file as the engine has it, by its place in the tree."""
    paths = [Path(outcome.report.path).resolve() for outcome in examined.outcomes]
    return {relative([path], root)[0].as_posix(): path for path in paths}


Facts = Callable[[Mapping[str, Path], Path], TracedClass]


def _users(examined: Examined, root: Path) -> around.Users:
    """The module classes of a tree, and which of them mention which."""

    def files() -> Iterator[tuple[str, ast.Module, dict[str, dict[str, Any]]]]:
        for outcome in examined.outcomes:
            if outcome.source is not None:
                place = relative([Path(outcome.report.path)], root)[0].as_posix()
                yield place, outcome.source.tree, _kept(outcome.report.classes)

    return around.Users.of(files())


def _kept(classes: Sequence[ClassReport]) -> dict[str, dict[str, Any]]:
    """Entries of classes as if none of them was rewritten, by name."""
    return {one.name: ClassReport(one.name, one.source, "kept").to_json() for one in classes}


@dataclass
class _Round:
    trees: Trees
    options: Options
    wishes: Wishes
    scratch: Path
    progress: Callable[[str], None]
    users: around.Users
    inside: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    # `ast.parse` is not for two threads
    reading: threading.Lock = field(default_factory=threading.Lock)
    looking: threading.Lock = field(default_factory=threading.Lock)
    samples: list[Sample] = field(default_factory=list)

    def run(self, wanted: Mapping[str, Any], result: Settled) -> dict[tuple[str, str], Facts]:
        """What runs of the wanted classes showed; says in `result` what came of each."""
        chosen = subjects.subjects(wanted, self.trees)
        verify.add_cases(chosen, self.trees, self.options)
        self.samples = samples(self.trees.rewritten)
        settings = replace(self.wishes.original, cache=str(self.scratch / "compiled"))
        child = [Child(settings, self.trees.original, str(self.scratch)) for _ in range(_AT_ONCE)]

        def run(numbered: tuple[int, subjects.Subject]) -> dict[str, Any]:
            number, subject = numbered
            return self._traced(subject, child[number % _AT_ONCE])

        try:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                answers = list(pool.map(run, enumerate(chosen)))
        finally:
            for each in child:
                each.close()
        found: dict[tuple[str, str], Facts] = {}
        for subject, answer in zip(chosen, answers, strict=True):
            if answer["status"] != "ok":
                result.silent[subject.label] = str(answer["error"])
                continue
            result.shown[subject.label] = answer["case"]["origin"]
            found[subject.file.as_posix(), subject.name] = _facts(answer)
        return found

    def _traced(self, subject: subjects.Subject, child: Child) -> dict[str, Any]:
        """What runs of a class show; where it has no case of its own, one from a run of a class around it."""
        self.progress(subject.label)
        if not any(case["origin"] == "configuration" for case in subject.cases):
            for number, sample in enumerate(self.samples):  # before a case that is made up
                cases = self._in_sample(number, subject, child)
                found = self._of_inside(subject, sample.name, cases, child)
                if found is not None:
                    return found
        answer = self._ask("trace", subject, child)
        if answer["status"] == "ok" or answer.get("stage") != "case":
            return answer
        for place in self.users.around(subject.name):
            found = self._of_inside(subject, place[1], self._inside(place, child), child)
            if found is not None:
                return found
        return answer

    def _of_inside(
        self, subject: subjects.Subject, name: str, cases: Sequence[dict[str, Any]], child: Child
    ) -> dict[str, Any] | None:
        """What a run shows of a class, on the first of its cases inside of something else that goes by `name`."""
        for case in around.of(cases, subject, self.trees.original):
            inside = {**case, "origin": f"a run of {name}"}
            answer = self._ask("trace", replace(subject, cases=[inside]), child)
            if answer["status"] == "ok":
                return answer
        return None

    def _inside(self, place: tuple[str, str], child: Child) -> list[dict[str, Any]]:
        """The cases of what runs inside of a class."""
        with self.looking:
            if place not in self.inside:
                self.inside[place] = []
                report = {"files": [{"path": place[0], "classes": [self.users.entries[place]]}]}
                for outer in subjects.subjects(report, self.trees):
                    with self.reading:
                        verify.add_cases([outer], self.trees, self.options)
                    answer = self._ask("inside", outer, child)
                    self.inside[place] = list(answer.get("inside", ()))
            return self.inside[place]

    def _in_sample(
        self, number: int, subject: subjects.Subject, child: Child
    ) -> list[dict[str, Any]]:
        """The cases of what runs inside of a configured one, whatever it is of: a class, or a function that makes a model."""
        sample, key = self.samples[number], ("", str(number))
        with self.looking:
            if key not in self.inside:
                entry = ClassReport(sample.name, subject.entry["source"], "kept").to_json()
                folders = (sample.path, *subject.place.folders)
                place = subjects.Place(sample.module, folders)
                outer = subjects.Subject(subject.file, entry, place, [sample.case])
                answer = self._ask("inside", outer, child)
                self.inside[key] = list(answer.get("inside", ()))
            return self.inside[key]

    def _ask(self, side: str, subject: subjects.Subject, child: Child) -> dict[str, Any]:
        folder = Path(tempfile.mkdtemp(dir=self.scratch))
        job = {**verify.job(side, subject, self.trees, self.wishes, folder), "skip": 0}
        return child.ask(job)


def _facts(answer: Mapping[str, Any]) -> Facts:
    return lambda names, folder: facts_of(answer, names, folder)


# ---- from numbers to facts -----------------------------------------------------------------------------


def facts_of(answer: Mapping[str, Any], names: Mapping[str, Path], folder: Path) -> TracedClass:
    """The facts that the answer of a child shows; `names` are the files' paths by their places in the `folder`.

    Where the case itself was not, those of another with some other flag count.
    """
    method = str(answer["case"].get("method", "__call__"))
    answers = [answer, *answer["others"]]
    counts = [len(one["runs"]) for one in answers]
    first, *others = [
        _experiment(one, method, (sum(counts[:i]), sum(counts[i + 1 :])), names, folder)
        for i, one in enumerate(answers)
    ]
    for other in others:
        first.names = {**other.names, **first.names}
        first.calls = {**other.calls, **first.calls}
        first.made = {**other.made, **first.made}
        first.runs += other.runs
    return first


def _experiment(
    answer: Mapping[str, Any],
    method: str,
    around: tuple[int, int],
    names: Mapping[str, Path],
    folder: Path,
) -> TracedClass:
    """The facts that the runs on variations of one case show; `around` is how many runs on other cases there are."""
    numbers = [_number(one, method) for one in answer["variables"]]
    runs = [{int(k): v for k, v in run["values"].items()} for run in answer["runs"]]
    experiment = Experiment(numbers, answer["groups"], runs, around)
    seen = [run["seen"] for run in answer["runs"]]

    def file_of(path: str) -> str:
        place = Path(path).relative_to(os.path.realpath(folder)).as_posix()
        return str(names.get(place, place))

    tables = [
        {
            kind: {tuple(place): what for *place, what in one[kind]}
            for kind in ("names", "calls", "made")
        }
        for one in seen
    ]
    calls: dict[str, dict[Any, Called]] = {"calls": {}, "made": {}}
    for kind, found in calls.items():
        for place, what in tables[0][kind].items():
            visits = [table[kind].get(place) for table in tables]
            if isinstance(what, dict):
                found[tuple(file_of(p) if i % 6 == 0 else p for i, p in enumerate(place))] = (
                    _called(experiment, [_part(v, itemgetter("call")) for v in visits])
                )
    return TracedClass(
        method,
        {
            name: shown(experiment, [run["arguments"].get(name) for run in seen])
            for name in seen[0]["arguments"]
        },
        {
            (file_of(place[0]), *place[1:]): shown(
                experiment, [table["names"].get(place) for table in tables]
            )
            for place in tables[0]["names"]
        },
        calls["calls"],
        tuple(
            {
                n.variable: run.get(i, n.value)
                for i, n in enumerate(numbers)
                if n.variable is not None
            }
            for run in runs
        ),
        calls["made"],
    )


def _number(one: Mapping[str, Any], method: str) -> Number:
    variable, text = None, str(one["text"])
    if one["kind"] == "axis":
        variable = Variable(text, method, one["axis"], one["rank"])
        place = -1 if one["axis"] == one["rank"] - 1 else one["axis"]
        text = f"{text}.shape[{place}]"
    elif one["kind"] in ("field", "item"):
        variable = Variable(text)
    text = text if one["given"] else f"self.{text}"
    return Number(variable, one["value"], one["sized"], text, one["may_be_size"])


def _called(experiment: Experiment, visits: Sequence[Any]) -> Called:
    first = visits[0]

    def part(get: Callable[[Any], Any]) -> Shown | None:
        return shown(experiment, [_part(v, get) for v in visits])

    return Called(
        tuple(part(lambda v, i=i: _at(v["args"], i)) for i in range(len(first["args"]))),  # type: ignore[misc]
        {n: part(lambda v, n=n: v["kwargs"].get(n)) for n in first["kwargs"]},  # type: ignore[misc]
        part(lambda v: v["result"]),
    )


def _at(items: Sequence[Any], index: int) -> Any:
    return items[index] if index < len(items) else None


def shown(experiment: Experiment, visits: Sequence[Any]) -> Shown | None:
    """What the descriptions of one value in all runs show.

    Those that are of another form count for nothing; where one run had several, that is what the others are held against.
    """
    first = visits[0]
    if not isinstance(first, dict):
        return None
    alike = [v if v == SEVERAL or (v and _form(v) == _form(first)) else None for v in visits]

    def parts(get: Callable[[Any], Any]) -> list[Any]:
        return [_part(v, get) for v in alike]

    match first:
        case {"int": _}:
            return Shown(size=_sized(experiment, parts(itemgetter("int"))))
        case {"shape": shape, "dtype": dtype}:
            axes = [
                [_part(v, itemgetter(i)) for v in parts(itemgetter("shape"))]
                for i in range(len(shape))
            ]
            sizes = tuple(_sized(experiment, axis) for axis in axes)
            return Shown(shape=sizes, dtype="" if dtype == SEVERAL else dtype)
        case {"items": items, "kind": kind, "names": names}:
            rows = parts(itemgetter("items"))
            inner = tuple(
                shown(experiment, [_part(v, itemgetter(i)) for v in rows])
                for i in range(len(items))
            )
            return Shown(items=inner, kind=kind, names=tuple(names))
        case {"table": table}:
            tables = parts(itemgetter("table"))
            return Shown(
                table=tuple(
                    (n, shown(experiment, [_part(v, itemgetter(n)) for v in tables])) for n in table
                )
            )
    return None


def _part(one: Any, get: Callable[[Any], Any]) -> Any:
    """A part of a description; of several ones, several."""
    return one if one is None or one == SEVERAL else get(one)


def _sized(experiment: Experiment, found: Sequence[Any]) -> shapes.Number:
    """The number that was one of these in each run, None where there was none and SEVERAL where there were others."""
    sizes = [None if size == SEVERAL else size for size in found]
    formula = rows = None
    if SEVERAL not in found:  # else there is a turn of a loop that no formula for all of them gives
        formula = experiment.explain(sizes)
        rows = experiment.rows(sizes) if formula is None else None
    before, after = ((None,) * count for count in experiment.around)
    return shapes.Number((*before, *sizes, *after), formula, rows)


def _form(one: Mapping[str, Any]) -> Any:
    match one:
        case {"shape": shape}:
            return len(shape)
        case {"items": items}:
            return "items", len(items)
        case {"table": table}:
            return "table", tuple(table)
    return "int"
