"""The job `trace`: runs an original on a case, abstractly, and tells the sizes that were seen in its code.

Then it runs it again with other sizes, one at a time, so that numbers can be turned back into expressions.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from . import abstract, case
from .case import Values
from .recording import Recorder
from .subject import Subject
from .variations import Variable, changed, longer, variables

_SECONDS = 60.0
_FACTORS = ((2, 0), (3, 0), (1, 1), (4, 0), (1, 2))  # of a size that is varied: times, plus
_WANTED = 2  # variations of each size that the original has to accept
_MULTIPLES = 6  # of sizes, for what may be one
_MOST = 40  # sizes that are varied
_BRANCHES = 2  # that the case does not take, and another value of one field does

Run = Callable[[Values], dict[str, Any]]


def trace(
    job: dict[str, Any], thing: Any, module: Any, cased: Callable[..., Any], names: dict[str, Any]
) -> dict[str, Any]:
    """What the first of the job's cases shows that the original accepts, with variations of its sizes.

    `cased` finds that case; `names` are in the scope of its expressions.
    """
    run = _runner(job, thing)

    def maker(_: Any, values: Values, method: str, __: Any) -> Subject:
        job["method"] = method
        run(values)
        return Subject({}, {}, lambda p, s, x, mode: ([], {}), [], lambda seed: {})

    given, _ = cased(job, module, thing, maker)
    method = given.get("method", "__call__")
    job["method"] = method
    values = case.evaluate(given, module, job["seed"], names)
    function = getattr(thing, method) if isinstance(thing, type) else thing
    begun = time.monotonic()

    def experiment(values: Values) -> tuple[list[Variable], dict[str, Any]]:
        return _experiment(variables(thing, function, values), values, run, begun)

    found, first = experiment(values)
    others = [
        experiment(changed(values, found, new))[1] for new in _elsewhere(found, first["runs"])
    ]
    return {"status": "ok", "case": given, **first, "others": others}


def _experiment(
    found: Sequence[Variable], values: Values, run: Run, begun: float
) -> tuple[list[Variable], dict[str, Any]]:
    """What runs on some values show, and with each of these changed; the variables, as far as they are some."""
    runs: list[dict[str, Any]] = [{"values": {}, "seen": run(values)}]
    known, lengths = _lengthened(found, values, run)
    groups: list[list[int]] = []
    for group, trials in _varied(known, values, run, begun):
        groups.append(group)
        runs += [{**trial, "group": len(groups) - 1} for trial in trials]
    runs += _together(known, groups, runs, values, run) + lengths
    shown = {"variables": [one.json() for one in known], "groups": groups, "runs": runs}
    return known, shown


def _elsewhere(
    found: Sequence[Variable], runs: Sequence[Mapping[str, Any]]
) -> Iterator[dict[int, Any]]:
    """The values, no sizes, with which the original made calls in its code that it did not make before."""
    known = _calls(runs[0])
    flags = [
        (int(index), value, run)
        for run in runs[1:]
        if len(run["values"]) == 1
        for index, value in run["values"].items()
        if not found[int(index)].sized
    ]
    count = 0
    for index, value, run in flags:
        if count < _BRANCHES and not _calls(run) <= known:
            known |= _calls(run)
            count += 1
            yield {index: value}


def _calls(run: Mapping[str, Any]) -> set[tuple[Any, ...]]:
    """The places of the calls that a run made."""
    return {tuple(place) for *place, _ in run["seen"]["calls"]}


# ---- how many ---------------------------------------------------------------------------------------------


def _lengthened(
    found: Sequence[Variable], values: Values, run: Run
) -> tuple[list[Variable], list[dict[str, Any]]]:
    """The variables of a case, with runs on sequences of one more number, which tell the second from the last.

    Sequences of one length may only be lengthened together. A number in one that cannot be is no variable.
    """
    counts = collections.Counter(one.place[:-1] for one in found if one.kind == "item")
    lengths = []
    done: set[tuple[Any, ...]] = set()
    for place, count in counts.items():
        alike = [other for other, n in counts.items() if n == count]
        for places in ([place], alike):
            if place in done or not (more := _longer(found, values, places, run)):
                continue
            done.update(places)
            lengths += more
    return [
        dataclasses.replace(one, kind="other")
        if one.kind == "item" and one.place[:-1] not in done
        else one
        for one in found
    ], lengths


def _longer(
    found: Sequence[Variable], values: Values, places: Sequence[tuple[Any, ...]], run: Run
) -> list[dict[str, Any]]:
    for times in (3, 2):
        with contextlib.suppress(Exception):
            new, case_ = longer(values, found, places, times)
            seen = run(case_)
            return [{"values": {str(index): value for index, value in new.items()}, "seen": seen}]
    return []


# ---- variations --------------------------------------------------------------------------------------


def _varied(
    found: Sequence[Variable], values: Values, run: Run, begun: float
) -> Iterator[tuple[list[int], list[dict[str, Any]]]]:
    """Each variable, or several that only change together, with what runs on other values showed."""
    stuck = []
    for index, one in enumerate(found[:_MOST]):
        if one.kind == "fixed":  # any other value is like this one where the code asks for a third
            continue
        trials = _trials([index], found, values, run, begun)
        if trials:
            yield [index], trials
        elif one.sized:
            stuck.append(index)
    while stuck:
        first, *rest = stuck
        equal = [index for index in rest if found[index].value == found[first].value]
        for group in _joint(first, equal, found):
            trials = _trials(group, found, values, run, begun)
            if trials:
                yield group, trials
                stuck = [index for index in stuck if index not in group]
                break
        else:
            stuck = rest


def _joint(first: int, equal: Sequence[int], found: Sequence[Variable]) -> Iterator[list[int]]:
    """Sets of equal sizes that may have to change together, small ones first; two axes of one array at the very last."""
    for count in (1, 2, 3):
        for others in itertools.islice(itertools.combinations(equal, count), 12):
            group = [first, *others]
            arrays = [found[index].owner for index in group]
            if len(set(arrays)) == len(arrays):
                yield group
    if equal:
        yield [first, *equal]


def _trials(
    group: list[int], found: Sequence[Variable], values: Values, run: Run, begun: float
) -> list[dict[str, Any]]:
    trials: list[dict[str, Any]] = []
    for other in _others(found[group[0]], found):
        if time.monotonic() - begun > _SECONDS:
            break
        new = dict.fromkeys(group, other)
        try:
            seen = run(changed(values, found, new))
        except Exception:
            continue
        trials.append({"values": {str(index): other for index in group}, "seen": seen})
        if len(trials) == _WANTED:
            break
    return trials


def _others(one: Variable, found: Sequence[Variable]) -> list[Any]:
    """Other values for a variable; for what is nothing, sizes that the case has not and that these divide, too."""
    if one.sized:
        more = [one.value * times + plus for times, plus in _FACTORS]
        less = [one.value // by for by in (2, 4) if one.value > by]  # a number that divides others
        return list(dict.fromkeys(more + less))
    if isinstance(one.value, bool):
        return [not one.value]
    if isinstance(one.value, float):
        return [one.value * 2, one.value / 2]
    if not one.may_be_size:
        return [6, 5.0]
    sizes = {other.value for other in found if other.sized and other.value > 0}
    more = sorted({size * times for size in sizes for times in (2, 3)} - sizes - {6})
    return [6, *more[:_MULTIPLES], 5.0]


def _together(
    found: Sequence[Variable],
    groups: Sequence[list[int]],
    runs: Sequence[Mapping[str, Any]],
    values: Values,
    run: Run,
) -> list[dict[str, Any]]:
    """A run with all sizes changed at once, as far as the original accepts it: it tells products from sums."""
    each = [
        next(r["values"] for r in runs if r.get("group") == number) for number in range(len(groups))
    ]
    sized = [new for group, new in zip(groups, each, strict=True) if found[group[0]].sized]
    for chosen in (sized, sized[1:], *itertools.combinations(sized, 2)):
        new = {int(index): value for one in chosen for index, value in one.items()}
        with contextlib.suppress(Exception):
            seen = run(changed(values, found, new))
            return [{"values": {str(k): v for k, v in new.items()}, "seen": seen}]
    return []


# ---- one run -----------------------------------------------------------------------------------------


def _runner(job: dict[str, Any], thing: Any) -> Run:
    linen = job["class"]["source"] == "linen"

    def run(values: Values) -> dict[str, Any]:
        recorder = Recorder(thing, job["tree"])
        call = abstract.init(thing, values, job["method"], {}, linen, recorder)
        args, kwargs = call.arguments(call.arrays, "eval", rewritten=False)
        return recorder.seen(dict(zip(call.names, args, strict=False)) | kwargs)

    return run
