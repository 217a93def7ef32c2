"""Convolutions with windows, strides or groups that JAX cannot decide on symbols: batch and channels are told still."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .binding import bind_signature
from .dims import Dim
from .values import Array, Constant, Items, Value

if TYPE_CHECKING:
    from .interpreter import Interpreter

_PARAMETERS = (
    *("lhs", "rhs", "window_strides", "padding", "lhs_dilation", "rhs_dilation"),
    "dimension_numbers",
)


def convolved(
    interp: Interpreter, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Array | None:
    """What `jax.lax.conv_general_dilated` returns, as far as its layout alone tells."""
    given = bind_signature(_PARAMETERS, args, kwargs)
    lhs, rhs = given.get("lhs"), given.get("rhs")
    if not isinstance(lhs, Array) or not isinstance(rhs, Array):
        return None
    if not lhs.shape or not rhs.shape or len(lhs.shape) != len(rhs.shape):
        return None
    layout = _layout(given.get("dimension_numbers", Constant(None)), len(lhs.shape))
    if layout is None:
        return None
    image, kernel, result = layout
    known: dict[str, Dim] = {
        "N": lhs.shape[image.index("N")],
        "C": rhs.shape[kernel.index("O")],
    }
    unknown = "the size of what a convolution slides over"
    return Array(
        tuple(known[axis] if axis in known else interp.symbols.unknown(unknown) for axis in result),
        lhs.dtype,
    )


def _layout(numbers: Value, rank: int) -> tuple[str, str, str] | None:
    """The letters of the axes of image, kernel and result."""
    space = "".join(chr(ord("0") + at) for at in range(rank - 2))
    if numbers == Constant(None):
        return f"NC{space}", f"OI{space}", f"NC{space}"
    if not isinstance(numbers, Items) or len(numbers.items) != 3:
        return None
    image, kernel, result = (
        item.value if isinstance(item, Constant) and isinstance(item.value, str) else ""
        for item in numbers.items
    )
    fits = all(len(letters) == rank for letters in (image, kernel, result))
    told = fits and "N" in image and "O" in kernel and {"N", "C"} <= set(result)
    return (image, kernel, result) if told else None
