"""Outcomes kept from run to run, by what they depend on: this program, the options and the bytes that were read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

KEPT = 64  # runs; the one that was asked for longest ago goes first


def folder() -> Path:
    """Where the cache lies: NNX_CODEMOD_CACHE_DIR, or the system's place for caches."""
    given = os.environ.get("NNX_CODEMOD_CACHE_DIR")
    if given:
        return Path(given)
    import platformdirs

    return platformdirs.user_cache_path("nnx-codemod", appauthor=False)


def key(files: Mapping[Path, bytes | None], *choices: object) -> str:
    """A name for the outcome of a run over these files with these choices; a file that is not there is None."""
    digest = hashlib.sha256(program().encode())
    for choice in choices:
        digest.update(repr(choice).encode() + b"\0")
    for path, data in sorted(files.items()):
        content = b"-" if data is None else hashlib.sha256(data).digest()
        digest.update(os.fsencode(path.absolute()) + b"\0" + content)
    return digest.hexdigest()


@cache
def program() -> str:
    """This program and the libraries that it reasons with, in their versions."""
    from importlib.metadata import PackageNotFoundError, version

    parts = [platform.python_version(), _own_code()]
    for name in ("jax", "flax", "dm-haiku", "optax", "einops", "numpy"):
        with contextlib.suppress(PackageNotFoundError):
            parts.append(f"{name} {version(name)}")
    return "\n".join(parts)


def _own_code() -> str:
    """What tells two states of this program apart, a working copy under development included."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for inside in ("codemod", "rules", "helpers"):
        for path in sorted((root / inside).rglob("*.py")):
            status = path.stat()
            digest.update(
                f"{path.relative_to(root)} {status.st_size} {status.st_mtime_ns}\n".encode()
            )
    return digest.hexdigest()


class Cache:
    """Entries on disk, one file each. A cache that cannot be read or written is an empty one."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def get(self, name: str) -> Any:
        """What was put under a name; None if there is nothing, or nothing that can be read."""
        path = self._path(name)
        try:
            found = json.loads(path.read_bytes())
            os.utime(path)
        except (OSError, ValueError):
            return None
        return found

    def put(self, name: str, value: Any) -> None:
        """Keeps what JSON can hold under a name."""
        with contextlib.suppress(OSError):
            self.place.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self.place)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(value, file)
            os.replace(temporary, self._path(name))
            self._forget()

    def _forget(self) -> None:
        entries = sorted(
            self.place.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True
        )
        _unlink(entries[KEPT:])

    def _path(self, name: str) -> Path:
        return self.place / f"{name}.json"


def _unlink(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
