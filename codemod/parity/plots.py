"""Small plots as inline SVG; their colours come from the page's style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, log10

_WIDTH, _HEIGHT = 340, 96
_LEFT, _RIGHT, _TOP, _BOTTOM = 6, 6, 6, 18
_EXACT, _WORST = -18, 1  # powers of ten on the axis of errors


def errors(
    single: Sequence[Sequence[int]],
    double: Sequence[Sequence[int]],
    tolerances: Mapping[str, float],
) -> str:
    """How errors are spread, by power of ten: in float32 and in float64, with a line at each tolerance.

    `single` and `double` are pairs of a power and a count. `tolerances` has the keys "single" and "double".
    """
    slots = _WORST - _EXACT + 1
    slot = (_WIDTH - _LEFT - _RIGHT) / slots
    parts = [_axis()]
    for name, histogram, shift in (("single", single, 0.0), ("double", double, slot / 2)):
        total = sum(count for _, count in histogram) or 1
        for power, count in histogram:
            height = (_HEIGHT - _TOP - _BOTTOM) * _grown(count / total)
            x = _LEFT + (min(max(power, _EXACT), _WORST) - _EXACT) * slot + shift
            words = "exact" if power <= _EXACT else f"about 1e{power}"
            parts.append(
                f'<rect class="{name}" x="{x:.1f}" y="{_HEIGHT - _BOTTOM - height:.1f}"'
                f' width="{slot / 2 - 0.5:.1f}" height="{height:.1f}">'
                f"<title>{count:,} numbers {words}</title></rect>"
            )
        if name in tolerances and histogram:
            x = _LEFT + (log10(tolerances[name]) - _EXACT) * slot
            parts.append(
                f'<line class="{name} limit" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>'
            )
    for power in (_EXACT, -15, -12, -9, -6, -3, 0):
        x = _LEFT + (power - _EXACT + 0.5) * slot
        parts.append(_label(x, "exact" if power == _EXACT else f"1e{power}", start=power == _EXACT))
    return _svg("Distribution of relative errors", parts)


def _grown(part: float) -> float:
    """A height that still shows a single number among many."""
    return 0.12 + 0.88 * part**0.5 if part else 0.0


def losses(before: Sequence[float], after: Sequence[float]) -> str:
    """Two trajectories over the same steps."""
    values = [value for value in (*before, *after) if isfinite(value)]
    if not values or len(before) < 2:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    parts = [_axis()]
    for name, side in (("double", before), ("single", after)):
        points = " ".join(
            f"{_LEFT + i * (_WIDTH - _LEFT - _RIGHT) / (len(side) - 1):.1f},"
            f"{_TOP + (high - value) / span * (_HEIGHT - _TOP - _BOTTOM):.1f}"
            for i, value in enumerate(side)
            if isfinite(value)
        )
        parts.append(
            f'<polyline class="{name} {"dashed" if name == "single" else ""}" points="{points}"/>'
        )
    parts.append(_label(_LEFT, f"first {before[0]:.4g}", start=True))
    parts.append(_label(_WIDTH - 45, f"last {before[-1]:.4g}"))
    return _svg("Losses of the original (line) and the rewrite (dashes)", parts)


def _axis() -> str:
    y = _HEIGHT - _BOTTOM
    return f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'


def _label(x: float, text: str, start: bool = False) -> str:
    anchor = "start" if start else "middle"
    return f'<text x="{max(x, 2) if not start else _LEFT}" y="{_HEIGHT - 5}" text-anchor="{anchor}">{text}</text>'


def _svg(title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}">'
        f"<title>{title}</title>{''.join(parts)}</svg>"
    )
