"""The rungs at a glance: how many modules passed each, how many failed, how many it was not run for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .rungs import TITLES

_KINDS = (("pass", "pass"), ("fail", "fail"), ("not run", "idle"))


def tallies(modules: Sequence[Mapping[str, Any]]) -> str:
    """A cell for each rung: its share of passes among the modules that it was run for, and a bar over all."""
    if not modules:
        return ""
    cells = "".join(_cell(name, title, modules) for name, title in TITLES.items())
    return f'<ol class="tallies" aria-label="Rungs over all modules">{cells}</ol>'


def _cell(name: str, title: str, modules: Sequence[Mapping[str, Any]]) -> str:
    counts = dict.fromkeys((status for status, _ in _KINDS), 0)
    for module in modules:
        status = next((r["status"] for r in module["rungs"] if r["name"] == name), "not run")
        counts[status] += 1
    ran = counts["pass"] + counts["fail"]
    figure = f"{counts['pass']}<small> of {ran}</small>" if ran else "<small>not run</small>"
    bars = "".join(
        f'<i class="{kind}" style="flex-grow: {counts[status]}"></i>'
        for status, kind in _KINDS
        if counts[status]
    )
    told = ", ".join(f"{status} {counts[status]}" for status, _ in _KINDS)
    failed = " failed" if counts["fail"] else ""
    return (
        f'<li class="tally{failed}" title="{title}: {told}"><span class="title">{title}</span>'
        f'<b>{figure}</b><span class="bar">{bars}</span></li>'
    )
