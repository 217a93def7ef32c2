"""Which variable of the rewrite each variable of the original became, and how its numbers are laid out there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_ANY = "{*}"
_BRACES = re.compile(r"\{([^{}]*)\}")
_STEP = re.compile(r"\[\{([i-n])(?::([^}]*))?\}\]|\{key\}")
Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Pair:
    """A variable of the rewrite and the original's that it is made of, joined along the last axis if several."""

    target: str
    sources: tuple[str, ...]
    layout: str = ""


@dataclass
class Pairing:
    """The pairs, and what keeps the map from covering the module ("" where it covers).

    `misshapen` where the map covers it, but a variable has another shape than the original's gives it.
    """

    pairs: list[Pair]
    problem: str = ""
    misshapen: bool = False


def pair(
    variables: Sequence[Mapping[str, str]],
    original: Shapes,
    rewritten: Shapes,
    root: str,
    collections: str,
    others: Sequence[str] = (),
) -> Pairing:
    """Pairs variables by the report's map.

    `original` and `rewritten` give shapes by path; `root` is what Haiku's paths begin with. `collections` is "params"
    or "state", the part of the map to go by, `others` the rewrite's variables of the other part. All variables of both
    sides must find their place. An entry whose target or source is not there is for another configuration.
    """
    wanted = [v for v in variables if (v["collection"] == "params") is (collections == "params")]
    originals = _Originals(original, root)
    there = frozenset([*rewritten, *others])
    joined: dict[str, dict[tuple[str, str], None]] = {}
    unsure: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for entry in wanted:
        for target, indices in _targets(entry["target"], rewritten, there):
            source = f"{entry['collection']}:{indices.filled(entry['source'])}"
            if _ANY in source:
                place = entry["target"], source
                unsure.setdefault(place, []).append((target, entry["layout"]))
                continue
            path = originals.find(source)
            if path is not None:
                joined.setdefault(target, {})[path, entry["layout"]] = None
    placed = {source for parts in joined.values() for source, _ in parts}
    for (_, source), targets in unsure.items():
        fitting = [path for path in originals.like(source) if path not in placed]
        if len(fitting) == len(targets):
            placed.update(fitting)
            for (target, layout), path in zip(
                sorted(targets, key=lambda found: _natural(found[0])), fitting, strict=True
            ):
                joined.setdefault(target, {})[path, layout] = None
    pairs = [
        Pair(target, tuple(source for source, _ in parts), next(iter(parts))[1])
        for target, parts in joined.items()
    ]
    return Pairing(pairs, _uncovered(pairs, original, rewritten))


def _uncovered(pairs: Sequence[Pair], original: Shapes, rewritten: Shapes) -> str:
    placed = [source for pair in pairs for source in pair.sources]
    left = [path for path in original if path not in placed]
    if left:
        return f"the map has no place for {_listed(left)}"
    twice = [path for path in original if placed.count(path) > 1]
    if twice:
        return f"the map has two places for {_listed(twice)}"
    made = {pair.target for pair in pairs}
    left = [path for path in rewritten if path not in made]
    return f"the map says nothing of {_listed(left)}" if left else ""


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]}{more}"


# ---- the original's paths ------------------------------------------------------------------------------


class _Originals:
    """The original's variables by name: "params:net/~/linear//w" with root "net" is "params:~/linear/w".

    Names in the map may leave out the methods (`~`) of library modules, and write Haiku's `linear` as `linear_0`.
    """

    def __init__(self, paths: Shapes, root: str) -> None:
        self._parts = {path: _parts(path, root) for path in paths}
        self._loose: dict[tuple[str, ...], list[str]] = {}
        for path, parts in self._parts.items():
            self._loose.setdefault(_loosely(parts), []).append(path)

    def find(self, source: str) -> str | None:
        """The path that a name means."""
        parts = _parts(source, "")
        found = self._loose.get(_loosely(parts), [])
        exact = [path for path in found if self._parts[path] == parts]
        if not exact:
            fitting = [p for p in found if _subsequence(_unnumbered(parts), self._parts[p])]
            least = min((len(self._parts[path]) for path in fitting), default=0)
            exact = [path for path in fitting if len(self._parts[path]) == least]
        return exact[0] if len(exact) == 1 else None

    def like(self, source: str) -> list[str]:
        """The paths that a name with a part that is not known may mean, in order; `~` may be left out."""
        for form in (tuple, _loosely):
            wanted = "/".join(form(_parts(source, "")))
            pattern = re.compile("[^/]*".join(re.escape(part) for part in wanted.split(_ANY)))
            names = {path: "/".join(form(parts)) for path, parts in self._parts.items()}
            found = [path for path, name in names.items() if pattern.fullmatch(name)]
            if found:
                return sorted(found, key=_natural)
        return []


def _parts(path: str, root: str) -> tuple[str, ...]:
    collection, rest = path.split(":", 1)
    if "//" in rest:
        module, name = rest.split("//")
        if root and (module == root or module.startswith(f"{root}/")):
            module = module[len(root) :].lstrip("/")
        rest = f"{module}/{name}"
    return (collection, *(part for part in rest.split("/") if part))


def _loosely(parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(part for part in _unnumbered(parts) if not part.startswith("~"))


def _unnumbered(parts: Sequence[str]) -> tuple[str, ...]:
    return (*(part.removesuffix("_0") for part in parts[:-1]), parts[-1])


def _subsequence(parts: Sequence[str], whole: Sequence[str]) -> bool:
    rest = iter(_unnumbered(whole))
    return all(part in rest for part in parts)


# ---- the rewrite's paths -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Indices:
    """The indices at which a target was found: as they are, and as they count in expressions."""

    literal: Mapping[str, int]
    rank: Mapping[str, int]
    key: str
    there: frozenset[str]

    def filled(self, source: str) -> str:
        """A source with its expressions computed."""
        return _BRACES.sub(lambda found: self._value(found.group(1)), source)

    def _value(self, expression: str) -> str:
        if expression == "*":
            return _ANY
        if expression == "key":
            return self.key
        scope = {"__builtins__": {}, "count": self._count, **self.rank}
        return str(eval(expression, scope))

    def _count(self, pattern: str) -> int:
        for letter, index in self.literal.items():
            pattern = pattern.replace(f"[{letter}]", f"[{index}]")
        wanted = re.compile(re.escape(pattern).replace(r"\[\*\]", r"\[\d+\]"))
        return sum(1 for path in self.there if wanted.fullmatch(path))


def _targets(target: str, rewritten: Shapes, there: frozenset[str]) -> list[tuple[str, _Indices]]:
    """The variables that a target of the map stands for, with their indices."""
    steps = list(_STEP.finditer(target))
    text, at = "", 0
    for step in steps:
        group = rf"\[(?P<{step[1]}>\d+)\]" if step[1] else r"(?P<key>\w+)"
        text += re.escape(target[at : step.start()]) + group
        at = step.end()
    pattern = re.compile(text + re.escape(target[at:]))
    found = []
    for path in rewritten:
        match = pattern.fullmatch(path)
        if match is None:
            continue
        literal = {step[1]: int(match.group(step[1])) for step in steps if step[1]}
        rank = dict(literal)
        for step in steps:
            if step[1] and step[2]:
                start = path[: match.start(step[1])]
                held = [n for n in range(literal[step[1]]) if f"{start}{n}].{step[2]}" in there]
                rank[step[1]] = len(held)
                if f"{start}{literal[step[1]]}].{step[2]}" not in there:
                    break
        else:
            key = match.groupdict().get("key") or ""
            found.append((path, _Indices(literal, rank, key, there)))
    return found


def _natural(path: str) -> list[tuple[int, Any]]:
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", path)]


# ---- numbers -------------------------------------------------------------------------------------------


def carried(pairing: Pair, values: Mapping[str, Any], shape: Sequence[int]) -> Any:
    """The numbers of a pair's target, of this shape, from the original's; raises ValueError where they do not fit."""
    import numpy as np

    parts = [np.asarray(values[source]) for source in pairing.sources]
    joined = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
    if pairing.layout:
        joined = np.asarray(eval(pairing.layout, {"v": joined, "shape": tuple(shape), "np": np}))
    if joined.shape != tuple(shape):
        raise ValueError(f"{pairing.target} has shape {tuple(shape)}, {joined.shape} was expected")
    return joined
