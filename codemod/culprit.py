"""Which file an exception belongs to, so that the others can go on without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ATTRIBUTE = "nnx_codemod_culprit"


@contextmanager
def working_on(path: Path) -> Iterator[None]:
    """Marks exceptions from within as the file's, unless they are marked already."""
    try:
        yield
    except Exception as error:
        if not hasattr(error, _ATTRIBUTE):
            setattr(error, _ATTRIBUTE, path)
        raise


def culprit(error: Exception) -> Path | None:
    """The file that was worked on when an exception was raised, None where that is not known."""
    found = getattr(error, _ATTRIBUTE, None)
    return found if isinstance(found, Path) else None
