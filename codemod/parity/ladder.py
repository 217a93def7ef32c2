"""From what both sides measured to rungs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import initialisation
from .child import carry, store
from .errors import (
    CANCELLED,
    CHAOS,
    DRAWN,
    SMALL,
    TIGHT,
    TOLERANCE,
    Array,
    Distance,
    distance,
)
from .rungs import FAILS, Climb, Rung, Status

_FLOPS, _BYTES = 1.05, 1.25  # of the original's that the rewrite may cost
_SLACK = 4096.0  # FLOPs or bytes that do not count
_COPIES = (
    6  # readings and writings of a weight that lies otherwise: XLA turns it, and its gradient back
)
_TRAJECTORY = 1e-3  # relative, of losses


NAN = "the original makes NaN of this case"


@dataclass
class Measured:
    """Both sides' answers and arrays for one precision."""

    original: Mapping[str, Any]
    rewritten: Mapping[str, Any]
    before: Mapping[str, Array]
    after: Mapping[str, Array]
    pairs: Sequence[Sequence[carry.Pair]] = field(default_factory=list)

    @classmethod
    def read(
        cls, original: Mapping[str, Any], rewritten: Mapping[str, Any], folder: Path, suffix: str
    ) -> Measured:
        """From the files of a case; `suffix` is "-64" for float64."""
        pairs = [
            [carry.Pair(target, tuple(sources), layout) for target, sources, layout in part]
            for part in rewritten.get("pairs", [[], []])
        ]
        return cls(
            original,
            rewritten,
            store.load(folder / f"original{suffix}.npz"),
            store.load(folder / f"rewritten{suffix}.npz"),
            pairs,
        )

    @property
    def mapped(self) -> bool:
        """Whether the report's map places all parameters."""
        return not self.rewritten["problems"][0]

    def outputs(self, name: str) -> tuple[list[Array], list[Array]]:
        """The arrays of a pass on both sides, in order."""
        return _ordered(self.before, f"{name}:"), _ordered(self.after, f"{name}:")

    def paired(self, name: str, part: int) -> tuple[list[Array], list[Array], list[str]]:
        """Variables of both sides as the rewrite lays them out: `part` 0 for parameters, 1 for other state."""
        old, new = store.part(self.before, f"{name}:"), store.part(self.after, f"{name}:")
        fitting = [
            pair
            for pair in self.pairs[part]
            if pair.target in new and all(source in old for source in pair.sources)
        ]
        return (
            [carry.carried(pair, old, new[pair.target].shape) for pair in fitting],
            [new[pair.target] for pair in fitting],
            [pair.target for pair in fitting],
        )


def _ordered(arrays: Mapping[str, Array], prefix: str) -> list[Array]:
    found = store.part(arrays, prefix)
    return [found[name] for name in sorted(found, key=int)]


def parameters(original: Mapping[str, Any], rewritten: Mapping[str, Any]) -> Rung:
    """Count, and shape by shape where the report's map covers the module."""
    old, new = original["shapes"][0], rewritten["shapes"][0]
    counts = _count(old), _count(new)
    problem = rewritten["problems"][0]
    if counts[0] != counts[1]:
        return Rung("parameters", "fail", f"{counts[0]:,} and {counts[1]:,}", problem)
    figure = f"{counts[0]:,} in {len(new)}"
    if not problem:
        return Rung("parameters", "pass", figure, numbers={"count": counts[0]})
    if rewritten.get("misshapen"):
        return Rung("parameters", "fail", figure, problem)
    why = f"counted only: {problem}; equal random draws by shape take the map's place"
    return Rung("parameters", "pass", figure, why, {"count": counts[0]})


def _count(shapes: Mapping[str, Sequence[int]]) -> int:
    return sum(int(np.prod(shape)) for shape in shapes.values())


# ---- numbers in both precisions ------------------------------------------------------------------------


def numeric(name: str, single: Distance, double: Distance | None, *, mapped: bool = True) -> Rung:
    """A rung from the distance in float32 and, where it could be had, in float64.

    Where no map carries weights over, both sides start from draws of their own, which are equal but for rounding.
    What is NaN in float64 alone tells nothing: XLA's own code for it fails at times.
    """
    numbers: dict[str, Any] = {
        "error": single.error,
        "tolerance": TOLERANCE,
        "histogram": sorted(single.histogram.items()),
    }
    if single.problem:
        return Rung(name, "fail", "other shapes", single.problem, numbers)
    figure = _figure(single.error)
    if (
        double is None
        or double.problem
        or not double.double
        or double.error == np.inf > single.error
    ):
        status: Status = "pass" if single.error <= TOLERANCE else "fail"
        why = "" if status == "pass" else f"more than {TOLERANCE:g}"
        return Rung(name, status, figure, why, numbers)
    # What is equal bit for bit is the same computation; XLA may yet fuse it otherwise in float64.
    limit = (TIGHT if mapped else DRAWN) if single.error else TOLERANCE
    numbers |= {
        "error64": double.error,
        "tolerance64": limit,
        "histogram64": sorted(double.histogram.items()),
    }
    figure = f"{figure}, {_figure(double.error)} in float64"
    if double.error > limit:
        return Rung(name, "fail", figure, f"more than {limit:g} in float64", numbers)
    if single.error > CHAOS:
        return Rung(name, "fail", figure, "equal in float64, but not in float32", numbers)
    why = "rounding in float32, equal in float64" if single.error > TOLERANCE else ""
    return Rung(name, "pass", figure, why, numbers)


def _figure(error: float) -> str:
    return "exact" if error == 0 else f"{error:.1e}"


def beyond_rounding(single: Measured) -> bool:
    """Whether the forward passes differ by so much in float32 that float64 has nothing to tell."""
    found = distance(*single.outputs("eval"))
    return bool(found.problem) or found.error > CHAOS


def forward(name: str, single: Measured, double: Measured | None) -> Rung:
    """The outputs of a pass."""
    failed = _failed_measure(name, "gradients" if name == "train" else name, single)
    if failed is not None:
        return failed
    pairs = single.outputs(name)
    if not pairs[0] and not pairs[1]:
        return Rung(name, "not run", why="the output holds no numbers")
    first = distance(*pairs)
    if first.undefined:
        return Rung(name, "not run", why=NAN)
    second = distance(*double.outputs(name)) if double else None
    return numeric(name, first, second, mapped=single.mapped)


def gradients(single: Measured, double: Measured | None) -> Rung:
    """Gradients of a loss that depends on each number of the output, by parameter."""
    failed = _failed_measure("gradients", "gradients", single)
    if failed is not None:
        return failed
    if not single.original.get("differentiable") or not store.part(single.before, "gradient:"):
        return Rung("gradients", "not run", why="there is nothing to differentiate")
    second = _gradient_distance(double, CANCELLED) if double else None
    return numeric("gradients", _gradient_distance(single), second, mapped=single.mapped)


def _gradient_distance(measured: Measured, small: float = SMALL) -> Distance:
    if measured.mapped:
        return distance(*measured.paired("gradient", 0), small=small)
    sums = [_by_size(store.part(side, "gradient:")) for side in (measured.before, measured.after)]
    if sums[0].keys() != sums[1].keys():
        sums = [{0: _total(side)} for side in sums]
    names = [f"gradients of arrays of {size}" for size in sums[0]]
    return distance(list(sums[0].values()), [sums[1][size] for size in sums[0]], names)


def _by_size(arrays: Mapping[str, Array]) -> dict[int, Array]:
    """The sum of squares of all arrays of one size."""
    found: dict[int, Array] = {}
    for array in arrays.values():
        squares = np.asarray(np.square(array.astype(np.float64)).sum()).astype(array.dtype)
        found[array.size] = found.get(array.size, np.zeros((), array.dtype)) + squares
    return dict(sorted(found.items()))


def _total(sums: Mapping[int, Array]) -> Array:
    return np.asarray(sum(sums.values()))


# ---- the other rungs -----------------------------------------------------------------------------------


def state(single: Measured) -> Rung:
    """Variables that are no parameters after some training passes, and evaluation with them."""
    failed = _failed_measure("state", "state", single)
    if failed is not None:
        return failed
    if not single.original["shapes"][1] and not single.rewritten["shapes"][1]:
        return Rung("state", "not run", why="there is no state")
    late = distance(*single.outputs("late"))
    rung = numeric("state", late, None)
    old, new, names = single.paired("state", 1)
    if single.rewritten["problems"][1]:
        why = rung.why or f"seen in the output alone: {single.rewritten['problems'][1]}"
        return Rung("state", rung.status, rung.figure, why, rung.numbers)
    variables = numeric("state", distance(old, new, names), None)
    return variables if variables.status == "fail" or rung.status == "pass" else rung


def trajectory(single: Measured) -> Rung:
    """Losses over steps of an optimiser."""
    failed = _failed_measure("trajectory", "trajectory", single)
    if failed is not None:
        return failed
    if not single.original.get("differentiable") or not store.part(single.before, "gradient:"):
        return Rung("trajectory", "not run", why="there is nothing to train")
    (old,), (new,) = single.outputs("losses")
    found = distance([old], [new], ["losses"])
    numbers = {
        "error": found.error,
        "tolerance": _TRAJECTORY,
        "before": [float(x) for x in old],
        "after": [float(x) for x in new],
    }
    figure = f"{_figure(found.error)} over {old.size} steps"
    status: Status = "pass" if found.error <= _TRAJECTORY and not found.problem else "fail"
    why = "" if status == "pass" else found.problem or f"more than {_TRAJECTORY:g}"
    return Rung("trajectory", status, figure, why, numbers)


def cost(single: Measured) -> Rung:
    """FLOPs and bytes accessed of the compiled forward pass and gradient, against the original's."""
    failed = _failed_measure("cost", "cost", single)
    if failed is not None:
        return failed
    before, after = single.original["cost"], single.rewritten["cost"]
    room = {"flops": _SLACK, "bytes": _SLACK + _COPIES * _turned(single)}
    words, high, why = [], [], ""
    for kind, most in (("flops", _FLOPS), ("bytes", _BYTES)):
        ratios = []
        for part in ("forward", "gradient"):
            old, new = before[part][kind], after[part][kind]
            ratios.append(new / old if old else 1.0)
            if new > old * most + room[kind]:
                high.append(f"{kind} of the {part} pass ×{ratios[-1]:.2f}")
            elif new > old * most + _SLACK:
                why = "weights that lie otherwise are copied, whatever the size of the input"
        words.append(f"{kind} {' '.join(f'×{ratio:.2f}' for ratio in ratios)}")
    status: Status = "fail" if high else "pass"
    return Rung(
        "cost", status, ", ".join(words), "; ".join(high) or why, {"before": before, "after": after}
    )


def _turned(single: Measured) -> int:
    """The bytes of the parameters that the rewrite lays out otherwise."""
    pairs = single.pairs[0] if single.mapped and single.pairs else ()
    new = store.part(single.after, "initial:")
    return sum(new[one.target].nbytes for one in pairs if one.layout and one.target in new)


def step_time(single: Measured) -> Rung:
    """The time of a training step against the original's; it informs and does not judge."""
    failed = _failed_measure("time", "time", single)
    if failed is not None:
        return Rung("time", "not run", why=failed.why)
    old, new = single.original["seconds"], single.rewritten["seconds"]
    figure = f"×{new / old:.2f} ({old * 1e6:,.0f} and {new * 1e6:,.0f} µs)"
    return Rung("time", "pass", figure, numbers={"before": old, "after": new})


def sharding(single: Measured) -> Rung:
    """The forward pass over several devices, where variables name the axes of a mesh, and the axes that they name."""
    before, after = single.original["partitioning"], single.rewritten["partitioning"]
    if not before and not after:
        return Rung("sharding", "not run", why="no variable names the axes of a mesh")
    for one in single.pairs[0] if single.mapped else ():
        old, new = before.get(one.sources[0]), after.get(one.target)
        if old != new and not one.layout:
            return Rung("sharding", "fail", "other axes", f"{one.target} is over {new}, not {old}")
    if single.original["devices"] < 2:
        return Rung("sharding", "not run", why="there is one device; --devices makes more")
    failed = _failed_measure("sharding", "sharding", single)
    if failed is not None:
        return failed
    return numeric("sharding", distance(*single.outputs("sharded")), None)


def _failed_measure(rung: str, measure: str, single: Measured) -> Rung | None:
    """The rung of what one side could not measure: not run if the original could not, else failed."""
    old = single.original["errors"].get(measure)
    if old:
        return Rung(rung, "not run", why=f"the original fails: {old}")
    new = single.rewritten["errors"].get(measure)
    return Rung(rung, "fail", FAILS, new) if new else None


def climb_all(climb: Climb, single: Measured, double: Measured | None) -> None:
    """Adds the rungs from the forward pass up."""
    climb.add(forward("eval", single, double))
    if single.original["modes"]:
        climb.add(forward("train", single, double))
    else:
        climb.add(Rung("train", "not run", why="no flag tells training from evaluation"))
    climb.add(gradients(single, double))
    climb.add(state(single))
    climb.add(
        initialisation.rung(single.before, single.after, single.pairs[0] if single.mapped else None)
    )
    climb.add(trajectory(single))
    climb.add(cost(single))
    climb.add(step_time(single))
    climb.add(sharding(single))
