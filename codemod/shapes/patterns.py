"""Patterns of axes: what `einops.rearrange`, `repeat` and `reduce` return, by the pattern alone.

einops itself answers where it can; it wants every division to be even for any size, which symbols seldom are. That the
program runs says that the sizes fit, so the pattern tells the rest. The notation is that of
https://einops.rocks/api/rearrange.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from .dims import Dim, same
from .values import Array, Constant, Shape, Value

if TYPE_CHECKING:
    from .interpreter import Interpreter

Group = tuple[str, ...]  # the names of one axis
_ELLIPSIS = "..."


def rearranged(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """The array that a pattern gives; None where the pattern or the input's rank is not known."""
    match args:
        case [Array(shape=tuple() as shape, dtype=dtype), Constant(value=str() as pattern), *_]:
            sides = pattern.split("->")
        case _:
            return None
    if len(sides) != 2:
        return None
    left, right = (list(_groups(side)) for side in sides)
    axes = _spread(left, shape)
    if axes is None:
        return None
    sizes = {name: _given(interp, value) for name, value in kwargs.items()}
    for group, dim in axes:
        if not _read(interp, group, dim, sizes):
            return None
    written = [part for group in right for part in _parts(group, axes)]
    if not {name for group in written for name in group if not name.isdigit()} <= sizes.keys():
        return None
    return Array(tuple(_size(group, sizes) for group in written), dtype)


def _groups(side: str) -> Iterator[Group]:
    for inner, single in re.findall(r"\(([^)]*)\)|(\.\.\.|[^\s()]+)", side):
        yield tuple(inner.split()) if not single else (single,)


def _spread(groups: Sequence[Group], shape: Shape) -> list[tuple[Group, Dim]] | None:
    """Each axis of the input with its group; those of the ellipsis get names of their own."""
    if (_ELLIPSIS,) in groups:
        at = groups.index((_ELLIPSIS,))
        more = len(shape) - len(groups) + 1
        if more < 0:
            return None
        between = [(f"{_ELLIPSIS}{i}",) for i in range(more)]
        groups = [*groups[:at], *between, *groups[at + 1 :]]
    return list(zip(groups, shape, strict=True)) if len(groups) == len(shape) else None


def _parts(group: Group, axes: Sequence[tuple[Group, Dim]]) -> list[Group]:
    """The axes that a group of the output stands for: an ellipsis is several axes, in brackets their product."""
    several = [inner[0] for inner, _ in axes if inner[:1] and inner[0].startswith(_ELLIPSIS)]
    if group == (_ELLIPSIS,):
        return [(name,) for name in several]
    return [tuple(n for name in group for n in (several if name == _ELLIPSIS else [name]))]


def _given(interp: Interpreter, value: Value) -> Dim:
    from .operators import dim_of

    dim = dim_of(interp, value)
    return interp.symbols.unknown("the size of an axis in a pattern") if dim is None else dim


def _read(interp: Interpreter, group: Group, dim: Dim, sizes: dict[str, Dim]) -> bool:
    """Notes what an axis of the input says of the names in its group; False where it leaves several open."""
    from .arrays import product

    names = [name for name in group if not name.isdigit()]
    open_names = [name for name in names if name not in sizes]
    if len(open_names) > 1:
        return False
    if open_names:
        known = product([sizes[name] for name in names if name in sizes])
        dim = interp.symbols.resolve(dim)
        sizes[open_names[0]] = dim if same(known, 1) else dim // known
    elif len(names) == 1:
        interp.symbols.equate(dim, sizes[names[0]])
    return True


def _size(group: Group, sizes: Mapping[str, Dim]) -> Dim:
    from .arrays import product

    return product([int(name) if name.isdigit() else sizes[name] for name in group])
