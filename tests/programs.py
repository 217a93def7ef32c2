"""Rewrites whole programs and runs both versions with equal draws, many in one process."""

from __future__ import annotations

import atexit
import functools
import json
import math
import os
import re
import select
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nnx_codemod.codemod import engine
from nnx_codemod.codemod.config import Options
from nnx_codemod.codemod.report import Outcome
from nnx_codemod.codemod.source import Source

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|\bnan\b|\binf\b")
_LIMIT = 300  # seconds for a program


class Failed(Exception):
    """A program failed: its traceback."""


class Worker:
    """The process that runs programs."""

    def __init__(self) -> None:
        environment = {
            **os.environ,
            "JAX_PLATFORMS": "cpu",
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # programs are compiled more than they are run
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("program_worker.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        atexit.register(self.process.kill)

    def printed(self, program: Path, strict: bool) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        print(json.dumps([str(program), strict]), file=self.process.stdin, flush=True)
        ready, _, _ = select.select([self.process.stdout], [], [], _LIMIT)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.process.kill()
            _worker.cache_clear()
            raise Failed(f"{program} ended the process, or has no end")
        answer = json.loads(line)
        if answer["failed"] is not None:
            raise Failed(answer["failed"])
        return str(answer["printed"])


_worker = functools.cache(Worker)


def printed(program: Path, *, strict: bool = False) -> list[str]:
    """The lines that a program prints with equal draws; `strict` makes deprecation warnings errors."""
    return _worker().printed(program, strict).splitlines()


def same(before: list[str], after: list[str], tolerance: float = 1e-5) -> bool:
    """Whether two programs print the same, numbers but for rounding."""
    if [_NUMBER.sub("0", line) for line in before] != [_NUMBER.sub("0", line) for line in after]:
        return False
    pairs = zip(_NUMBER.findall(" ".join(before)), _NUMBER.findall(" ".join(after)), strict=True)
    return all(
        math.isclose(float(a), float(b), rel_tol=tolerance, abs_tol=tolerance) for a, b in pairs
    )


@dataclass(frozen=True)
class Rewritten:
    """What became of a project: its outcomes, and both versions of its files by name."""

    outcomes: dict[str, Outcome]
    before: dict[str, str]
    after: dict[str, str]

    @property
    def statuses(self) -> dict[str, str]:
        return {c.name: c.status for o in self.outcomes.values() for c in o.report.classes}

    @property
    def codes(self) -> list[str]:
        return [d.code for o in self.outcomes.values() for d in o.report.diagnostics]


def rewritten(files: str | Mapping[str, str], options: Options | None = None) -> Rewritten:
    """The rewrite of a program, or of the files of one; `program.py` is the one that is run."""
    texts = {"program.py": files} if isinstance(files, str) else dict(files)
    root = Path("/nowhere")
    outcomes = {
        Path(o.report.path).relative_to(root).as_posix(): o
        for o in engine.rewrite(
            [Source(root / name, text.encode()) for name, text in texts.items()],
            options or Options(),
        )
    }
    after = dict(texts)
    after.update({n: o.new_text for n, o in outcomes.items() if o.new_text is not None})
    return Rewritten(outcomes, texts, after)


def check(done: Rewritten, folder: Path) -> list[str]:
    """Both versions print the same, and a second run changes nothing; returns what they print."""
    sides = {}
    for side, texts in (("before", done.before), ("after", done.after)):
        for name, text in texts.items():
            path = folder / side / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        sides[side] = printed(folder / side / "program.py", strict=side == "after")
    assert sides["before"], "the program prints nothing"
    assert same(sides["before"], sides["after"]), (sides, done.after["program.py"])
    assert rewritten(done.after).after == done.after
    return sides["after"]
