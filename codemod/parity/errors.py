"""How far two lists of arrays are from each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
TOLERANCE = 1e-4  # in float32, relative to the greatest number of the array
TIGHT = 1e-6  # the same in float64, where what the program itself does in float32 remains
DRAWN = (
    1e-5  # the same where each side drew its own weights, which differ by the last bit of a float32
)
CHAOS = 1e-2  # a difference in float32 that rounding does not explain
SMALL = 1e-3  # arrays smaller than this part of the greatest are measured by that
CANCELLED = 0.1  # the same for gradients in float64: some are nothing but what rounding leaves of a sum of zero


@dataclass
class Distance:
    """The greatest relative error, what does not fit at all, and how the errors are spread.

    `histogram` counts elements by the power of ten of their error, exact ones at -18.
    """

    error: float = 0.0
    problem: str = ""
    histogram: dict[int, int] = field(default_factory=dict)
    double: bool = True  # whether all floats were float64
    empty: bool = True  # whether there was nothing to compare
    undefined: bool = False  # whether the first side has NaN


def distance(
    before: Sequence[Array],
    after: Sequence[Array],
    names: Sequence[str] = (),
    small: float = SMALL,
) -> Distance:
    """Holds arrays against each other, pair by pair.

    Arrays smaller than the part `small` of the greatest are measured by that.
    """
    found = Distance(empty=not before)
    if len(before) != len(after):
        found.problem = f"{len(before)} arrays before, {len(after)} after"
        return found
    largest = max((_largest(array) for array in before), default=0.0)
    for position, (old, new) in enumerate(zip(before, after, strict=True)):
        name = names[position] if names else f"output {position}"
        if old.shape != new.shape:
            found.problem = (
                found.problem or f"{name} has shape {old.shape} before, {new.shape} after"
            )
            continue
        _add(found, old, new, max(_largest(old), small * largest))
    return found


def _largest(array: Array) -> float:
    if array.dtype.kind not in "fc" or not array.size:
        return 0.0
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max()) if finite.size else 0.0


def _add(found: Distance, old: Array, new: Array, scale: float) -> None:
    if old.dtype.kind not in "fc" and new.dtype.kind not in "fc":
        errors = (old != new).astype(float)
    else:
        if old.dtype == np.float32 or new.dtype == np.float32:
            found.double = False
        wide = np.complex128 if "c" in (old.dtype.kind, new.dtype.kind) else np.float64
        one, two = old.astype(wide), new.astype(wide)
        found.undefined = found.undefined or bool(np.isnan(one).any())
        with np.errstate(all="ignore"):
            errors = np.abs(one - two) / (scale or 1.0)
        same = (one == two) | (np.isnan(one) & np.isnan(two))
        errors = np.where(same, 0.0, np.where(np.isnan(errors), np.inf, errors))
    if errors.size:
        found.error = max(found.error, float(errors.max()))
    powers = np.clip(np.floor(np.log10(np.clip(errors.ravel(), 1e-18, 1e3))), -18, 3).astype(int)
    for power, count in zip(*np.unique(powers, return_counts=True), strict=True):
        found.histogram[int(power)] = found.histogram.get(int(power), 0) + int(count)
