"""Symbolic sizes.

A size is an `int` or a `jax.export` symbolic dimension. Every symbol is registered in a `Symbols` table with an
`Origin`: where the number comes from, which decides how it is written in emitted code. Symbols simplify and print
themselves (`f + c`, `floordiv(h, 2)`); `Symbols.render` turns that print into Python with each symbol replaced by text.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Dim = Any  # int | jax.export symbolic dimension: JAX exports no type for the latter

# Poolings and strided slices only resolve on axes that are known not to be tiny.
LEAST_EXTENT = 64


@dataclass(frozen=True)
class Origin:
    """Where the number behind a symbol comes from."""


@dataclass(frozen=True)
class InputAxis(Origin):
    """Axis `axis` of the array at `path` (a Python expression over the entry method's arguments)."""

    method: str
    path: str
    axis: int
    rank: int


@dataclass(frozen=True)
class InputSize(InputAxis):
    """The product of all axes from `axis` on: what a flattened input has."""


@dataclass(frozen=True)
class ChosenAxis(InputAxis):
    """The axis that is meant where the constructor's parameters `fields` have their defaults.

    `index` is what the source has for it, over `self`, and `default` what that is by default.
    """

    fields: tuple[str, ...]
    index: str
    default: int


@dataclass(frozen=True)
class InputPart(Origin):
    """Not a number but several: the sizes that `text` takes from the shape of the array at `path`."""

    method: str
    path: str
    text: str


@dataclass(frozen=True)
class Seen(Origin):
    """A size that runs of the original showed and no expression gives.

    `keys` are expressions over the arguments of `method` and the fields (as `self.<field>`), and `rows` what the size was
    where these had some values. `word` says what it is.
    """

    method: str
    word: str = field(compare=False)
    keys: tuple[str, ...]
    rows: tuple[tuple[tuple[Any, ...], int], ...]


@dataclass(frozen=True)
class Expression(Origin):
    """A number that `text` computes in the constructor: a field, `config.mlp_dim`, `2**i`.

    What a loop counts or goes through has that value in the turns of `loop` alone; what a name has that the constructor
    gives several values, behind the statement `since` and before the next.
    """

    text: str
    loop: ast.AST | None = field(default=None, compare=False)
    since: ast.Assign | None = None


@dataclass(frozen=True)
class Running(Origin):
    """A size that changes from one turn of a loop to the next; `name` is the local array that carries it."""

    loop: ast.AST = field(compare=False)
    name: str
    axis: int


@dataclass(frozen=True)
class Choice(Origin):
    """A size that depends on which branch of `node` was taken."""

    node: ast.AST = field(compare=False)
    name: str
    axis: int


@dataclass(frozen=True)
class Output(Origin):
    """The last axis of what the module made at `site` returns: its class, and so its size, is the caller's choice."""

    site: ast.Call = field(compare=False)


@dataclass(frozen=True)
class Listed(Origin):
    """The last axis of an array that a method has put into the list `name`, and that `node` takes from there."""

    name: str
    node: ast.expr = field(compare=False)


@dataclass(frozen=True)
class Unexplained(Origin):
    """A size that exists but that reading cannot tell."""

    why: str


@dataclass(frozen=True)
class Rounded(Origin):
    """A size that `int` makes of a number that is not whole, 0 perhaps; `parts` are sizes, and the text around them."""

    parts: tuple[Dim | str, ...] = field(compare=False)

    @property
    def sizes(self) -> list[Dim]:
        """The sizes that are computed with."""
        return [part for part in self.parts if not isinstance(part, str)]


def is_of_turn(origin: Origin) -> bool:
    """Whether a number is that of one turn of a loop: what a name has in it, or what is taken from a list there."""
    return isinstance(origin, Listed) or (
        isinstance(origin, Expression) and origin.loop is not None
    )


class Symbols:
    """The symbols of one interpretation, all in one JAX scope."""

    def __init__(self) -> None:
        from jax import export

        self._export = export
        self._scope = export.SymbolicScope()
        self.origins: dict[str, Origin] = {}
        self._by_origin: dict[Any, Dim] = {}
        self._bound: dict[str, Dim] = {}
        self._count = 0
        self.options: dict[str, tuple[Dim, Dim]] = {}  # what choices choose from, by symbol
        self.fractional: set[str] = set()  # those of numbers that may be no integers
        self._wholes: dict[tuple[str, int], Dim] = {}  # by part and how many: what was split evenly

    def new(self, origin: Origin, key: Any = None) -> Dim:
        """A symbol for `origin`; the same `key` gives the same symbol again."""
        if key is not None and key in self._by_origin:
            return self.resolve(self._by_origin[key])
        self._count += 1
        name = f"s{self._count}_"
        (dim,) = self._export.symbolic_shape(name, scope=self._scope)
        self.origins[name] = origin
        if key is not None:
            self._by_origin[key] = dim
        return dim

    def symbol(self, name: str) -> Dim:
        """The size that is the symbol of this name."""
        (dim,) = self._export.symbolic_shape(name, scope=self._scope)
        return dim

    def unknown(self, why: str) -> Dim:
        return self.new(Unexplained(why))

    def rounded(self, parts: Iterable[Dim | str]) -> Dim:
        """The size that the text of `parts` computes, which calls `int`."""
        found = tuple(part if isinstance(part, str) else self.resolve(part) for part in parts)
        return self.new(Rounded(found), ("rounded", *map(str, found)))

    # ---- facts -------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Dim]:
        """What is bound now, to be given back to `restore` when a branch ends."""
        return dict(self._bound)

    def restore(self, bound: Mapping[str, Dim]) -> None:
        self._bound = dict(bound)

    def part(self, whole: Dim, count: int) -> Dim:
        """One of `count` equal parts that a size was split into, with nothing left over."""
        part = whole // count
        if not isinstance(part, int):
            self._wholes[str(part), count] = whole
        return part

    def total(self, dims: Sequence[Dim]) -> Dim:
        """The sum of some sizes; all equal parts of one that was split are that one again."""
        summands = list(dims)
        texts = Counter(str(dim) for dim in dims if not isinstance(dim, int))
        for (part, count), whole in self._wholes.items():
            if texts[part] >= count:
                texts[part] -= count
                alike = [at for at, dim in enumerate(summands) if str(dim) == part][:count]
                summands = [whole, *(dim for at, dim in enumerate(summands) if at not in alike)]
        return sum(summands[1:], summands[0])

    def equate(self, left: Dim, right: Dim) -> bool:
        """Takes `left == right` as a fact, where one side is a symbol that can give way.

        Of the sizes of two layers that of the later one does, and a choice before any of them.
        """
        left, right = self.resolve(left), self.resolve(right)
        if same(left, right):
            return True
        for giving, kept in sorted(
            ((left, right), (right, left)), key=lambda pair: self._readiness(pair[0]), reverse=True
        ):
            name = symbol_name(giving)
            if self.is_explained(giving) and not self._is_told(kept, giving):
                continue  # what can be told stays told
            if self._is_option(giving, kept):
                continue  # a choice that has to be one of its options is that one
            if self._may_start(giving) and self._runs(kept):
                continue  # what a loop changes is not what it starts with
            if name is not None and self._yields(giving) and name not in self.origins_of(kept):
                self._bound[name] = kept
                return True
        return False

    def met(self, dim: Dim) -> int:
        """When an axis of an input was met; 0 for other sizes."""
        name = symbol_name(self.resolve(dim))
        return int(name[1:-1]) if name and isinstance(self.origins[name], InputAxis) else 0

    def is_explained(self, dim: Dim) -> bool:
        """Whether reading tells what every symbol of a size stands for."""
        return not any(isinstance(o, Unexplained) for o in self.origins_of(dim).values())

    def _is_told(self, kept: Dim, giving: Dim) -> bool:
        return self.is_explained(kept) or self._is_option(kept, giving)

    def _is_option(self, dim: Dim, choice: Dim) -> bool:
        """Whether a size is one of those that a branch chooses from."""
        options = self.options.get(symbol_name(choice) or "", ())
        return any(same(self.resolve(option), dim) for option in options)

    def _may_start(self, dim: Dim) -> bool:
        """Whether a size is one that a loop may have started with: an input's, or one that a branch chose."""
        return isinstance(self.origins.get(symbol_name(dim) or ""), InputAxis | Choice)

    def _runs(self, dim: Dim) -> bool:
        return any(isinstance(origin, Running) for origin in self.origins_of(dim).values())

    def _readiness(self, dim: Dim) -> tuple[int, int]:
        """How readily a size gives way to another, and of two outputs when it was met."""
        name = symbol_name(dim)
        output = name is not None and isinstance(self.origins[name], Output)
        return self._yields(dim), int(name[1:-1]) - self._count if output and name else 1

    def _yields(self, dim: Dim) -> int:
        """How readily a symbol gives way to what it is equal to; 0 never."""
        name = symbol_name(dim)
        if name is None:
            return 0
        match self.origins[name]:
            case Unexplained():
                return 4
            case Choice() | Output() | Listed():
                return 3
            case InputAxis():
                return 2
            case Rounded():
                return 1
            case _:
                return 0

    def resolve(self, dim: Dim) -> Dim:
        """`dim` with every bound symbol replaced."""
        for _ in range(20):
            bound = names(dim) & self._bound.keys()
            if not bound:
                return dim
            dim = substitute(dim, {name: self._bound[name] for name in bound})
        return dim

    def merge(self, axes: Sequence[str], origin: InputSize, dims: Iterable[Dim]) -> bool:
        """Takes the product of `axes` as one symbol, if they occur in `dims` in no other way."""
        product: Dim = 1
        for name in axes:
            product = product * self.symbol(name)
        merged = self.new(origin)
        apart = {**dict.fromkeys(axes[:-1], 1), axes[-1]: merged}
        (name,) = names(merged)
        for dim in [each for whole in dims for each in (whole, *self._within(whole))]:
            if not same(substitute(substitute(dim, apart), {name: product}), dim):
                return False
        self._bound.update(apart)
        return True

    # ---- printing ----------------------------------------------------------------------------

    def origin(self, dim: Dim) -> Origin | None:
        """The origin of a size that is a single symbol."""
        name = symbol_name(self.resolve(dim))
        return None if name is None else self.origins[name]

    def origins_of(self, dim: Dim) -> dict[str, Origin]:
        """The origins of all symbols in a size, and in what it rounds."""
        found = set(names(self.resolve(dim)))
        for inner in self._within(dim):
            found |= names(inner)
        return {name: self.origins[name] for name in sorted(found, key=_number)}

    def _within(self, dim: Dim) -> Iterator[Dim]:
        """The sizes that are rounded somewhere in a size."""
        for name in names(self.resolve(dim)):
            origin = self.origins[name]
            for inner in origin.sizes if isinstance(origin, Rounded) else ():
                yield self.resolve(inner)
                yield from self._within(inner)

    def render(self, dim: Dim, text: Callable[[str, Origin], str]) -> str:
        """`dim` as Python; `text` writes each symbol."""
        from .printing import render

        dim = self.resolve(dim)
        texts = {}
        for name in names(dim):
            origin = self.origins[name]
            if isinstance(origin, Rounded):
                texts[name] = self._rounded_text(origin, text)
            else:
                texts[name] = text(name, origin)
        return render(dim, texts)

    def _rounded_text(self, origin: Rounded, text: Callable[[str, Origin], str]) -> str:
        pieces = []
        for part, after in zip(origin.parts, [*origin.parts[1:], ""], strict=True):
            piece = part if isinstance(part, str) else self.render(part, text)
            apart = not isinstance(part, str) and str(after).startswith((" *", " /"))
            pieces.append(f"({piece})" if apart and not piece.isidentifier() else piece)
        return "".join(pieces)


def _number(name: str) -> int:
    return int(re.sub(r"\D", "", name) or 0)


def is_dim(value: object) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or is_symbolic(value)


def is_symbolic(value: object) -> bool:
    return type(value).__name__ == "_DimExpr"


SYMBOL = re.compile(r"s\d+_")


def names(dim: Dim) -> set[str]:
    """The symbols in a size."""
    return set() if isinstance(dim, int) else set(SYMBOL.findall(str(dim)))


def symbol_name(dim: Dim) -> str | None:
    """The name of a size that is one bare symbol."""
    if isinstance(dim, int):
        return None
    text = str(dim)
    return text if SYMBOL.fullmatch(text) else None


def same(left: Dim, right: Dim) -> bool:
    """Whether two sizes are equal whatever their symbols stand for."""
    if isinstance(left, int) and isinstance(right, int):
        return left == right
    return bool(str(left - right) == "0")


def differ(left: Dim, right: Dim) -> bool:
    """Whether two sizes differ whatever their symbols stand for."""
    difference = left - right
    return isinstance(difference, int) and difference != 0


def floordiv(left: Dim, right: Dim) -> Dim:
    return left // right


def substitute(dim: Dim, values: Mapping[str, Dim]) -> Dim:
    """`dim` with symbols replaced by sizes."""
    if isinstance(dim, int):
        return dim
    tree = ast.parse(str(dim).replace("^", "**"), mode="eval")
    missing = {name: symbol_of(dim, name) for name in names(dim) - values.keys()}
    return _evaluate(tree.body, {**missing, **values})


def symbol_of(dim: Dim, name: str) -> Dim:
    """A symbol of a size as a size of its own."""
    from jax import export

    (symbol,) = export.symbolic_shape(name, scope=dim.scope)
    return symbol


def _evaluate(node: ast.expr, env: Mapping[str, Dim]) -> Dim:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return env[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_evaluate(operand, env)
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _evaluate(left, env), _evaluate(right, env)
            match op:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
                case ast.Pow():
                    return a**b
        case ast.Call(func=ast.Name(id=function), args=args):
            return _apply(function, [_evaluate(arg, env) for arg in args])
    raise ValueError(f"not a size: {ast.dump(node)}")


def _apply(function: str, args: list[Dim]) -> Dim:
    from jax import core

    match function:
        case "floordiv":
            return args[0] // args[1]
        case "mod":
            return args[0] % args[1]
        case "max":
            return core.max_dim(*args)
        case "min":
            return core.min_dim(*args)
    raise ValueError(f"not an operation on sizes: {function}")
