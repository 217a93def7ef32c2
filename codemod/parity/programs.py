"""A script run before and after with equal random draws: the numbers that it prints, line by line, and arrays by name."""

from __future__ import annotations

import math
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from .child import store
from .errors import Array, distance
from .process import Settings, environment, kill
from .trees import Trees

_NUMBER = re.compile(
    r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w])|(?<!\w)[-+]?(?:nan|inf)(?!\w)"
)
_RELATIVE, _ABSOLUTE = 1e-3, 2e-4  # what is printed has few decimals
_SCRIPT = Path(__file__).parents[1] / "equal_draws.py"
_LIMITED = Path(__file__).parent / "child" / "limited.py"
_KEPT = Path(__file__).parent / "child" / "kept.py"


@dataclass(frozen=True)
class Line:
    """A line with numbers as both sides print it; a side that does not print it has None."""

    before: str | None
    after: str | None

    @property
    def equal(self) -> bool:
        """Whether both sides print the same numbers, but for rounding. NaN is equal to NaN."""
        if self.before is None or self.after is None:
            return False
        one, two = numbers(self.before), numbers(self.after)
        return len(one) == len(two) and all(
            a == b
            or (math.isnan(a) and math.isnan(b))
            or math.isclose(a, b, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)
            for a, b in zip(one, two, strict=True)
        )


@dataclass(frozen=True)
class Named:
    """What a program calls `name` when it ends, arrays in any container: how far the sides are from each other."""

    name: str
    error: float
    problem: str = ""

    @property
    def equal(self) -> bool:
        """Whether both sides have the same numbers, but for rounding."""
        return not self.problem and self.error <= _RELATIVE


@dataclass(frozen=True)
class Compared:
    """What a program printed on both sides; `before` and `after` say why a side failed, "" if it did not."""

    program: str
    lines: list[Line]
    before: str
    after: str
    arrays: list[Named] = field(default_factory=list)

    @property
    def status(self) -> str:
        """pass, fail, or "not run" where the original itself fails, or prints no number and keeps no array."""
        if self.before or not (self.arrays or any(line.before is not None for line in self.lines)):
            return "not run"
        shown = [*(line.equal for line in self.lines), *(array.equal for array in self.arrays)]
        return "fail" if self.after or not all(shown) else "pass"

    def to_json(self) -> dict[str, object]:
        return {
            "program": self.program,
            "status": self.status,
            "failed": {"before": self.before, "after": self.after},
            "lines": [
                {"before": line.before, "after": line.after, "equal": line.equal}
                for line in self.lines
            ],
            "arrays": [
                {"name": a.name, "error": a.error, "why": a.problem, "equal": a.equal}
                for a in self.arrays
            ],
        }


def numbers(line: str) -> list[float]:
    """The numbers in a line."""
    return [float(text) for text in _NUMBER.findall(line)]


def compare(
    program: Path,
    trees: Trees,
    original: Settings,
    rewritten: Settings,
    names: Sequence[str] = (),
) -> Compared:
    """Runs a program, given relative to the trees, in both; `names` are of arrays to compare when it ends."""
    with tempfile.TemporaryDirectory(prefix="nnx-codemod-arrays-") as scratch:
        files = [Path(scratch) / f"{side}.npz" for side in ("before", "after")]
        jobs = [
            (trees.original / program, original, files[0], names),
            (trees.rewritten / program, rewritten, files[1], names),
        ]
        with ThreadPoolExecutor(2) as pool:
            (before, failed), (after, failed_after) = pool.map(lambda job: _printed(*job), jobs)
        arrays = []
        if not failed:
            kept = [store.load(file) if file.exists() else {} for file in files]
            arrays = [_named(name, kept[0], kept[1]) for name in names]
    longest = max(len(before), len(after))
    lines = [
        Line(*(side[number] if number < len(side) else None for side in (before, after)))
        for number in range(longest)
    ]
    return Compared(program.as_posix(), lines, failed, failed_after, arrays)


def _named(name: str, before: Mapping[str, Array], after: Mapping[str, Array]) -> Named:
    sides = [
        [side[key] for key in sorted(side, key=_place) if key.rpartition(":")[0] == name]
        for side in (before, after)
    ]
    found = distance(sides[0], sides[1])
    return Named(name, found.error, found.problem)


def _place(key: str) -> int:
    return int(key.rpartition(":")[2])


def _printed(
    program: Path, settings: Settings, file: Path, names: Sequence[str]
) -> tuple[list[str], str]:
    """The lines with numbers that a program prints, and why it failed, "" if it did not; its arrays go to a file."""
    script = [str(_KEPT), str(file), ",".join(names)] if names else [str(_SCRIPT)]
    with tempfile.TemporaryDirectory(prefix="nnx-codemod-home-") as home:
        command = [
            settings.python,
            str(_LIMITED),
            str(settings.memory or 0),
            *script,
            str(program),
        ]
        run = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=program.parent,
            env=environment(settings, home),
            start_new_session=True,
        )
        try:
            printed, complaints = run.communicate(timeout=settings.timeout)
        except subprocess.TimeoutExpired:
            kill(run)
            printed, _ = run.communicate()
            return _numeric(printed), f"no end after {settings.timeout:g} s"
    if run.returncode:
        return _numeric(printed), _last(complaints.splitlines(), run.returncode)
    return _numeric(printed), ""


def _numeric(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if numbers(line)]


def _last(lines: Sequence[str], code: int) -> str:
    said = [line for line in lines if line.strip()]
    return said[-1].strip()[:300] if said else f"it ended with status {code}"
