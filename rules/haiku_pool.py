"""Poolings of Haiku.

Windows and strides count the batch and the channels in Haiku, not in NNX: `(1, 2, 2, 1)` is `(2, 2)`. A mean does not
count what padding adds.
"""

from __future__ import annotations

import ast

from ..codemod.rule import Argument, Call, Declined, Drop, Layer, To, Use, Written
from ..codemod.shapes.dims import Dim
from ..codemod.shapes.values import Array, Constant, Items, Value

_HELP = "write the window as (1, height, width, 1), with ones for the batch and the channels"
_ONE = Constant(1)


def _other(name: str) -> str:
    return "strides" if name == "window_shape" else "window_shape"


def _rank(use: Use) -> int | None:
    shape = use.shape() if use.inputs else None
    value = use.arguments.get("value")
    if shape is None and isinstance(value, Array):
        shape = value.shape
    return None if shape is None else len(shape)


def _elements(written: Written) -> list[str] | None:
    """The texts of a window's entries, from a literal sequence or from known numbers."""
    try:
        tree = ast.parse(written.text.strip(), mode="eval").body
    except SyntaxError:
        return None
    if isinstance(tree, ast.Tuple | ast.List) and not any(
        isinstance(e, ast.Starred) for e in tree.elts
    ):
        return [
            ast.get_source_segment(written.text.strip(), element) or "" for element in tree.elts
        ]
    value = written.value
    if isinstance(value, Items) and all(isinstance(item, Constant) for item in value.items):
        return [str(item.value) for item in value.items if isinstance(item, Constant)]
    return None


def _spatial(name: str) -> To:
    """A window or strides without the entries for the batch and the channels."""

    def write(written: Written) -> str:
        rank = _rank(written.use)
        entries = _elements(written)
        if entries is None:
            return _text([_scalar(written)] * _spatial_rank(rank))
        if not entries or entries[-1] != "1":
            raise Declined("a pooling over the channels", "use jax.lax.reduce_window")
        if rank is not None:
            entries = ["1"] * (rank - len(entries)) + entries
        if (
            len(entries) > 2
            and entries[0] == "1"
            and _starts_with_one(written.use, _other(name), rank, len(entries))
        ):
            entries = entries[1:]
        return _text(entries[:-1])

    return To(name, write)


def _scalar(written: Written) -> str:
    """The text of a window that is one number for all dimensions but the first and the channels."""
    if isinstance(written.value, Items) or (
        written.value is None and not written.text.strip().isdigit()
    ):
        raise Declined("the window of a pooling could not be read", _HELP)
    if isinstance(written.value, Constant) and not isinstance(written.value.value, int):
        raise Declined("the window of a pooling could not be read", _HELP)
    return written.text


def _spatial_rank(rank: int | None) -> int:
    if rank is None or rank < 3:
        raise Declined(
            "a window that is one number needs the rank of the pooled array", _HELP, unsized=True
        )
    return rank - 2


def _starts_with_one(use: Use, name: str, rank: int | None, length: int) -> bool:
    """Whether the first axis is left alone by the other argument, too."""
    value = use.arguments.get(name)
    if isinstance(value, Items):
        return (rank is not None and len(value.items) < rank) or (
            bool(value.items) and value.items[0] == _ONE
        )
    return isinstance(value, Constant) or length == 4


def _text(entries: list[str]) -> str:
    return f"({', '.join(entries)}{',' if len(entries) == 1 else ''})"


def _without_padding(written: Written) -> str:
    """The padding of a mean, and that what it adds is not counted."""
    valid = written.constant == "VALID" or written.text.strip("'\" ") == "VALID"
    return written.text if valid else f"{written.text}, count_include_pad=False"


def _pooled(use: Use) -> Value | None:
    """The shape of a pooling's result."""
    value = use.input() if use.inputs else use.arguments.get("value")
    if not isinstance(value, Array) or value.shape is None:
        return None
    rank = len(value.shape)
    window, strides = _full(use, "window_shape", rank), _full(use, "strides", rank)
    padding = use.constant("padding")
    if window is None or strides is None or padding not in ("SAME", "VALID"):
        return Array(
            tuple(use.unknown("the extent of a pooling") for _ in value.shape), value.dtype
        )
    sizes = [
        -(-size // step) if padding == "SAME" else (size - extent) // step + 1
        for size, extent, step in zip(value.shape, window, strides, strict=True)
    ]
    return Array(tuple(sizes), value.dtype)


def _full(use: Use, name: str, rank: int) -> list[Dim] | None:
    given = use.arguments.get(name)
    dims = use.dims(name)
    if dims is None:
        return None
    if len(dims) > rank:
        raise ValueError(f"a window of {len(dims)} entries on {rank} axes")
    if isinstance(given, Items):
        return [*([1] * (rank - len(dims))), *dims]
    return [1, *([dims[0]] * (rank - 2)), 1]


_CHANNELS = Drop(
    (-1,), "channels that are not on the last axis", "move them to the last axis around the pooling"
)
_SIGNATURE = ("window_shape", "strides", "padding", "channel_axis")
_ARGUMENTS: dict[str, Argument] = {
    "value": To("inputs"),
    "window_shape": _spatial("window_shape"),
    "strides": _spatial("strides"),
    "channel_axis": _CHANNELS,
}
_AVERAGE: dict[str, Argument] = {**_ARGUMENTS, "padding": To("padding", _without_padding)}

RULES = (
    Call(
        code="HK451",
        summary="hk.max_pool becomes nnx.max_pool",
        before='x = hk.max_pool(x, (1, 2, 2, 1), (1, 2, 2, 1), "SAME")',
        after='x = nnx.max_pool(x, (2, 2), (2, 2), "SAME")',
        source="haiku.max_pool",
        target="flax.nnx.max_pool",
        signature=("value", *_SIGNATURE),
        arguments=_ARGUMENTS,
        result=_pooled,
    ),
    Call(
        code="HK452",
        summary="hk.avg_pool becomes nnx.avg_pool",
        before='x = hk.avg_pool(x, (1, 2, 2, 1), (1, 2, 2, 1), "SAME")',
        after='x = nnx.avg_pool(x, (2, 2), (2, 2), "SAME", count_include_pad=False)',
        source="haiku.avg_pool",
        target="flax.nnx.avg_pool",
        signature=("value", *_SIGNATURE),
        arguments=_AVERAGE,
        result=_pooled,
    ),
    Layer(
        code="HK453",
        summary="hk.MaxPool becomes a module around nnx.max_pool",
        before='x = hk.MaxPool((2, 2, 1), (2, 2, 1), "SAME")(x)',
        after='self.max_pool = MaxPool((2, 2), (2, 2), "SAME")\nx = self.max_pool(x)',
        source="haiku.MaxPool",
        target="MaxPool",
        helper=True,
        signature=_SIGNATURE,
        arguments=_ARGUMENTS,
        inputs=("value",),
        output=_pooled,
        attribute="max_pool",
        rngs=False,
    ),
    Layer(
        code="HK454",
        summary="hk.AvgPool becomes a module around nnx.avg_pool",
        before='x = hk.AvgPool((2, 2, 1), (2, 2, 1), "SAME")(x)',
        after='self.avg_pool = AvgPool((2, 2), (2, 2), "SAME")\nx = self.avg_pool(x)',
        source="haiku.AvgPool",
        target="AvgPool",
        helper=True,
        signature=_SIGNATURE,
        arguments=_ARGUMENTS,
        inputs=("value",),
        output=_pooled,
        attribute="avg_pool",
        rngs=False,
    ),
)
