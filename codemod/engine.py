"""The order of it all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .config import Options
from .report import FileReport, Outcome
from .source import Source


def rewrite(
    sources: Sequence[Source],
    options: Options,
    *,
    progress: Callable[[str], None] | None = None,
) -> list[Outcome]:
    """What each source becomes; nothing is written.

    Raises Unreadable for none of them: a source that cannot be parsed has an outcome that says so.
    """
    outcomes = []
    for source in sources:
        if progress:
            progress(str(source.path))
        outcomes.append(Outcome(FileReport(str(source.path)), source))
    return outcomes
