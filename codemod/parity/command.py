"""The command `verify`: from what was asked to an exit status."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import show
from ..config import ConfigError, Options, load
from ..diff import unified
from ..run import Examined, examine
from . import document, page, programs, subjects, table, trace, trees, verify
from .process import Settings

HOLDS, FAILS, UNUSABLE = 0, 1, 2
_PLATFORMS = {"cpu": "cpu", "gpu": "cuda,cpu", "tpu": "tpu,cpu", "all": ""}  # as JAX names them
_WIDTH = 160  # of what is not written to a terminal


@dataclass(frozen=True)
class Request:
    """What the command line says; sizes are in GiB and seconds, an empty string is an option that was not given."""

    paths: tuple[Path, ...]
    against: str = "HEAD"
    original: Path | None = None
    rewrite_report: Path | None = None
    python: str = ""
    original_python: str = ""
    timeout: float = 120.0
    memory: float = 8.0
    device: str = "cpu"
    devices: int = 0
    seed: int = 0
    report: str = ""
    html: str = ""
    program: tuple[Path, ...] = ()
    array: tuple[str, ...] = ()
    trace: bool = False


def run(request: Request, version: str) -> int:
    """Verifies, shows what came of it and writes the reports; returns the exit status."""
    try:
        with tempfile.TemporaryDirectory(prefix="nnx-codemod-verify-") as scratch:
            return _run(request, version, Path(scratch))
    except (trees.Unusable, ConfigError) as error:
        show.error(str(error))
    except verify.NothingRewritten:
        show.error("nothing is rewritten: the working tree is as the originals are")
    return UNUSABLE


def _run(request: Request, version: str, scratch: Path) -> int:
    named = [*request.paths, *request.program]
    missing = [path for path in named if not path.exists()]
    if missing:
        raise trees.Unusable(f"{missing[0]}: no such file or directory")
    both = _trees(request, named, scratch)
    verdict = verify.Verdict([], request.seed)
    if request.paths:
        verdict = _modules(request, both)
    elif subjects.unchanged(both, _code(both.original)):
        raise verify.NothingRewritten
    wishes = _wishes(request)
    for program in request.program:
        place = trees.relative([program], both.rewritten)[0]
        verdict.programs.append(
            programs.compare(place, both, wishes.original, wishes.rewritten, request.array)
        )
    table.show(verdict, _console())
    _write(request, document.document(verdict, version), table.summary(verdict), both)
    return FAILS if verdict.failed else HOLDS


def _modules(request: Request, both: trees.Trees) -> verify.Verdict:
    both = replace(both, paths=trees.relative(request.paths, both.rewritten))
    options = load(Path(os.path.commonpath([path.absolute() for path in request.paths])))
    if request.rewrite_report is not None:
        found = subjects.Found(subjects.read_report(request.rewrite_report))
    else:
        settle = _settle(options, _wishes(request)) if request.trace else _as_it_is
        found = subjects.closest(both, options, settle)
    verdict = verify.verify(both, found.report, options, _wishes(request), progress=show.climbed)
    verdict.different = list(found.different)
    return verdict


def _code(tree: Path) -> list[Path]:
    """The Python files of a tree, relative to it."""
    return [path.relative_to(tree) for path in sorted(tree.rglob("*.py"))]


def _as_it_is(examined: Examined, paths: Sequence[Path]) -> Examined:
    return examined


def _settle(options: Options, wishes: verify.Wishes) -> subjects.Settle:
    """What `rewrite --trace` does."""

    def settle(examined: Examined, paths: Sequence[Path]) -> Examined:
        return trace.settle(
            examined, lambda facts: examine(paths, options, traced=facts), paths, options, wishes
        ).examined

    return settle


def _trees(request: Request, named: list[Path], scratch: Path) -> trees.Trees:
    if request.original is not None:
        return trees.from_folder(named, request.original, scratch)
    return trees.from_git(named, request.against, scratch)


def _wishes(request: Request) -> verify.Wishes:
    def settings(python: str) -> Settings:
        return Settings(
            python or sys.executable,
            request.timeout,
            int(request.memory * 2**30) or None,
            _PLATFORMS[request.device],
            request.devices,
        )

    newer = settings(request.python)
    return verify.Wishes(settings(request.original_python or newer.python), newer, request.seed)


def _console() -> Any:
    from rich.console import Console

    width = None if sys.stdout.isatty() else _WIDTH
    return Console(
        highlight=False, no_color=not show.coloured(sys.stdout), width=width, emoji=False
    )


def _diffs(data: Mapping[str, Any], both: trees.Trees) -> dict[str, str]:
    """What changed in each file that a module is in."""
    found = {}
    for file in sorted({module["file"] for module in data["modules"]}):
        texts = [
            (tree / file).read_text(errors="replace") if (tree / file).is_file() else ""
            for tree in (both.original, both.rewritten)
        ]
        found[file] = unified(file, *texts)
    return found


def _write(request: Request, data: Mapping[str, Any], summary: str, both: trees.Trees) -> None:
    """The reports that were asked for; raises Unusable."""
    if request.html:
        _put(request.html, page.page(data, summary, _diffs(data, both)))
    if request.report == "-":
        show.out(document.dumps(data).encode())
    elif request.report:
        _put(request.report, document.dumps(data))


def _put(place: str, text: str) -> None:
    try:
        Path(place).write_text(text, encoding="utf-8")
    except OSError as error:
        raise trees.Unusable(f"{place}: cannot be written: {error.strerror}") from None
