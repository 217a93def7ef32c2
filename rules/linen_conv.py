"""Convolutions of Linen.

`nnx.Conv` and `nnx.ConvTranspose` take the number of input channels first; everything else keeps its name, its
layout and its default.
"""

from __future__ import annotations

from typing import Any

from ..codemod.rule import Layer, Refuse, To, Use, VariableName, axis, dtype_of
from ..codemod.shapes.dims import Dim
from ..codemod.shapes.values import Array, Constant, Items, Value
from .linen_dense import KERNEL_AND_BIAS


def spatial_sizes(use: Use, transposed: bool = False) -> tuple[Dim, ...] | None:
    """The sizes of the spatial axes after a convolution, None where they cannot be told."""
    import jax

    shape, kernel = use.shape(), use.dims("kernel_size")
    strides = use.constant("strides", 1)
    padding = use.constant("padding", "SAME")
    if (
        shape is None
        or kernel is None
        or ("strides" in use.given and use.constant("strides") is None)
    ):
        return None
    rank = len(kernel)
    if len(shape) < rank + 1:
        return None
    lengths = shape[-rank - 1 : -1]
    steps = (strides,) * rank if isinstance(strides, int) else tuple(strides or (1,) * rank)
    if padding == "SAME" and not transposed:
        return tuple(-(-length // step) for length, step in zip(lengths, steps, strict=True))
    if not isinstance(padding, str) or not all(isinstance(size, int) for size in kernel):
        return None
    spec = jax.ShapeDtypeStruct((1, *lengths, 1), "float32")
    weights = jax.ShapeDtypeStruct((*kernel, 1, 1), "float32")
    letters = "".join("DHW"[3 - rank :])
    numbers = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
    function: Any = jax.lax.conv_transpose if transposed else jax.lax.conv_general_dilated
    result = jax.eval_shape(
        lambda x, w: function(x, w, steps, padding, dimension_numbers=numbers), spec, weights
    )
    return tuple(result.shape[1:-1])


def convolved(transposed: bool = False) -> Any:
    """The shape of a convolution's result."""

    def output(use: Use) -> Value | None:
        shape, features, kernel = use.shape(), use.dim("features"), use.dims("kernel_size")
        if shape is None or features is None:
            return None
        rank = len(kernel) if kernel is not None else len(shape) - 2
        if len(shape) < rank + 1:
            return None
        dilated = any(
            isinstance(use.arguments.get(n), Constant | Items)
            for n in ("input_dilation", "kernel_dilation")
        )
        sizes = None if dilated else spatial_sizes(use, transposed)
        if sizes is None:
            sizes = tuple(use.unknown("the extent of a convolution") for _ in range(rank))
        return Array((*shape[: -rank - 1], *sizes, features), dtype_of(use.input()))

    return output


_SIGNATURE = (
    "features",
    "kernel_size",
    "strides",
    "padding",
    "input_dilation",
    "kernel_dilation",
    "feature_group_count",
    "use_bias",
    "mask",
    "dtype",
    "param_dtype",
    "precision",
    "kernel_init",
    "bias_init",
    "promote_dtype",
    "conv_general_dilated",
    "conv_general_dilated_cls",
)
_TRANSPOSE = (
    "features",
    "kernel_size",
    "strides",
    "padding",
    "kernel_dilation",
    "use_bias",
    "mask",
    "dtype",
    "param_dtype",
    "precision",
    "kernel_init",
    "bias_init",
    "transpose_kernel",
    "promote_dtype",
    "preferred_element_type",
)

RULES = (
    Layer(
        code="LN111",
        summary="nn.Conv becomes nnx.Conv",
        before="x = nn.Conv(features, (3, 3))(x)",
        after="self.conv = nnx.Conv(in_features, features, (3, 3), rngs=rngs)\nx = self.conv(x)",
        source="flax.linen.Conv",
        target="flax.nnx.Conv",
        signature=_SIGNATURE,
        arguments={
            "features": To("out_features"),
            "conv_general_dilated_cls": Refuse(
                "`conv_general_dilated_cls`", "pass `conv_general_dilated=`"
            ),
        },
        sizes={"in_features": axis()},
        leading=("in_features", "out_features"),
        output=convolved(),
        attribute="conv",
        variables=KERNEL_AND_BIAS,
    ),
    Layer(
        code="LN112",
        summary="nn.ConvTranspose becomes nnx.ConvTranspose",
        before="x = nn.ConvTranspose(features, (3, 3), strides=(2, 2))(x)",
        after=(
            "self.conv_transpose = nnx.ConvTranspose(in_features, features, (3, 3), strides=(2, 2), rngs=rngs)\n"
            "x = self.conv_transpose(x)"
        ),
        source="flax.linen.ConvTranspose",
        target="flax.nnx.ConvTranspose",
        signature=_TRANSPOSE,
        arguments={"features": To("out_features")},
        sizes={"in_features": axis()},
        leading=("in_features", "out_features"),
        output=convolved(transposed=True),
        attribute="conv_transpose",
        variables=(VariableName("kernel", "kernel"), VariableName("bias", "bias")),
    ),
)
