"""The verdict as one page that needs nothing else: no network, no files beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from string import Template
from typing import Any

from . import overview, plots
from .rungs import HEADS, TITLES
from .style import SCRIPT, STYLE

_MARKS = {"pass": "✓", "fail": "✗", "not run": "·"}
_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>Parity: $verdict</title>
<style>$style</style>
</head>
<body>
<main>
<h1>Parity <span class="verdict $verdict">$verdict</span></h1>
<p class="summary">$summary</p>
<dl class="facts">$platforms</dl>
$overview
<div class="tools"$bare>
<input id="words" type="search" placeholder="Search modules, files, reasons" aria-label="Search">
<select id="state" aria-label="Status">
<option value="">all modules</option><option>fail</option><option>pass</option><option>not run</option>
</select>
<span id="count" class="legend" aria-live="polite"></span>
</div>
<p class="legend"$bare>Errors, relative:<i style="background: var(--single)"></i>float32<i
 style="background: var(--double)"></i>float64; dashes mark what is tolerated.</p>
<p id="none" class="legend" hidden>No module fits.</p>
$modules
$programs
$kept
</main>
<script>$script</script>
</body>
</html>
""")


def page(document: Mapping[str, Any], summary: str, diffs: Mapping[str, str]) -> str:
    """The page of a verdict as `document.document` has it; `diffs` are unified diffs by file."""
    return _PAGE.substitute(
        verdict=escape(document["verdict"]),
        summary=escape(summary),
        platforms="".join(_platforms(document["platforms"])),
        overview=overview.tallies(document["modules"]),
        modules="\n".join(_module(one, diffs) for one in _failures_first(document["modules"])),
        programs="\n".join(_programs(document["programs"])),
        kept=_files("Left as they were", document["kept"])
        + _files("Not as the rewrite leaves them", document["different"]),
        style=STYLE,
        script=SCRIPT,
        bare="" if document["modules"] else " hidden",
    )


_LIBRARIES = {"python": "Python", "jax": "JAX", "flax": "Flax", "haiku": "Haiku", "optax": "Optax"}


def _platforms(platforms: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What each side ran on; once for both, where it is the same."""
    sides = list(platforms.items())
    if len(sides) > 1 and all(facts == sides[0][1] for _, facts in sides):
        sides = [("both sides", sides[0][1])]
    for side, facts in sides:
        yield f"<dt>{escape(side)}</dt><dd>{escape(_platform(facts))}</dd>"


def _platform(facts: Mapping[str, Any]) -> str:
    if facts.get("status") != "ok":
        return str(facts.get("error", "nothing is known of it"))
    count, kind = facts.get("devices", 1), facts.get("device", facts.get("platform", ""))
    named = [f"{word} {facts[name]}" for name, word in _LIBRARIES.items() if facts.get(name)]
    if kind:
        named.append(f"on {kind}" if count == 1 else f"on {count} devices: {kind}")
    return " · ".join(named)


def _failures_first(modules: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(modules, key=lambda one: bool(one["status"] != "fail"))


# ---- modules -------------------------------------------------------------------------------------------


def _module(one: Mapping[str, Any], diffs: Mapping[str, str]) -> str:
    chips = "".join(
        f'<span class="chip {_kind(rung["status"])}">{HEADS[rung["name"]]} {_MARKS[rung["status"]]}</span>'
        for rung in one["rungs"]
    )
    text = " ".join(
        [one["name"], one["file"], one["source"], one["status"], *(r["why"] for r in one["rungs"])]
    )
    opened = " open" if one["status"] == "fail" else ""
    return (
        f'<details class="module"{opened} data-status="{escape(one["status"])}"'
        f' data-text="{escape(text.lower())}">'
        f'<summary><span class="name">{escape(one["name"])}<small>{escape(one["file"])}</small></span>'
        f'<span class="chips">{chips}</span></summary><div class="body"><div>{_case(one)}{_rungs(one["rungs"])}</div>'
        f"<div>{_diff(diffs.get(one['file'], ''))}</div></div></details>"
    )


def _kind(status: str) -> str:
    return {"not run": "idle"}.get(status, status)


def _case(one: Mapping[str, Any]) -> str:
    case = one["case"]
    if case is None:
        return '<p class="case">no case</p>'
    args = [*map(json.dumps, case.get("args", []))]
    args += [f"{name}={json.dumps(value)}" for name, value in case.get("kwargs", {}).items()]
    call = [*map(json.dumps, case.get("inputs") or [])]
    call += [f"{name}={json.dumps(value)}" for name, value in case.get("call", {}).items()]
    method = case.get("method", "__call__")
    called = "" if method == "__call__" else f".{method}"
    text = f"{one['name']}({', '.join(args)}){called}({', '.join(call)})"
    note = f"<br>{escape(one['note'])}" if one["note"] else ""
    return f'<p class="case">{escape(text)}<br>from: {escape(case["origin"])}{note}</p>'


def _rungs(rungs: list[Mapping[str, Any]]) -> str:
    rows = []
    for reason, alike in groupby(rungs, _idle):
        group = list(alike)
        for place, rung in enumerate(group):
            alike_below = ' class="alike"' if reason and place + 1 < len(group) else ""
            row = (
                f'<tr{alike_below}><th scope="row">{TITLES[rung["name"]]}</th>'
                f'<td class="status {_kind(rung["status"])}">{_MARKS[rung["status"]]} {escape(rung["status"])}</td>'
            )
            if not reason:
                row += f"<td>{escape(rung['figure'])}<small>{escape(rung['why'])}</small>{_plot(rung)}</td>"
            elif place == 0:
                spans = f' rowspan="{len(group)}"' if len(group) > 1 else ""
                row += f"<td{spans}><small>{escape(reason)}</small></td>"
            rows.append(f"{row}</tr>")
    return f'<table class="rungs"><tbody>{"".join(rows)}</tbody></table>'


def _idle(rung: Mapping[str, Any]) -> str:
    """Why a rung did not run, which neighbours may share; empty for one that did."""
    return str(rung["why"]) if rung["status"] == "not run" else ""


def _plot(rung: Mapping[str, Any]) -> str:
    numbers = rung["numbers"]
    if "before" in numbers and rung["name"] == "trajectory":
        sides = [[float(value) for value in numbers[side]] for side in ("before", "after")]
        return plots.losses(*sides)
    if "histogram" not in numbers:
        return ""
    tolerances = {"single": numbers["tolerance"]}
    if "tolerance64" in numbers:
        tolerances["double"] = numbers["tolerance64"]
    return plots.errors(numbers["histogram"], numbers.get("histogram64", []), tolerances)


def _diff(text: str) -> str:
    if not text:
        return ""
    lines = "".join(
        f'<span class="{_line(line)}">{escape(line) or " "}</span>' for line in text.splitlines()
    )
    return f'<pre class="diff">{lines}</pre>'


def _line(line: str) -> str:
    if line.startswith(("+++", "---", "@@")):
        return "place"
    return {"+": "added", "-": "removed"}.get(line[:1], "same")


# ---- the rest ------------------------------------------------------------------------------------------


def _programs(programs: list[Mapping[str, Any]]) -> Iterator[str]:
    for one in programs:
        status = f'<span class="verdict {_kind(one["status"])}">{escape(one["status"])}</span>'
        yield f"<h2>{escape(one['program'])} {status}</h2>"
        for side, why in one["failed"].items():
            if why:
                yield f'<p class="facts">{escape(side)}: {escape(why)}</p>'
        rows = "".join(
            f"<tr><td>{escape(line['before'] or '-')}</td><td>{escape(line['after'] or '-')}</td>"
            f'<td class="status {"pass" if line["equal"] else "fail"}">{"✓" if line["equal"] else "✗"}</td></tr>'
            for line in one["lines"]
        )
        rows += "".join(
            f"<tr><td>{escape(array['name'])}</td><td>{escape(array['why'] or str(array['error']))}</td>"
            f'<td class="status {"pass" if array["equal"] else "fail"}">{"✓" if array["equal"] else "✗"}</td></tr>'
            for array in one["arrays"]
        )
        yield (
            '<table class="lines"><thead><tr><th>before</th><th>after</th><th></th></tr></thead>'
            f"<tbody>{rows}</tbody></table>"
        )


def _files(heading: str, named: list[str]) -> str:
    if not named:
        return ""
    return f'<h2>{heading}</h2><p class="facts">{escape(", ".join(named))}</p>'
