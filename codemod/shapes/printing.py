"""Symbolic sizes printed as a person would write them in Python.

JAX prints a size as an expanded sum (`c*floordiv(h, 4)*floordiv(w, 4)`); it is read back into a polynomial whose atoms
are symbols and operations, simplified by identities that hold for all integers, factored where the factors are short,
and written with the usual precedences.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, prod
from typing import Any

Monomial = tuple[tuple["Atom", int], ...]
Terms = tuple[tuple[Monomial, int], ...]

# Precedences of a printed piece, loosest first.
_LOOSE, _SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(6)


@dataclass(frozen=True)
class Atom:
    """A symbol (`op` is empty), or an operation on sums: floordiv, ceildiv, mod, max, min."""

    op: str
    name: str = ""
    args: tuple[Terms, ...] = ()


class Poly:
    """A sum of integer multiples of products of atoms."""

    def __init__(self, terms: Iterable[tuple[Monomial, int]] = ()) -> None:
        self.terms: dict[Monomial, int] = {}
        for monomial, factor in terms:
            self.terms[monomial] = self.terms.get(monomial, 0) + factor
        self.terms = {monomial: factor for monomial, factor in self.terms.items() if factor}

    @classmethod
    def of(cls, atom: Atom, power: int = 1) -> Poly:
        return cls([(((atom, power),), 1)])

    @classmethod
    def integer(cls, value: int) -> Poly:
        return cls([((), value)])

    def key(self) -> Terms:
        return tuple(sorted(self.terms.items(), key=_order))

    @property
    def constant(self) -> int:
        return self.terms.get((), 0)

    @property
    def value(self) -> int | None:
        """The integer that this is, if it is one."""
        return self.constant if not self.terms.keys() - {()} else None

    def __add__(self, other: Poly) -> Poly:
        return Poly([*self.terms.items(), *other.terms.items()])

    def __mul__(self, other: Poly) -> Poly:
        return Poly(
            (_product(left, right), a * b)
            for left, a in self.terms.items()
            for right, b in other.terms.items()
        )

    def scaled(self, factor: int) -> Poly:
        return Poly((monomial, a * factor) for monomial, a in self.terms.items())

    def __pow__(self, exponent: int) -> Poly:
        result = Poly.integer(1)
        for _ in range(exponent):
            result = result * self
        return result


def _product(left: Monomial, right: Monomial) -> Monomial:
    powers = dict(left)
    for atom, power in right:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(powers.items(), key=lambda item: _rank(item[0])))


def _rank(atom: Atom) -> tuple[Any, ...]:
    """Order of atoms: by the number of their first symbol, operations as their operands."""
    return min((_number(name), name) for name in _symbols(atom)), bool(atom.op), repr(atom)


def _number(name: str) -> int:
    digits = re.sub(r"\D", "", name)
    return int(digits) if digits else 0


def _symbols(atom: Atom) -> Iterator[str]:
    if not atom.op:
        yield atom.name
    for terms in atom.args:
        for monomial, _ in terms:
            for inner, _ in monomial:
                yield from _symbols(inner)


def _order(term: tuple[Monomial, int]) -> tuple[Any, ...]:
    """Order of terms: as their atoms come, a longer product first, a constant last."""
    monomial, _ = term
    ranks = [(0, _rank(atom)) for atom, power in monomial for _ in range(power)]
    return (*ranks, (1,))


# ---- reading -----------------------------------------------------------------------------------------


def _read(node: ast.expr) -> Poly:
    match node:
        case ast.Constant(value=int(value)):
            return Poly.integer(value)
        case ast.Name(id=name):
            return Poly.of(Atom("", name))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _read(operand).scaled(-1)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _read(left) + _read(right)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _read(left) + _read(right).scaled(-1)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _read(left) * _read(right)
        case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int(exponent))):
            return _read(left) ** exponent
        case ast.Call(func=ast.Name(id=op), args=args):
            return _operation(op, [_read(arg) for arg in args])
    raise ValueError(f"not a size: {ast.unparse(node)}")


def _operation(op: str, args: list[Poly]) -> Poly:
    match op, args:
        case "floordiv", [left, right]:
            divisor = right.value
            if divisor is not None and divisor > 0:
                return _quotient(left, divisor)
        case "mod", [left, right]:
            divisor = right.value
            if divisor is not None and divisor > 0:
                return _remainder(left, divisor)
        case "non_negative", [only]:
            return _operation("max", [only, Poly.integer(0)])
        case (("max" | "min"), _):
            pass
        case _:
            raise ValueError(f"not an operation on sizes: {op}")
    values = [arg.value for arg in args]
    known = [value for value in values if value is not None]
    if len(known) == len(values) and op in ("max", "min"):
        return Poly.integer(max(known) if op == "max" else min(known))
    return Poly.of(Atom(op, args=tuple(arg.key() for arg in args)))


def _quotient(left: Poly, divisor: int) -> Poly:
    """`left // divisor` by three identities: multiples of the divisor come out, common factors cancel, and a
    quotient in the dividend joins the divisors."""
    whole = Poly((m, a // divisor) for m, a in left.terms.items() if a % divisor == 0)
    rest = Poly((m, a) for m, a in left.terms.items() if a % divisor)
    common = gcd(divisor, *rest.terms.values())
    rest, divisor = Poly((m, a // common) for m, a in rest.terms.items()), divisor // common
    if rest.value is not None:
        return whole + Poly.integer(rest.value // divisor)
    nested = _nested_quotient(rest)
    if nested is not None:
        dividend, inner = nested
        return whole + _quotient(dividend, divisor * inner)
    return whole + Poly.of(Atom("floordiv", args=(rest.key(), Poly.integer(divisor).key())))


def _nested_quotient(rest: Poly) -> tuple[Poly, int] | None:
    """For `a // m + k`, the sum `a + k * m` and `m`."""
    moving = [(m, a) for m, a in rest.terms.items() if m]
    match moving:
        case [(((Atom(op="floordiv", args=(inner, ((((), int(divisor))),))), 1),), 1)]:
            return Poly(inner) + Poly.integer(rest.constant * divisor), divisor
    return None


def _remainder(left: Poly, divisor: int) -> Poly:
    """`left % divisor`; multiples of the divisor do not matter."""
    rest = Poly((m, a) for m, a in left.terms.items() if a % divisor)
    if rest.value is not None:
        return Poly.integer(rest.value % divisor)
    return Poly.of(Atom("mod", args=(rest.key(), Poly.integer(divisor).key())))


# ---- shaping -----------------------------------------------------------------------------------------


def _rounded_up(poly: Poly) -> Poly:
    """Quotients of negative dividends as negated quotients that round up (or down, where a constant is left)."""
    result = Poly()
    for monomial, factor in poly.terms.items():
        term = Poly.integer(factor)
        for atom, power in monomial:
            term = term * _positive(atom) ** power
        result = result + term
    return result


def _positive(atom: Atom) -> Poly:
    match atom:
        case Atom(op="floordiv", args=(dividend, divisor)):
            inner, size = Poly(dividend), Poly(divisor).value
            if all(factor < 0 for monomial, factor in dividend if monomial):
                flipped = inner.scaled(-1)
                if not inner.constant:
                    up = Atom("ceildiv", args=(flipped.key(), divisor))
                    return Poly.of(up).scaled(-1)
                if size is not None:
                    return _quotient(flipped + Poly.integer(size - 1), size).scaled(-1)
    return Poly.of(atom)


def _factors(poly: Poly) -> list[Poly] | None:
    """`poly` as a product of atoms, an integer and short sums (a multiple of an atom plus an integer), if it is one
    that a person would have written as a product."""
    sums: list[Poly] = []
    rest = poly
    while len(rest.terms) > 1:
        found = next(filter(None, (_divided(rest, atom) for atom in _atoms(rest))), None)
        if found is None:
            return None
        short, rest = found
        sums.append(short)
    if not sums or not _as_product(sums, rest):
        return None
    return [*sums, rest]


def _as_product(sums: list[Poly], rest: Poly) -> bool:
    """Whether a product reads better than the sum: with several sums, or one that is a size less or a quotient."""
    if len(sums) > 1:
        return True
    (only,) = sums
    if rest.value in (1, -1):
        return False
    return only.constant < 0 or any(atom.op in ("floordiv", "ceildiv") for atom in _atoms(only))


def _atoms(poly: Poly) -> list[Atom]:
    return sorted({atom for monomial in poly.terms for atom, _ in monomial}, key=_rank)


def _divided(poly: Poly, atom: Atom) -> tuple[Poly, Poly] | None:
    """`poly` as `(d * atom + k) * other` for integers d > 0 and k != 0, if it is that."""
    slope, rest = Poly(), Poly()
    for monomial, factor in poly.terms.items():
        powers = dict(monomial)
        power = powers.pop(atom, 0)
        if power > 1:
            return None
        part = Poly([(tuple(powers.items()), factor)])
        slope, rest = (slope + part, rest) if power else (slope, rest + part)
    if not rest.terms or slope.terms.keys() != rest.terms.keys():
        return None
    ratios = {Fraction(rest.terms[monomial], factor) for monomial, factor in slope.terms.items()}
    if len(ratios) != 1:
        return None
    (ratio,) = ratios
    other = Poly((monomial, a // ratio.denominator) for monomial, a in slope.terms.items())
    short = Poly.of(atom).scaled(ratio.denominator) + Poly.integer(ratio.numerator)
    return short, other


def _folded(poly: Poly) -> Poly:
    """`(a + j) // n + k` as `(a + j + k * n) // n`, where j is not 0."""
    moving = [(m, a) for m, a in poly.terms.items() if m]
    match moving:
        case [(((Atom(op="floordiv", args=(dividend, ((((), int(divisor))),))), 1),), 1)]:
            inner = Poly(dividend)
            if inner.constant and poly.constant:
                total = inner + Poly.integer(poly.constant * divisor)
                return Poly.of(Atom("floordiv", args=(total.key(), Poly.integer(divisor).key())))
    return poly


# ---- writing -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Text:
    text: str
    strength: int

    def at(self, least: int) -> str:
        """The text, in parentheses if it binds more loosely than `least`."""
        return self.text if self.strength >= least else f"({self.text})"


def render(dim: object, texts: Mapping[str, str]) -> str:
    """A size as Python, each symbol written as `texts` says; KeyError for a symbol without a text, ValueError for
    what is not a size."""
    tree = ast.parse(str(dim).replace("^", "**").strip(), mode="eval")
    return _Writer(texts).sum(_rounded_up(_read(tree.body))).text


class _Writer:
    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def sum(self, poly: Poly) -> _Text:
        poly = _folded(poly)
        factors = _factors(poly)
        if factors is not None:
            return self._product_of(factors)
        terms = list(poly.key())
        # A sum that begins with a minus sign reads badly.
        lead = next((i for i, (_, factor) in enumerate(terms) if factor > 0), 0)
        if not terms:
            return _Text("0", _ATOM)
        first = terms.pop(lead)
        if not terms:
            return self._term(*first)
        written = self._term(*first).at(_SUM)
        for monomial, factor in terms:
            term = self._term(monomial, abs(factor))
            written += f" - {term.at(_PRODUCT)}" if factor < 0 else f" + {term.at(_SUM)}"
        return _Text(written, _SUM)

    def _term(self, monomial: Monomial, factor: int) -> _Text:
        return self._product_of([Poly([(monomial, factor)])])

    def _product_of(self, factors: list[Poly]) -> _Text:
        """A product: what divides or adds first, in the order of its symbols, then names."""
        number = prod(p.terms[m] for p in factors if len(p.terms) == 1 for m in p.terms)
        ranked: list[tuple[tuple[Any, ...], _Text]] = []
        for poly in factors:
            if len(poly.terms) > 1:
                ranked.append(((False, _rank(_atoms(poly)[0])), self.sum(poly)))
                continue
            for atom, power in next(iter(poly.terms)):
                ranked.append(((not _divides(atom), _rank(atom)), self._power(atom, power)))
        ranked.sort(key=lambda item: item[0])
        parts = [text for _, text in ranked]
        divides = bool(ranked) and not ranked[0][0][0]
        return self._multiplied(parts, number, divides)

    def _multiplied(self, parts: list[_Text], number: int, number_last: bool) -> _Text:
        if not parts:
            return _Text(str(number), _ATOM if number >= 0 else _SIGN)
        sign, size = ("-" if number < 0 else ""), abs(number)
        if size != 1:
            parts = (
                [*parts, _Text(str(size), _ATOM)]
                if number_last
                else [_Text(str(size), _ATOM), *parts]
            )
        if len(parts) == 1:
            return _Text(sign + parts[0].at(_POWER), _SIGN) if sign else parts[0]
        written = " * ".join(part.at(_SIGN) for part in parts)
        if not sign:
            return _Text(written, _PRODUCT)
        return _Text(f"-{parts[0].at(_POWER)}" + written[len(parts[0].at(_SIGN)) :], _PRODUCT)

    def _power(self, atom: Atom, power: int) -> _Text:
        base = self._atom(atom)
        if power == 1:
            return base
        text = base.at(_ATOM)
        hugs = re.fullmatch(r"[\w.]+", text) is not None
        return _Text(f"{text}**{power}" if hugs else f"{text} ** {power}", _POWER)

    def _atom(self, atom: Atom) -> _Text:
        if not atom.op:
            return _written(self._texts[atom.name])
        args = [self.sum(_rounded_up(Poly(terms))) for terms in atom.args]
        match atom.op:
            case "floordiv":
                other = _other_factor(args[0].text, args[1].text)
                if other is not None:
                    return _written(other)
                return _Text(f"{args[0].at(_PRODUCT)} // {args[1].at(_SIGN)}", _PRODUCT)
            case "ceildiv":
                return _Text(f"-(-{args[0].at(_POWER)} // {args[1].at(_SIGN)})", _SIGN)
            case "mod":
                return _Text(f"{args[0].at(_PRODUCT)} % {args[1].at(_SIGN)}", _PRODUCT)
        return _Text(f"{atom.op}({', '.join(arg.text for arg in args)})", _ATOM)


def _other_factor(product: str, factor: str) -> str | None:
    """What a product is of besides one factor, None where it is no product of that."""
    match ast.parse(product.strip(), mode="eval").body:
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            if ast.unparse(right) == factor:
                return ast.unparse(left)
            if ast.unparse(left) == factor:
                return ast.unparse(right)
    return None


def is_wrapped(text: str) -> bool:
    """Whether the first bracket of a text closes with its last, around more than the items of a tuple."""
    if not (text.startswith("(") and text.endswith(")")):
        return False
    try:
        return _stands_inside(ast.parse(text, mode="eval").body)
    except SyntaxError:
        return False


def _stands_inside(parsed: ast.expr) -> bool:
    """Whether a parsed text begins with a bracket that is no part of what it says."""
    return parsed.col_offset > 0 or parsed.lineno > 1


def _divides(atom: Atom) -> bool:
    return atom.op in ("floordiv", "ceildiv", "mod")


def _written(text: str) -> _Text:
    """A symbol's own text, with the precedence that it has.

    Parentheses around arithmetic are put back where needed; those around a choice stay: texts are made with it.
    """
    if is_wrapped(text):
        if isinstance(ast.parse(text, mode="eval").body, ast.IfExp | ast.BoolOp | ast.Compare):
            return _Text(text, _ATOM)
        text = text[1:-1]
    match ast.parse(text.strip(), mode="eval").body:
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            strength = _SUM
        case ast.BinOp(op=ast.Mult() | ast.FloorDiv() | ast.Mod()):
            strength = _PRODUCT
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            strength = _SIGN
        case ast.BinOp(op=ast.Pow()):
            strength = _POWER
        case (
            ast.Name()
            | ast.Attribute()
            | ast.Call()
            | ast.Subscript()
            | ast.Constant()
            | ast.Tuple()
        ):
            strength = _ATOM
        case _:
            strength = _LOOSE
    return _Text(text, strength)
