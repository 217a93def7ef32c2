"""Arrays on disk: npz files that hold plain numbers, never pickles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def save(path: str | Path, arrays: Mapping[str, Any]) -> None:
    """Writes named arrays; those that are no numbers (keys) are left out."""
    plain = {name: as_plain(value) for name, value in arrays.items()}
    found: dict[str, Any] = {name: value for name, value in plain.items() if value is not None}
    np.savez(path, **found)


def as_plain(value: Any) -> np.ndarray[Any, Any] | None:
    """A numpy array of a kind that every numpy knows; small floats become float32. None for keys and objects."""
    try:
        array = np.asarray(value)
    except TypeError:
        return None
    if array.dtype.kind in "biufc":
        return array
    if (array.dtype.kind == "V" and "float" in array.dtype.name) or array.dtype.name == "bfloat16":
        return array.astype(np.float32)
    return None


def load(path: str | Path) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a file by name."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def part(arrays: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The arrays whose names begin with `prefix`, by the rest of their names."""
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}
