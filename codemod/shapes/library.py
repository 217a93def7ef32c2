"""Calls into known libraries: of functions, and of the methods of arrays."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import dtypes
from .arrays import reshape
from .asking import Method
from .convolutions import convolved
from .patterns import rearranged
from .real_calls import Unconvertible, resolve, run
from .specials import SPECIAL
from .values import (
    UNKNOWN,
    Array,
    Items,
    Repeated,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from .interpreter import Interpreter

_ELEMENTWISE_METHODS = {"astype", "copy", "clip", "conj", "round", "block_until_ready", "__array__"}
_CONVOLUTION = "jax.lax.conv_general_dilated"
_BY_PATTERN = ("einops.rearrange", "einops.repeat", "einops.reduce")


def call(
    interp: Interpreter,
    node: ast.AST | None,
    name: str,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
) -> Value:
    """What a library function returns."""
    where = node or ast.Pass()
    special = SPECIAL.get(
        name.replace("numpy.", "jax.numpy.", 1) if name.startswith("numpy.") else name
    )
    if special is not None:
        found = special(interp, where, args, kwargs)
        if found is not None:
            return found
    try:
        function = resolve(name)
    except Unconvertible:
        return UNKNOWN
    elementwise = name.startswith(("jax.nn.", "flax.linen."))
    found = run(interp, where, function, args, kwargs, elementwise=elementwise)
    if name in _BY_PATTERN and not (isinstance(found, Array) and found.shape is not None):
        return rearranged(interp, where, args, kwargs) or found
    if name == _CONVOLUTION and not (isinstance(found, Array) and found.shape is not None):
        return convolved(interp, args, kwargs) or found
    return found


def method(
    interp: Interpreter, node: ast.AST, array: Array, name: str, args: Sequence[Value], kwargs: Any
) -> Value:
    """What a method of an array returns."""
    if name in _ELEMENTWISE_METHODS:
        dtype = dtypes.said_of_call(interp, node, args, kwargs) if name == "astype" else array.dtype
        return Array(array.shape, dtype, last=array.last)
    if name == "reshape":
        shape = (
            args[0]
            if len(args) == 1 and isinstance(args[0], Items | Unknown | Repeated)
            else Items(list(args))
        )
        return reshape(interp, node, array, shape)
    if name == "item":
        return UNKNOWN
    if name in ("tolist",):
        return Repeated(UNKNOWN)
    if f"jax.numpy.{name}" in SPECIAL:
        found = SPECIAL[f"jax.numpy.{name}"](interp, node, [array, *args], kwargs)
        if found is not None:
            return found
    return run(interp, node, Method(name), [array, *args], kwargs)
