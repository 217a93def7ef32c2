"""`jnp.einsum`: the result follows from the letters of its equation."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from .configured import texts
from .dims import Dim, same
from .values import UNKNOWN, Array, Constant, Shape, Value

if TYPE_CHECKING:
    from .interpreter import Interpreter

Place: TypeAlias = tuple[int, int]  # which array, and which axis of it


def einsum(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """Sizes of equal letters agree; then the result follows from the letters."""
    match args[:1]:
        case [Constant(value=str(equation))]:
            return _by_equation(interp, node, equation, args[1:])
        case [_] if isinstance(node, ast.Call) and node.args:
            return _by_any(interp, node, texts(interp.project, node.args[0]), args[1:])
    return Array(None)


def _by_equation(
    interp: Interpreter, node: ast.AST, equation: str, args: Sequence[Value]
) -> Value | None:
    from .operators import agree

    inputs, _, output = equation.replace(" ", "").partition("->")
    if not output and "->" not in equation:
        return None
    sizes: dict[str, list[Dim]] = {}
    lead: Shape = ()
    for term, value in zip(inputs.split(","), args, strict=False):
        if not isinstance(value, Array) or value.shape is None:
            return Array(None)
        letters = term.replace("...", "")
        extra = len(value.shape) - len(letters)
        if extra < 0 or (extra and "..." not in term):
            interp.trouble(node, f"einsum term {term} for an array of rank {len(value.shape)}")
            return UNKNOWN
        at = term.find("...")
        shape = list(value.shape)
        if at >= 0:
            lead = tuple(shape[at : at + extra]) or lead
            del shape[at : at + extra]
        for letter, dim in zip(letters, shape, strict=True):
            sizes.setdefault(letter, []).append(dim)
    agreed = {letter: agree(interp, node, dims) for letter, dims in sizes.items()}
    if any(dim is None for dim in agreed.values()):
        return UNKNOWN
    result: list[Dim] = []
    for part in output.replace("...", "."):
        result.extend(lead if part == "." else [agreed[part]])
    return Array(tuple(result), "float32")


def _by_any(
    interp: Interpreter, node: ast.AST, equations: Sequence[str], args: Sequence[Value]
) -> Value:
    """What each of several equations makes of arrays: an axis has the size that all say, or an unknown one."""
    shapes = [v.shape for v in args if isinstance(v, Array) and v.shape is not None]
    parsed = [_letters(equation) for equation in equations]
    if not parsed or None in parsed or len(shapes) < len(args):
        return Array(None)
    known = [each for each in parsed if each is not None]
    for terms, _ in known:
        if [len(term) for term in terms] != [len(shape) for shape in shapes]:
            interp.trouble(node, "einsum of arrays of other ranks")
            return Array(None)
    sizes = _agreed(interp, node, [terms for terms, _ in known], shapes)
    if len({len(output) for _, output in known}) != 1:
        return Array(None)
    found: list[Dim] = []
    for letters in zip(*(output for _, output in known), strict=True):
        dims = [
            sizes[place]
            for (terms, _), letter in zip(known, letters, strict=True)
            for place in _places(terms)[letter]
        ]
        alike = all(same(dims[0], dim) for dim in dims)
        found.append(dims[0] if alike else interp.symbols.unknown("what einsum makes of an axis"))
    return Array(tuple(found), "float32")


def _letters(equation: str) -> tuple[list[str], str] | None:
    """The terms and the result of an equation; None where they are more than letters."""
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    plain = arrow and "." not in equation and set(output) <= set(inputs)
    return (inputs.split(","), output) if plain else None


def _places(terms: Sequence[str]) -> dict[str, list[Place]]:
    """Where each letter stands: the term and the axis."""
    found: dict[str, list[Place]] = {}
    for number, term in enumerate(terms):
        for axis, letter in enumerate(term):
            found.setdefault(letter, []).append((number, axis))
    return found


def _agreed(
    interp: Interpreter, node: ast.AST, equations: Sequence[Sequence[str]], shapes: Sequence[Shape]
) -> dict[Place, Dim]:
    """The size of each axis; those that have one letter in all equations are of one size."""
    from .operators import agree

    sizes = {
        (number, axis): interp.symbols.resolve(dim)
        for number, shape in enumerate(shapes)
        for axis, dim in enumerate(shape)
    }
    for one, two in itertools.combinations(sizes, 2):
        if all(terms[one[0]][one[1]] == terms[two[0]][two[1]] for terms in equations):
            dim = agree(interp, node, [sizes[one], sizes[two]])
            if dim is not None:
                sizes[one] = sizes[two] = dim
    return sizes
