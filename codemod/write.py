"""Writing a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


class Unwritable(Exception):
    """A file that cannot be replaced; the message is one line without the path."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


def check(path: Path) -> None:
    """Raises Unwritable if `write` would; to be asked before anything is written."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    except OSError as error:
        raise Unwritable(path, f"cannot be written: {error.strerror}") from None
    # The superuser may write to what its owner has closed, but was not meant to.
    if mode is not None and not (mode & 0o222 and os.access(path, os.W_OK)):
        raise Unwritable(path, "cannot be written: the file is read-only")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise Unwritable(path, f"cannot be written: {path.parent} is read-only")


def write(path: Path, data: bytes, *, expected: bytes | None = None) -> None:
    """Puts `data` in the place of a file's content at once, keeping its mode bits.

    `expected` is what the file holds as far as the writer knows, None if there is no file yet. Raises Unwritable, and
    then the file is as it was.
    """
    check(path)
    try:
        _replace(path, data, expected)
    except OSError as error:
        raise Unwritable(path, f"cannot be written: {error.strerror}") from None


def _replace(path: Path, data: bytes, expected: bytes | None) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, _mode(path))
        if (path.read_bytes() if path.exists() else None) != expected:
            raise Unwritable(path, "was changed by someone else meanwhile and is left as it is")
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _mode(path: Path) -> int:
    """The mode bits of a file, or those that a new one gets."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


@dataclass(frozen=True)
class Change:
    """New content for a file; `before` is what it holds, None if there is no file yet."""

    path: Path
    data: bytes
    before: bytes | None


def write_all(changes: Iterable[Change]) -> None:
    """Writes all files or, where one cannot be written or the user interrupts, none of them.

    Raises Unwritable.
    """
    done: list[Change] = []
    try:
        for change in changes:
            write(change.path, change.data, expected=change.before)
            done.append(change)
    except BaseException:
        for change in reversed(done):
            _restore(change)
        raise


def _restore(change: Change) -> None:
    with contextlib.suppress(Unwritable, OSError):
        if change.before is None:
            change.path.unlink()
        else:
            write(change.path, change.before, expected=change.data)
