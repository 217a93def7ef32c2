"""The width of what attention reads: NNX has one for keys and values, Linen and Haiku one for each."""

from __future__ import annotations

from ..codemod.shapes.dims import Dim, names, same, symbol_name


def width_of_both(key: Dim, value: Dim) -> Dim | None:
    """The width of keys and values; None where they differ.

    Where an argument of its own gives the one or the other, only a call tells its width. It is taken for that of the
    other then: NNX's layer raises an error where it is not.
    """
    if same(key, value) or _is_open(value, key):
        return key
    return value if _is_open(key, value) else None


def _is_open(width: Dim, other: Dim) -> bool:
    """Whether a width is that of an argument, and nothing says that it differs from another."""
    name = symbol_name(width)
    return name is not None and name not in names(other)
