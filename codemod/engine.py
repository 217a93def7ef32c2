"""The order of it all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from .config import Options
from .report import FileReport, Outcome
from .source import Source


def rewrite(
    sources: Sequence[Source],
    options: Options,
    *,
    fixed: Sequence[Source] = (),
    load: Callable[[Path], Source | None] = lambda path: None,
    progress: Callable[[str], None] = lambda path: None,
) -> list[Outcome]:
    """What each source becomes, and the files that are made beside them; nothing is written.

    All sources can be parsed. `fixed` are files that use the sources' code and stay as they are: what they take from
    the sources has to stay usable. `load` reads any other file for information, None where there is none. `progress`
    is told the path of the file that work begins on, and an exception is taken for a failure at that file.
    """
    outcomes = []
    for source in sources:
        progress(str(source.path))
        outcomes.append(Outcome(FileReport(str(source.path)), source))
    return outcomes
