"""Turns the sizes of several runs back into formulas over the numbers that the runs varied.

A formula stands only if it gives the size of every run. What depends on something that is no field or axis, or might,
is not explained.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..shapes.traced import Factor, Formula, Rows, Variable

_DIVISORS = (2, 4, 8, 16, 32)
_PLUS = 3  # added to an axis before it is divided: what windows do


@dataclass(frozen=True)
class Number:
    """A number of the case: a variable of formulas, or something that no formula may depend on.

    `text` is an expression for it over the arguments of the call and the fields of `self`.
    """

    variable: Variable | None
    value: Any
    sized: bool
    text: str = ""
    may_be_size: bool = False  # of other cases: this one has nothing there


@dataclass
class Experiment:
    """The numbers of a case, those that changed alone or only together, and the values of each run; the first is the case's own.

    `around` is how many runs on other cases there are before these and after them.
    """

    numbers: Sequence[Number]
    groups: Sequence[Sequence[int]]
    runs: Sequence[Mapping[int, Any]]
    around: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        moved = {index for group in self.groups for index in group}
        still = [number for i, number in enumerate(self.numbers) if i not in moved]
        self.settled = not still
        # A size that stands in for one that is not given is no expression over the others.
        self.doubtful = any(number.may_be_size for number in still)
        self.leads = [self._lead(group) for group in self.groups]
        self.values = [
            [run.get(group[0], self.numbers[group[0]].value) for group in self.groups]
            for run in self.runs
        ]

    def _lead(self, group: Sequence[int]) -> Variable | None:
        """The variable that a group goes by: an axis before a field, the last axis before others."""
        known = [v for i in group if (v := self.numbers[i].variable) is not None]
        known.sort(key=lambda v: (not v.method, v.rank - v.axis))
        return known[0] if known else None

    def explain(self, sizes: Sequence[int | None]) -> Formula | None:
        """The formula for a size that each run showed; None where there is none, or could be another."""
        known = [(v, s) for v, s in zip(self.values, sizes, strict=True) if s is not None]
        if sizes[0] is None or not known or self.doubtful:
            return None
        moving = self._moving(known)
        if any(self.leads[g] is None for g in moving):
            return None
        for formula in self._candidates(moving, known):
            if all(self._value(formula, v) == s for v, s in known):
                return formula
        return None

    def rows(self, sizes: Sequence[int | None]) -> Rows | None:
        """A size that each run showed, by what it depends on; None where it might depend on more than that."""
        known = [(v, s) for v, s in zip(self.values, sizes, strict=True) if s is not None]
        if sizes[0] is None or not self.settled:
            return None
        moving = self._moving(known)
        keys = tuple(self._key(g) for g in moving)
        found: dict[tuple[Any, ...], int] = {}
        for values, size in known:
            if found.setdefault(tuple(values[g] for g in moving), size) != size:
                return None
        return Rows(keys, tuple(found.items())) if moving and all(keys) else None

    def _moving(self, known: Sequence[tuple[list[Any], int]]) -> list[int]:
        """The groups that a size changes with."""
        base, size = known[0]
        return [
            g
            for g in range(len(self.groups))
            if any(v[g] != base[g] and s != size for v, s in known if _alone(v, base, g))
        ]

    def _key(self, group: int) -> str:
        """The expression for the number that a group goes by."""
        lead = self.leads[group]
        members = [self.numbers[i] for i in self.groups[group]]
        return next((n.text for n in members if n.variable == lead), "")

    def _candidates(
        self, moving: Sequence[int], known: Sequence[tuple[list[Any], int]]
    ) -> Iterator[Formula]:
        base, size = known[0]
        leads = [lead for g in moving if (lead := self.leads[g]) is not None]
        if len(moving) == 1:
            yield Formula(((1, (Factor(leads[0]),)),))
        if len(moving) > 1:
            yield from self._products(moving, base, size, whole=True)
            yield from self._sums(moving, leads, known, plain=True)
            yield from self._quotients(moving, base, size)
        if not self.settled:
            return  # a number that was not varied may be behind what is constant in these runs
        if not moving:
            yield Formula(constant=size)
            return
        yield from self._products(moving, base, size, whole=False)
        yield from self._sums(moving, leads, known, plain=False)

    def _products(
        self, moving: Sequence[int], base: Sequence[Any], size: int, whole: bool
    ) -> Iterator[Formula]:
        """Products of factors of the groups, `whole` without a number before it and without divisions."""
        options = [[Factor(lead)] for g in moving if (lead := self.leads[g]) is not None]
        if not whole:
            options = [_factors(one[0].variable) for one in options]
        for factors in itertools.islice(itertools.product(*options), 20_000):
            product = 1
            for factor, g in zip(factors, moving, strict=True):
                product *= _of(factor, base[g])
            if product <= 0 or size % product or (whole and size != product):
                continue
            yield Formula(((size // product, tuple(factors)),))

    def _quotients(
        self, moving: Sequence[int], base: Sequence[Any], size: int
    ) -> Iterator[Formula]:
        """Products over products: `features // heads`."""
        for below in itertools.chain(*(itertools.combinations(moving, n) for n in (1, 2))):
            above = [g for g in moving if g not in below]
            if not above:
                continue
            parts = [
                tuple(Factor(lead) for g in part if (lead := self.leads[g]) is not None)
                for part in (above, below)
            ]
            formula = Formula(((1, parts[0]),), over=parts[1])
            if self._value(formula, base) == size:
                yield formula

    def _sums(
        self,
        moving: Sequence[int],
        leads: Sequence[Variable],
        known: Sequence[tuple[list[Any], int]],
        plain: bool,
    ) -> Iterator[Formula]:
        """`a * v + b * w + c`; `plain` with no other numbers than one and nothing added."""
        base, size = known[0]
        terms = []
        for g, lead in zip(moving, leads, strict=True):
            shown = next((v[g], s) for v, s in known if _alone(v, base, g) and v[g] != base[g])
            slope, rest = divmod(shown[1] - size, shown[0] - base[g])
            if rest or (plain and slope != 1):
                return
            terms.append((slope, (Factor(lead),)))
        constant = size - sum(t[0] * base[g] for t, g in zip(terms, moving, strict=True))
        points = [len({v[g] for v, _ in known if _alone(v, base, g)}) for g in moving]
        if plain and constant:
            return
        if not plain and min(points, default=0) < 3:
            return  # two points lie on many lines
        yield Formula(tuple(terms), constant)

    def _value(self, formula: Formula, values: Sequence[Any]) -> int:
        by_variable = {lead: v for lead, v in zip(self.leads, values, strict=True) if lead}
        total = formula.constant
        for times, factors in formula.terms:
            for factor in factors:
                times *= _of(factor, by_variable[factor.variable])
            total += times
        for factor in formula.over:
            total //= _of(factor, by_variable[factor.variable])
        return total


def _alone(values: Sequence[Any], base: Sequence[Any], group: int) -> bool:
    """Whether a run differs from the case in no more than one group."""
    return all(v == b for g, (v, b) in enumerate(zip(values, base, strict=True)) if g != group)


def _factors(variable: Variable) -> list[Factor]:
    found = [Factor(variable)]
    if variable.method:
        found += [Factor(variable, by=by, up=up) for by in _DIVISORS for up in (False, True)]
        found += [Factor(variable, plus=plus) for plus in range(-_PLUS, _PLUS + 1) if plus]
    else:
        found += [Factor(variable, by=by) for by in _DIVISORS]
    return found


def _of(factor: Factor, value: int) -> int:
    top = value + factor.plus
    return -(-top // factor.by) if factor.up else top // factor.by
