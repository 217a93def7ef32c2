"""A script run before and after with equal random draws: the numbers that it prints, line by line."""

from __future__ import annotations

import math
import re
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .process import Settings, environment, kill
from .trees import Trees

_NUMBER = re.compile(
    r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w])|(?<!\w)[-+]?(?:nan|inf)(?!\w)"
)
_RELATIVE, _ABSOLUTE = 1e-3, 2e-4  # what is printed has few decimals
_SCRIPT = Path(__file__).parents[1] / "equal_draws.py"
_LIMITED = Path(__file__).parent / "child" / "limited.py"


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
class Compared:
    """What a program printed on both sides; `before` and `after` say why a side failed, "" if it did not."""

    program: str
    lines: list[Line]
    before: str
    after: str

    @property
    def status(self) -> str:
        """pass, fail, or "not run" where the original itself fails or prints no number."""
        if self.before or not any(line.before is not None for line in self.lines):
            return "not run"
        return "fail" if self.after or not all(line.equal for line in self.lines) else "pass"

    def to_json(self) -> dict[str, object]:
        return {
            "program": self.program,
            "status": self.status,
            "failed": {"before": self.before, "after": self.after},
            "lines": [
                {"before": line.before, "after": line.after, "equal": line.equal}
                for line in self.lines
            ],
        }


def numbers(line: str) -> list[float]:
    """The numbers in a line."""
    return [float(text) for text in _NUMBER.findall(line)]


def compare(program: Path, trees: Trees, original: Settings, rewritten: Settings) -> Compared:
    """Runs a program, given relative to the trees, in both."""
    jobs = [(trees.original / program, original), (trees.rewritten / program, rewritten)]
    with ThreadPoolExecutor(2) as pool:
        (before, failed), (after, failed_after) = pool.map(lambda job: _printed(*job), jobs)
    longest = max(len(before), len(after))
    lines = [
        Line(*(side[number] if number < len(side) else None for side in (before, after)))
        for number in range(longest)
    ]
    return Compared(program.as_posix(), lines, failed, failed_after)


def _printed(program: Path, settings: Settings) -> tuple[list[str], str]:
    """The lines with numbers that a program prints, and why it failed, "" if it did not."""
    with tempfile.TemporaryDirectory(prefix="nnx-codemod-home-") as home:
        command = [
            settings.python,
            str(_LIMITED),
            str(settings.memory or 0),
            str(_SCRIPT),
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
