"""Whether both sides draw their parameters from the same distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .child import carry, store
from .errors import Array
from .rungs import Rung

_EXACT = 1e-5
_LEVEL = 1e-4  # of the test, for all parameters together
_DEVIATIONS = 5.0  # of the estimate, for mean and variance
_SCALED = 1e-3


def rung(
    before: Mapping[str, Array], after: Mapping[str, Array], pairs: Sequence[carry.Pair] | None
) -> Rung:
    """Equal under equal draws, else alike over several keys; `pairs` None where no map tells which is which.

    `before` and `after` hold "initial:" arrays, made with equal draws, and "drawn:" ones, a row for each seed.
    """
    old, new = _sides(before, after, "initial:"), _sides(before, after, "drawn:")
    if not old[0]:
        return Rung("initialisation", "not run", why="there are no parameters")
    if not new[0] or not new[1]:
        return Rung("initialisation", "not run", why="the initialisers were not run")
    groups = _by_map(pairs) if pairs is not None else _by_size(old[0], old[1])
    problems, exact = [], 0
    for name, sources, targets, pair in groups:
        if pair is not None and _equal(pair, old[0], old[1]):
            exact += 1
            continue
        rows = [
            np.concatenate([side[path].ravel() for path in paths])
            for side, paths in ((new[0], sources), (new[1], targets))
        ]
        why = _unlike(rows[0], rows[1], _LEVEL / len(groups)) or _scaled(pair, old[0], old[1])
        if why:
            problems.append(f"{name}: {why}")
    problems += _repeated(new[0], new[1], pairs or []) + _fixed(new[0], new[1])
    figure = (
        f"{exact} of {len(groups)} equal draw by draw"
        if exact
        else f"{len(groups)} alike over keys"
    )
    numbers = {"exact": exact, "parameters": len(groups)}
    if problems:
        return Rung("initialisation", "fail", figure, "; ".join(problems[:3]), numbers)
    return Rung("initialisation", "pass", figure, "", numbers)


def _sides(
    before: Mapping[str, Array], after: Mapping[str, Array], prefix: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    return store.part(before, prefix), store.part(after, prefix)


_Group = tuple[str, list[str], list[str], carry.Pair | None]


def _by_map(pairs: Sequence[carry.Pair]) -> list[_Group]:
    return [(pair.target, list(pair.sources), [pair.target], pair) for pair in pairs]


def _by_size(old: Mapping[str, Array], new: Mapping[str, Array]) -> list[_Group]:
    """Parameters of one size together; all together where the sizes differ."""
    sizes = sorted({array.size for array in old.values()})
    if sorted(a.size for a in old.values()) != sorted(a.size for a in new.values()):
        return [("all parameters", list(old), list(new), None)]
    return [
        (
            f"arrays of {size}",
            [path for path, array in old.items() if array.size == size],
            [path for path, array in new.items() if array.size == size],
            None,
        )
        for size in sizes
    ]


def _equal(pair: carry.Pair, old: Mapping[str, Array], new: Mapping[str, Array]) -> bool:
    wanted = carry.carried(pair, old, new[pair.target].shape).astype(np.float64)
    scale = float(np.abs(wanted).max()) if wanted.size else 0.0
    return bool(np.all(np.abs(wanted - new[pair.target]) <= _EXACT * scale))


def _scaled(pair: carry.Pair | None, old: Mapping[str, Array], new: Mapping[str, Array]) -> str:
    """Whether equal draws differ by a factor alone."""
    if pair is None:
        return ""
    one = carry.carried(pair, old, new[pair.target].shape).astype(np.float64).ravel()
    two = new[pair.target].astype(np.float64).ravel()
    if one.size < 4 or not one.any() or not two.any():
        return ""
    factor = float(one @ two / (one @ one))
    rest = np.linalg.norm(two - factor * one) / np.linalg.norm(two)
    return f"{factor:.3g} times the original's draw" if rest < _SCALED else ""


def _unlike(one: Array, two: Array, level: float) -> str:
    """What tells two samples apart, "" if nothing does."""
    spreads = float(one.std()), float(two.std())
    tiny = 1e-7 * max(1.0, float(np.abs(one).max()), float(np.abs(two).max()))
    if min(spreads) <= tiny:
        same = max(spreads) <= tiny and abs(float(one.mean() - two.mean())) <= tiny
        return (
            ""
            if same
            else f"constant on one side (deviations {spreads[0]:.3g} and {spreads[1]:.3g})"
        )
    shift = _moments(one, two)
    if shift:
        return shift
    everything = np.sort(np.concatenate([one, two]))
    below = [
        np.searchsorted(np.sort(side), everything, side="right") / side.size for side in (one, two)
    ]
    gap = float(np.abs(below[0] - below[1]).max())
    chance = 2.0 * float(np.exp(-2.0 * gap**2 * one.size * two.size / (one.size + two.size)))
    if chance >= level:
        return ""
    return (
        f"another distribution (deviations {spreads[0]:.3g} and {spreads[1]:.3g}, p {chance:.0e})"
    )


def _moments(one: Array, two: Array) -> str:
    """Whether mean, variance or kurtosis differ by more than chance explains, "" if not."""
    spread = float(one.std())
    for name, power in (("mean", 1), ("variance", 2), ("kurtosis", 4)):
        samples = [
            side if power == 1 else ((side - side.mean()) / (spread if power == 4 else 1)) ** power
            for side in (one, two)
        ]
        gap = abs(float(samples[0].mean() - samples[1].mean()))
        doubt = float(np.sqrt(sum(sample.var() / sample.size for sample in samples)))
        if gap > _DEVIATIONS * doubt:
            values = " and ".join(f"{sample.mean():.3g}" for sample in samples)
            return f"another {name}: {values}"
    return ""


def _repeated(
    old: Mapping[str, Array], new: Mapping[str, Array], pairs: Sequence[carry.Pair]
) -> list[str]:
    """Parameters whose parts were drawn once for all in the rewrite, and apart in the original."""
    found = []
    for pair in pairs:
        array, source = new[pair.target][0], old[pair.sources[0]][0]
        if _copies(array) and not _copies(source):
            found.append(f"{pair.target}: one draw is used for all of its first axis")
    return found


def _fixed(old: Mapping[str, Array], new: Mapping[str, Array]) -> list[str]:
    """Parameters that are the same whatever the key, in the rewrite alone; and such as are another's copies."""
    apart = sum(not _copies(array) for array in map(_rows, old.values()) if np.ptp(array))
    drawn = {path: array for path, array in new.items() if np.ptp(array)}
    still = [path for path, array in drawn.items() if _copies(_rows(array))]
    if still and len(drawn) - len(still) < apart:
        return [f"{still[0]}: the same numbers for every key"]
    twins = [_twins(side) for side in (old, drawn)]
    return [f"{twins[1][0]}: the same draw as another's"] if len(twins[1]) > len(twins[0]) else []


def _rows(array: Array) -> Array:
    """A row of numbers for each seed."""
    return array.reshape(len(array), -1)


def _twins(side: Mapping[str, Array]) -> list[str]:
    """The variables with the numbers of an earlier one."""
    seen: set[bytes] = set()
    found = []
    for path, array in side.items():
        data = array[0].tobytes()
        if array[0].size > 1 and np.ptp(array[0]):
            if data in seen:
                found.append(path)
            seen.add(data)
    return found


def _copies(array: Array) -> bool:
    """Whether an array holds one draw again and again along its first axis."""
    if array.ndim < 2 or len(array) < 2 or array[0].size < 2 or np.ptp(array[0]) == 0:
        return False
    return bool((array == array[0]).all())
