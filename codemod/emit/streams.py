"""Random streams that a class draws from in several branches: the constructor forks them in any case."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from ..ancestry import lineage
from ..model.sites import Site

_Path = tuple[tuple[ast.AST, bool], ...]


def shared(sites: Iterable[Site], parents: Mapping[ast.AST, ast.AST]) -> dict[str, str]:
    """The attributes of Linen's streams whose first `make_rng` some of the others may run without; each with its stream.

    A stream that a single branch draws from is forked under its test, for who never takes it need not have it.
    """
    paths: dict[str, list[_Path]] = {}
    streams: dict[str, str] = {}
    for site in sites:
        made = site.variable
        if made is not None and made.kind == "rng" and made.name is not None and not site.loops:
            paths.setdefault(site.attribute, []).append(_path(site.node, parents))
            streams[site.attribute] = made.name
    return {
        attribute: streams[attribute]
        for attribute, (first, *others) in paths.items()
        if any(other[: len(first)] != first for other in others)
    }


def _path(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> _Path:
    """The branches that a node stands in, outermost first."""
    found: list[tuple[ast.AST, bool]] = []
    below = node
    for above in lineage(node, parents):
        if isinstance(above, ast.FunctionDef):
            break
        if isinstance(above, ast.If) and below is not above.test:
            found.append((above, below in above.body))
        below = above
    return tuple(found[::-1])
