"""The arguments of a compiled function that are static or donated, once its parameters are others."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .ground import FunctionNode, Stay

_NUMBERS = {"static_argnums": False, "donate_argnums": True}
_NAMES = {"static_argnames": False, "donate_argnames": True}


@dataclass(frozen=True)
class Parameters:
    """What the parameters of a compiled function became.

    `instead` has the new names for each of those that objects took the place of, none of them where it went.
    """

    function: FunctionNode
    instead: Mapping[str, Sequence[str]]

    def by_place(self) -> list[str]:
        spec = self.function.args
        return [a.arg for a in [*spec.posonlyargs, *spec.args]]

    def places(self) -> dict[str, list[int]]:
        """Where what became of each parameter that is given by its place stands now."""
        found: dict[str, list[int]] = {}
        start = 0
        for name in self.by_place():
            width = len(self.instead.get(name, [name]))
            found[name] = list(range(start, start + width))
            start += width
        return found


def renumbered(keyword: ast.keyword, parameters: Parameters) -> str | None:
    """The new value of `static_argnums=` and its like, None where it names no argument any more.

    A model that took the place of an argument is not static; one that took the place of donated arrays is donated.
    Raises Stay where the value is not written out.
    """
    each, single = _written_out(keyword)
    if keyword.arg in _NUMBERS:
        names = parameters.by_place()
        numbers = [n for n in each if isinstance(n, int) and 0 <= n < len(names)]
        if len(numbers) < len(each):
            # Those below zero count from the end of what a call gives.
            raise _not_written_out(keyword)
        named = [names[n] for n in numbers]
        places = parameters.places()
        kept = _kept(named, parameters, _NUMBERS[keyword.arg])
        return _text([at for name in kept for at in places.get(name, [])], single)
    named = [str(name) for name in each]
    donated = _NAMES[str(keyword.arg)]
    return _text(
        [
            n
            for name in _kept(named, parameters, donated)
            for n in parameters.instead.get(name, [name])
        ],
        single,
    )


def is_about_arguments(keyword: ast.keyword) -> bool:
    """Whether an argument of `jax.jit` says which arguments of the compiled function are special."""
    return keyword.arg in _NUMBERS or keyword.arg in _NAMES


def _kept(names: Iterable[str], parameters: Parameters, donated: bool) -> list[str]:
    return [name for name in names if donated or name not in parameters.instead]


def _written_out(keyword: ast.keyword) -> tuple[Sequence[object], bool]:
    """The arguments that a keyword speaks of, and whether it is one that stands alone."""
    try:
        found = ast.literal_eval(keyword.value)
    except ValueError:
        raise _not_written_out(keyword) from None
    return (found, False) if isinstance(found, list | tuple) else ([found], True)


def _not_written_out(keyword: ast.keyword) -> Stay:
    return Stay(
        keyword.value,
        f"`{keyword.arg}` counts arguments of a function that gets others",
        "write the numbers out",
    )


def _text(values: Sequence[object], single: bool) -> str | None:
    if not values:
        return None
    return repr(values[0]) if single and len(values) == 1 else repr(tuple(values))
