"""The verdict on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .programs import Compared
from .rungs import HEADS, TITLES, Climb
from .verify import Verdict

if TYPE_CHECKING:
    from rich.console import Console

DIFFERENT = "not as the rewrite leaves them (edited since, or rewritten with other options: see --rewrite-report)"
_LINES = 10  # of a program, that differ
_MARKS: Mapping[str, str] = {"pass": "[green]✓[/]", "fail": "[red]✗[/]", "not run": "[dim]·[/]"}


def show(verdict: Verdict, console: Console) -> None:
    """A row for each module, a column for each rung; below it what failed and what did not run, and why."""
    if verdict.climbs:
        _modules(verdict, console)
    if verdict.kept:
        console.print(f"left as they were: {', '.join(verdict.kept)}", markup=False)
    if verdict.different:
        console.print(f"{DIFFERENT}: {', '.join(verdict.different)}", markup=False)
    for program in verdict.programs:
        _program(program, console)
    for side, facts in verdict.platforms.items():
        console.print(f"{side}: {_platform(facts)}", markup=False)
    console.print(summary(verdict), markup=False)


def _modules(verdict: Verdict, console: Console) -> None:
    from rich.table import Table

    shown = [
        name
        for name in TITLES
        if any(_status(climb, name) != "not run" for climb in verdict.climbs)
    ]
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("module", no_wrap=True)
    for name in shown:
        table.add_column(HEADS[name], justify="center", no_wrap=True)
    table.add_column("case", no_wrap=True)
    file = ""
    for climb in verdict.climbs:
        if climb.file != file:
            file = climb.file
            table.add_row(f"[dim]{_escaped(file)}[/]")
        marks = (_MARKS[_status(climb, name)] for name in shown)
        table.add_row(f"  {_escaped(climb.name)}", *marks, _origin(climb))
    table.add_section()
    table.add_row("passed", *(_share(verdict, name) for name in shown))
    console.print(table)
    for climb in verdict.climbs:
        _remarks(climb, console)


def _program(program: Compared, console: Console) -> None:
    """The lines of a program that differ, or how many are equal."""
    different = [line for line in program.lines if not line.equal]
    console.print(
        f"{program.program}: {program.status}, {len(program.lines) - len(different)} of"
        f" {len(program.lines)} lines with numbers are equal",
        markup=False,
    )
    for side, why in (("original", program.before), ("rewrite", program.after)):
        if why:
            console.print(f"  the {side} fails: {why}", markup=False)
    for one in program.arrays:
        told = one.problem or f"{one.error:.1e}"
        console.print(f"  {one.name}: {'equal' if one.equal else 'differs'}, {told}", markup=False)
    for line in different[:_LINES]:
        console.print(f"  - {line.before}\n  + {line.after}", markup=False)


def _status(climb: Climb, name: str) -> str:
    return next((rung.status for rung in climb.rungs if rung.name == name), "not run")


def _share(verdict: Verdict, name: str) -> str:
    """How many modules passed a rung, of those that it ran for where these are more."""
    statuses = [_status(climb, name) for climb in verdict.climbs]
    passed, ran = statuses.count("pass"), len(statuses) - statuses.count("not run")
    return str(passed) if passed == ran else f"{passed}/{ran}"


def _origin(climb: Climb) -> str:
    origin = climb.case["origin"] if climb.case else "none"
    origin, _, outer = origin.partition(", in ")
    short = {"configuration": "config", "code, inputs by search": "code+search"}.get(origin, origin)
    return f"{short} in {outer}" if outer else short


def _remarks(climb: Climb, console: Console) -> None:
    """The failures of a module, or why it was not run at all."""
    where = f"{climb.file}:{climb.name}"
    if climb.status == "not run":
        console.print(f"{where}: not run: {climb.rungs[0].why}", markup=False)
    for rung in climb.rungs:
        if rung.status == "fail":
            figure = f"{rung.figure}: " if rung.figure else ""
            console.print(f"{where}: {TITLES[rung.name]}: {figure}{rung.why}", markup=False)


def _platform(facts: Mapping[str, object]) -> str:
    if facts.get("status") != "ok":
        return str(facts.get("error", ""))
    libraries = [f"{n} {facts[n]}" for n in ("jax", "flax", "haiku") if facts.get(n)]
    return f"{facts['platform']} ({facts['devices']}), python {facts['python']}, {', '.join(libraries)}"


def summary(verdict: Verdict) -> str:
    """The verdict in a line."""
    counts = dict.fromkeys(("pass", "fail", "not run"), 0)
    for climb in verdict.climbs:
        counts[climb.status] += 1
    told = []
    if verdict.climbs or not verdict.programs:
        told.append(
            f"{counts['pass']} of {len(verdict.climbs)} modules hold, {counts['fail']} failed,"
            f" {counts['not run']} not run"
        )
    if verdict.programs:
        held = sum(program.status == "pass" for program in verdict.programs)
        told.append(f"{held} of {len(verdict.programs)} programs print equal numbers")
    return f"{'; '.join(told)} (seed {verdict.seed})"


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
