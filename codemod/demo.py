"""The bundled sample: rewritten in a folder of its own, both versions run, their numbers side by side."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SAMPLE = Path(__file__).parent / "sample"
PROGRAMS = ("images/train.py", "sequences/train.py")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|\bnan\b|\binf\b")
_RELATIVE, _ABSOLUTE = 1e-3, 2e-4  # what is printed has four decimals
_LIMIT = 300  # seconds for a program


@dataclass(frozen=True)
class Line:
    """A line that one of the programs prints; a side that does not print it has None."""

    program: str
    before: str | None
    after: str | None

    @property
    def equal(self) -> bool:
        """Whether both sides say the same but for rounding."""
        if self.before is None or self.after is None:
            return False
        if _NUMBER.sub("", self.before) != _NUMBER.sub("", self.after):
            return False
        numbers = [
            [float(number) for number in _NUMBER.findall(line)]
            for line in (self.before, self.after)
        ]
        return all(
            math.isclose(a, b, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)
            for a, b in zip(*numbers, strict=True)
        )


def copy(folder: Path) -> Path:
    """Puts the sample into a folder, which must not exist yet."""
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def compare(before: Path, after: Path) -> Iterator[Line]:
    """Runs each program in both folders and pairs what they print, line by line."""
    for program in PROGRAMS:
        runs = [_start(folder / program) for folder in (before, after)]
        lines = [_lines(run) for run in runs]
        for number in range(max(map(len, lines))):
            yield Line(program, *(side[number] if number < len(side) else None for side in lines))


def _start(program: Path) -> subprocess.Popen[str]:
    """Runs a program of the sample with draws that both versions share."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", f"{__package__}.equal_draws", str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=program.parent,
        env=environment,
    )


def _lines(run: subprocess.Popen[str]) -> list[str]:
    """What a program printed and, where it failed, the last words of its traceback."""
    try:
        printed, complaints = run.communicate(timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        run.kill()
        printed, complaints = run.communicate()
        complaints += f"\nno end after {_LIMIT} s"
    lines = printed.splitlines()
    if run.returncode:
        lines.append(f"failed: {(complaints.strip().splitlines() or ['no message'])[-1]}")
    return lines
