"""What the user sees of a run: diagnostics, the diff, progress and the summary."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import click

from .diff import unified
from .report import Diagnostic, Outcome
from .run import Examined, Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from .demo import Line
    from .parity.gate import Passed
    from .parity.rungs import Climb
    from .parity.trace import Settled
    from .rule import Rule

_WIDTH = 160  # of a table that is not drawn on a terminal
MANY = 8  # files from which on a progress bar is worth its lines
_DIFF_STYLES: dict[str, dict[str, Any]] = {
    "+++": {"bold": True},
    "---": {"bold": True},
    "@@": {"fg": "cyan"},
    "+": {"fg": "green"},
    "-": {"fg": "red"},
}


def coloured(stream: TextIO) -> bool:
    """Whether a stream is a terminal that shows colours and the user wants them."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and stream.isatty()


def out(data: bytes) -> None:
    """Puts a result on the standard output."""
    click.echo(data, nl=False)


def error(message: str) -> None:
    """Puts one line on the standard error stream."""
    label = click.style("error:", fg="red", bold=True) if coloured(sys.stderr) else "error:"
    click.echo(f"{label} {message}", err=True, color=True)


def note(message: str) -> None:
    click.echo(f"note: {message}", err=True)


# ---- diagnostics ---------------------------------------------------------------------------------------


def diagnostics(outcomes: Iterable[Outcome]) -> None:
    """Lists what was left as it was, and why, in the order of files and lines."""
    styled = coloured(sys.stderr)
    for outcome in outcomes:
        for diagnostic in sorted(outcome.report.diagnostics, key=lambda one: one.order):
            click.echo(
                "\n".join(_lines(outcome.report.path, diagnostic, styled)), err=True, color=True
            )


def _lines(path: str, diagnostic: Diagnostic, styled: bool) -> Iterator[str]:
    place = f"{path}:{diagnostic.line}:{diagnostic.column + 1}:"
    code = diagnostic.code
    if styled:
        place, code = click.style(place, bold=True), click.style(code, fg="red", bold=True)
    yield f"{place} {code} {diagnostic.message}"
    if diagnostic.help:
        yield f"  help: {diagnostic.help}"


# ---- the diff ------------------------------------------------------------------------------------------


def diff(outcomes: Iterable[Outcome]) -> None:
    """The changes as one patch on the standard output, in colour on a terminal."""
    styled = coloured(sys.stdout)
    for outcome in outcomes:
        text, encoding = patch(outcome)
        if styled:
            click.echo(
                "".join(_styled(line) for line in text.splitlines(keepends=True)),
                nl=False,
                color=True,
            )
        else:
            out(_encoded(text, encoding))


def patch(outcome: Outcome) -> tuple[str, str]:
    """The diff of one file and the encoding of its lines; empty where nothing changes."""
    after = outcome.new_bytes()
    if after is None:
        return "", "utf-8"
    source = outcome.source
    encoding = source.encoding if source else "utf-8"
    before = source.bytes.decode(encoding) if source else None
    return unified(outcome.report.path, before, after.decode(encoding)), encoding


def _encoded(text: str, encoding: str) -> bytes:
    """A diff as bytes: paths as the system spells them, lines as the file does."""
    head, mark, body = text.partition("\n@@")
    return os.fsencode(head + mark) + body.encode(encoding)


def _styled(line: str) -> str:
    for start, style in _DIFF_STYLES.items():
        if line.startswith(start):
            return click.style(line, **style)
    return line


# ---- progress ------------------------------------------------------------------------------------------


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress bar on a terminal, once there turns out to be much to do."""
    if not sys.stderr.isatty():
        yield lambda path, total: None
        return
    bar = _Bar()
    try:
        yield bar
    finally:
        bar.close()


class _Bar:
    """Draws itself at the first call that has many files to tell of."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __call__(self, path: str, total: int) -> None:
        if total < MANY:
            return
        self._seen.add(path)
        if self._bar is None or self._task is None:
            self._bar = _new_bar()
            self._task = self._bar.add_task("", path="")
            self._bar.start()
        self._bar.update(
            self._task, completed=len(self._seen), total=total, path=os.path.basename(path)
        )

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()


def _new_bar() -> Bar:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[path]}", markup=False))
    return Bar(*columns, console=console(), transient=True)


def console() -> Console:
    """Rich on the standard error stream."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, no_color=not coloured(sys.stderr))


# ---- parity --------------------------------------------------------------------------------------------


def climbed(climb: Climb) -> None:
    """A line for each module that is verified, on a terminal."""
    if sys.stderr.isatty():
        note(f"{climb.name}: {climb.status}")


def running(label: str) -> None:
    """A line for each module whose original is run, on a terminal."""
    if sys.stderr.isatty():
        note(f"{label}: running the original")


def traced(settled: Settled) -> None:
    """What runs of the originals came to."""
    for label, origin in sorted(settled.shown.items()):
        note(f"{label}: sizes from a run of the original (case: {origin})")
    for label, why in sorted(settled.silent.items()):
        note(f"{label}: no sizes, the original did not run: {why}")


def passed(found: Passed) -> None:
    """The verdict on a rewrite that is not written yet, and what is written unverified."""
    from rich.console import Console

    from .parity import table

    width = None if sys.stderr.isatty() else _WIDTH
    plain = Console(
        stderr=True, highlight=False, no_color=not coloured(sys.stderr), width=width, emoji=False
    )
    table.show(found.verdict, plain)
    if found.unverified:
        note(f"not verified, for nothing could be run: {', '.join(found.unverified)}")


# ---- the summary ---------------------------------------------------------------------------------------


def summary(examined: Examined, dry: bool) -> None:
    """A table of what became of files and classes."""
    if not any(
        outcome.report.classes or outcome.report.status != "unchanged"
        for outcome in examined.outcomes
    ):
        click.echo(f"Nothing to rewrite in {_count(examined.files, 'Python file')}.", err=True)
        return
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for label, counts in _rows(examined):
        table.add_row(label, *(f"{number} {what}" for what, number in counts.items()))
    console().print(table)
    if dry:
        click.echo("Nothing was written.", err=True)


def _rows(examined: Examined) -> Iterator[tuple[str, dict[str, int]]]:
    files = Counter(outcome.report.status for outcome in examined.outcomes if not outcome.created)
    created = sum(outcome.created for outcome in examined.outcomes)
    changed = {name: files[name] for name in ("rewritten", "partial", "failed")}
    # The file of helpers may be updated without being among those that were asked for.
    unchanged = max(0, examined.files - sum(changed.values()))
    yield "Files", {**changed, "unchanged": unchanged, **({"created": created} if created else {})}
    classes = Counter(one.status for outcome in examined.outcomes for one in outcome.report.classes)
    yield "Classes", {name: classes[name] for name in ("rewritten", "bridged", "kept")}
    yield (
        "Diagnostics",
        {"left": sum(len(outcome.report.diagnostics) for outcome in examined.outcomes)},
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


# ---- the demo ------------------------------------------------------------------------------------------


def comparison(lines: Iterable[Line]) -> bool:
    """A table of what the programs print before and after, row by row; whether all rows are equal."""
    from rich.console import Console
    from rich.table import Table

    table = Table("program", "before", "after", "", box=None, padding=(0, 2, 0, 0))
    program, equal = "", True
    for line in lines:
        mark = "[green]equal[/]" if line.equal else "[red]differs[/]"
        name = line.program if line.program != program else ""
        table.add_row(name, _cell(line.before), _cell(line.after), mark)
        program, equal = line.program, equal and line.equal
    Console(highlight=False, no_color=not coloured(sys.stdout)).print(table)
    return equal and bool(program)


def _cell(text: str | None) -> str:
    from rich.markup import escape

    return "-" if text is None else escape(text)


# ---- rules ---------------------------------------------------------------------------------------------


def rules(listed: Iterable[Rule]) -> None:
    """One line for each rule: its code and what it does."""
    styled = coloured(sys.stdout)
    for rule in listed:
        code = click.style(rule.code, fg="cyan", bold=True) if styled else rule.code
        click.echo(f"{code}  {rule.summary}", color=True)


def rule(one: Rule, documentation: str) -> None:
    """A rule in full, with its example."""
    rules([one])
    click.echo(f"\n{documentation}")
    for title, code in (("Before", one.before), ("After", one.after)):
        if code:
            click.echo(f"\n{title}\n")
            _code(code)


def _code(text: str) -> None:
    """A piece of Python, indented, in colours on a terminal."""
    if not coloured(sys.stdout):
        click.echo("".join(f"    {line}\n" for line in text.strip("\n").split("\n")), nl=False)
        return
    from rich.console import Console
    from rich.padding import Padding
    from rich.syntax import Syntax

    Console().print(Padding(Syntax(text.strip("\n"), "python", background_color="default"), (0, 4)))
