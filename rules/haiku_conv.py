"""Convolutions of Haiku, channels last: `hk.Conv2D` is `nnx.Conv` with Haiku's weight initialiser."""

from __future__ import annotations

from typing import Any

from ..codemod.rule import Drop, Layer, To, Use, Written, axis, dtype_of
from ..codemod.shapes.values import Array, Value
from .haiku_linear import W_AND_B, WEIGHTS

_SIGNATURE = (
    "output_channels",
    "kernel_shape",
    "stride",
    "rate",
    "padding",
    "with_bias",
    "w_init",
    "b_init",
    "data_format",
    "mask",
    "feature_group_count",
)
_FORMATS = {1: "NWC", 2: "NHWC", 3: "NDHWC"}


def _kernel(rank: int) -> Any:
    """`3` is a kernel of three in each dimension; NNX wants it spelt out."""

    def write(written: Written) -> str:
        size = written.constant
        if isinstance(size, int):
            return f"({', '.join([str(size)] * rank)}{',' if rank == 1 else ''})"
        if use_is_scalar(written):
            return f"({written.text},) * {rank}"
        return written.text

    return write


def use_is_scalar(written: Written) -> bool:
    """Whether a kernel shape is one symbolic number."""
    from ..codemod.shapes.values import Size

    return isinstance(written.value, Size)


def _convolved(rank: int) -> Any:
    def output(use: Use) -> Value | None:
        shape, features = use.shape(), use.dim("output_channels")
        if shape is None or features is None or len(shape) not in (rank + 1, rank + 2):
            return None
        stride = use.constant("stride", 1)
        padding = use.constant("padding", "SAME")
        known = isinstance(stride, int | tuple) and ("stride" not in use.given or use.constant("stride") is not None)
        steps = (stride,) * rank if isinstance(stride, int) else tuple(stride)
        lengths = shape[-rank - 1 : -1]
        if padding == "SAME" and known:
            sizes = tuple(-(-length // step) for length, step in zip(lengths, steps, strict=True))
        elif padding == "VALID" and known and _extents(use, rank) is not None:
            extents = _extents(use, rank) or ()
            sizes = tuple((n - k) // s + 1 for n, k, s in zip(lengths, extents, steps, strict=True))
        else:
            sizes = tuple(use.unknown("the extent of a convolution") for _ in range(rank))
        return Array((*shape[: -rank - 1], *sizes, features), dtype_of(use.input()))

    return output


def _extents(use: Use, rank: int) -> tuple[Any, ...] | None:
    found = use.dims("kernel_shape")
    if found is None:
        return None
    return found * rank if len(found) == 1 else found


def _conv(rank: int) -> Layer:
    return Layer(
        code=f"HK11{rank}",
        summary=f"hk.Conv{rank}D becomes nnx.Conv",
        before=f"x = hk.Conv{rank}D(features, 3)(x)",
        after=(
            f"self.conv = nnx.Conv(in_features, features, ({'3, ' * (rank - 1)}3{',' if rank == 1 else ''}), "
            "kernel_init=haiku_init, rngs=rngs)\nx = self.conv(x)"
        ),
        source=f"haiku.Conv{rank}D",
        target="flax.nnx.Conv",
        signature=_SIGNATURE,
        defaults={"stride": 1, "padding": "SAME"},
        arguments={
            "output_channels": To("out_features"),
            "kernel_shape": To("kernel_size", _kernel(rank)),
            "stride": To("strides"),
            "rate": To("kernel_dilation"),
            "data_format": Drop(
                (_FORMATS[rank],), "channels first", "move the channels to the last axis around the layer"
            ),
            **WEIGHTS,
        },
        sizes={"in_features": axis()},
        leading=("in_features", "out_features"),
        stated={"kernel_init": "haiku_init"},
        output=_convolved(rank),
        attribute="conv",
        variables=W_AND_B,
    )


RULES = tuple(_conv(rank) for rank in (1, 2, 3))
