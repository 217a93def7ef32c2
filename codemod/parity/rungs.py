"""The rungs of the ladder and what one module's climb comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["pass", "fail", "not run"]
FAILS = "fails"  # the figure of a rung that the rewrite does not get through
HEADS: Mapping[str, str] = {  # of narrow columns
    "imports": "import",
    "builds": "build",
    "parameters": "params",
    "eval": "eval",
    "train": "train",
    "gradients": "grads",
    "state": "state",
    "initialisation": "init",
    "trajectory": "losses",
    "cost": "cost",
    "time": "time",
    "sharding": "shards",
}
TITLES: Mapping[str, str] = {
    "imports": "imports",
    "builds": "builds",
    "parameters": "parameters",
    "eval": "forward, eval",
    "train": "forward, train",
    "gradients": "gradients",
    "state": "state",
    "initialisation": "initialisation",
    "trajectory": "trajectory",
    "cost": "compiled cost",
    "time": "step time",
    "sharding": "sharded forward",
}


@dataclass(frozen=True)
class Rung:
    """One rung: its figure in words, why it failed or did not run, and the numbers behind it.

    `numbers` may hold "error" (the greatest, relative), "error64", "tolerance", and "histogram": counts of elements by
    the power of ten of their error, as pairs.
    """

    name: str
    status: Status
    figure: str = ""
    why: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "status": self.status,
            "figure": self.figure,
            "why": self.why,
            "numbers": dict(self.numbers),
        }


@dataclass
class Climb:
    """What verifying one module came to. `case` is None where none was found.

    `stopped` is the stage that the original did not get through.
    """

    file: str
    name: str
    source: str
    rungs: list[Rung] = field(default_factory=list)
    case: dict[str, Any] | None = None
    note: str = ""
    stopped: str = ""

    @property
    def status(self) -> Status:
        """fail if a rung failed, not run if none was climbed."""
        statuses = {rung.status for rung in self.rungs}
        if "fail" in statuses:
            return "fail"
        return "pass" if "pass" in statuses else "not run"

    def add(self, rung: Rung) -> None:
        self.rungs.append(rung)

    def rest(self, why: str) -> None:
        """Marks the rungs that are not there yet as not run."""
        have = {rung.name for rung in self.rungs}
        self.rungs += [Rung(name, "not run", why=why) for name in TITLES if name not in have]
        self.rungs.sort(key=lambda rung: list(TITLES).index(rung.name))

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "name": self.name,
            "source": self.source,
            "status": self.status,
            "case": self.case,
            "note": self.note,
            "rungs": [rung.to_json() for rung in self.rungs],
        }
