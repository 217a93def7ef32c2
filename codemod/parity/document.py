"""The verdict as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from .verify import Verdict

VERSION = 1


def document(verdict: Verdict, tool: str) -> dict[str, Any]:
    """All that is known; `tool` is this program's version. Numbers that JSON does not have are strings."""
    data = {
        "version": VERSION,
        "tool": tool,
        "verdict": "fail" if verdict.failed else "pass",
        "seed": verdict.seed,
        "platforms": verdict.platforms,
        "modules": [climb.to_json() for climb in verdict.climbs],
        "programs": [program.to_json() for program in verdict.programs],
        "kept": verdict.kept,
        "different": verdict.different,
    }
    plain: dict[str, Any] = _plain(data)
    return plain


def dumps(data: Mapping[str, Any]) -> str:
    """A document as text."""
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
