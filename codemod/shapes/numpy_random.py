"""NumPy's random generators: what they draw has the shape that they are asked for."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .values import Array, Behaviour, Items, Value, as_dim, as_shape

if TYPE_CHECKING:
    from .interpreter import Interpreter

# The place of `size` among the positional arguments of each method.
_SIZE_AT = {
    "random": 0,
    "random_sample": 0,
    "standard_normal": 0,
    "choice": 1,
    "exponential": 1,
    "poisson": 1,
    "binomial": 2,
    "integers": 2,
    "laplace": 2,
    "normal": 2,
    "randint": 2,
    "uniform": 2,
}
_INTEGERS = ("binomial", "integers", "poisson", "randint")
_MAKERS = ("numpy.random.RandomState", "numpy.random.default_rng")


@dataclass(eq=False)
class Generator(Behaviour):
    """`np.random.RandomState(seed)` or `np.random.default_rng(seed)`."""

    def attribute(self, interp: Interpreter, name: str, node: ast.AST) -> Value:
        return Draw(name)


@dataclass(eq=False)
class Draw(Behaviour):
    """A method of a generator."""

    name: str

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        return drawn(self.name, args, kwargs)


def drawn(name: str, args: Sequence[Value], kwargs: Mapping[str, Value]) -> Value:
    """What a method returns; an array of unknown shape where it does not say."""
    dtype = "int32" if name in _INTEGERS else "float32"
    if name in ("rand", "randn"):
        dims = [as_dim(arg) for arg in args]
        known = [dim for dim in dims if dim is not None]
        return Array(tuple(known) if len(known) == len(dims) else None, dtype)
    if name in ("permutation", "permuted") and args and isinstance(args[0], Array):
        return args[0]
    if name not in _SIZE_AT:
        return Array(None)
    place = _SIZE_AT[name]
    size = kwargs.get("size", args[place] if place < len(args) else None)
    if size is None:
        return Array(None, dtype)
    dim = as_dim(size)
    if dim is not None:
        return Array((dim,), dtype)
    return Array(as_shape(size) if isinstance(size, Items) else None, dtype)


def _make(
    interp: Interpreter, node: ast.Call | None, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    return Generator()


def _draw(
    name: str,
    interp: Interpreter,
    node: ast.Call | None,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
) -> Value | None:
    return drawn(name, args, kwargs)


def install(interp: Interpreter) -> None:
    """Adds the handlers."""
    for maker in _MAKERS:
        interp.handlers[maker] = _make
    for name in (*_SIZE_AT, "rand", "randn", "permutation"):
        interp.handlers[f"numpy.random.{name}"] = functools.partial(_draw, name)
