"""The command line: arguments in, calls out."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from . import __version__

if TYPE_CHECKING:
    from .codemod.config import Options
    from .codemod.parity.verify import Wishes
    from .codemod.report import Outcome
    from .codemod.run import Examined
    from .codemod.shapes.traced import Traced
    from .codemod.write import Change

CLEAN, LEFT, BAD = 0, 1, 2
_INTERRUPTED = 128 + signal.SIGINT


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="nnx-codemod", message="%(prog)s %(version)s")
def cli() -> None:
    """Rewrite Flax Linen and Haiku code as Flax NNX code that computes the same numbers.

    Exit status: 0 nothing is left to do; 1 a dry run would change something, or a diagnostic is left;
    2 bad usage, or a file that cannot be read or parsed (the others are still done).
    """


def main() -> None:
    """The `nnx-codemod` command."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    cli(prog_name="nnx-codemod")


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Ends the command in one line, whatever happens in it."""
    from .codemod import show
    from .codemod.config import ConfigError
    from .codemod.write import Unwritable

    try:
        yield
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except ConfigError as error:
        show.error(str(error))
        sys.exit(BAD)
    except Unwritable as error:
        show.error(f"{error.path}: {error.message}; nothing was written")
        sys.exit(BAD)
    except BrokenPipeError:
        raise
    except Exception as error:
        show.error(f"internal error: {type(error).__name__}: {' '.join(str(error).split())}")
        sys.exit(BAD)


# ---- rewrite -----------------------------------------------------------------------------------------


def _codes(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...] | None:
    """Rule codes from options that are repeated or hold several codes, each checked to begin a rule's code."""
    codes = tuple(code.strip() for value in given for code in value.split(",") if code.strip())
    if not codes:
        return None
    from .rules import catalogue

    for code in codes:
        if not any(rule.code.startswith(code) for rule in catalogue()):
            raise click.BadParameter(
                f"no rule's code begins with {code!r}; `nnx-codemod rules` lists them"
            )
    return codes


@cli.command()
@click.argument(
    "paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path)
)
@click.option("--diff", is_flag=True, help="Dry run: print a unified diff, write nothing.")
@click.option(
    "--check", is_flag=True, help="Dry run: print the names of the files that would change."
)
@click.option(
    "--verify",
    "verified",
    is_flag=True,
    help="Run originals and rewrite first, and write only the files whose classes all hold.",
)
@click.option(
    "--report", metavar="FILE", help="Write the outcome as JSON; '-' for standard output."
)
@click.option(
    "--select",
    multiple=True,
    metavar="RULE,...",
    callback=_codes,
    help="Apply these rules only, by code or prefix.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="RULE,...",
    callback=_codes,
    help="Leave these rules out, by code or prefix.",
)
@click.option(
    "--names",
    type=click.Choice(["pythonic", "original"]),
    help="Attribute names: as a person would choose them (default), or Linen's automatic ones (Dense_0).",
)
@click.option(
    "--mode-flags",
    type=click.Choice(["drop", "keep"]),
    help="Flags such as train or deterministic: model.train() and model.eval() take their place (default), "
    "or they stay arguments of the call.",
)
@click.option(
    "--allow-dirty", is_flag=True, help="Write even if the git work tree has uncommitted changes."
)
@click.option("--no-cache", is_flag=True, help="Work everything out afresh.")
@click.option(
    "--trace",
    "traced",
    is_flag=True,
    help="Run the originals, abstractly, where reading cannot tell a size.",
)
@click.option(
    "--original-python",
    default="",
    metavar="PYTHON",
    help="The interpreter for the originals that --trace and --verify run; default: this one.",
)
def rewrite(
    paths: tuple[Path, ...],
    diff: bool,
    check: bool,
    verified: bool,
    report: str | None,
    select: tuple[str, ...] | None,
    ignore: tuple[str, ...] | None,
    names: str | None,
    mode_flags: str | None,
    allow_dirty: bool,
    no_cache: bool,
    traced: bool,
    original_python: str,
) -> None:
    """Rewrite the files at and below each PATH in place, and print a summary.

    Files are those that git would track. [tool.nnx-codemod] in pyproject.toml holds defaults for the options.
    """
    if diff and check:
        raise click.UsageError("--diff and --check do not go together")
    if report == "-" and (diff or check):
        raise click.UsageError("--report - and a dry run both want the standard output")
    if report and report != "-" and not Path(report).absolute().parent.is_dir():
        raise click.BadParameter(f"no folder {Path(report).parent}", param_hint="--report")
    with _one_line_errors():
        flags = {"select": select, "ignore": ignore, "names": names, "mode_flags": mode_flags}
        options = _options(paths, flags)
        facts = None
        examined = _examine(paths, options, no_cache or traced)
        if traced:
            examined, facts = _traced(examined, paths, options, original_python)
        if verified and examined.changes:
            if not (diff or check or allow_dirty):
                _refuse_dirty(examined.changes)
            examined = _verified(examined, paths, options, no_cache, original_python, facts)
        sys.exit(
            _conclude(examined, diff=diff, check=check, report=report, allow_dirty=allow_dirty)
        )


def _options(paths: tuple[Path, ...], flags: Mapping[str, object]) -> Options:
    """The options for all paths: the configuration nearest to the folder that they share."""
    import os

    from .codemod.config import load

    shared = Path(os.path.commonpath([path.absolute() for path in paths]))
    return load(shared, flags)


def _examine(
    paths: tuple[Path, ...],
    options: Options,
    no_cache: bool,
    stay: Mapping[Path, Outcome] | None = None,
    facts: Traced | None = None,
) -> Examined:
    from .codemod import show
    from .codemod.cache import Cache, folder
    from .codemod.run import examine

    cache = None if no_cache else Cache(folder())
    with show.progress() as progress:
        return examine(paths, options, cache=cache, progress=progress, stay=stay, traced=facts)


def _traced(
    examined: Examined, paths: tuple[Path, ...], options: Options, python: str
) -> tuple[Examined, Traced | None]:
    """The rewrite with the sizes that runs of the originals showed."""
    from .codemod import show
    from .codemod.parity import trace

    def again(facts: Traced) -> Examined:
        return _examine(paths, options, True, facts=facts)

    settled = trace.settle(examined, again, paths, options, _wishes(python), progress=show.running)
    show.traced(settled)
    return settled.examined, settled.facts


def _wishes(original_python: str) -> Wishes:
    from .codemod.parity.process import Settings
    from .codemod.parity.verify import Wishes

    return Wishes(Settings(original_python or sys.executable))


def _verified(
    examined: Examined,
    paths: tuple[Path, ...],
    options: Options,
    no_cache: bool,
    original_python: str,
    facts: Traced | None,
) -> Examined:
    """What is left of a rewrite once the files in which a class fails stay as they are."""
    from .codemod import show
    from .codemod.parity import gate

    def again(stay: Mapping[Path, Outcome]) -> Examined:
        return _examine(paths, options, no_cache, stay, facts)

    wishes = _wishes(original_python)
    passed = gate.settle(examined, again, paths, options, wishes, progress=show.climbed)
    show.passed(passed)
    return passed.examined


def _conclude(
    examined: Examined, *, diff: bool, check: bool, report: str | None, allow_dirty: bool
) -> int:
    """Writes and prints what was found; returns the exit status."""
    import os

    from .codemod import show
    from .codemod.write import write_all

    for problem in examined.problems:
        (show.error if problem.fatal else show.note)(f"{problem.path}: {problem.message}")
    show.diagnostics(examined.outcomes)
    changes = examined.changes
    if diff:
        show.diff(examined.outcomes)
    elif check:
        show.out(
            b"".join(
                os.fsencode(change.path) + b"\n" for change in sorted(changes, key=lambda c: c.path)
            )
        )
    elif changes:
        if not allow_dirty:
            _refuse_dirty(changes)
        write_all(changes)
    if report is not None:
        _write_report(examined, report)
    show.summary(examined, dry=diff or check)
    if examined.fatal:
        return BAD
    return LEFT if examined.diagnostics or (changes and (diff or check)) else CLEAN


def _refuse_dirty(changes: Sequence[Change]) -> None:
    """Ends the command where git could not tell our changes from the user's."""
    from .codemod import git

    found = git.uncommitted(change.path for change in changes if change.before is not None)
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        _fail(
            f"{found[0]}{more}: uncommitted changes, commit them first or pass --allow-dirty; nothing was written"
        )


def _write_report(examined: Examined, place: str) -> None:
    from .codemod import show
    from .codemod.report import dumps

    data = dumps([outcome.report for outcome in examined.outcomes], __version__).encode(
        errors="backslashreplace"
    )
    if place == "-":
        show.out(data)
        return
    try:
        Path(place).write_bytes(data)
    except OSError as error:
        _fail(f"{place}: the report cannot be written: {error.strerror}")


def _fail(message: str) -> NoReturn:
    from .codemod import show

    show.error(message)
    sys.exit(BAD)


# ---- verify ------------------------------------------------------------------------------------------


@cli.command()
@click.argument("paths", nargs=-1, metavar="PATH...", type=click.Path(path_type=Path))
@click.option(
    "--against", default="HEAD", metavar="REV", help="The git revision of the originals (HEAD)."
)
@click.option(
    "--original",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A folder with the originals instead, laid out as the folder that the PATHs share.",
)
@click.option(
    "--rewrite-report",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The report of the rewrite; default: the originals are rewritten again, in memory.",
)
@click.option("--trace", is_flag=True, help="The rewrite was made with --trace.")
@click.option("--python", default="", help="The interpreter for the rewrite; default: this one.")
@click.option("--original-python", default="", help="The interpreter for the originals.")
@click.option(
    "--timeout", default=120.0, metavar="SECONDS", help="Time for one side of a module (120)."
)
@click.option(
    "--memory", default=8.0, metavar="GIB", help="Memory for a process, 0 for no limit (8)."
)
@click.option(
    "--device",
    default="cpu",
    type=click.Choice(["cpu", "gpu", "tpu", "all"]),
    help="Where to run; all: whatever JAX finds.",
)
@click.option("--devices", default=0, metavar="N", help="Virtual CPU devices, to shard over.")
@click.option("--seed", default=0, metavar="N", help="Of inputs and weights (0).")
@click.option("--report", default="", metavar="FILE", help="Write the outcome as JSON.")
@click.option("--html", default="", metavar="FILE", help="Write the outcome as a page.")
@click.option(
    "--program",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Run this script before and after, too, and compare the numbers that it prints.",
)
@click.option(
    "--array",
    multiple=True,
    metavar="NAME",
    help="Compare also what the scripts call so at their top when they end.",
)
def verify(paths: tuple[Path, ...], **given: Any) -> None:
    """Run the originals and their rewrite side by side, and compare their numbers rung by rung.

    This runs the code of both, in processes of their own. Exit status: 0 nothing failed; 1 something did; 2 bad
    usage, or nothing is rewritten yet.
    """
    if not paths and not given["program"]:
        raise click.UsageError("a PATH or a --program is needed")
    if given["array"] and not given["program"]:
        raise click.UsageError("--array is of a --program")
    with _one_line_errors():
        from .codemod.parity.command import Request, run

        sys.exit(run(Request(paths, **given), __version__))


# ---- rules -------------------------------------------------------------------------------------------


@cli.command()
@click.argument("code", required=False, metavar="[RULE]")
def rules(code: str | None) -> None:
    """List the rules, those whose code begins with RULE, or explain the one with that code."""
    import difflib

    from . import rules as package
    from .codemod import show

    catalogue = package.catalogue()
    exact = [rule for rule in catalogue if rule.code == code]
    if exact:
        show.rule(exact[0], package.documentation(exact[0].code))
        return
    listed = [rule for rule in catalogue if rule.code.startswith(code or "")]
    if not listed:
        near = difflib.get_close_matches(code or "", [rule.code for rule in catalogue], n=1)
        hint = f", did you mean {near[0]}?" if near else "; `nnx-codemod rules` lists them"
        raise click.BadParameter(f"no rule has the code {code}{hint}", param_hint="RULE")
    show.rules(listed)


# ---- demo --------------------------------------------------------------------------------------------


@cli.command()
def demo() -> None:
    """Rewrite a bundled sample, show the diff, run both versions and set their numbers side by side.

    Random draws are made the same on both sides. Exit status 1 if a number differs or a diagnostic is left.
    """
    import tempfile

    with _one_line_errors(), tempfile.TemporaryDirectory(prefix="nnx-codemod-") as scratch:
        sys.exit(_demo(Path(scratch)))


def _demo(scratch: Path) -> int:
    from contextlib import chdir

    from .codemod import demo, show
    from .codemod.config import Options
    from .codemod.run import examine
    from .codemod.write import write_all

    before, after = demo.copy(scratch / "before"), demo.copy(scratch / "after")
    with chdir(after):
        examined = examine([Path()], Options(), cache=None)
        show.diagnostics(examined.outcomes)
        show.diff(examined.outcomes)
        write_all(examined.changes)
    show.summary(examined, dry=False)
    click.echo("Running both versions ...", err=True)
    equal = show.comparison(demo.compare(before, after))
    if not equal:
        show.error("the numbers differ")
    return CLEAN if equal and not examined.diagnostics else LEFT
