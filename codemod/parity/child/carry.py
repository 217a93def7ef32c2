"""Which variable of the rewrite each variable of the original became, and how its numbers are laid out there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_INDEX = "{i}"
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
) -> Pairing:
    """Pairs variables by the report's map.

    `original` and `rewritten` give shapes by path; `root` is what Haiku's paths begin with. `collections` is "params"
    or "state", the part of the map to go by. All variables of both sides must find their place.
    """
    wanted = [v for v in variables if (v["collection"] == "params") is (collections == "params")]
    names = {_plain(path, root): path for path in original}
    if len(names) < len(original):
        return Pairing([], "two of the original's variables have the same name")
    sources = _sources(wanted, names)
    targets = _targets(wanted, rewritten)
    joined: dict[str, list[tuple[str, str]]] = {}
    for entry, (source, target) in _matched(wanted, sources, targets):
        joined.setdefault(target, []).append((source, entry["layout"]))
    pairs = [
        Pair(target, tuple(source for source, _ in parts), parts[0][1])
        for target, parts in joined.items()
    ]
    return Pairing(pairs, _uncovered(pairs, original, rewritten))


def _uncovered(pairs: Sequence[Pair], original: Shapes, rewritten: Shapes) -> str:
    placed = {source for pair in pairs for source in pair.sources}
    left = [path for path in original if path not in placed]
    if left:
        return f"the map has no place for {_listed(left)}"
    made = {pair.target for pair in pairs}
    left = [path for path in rewritten if path not in made]
    return f"the map says nothing of {_listed(left)}" if left else ""


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]}{more}"


# ---- the original's paths ------------------------------------------------------------------------------


def _plain(path: str, root: str) -> str:
    """A path as the map writes it: "params:net/~/linear//w" with root "net" is "params:linear/w"."""
    collection, rest = path.split(":", 1)
    if "//" not in rest:
        return path
    module, name = rest.split("//")
    if root and (module == root or module.startswith(f"{root}/")):
        module = module[len(root) :].lstrip("/")
    parts = [part for part in module.split("/") if part and not part.startswith("~")]
    return f"{collection}:{'/'.join([*parts, name])}"


def _sources(entries: Sequence[Mapping[str, str]], names: Mapping[str, str]) -> list[list[str]]:
    """For each entry of the map the original's paths that it stands for, in the order of their indices."""
    found = []
    for entry in entries:
        pattern = _pattern(f"{entry['collection']}:{entry['source']}")
        hits = [(match, path) for name, path in names.items() if (match := pattern.fullmatch(name))]
        found.append([path for _, path in sorted(hits, key=lambda hit: _indices(hit[0]))])
    return found


def _pattern(template: str) -> re.Pattern[str]:
    parts = [re.escape(part) for part in template.split(_INDEX)]
    # Haiku counts from a name without a number: linear, linear_1, linear_2.
    return re.compile("(_?\\d*)".join(part.removesuffix("_") for part in parts))


def _indices(match: re.Match[str]) -> list[int]:
    return [int(group.lstrip("_") or 0) for group in match.groups()]


# ---- the rewrite's paths -------------------------------------------------------------------------------


def _targets(entries: Sequence[Mapping[str, str]], rewritten: Shapes) -> list[list[str]]:
    found = []
    for entry in entries:
        pattern = re.compile(r"\d+".join(re.escape(part) for part in entry["target"].split(_INDEX)))
        hits = [path for path in rewritten if pattern.fullmatch(path)]
        found.append(sorted(hits or _within(entry["target"], rewritten), key=_natural))
    return found


def _within(target: str, rewritten: Shapes) -> list[str]:
    """The one path that has the parts of `target` in order among others, as `rnn.cell.ii.kernel` has `rnn.ii.kernel`."""
    parts = _parts(target)
    hits = [path for path in rewritten if _subsequence(parts, _parts(path))]
    return hits if len(hits) == 1 or _INDEX in target else []


def _parts(path: str) -> list[str]:
    return re.sub(r"\[(.*?)\]", r".[\1]", path).split(".")


def _subsequence(parts: Sequence[str], whole: Sequence[str]) -> bool:
    if whole[0] != parts[0] or whole[-1] != parts[-1]:
        return False
    rest = iter(whole)
    return all(any(_fits(part, other) for other in rest) for part in parts)


def _fits(part: str, other: str) -> bool:
    return part == other or (part == f"[{_INDEX}]" and other.startswith("["))


def _natural(path: str) -> list[tuple[int, Any]]:
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", path)]


# ---- both ----------------------------------------------------------------------------------------------


def _matched(
    entries: Sequence[Mapping[str, str]], sources: Sequence[list[str]], targets: Sequence[list[str]]
) -> list[tuple[Mapping[str, str], tuple[str, str]]]:
    """Entries with single variables of both sides.

    Where names that Haiku counts on make an entry's sources those of another, too, they are dealt out in order.
    """
    found: list[tuple[Mapping[str, str], tuple[str, str]]] = []
    for group in _groups(sources):
        pool = _ordered({path for index in group for path in sources[index]})
        for index in group:
            exact = [path for path in sources[index] if path in pool]
            mine = (pool if len(group) > 1 else exact)[: len(targets[index])]
            found += [(entries[index], both) for both in zip(mine, targets[index], strict=False)]
            if len(group) > 1:
                pool = [path for path in pool if path not in mine]
    return found


def _groups(sources: Sequence[list[str]]) -> list[list[int]]:
    """The entries, those together whose sources overlap."""
    groups: list[tuple[set[str], list[int]]] = []
    for index, paths in enumerate(sources):
        touching = [group for group in groups if group[0] & set(paths)]
        merged = (
            set(paths).union(*(g[0] for g in touching)),
            [i for g in touching for i in g[1]] + [index],
        )
        groups = [group for group in groups if group not in touching] + [merged]
    return [sorted(indices) for _, indices in groups]


def _ordered(paths: set[str]) -> list[str]:
    return sorted(paths, key=_counted)


def _counted(path: str) -> list[tuple[str, int]]:
    """Haiku's names in the order in which they were given: linear, linear_1, linear_2, ..., linear_10."""
    found = []
    for part in path.split("/"):
        match = re.fullmatch(r"(.*?)_(\d+)", part)
        found.append((match.group(1), int(match.group(2))) if match else (part, 0))
    return found


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
