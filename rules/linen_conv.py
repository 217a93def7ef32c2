"""Convolutions of Linen.

`nnx.Conv` and `nnx.ConvTranspose` take the number of input channels first; everything else keeps its name, its
layout and its default. `nn.ConvLocal`, whose kernels are not shared between places, becomes a small module beside the
code that takes the shape of its input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..codemod.rule import Argument, Declined, Layer, Refuse, ShapeOf, To, Use, axis, dtype_of
from ..codemod.shapes.dims import Dim, same
from ..codemod.shapes.values import WORD, Array, Constant, Items, Shape, Unknown, Value
from ._linen import KERNEL_AND_BIAS, PROMOTE_DTYPE, only

_UNKNOWN = object()


def plain(value: Value | None, default: Any = None) -> Any:
    """A value as numbers, strings and tuples of them, `_UNKNOWN` where only running would tell."""
    match value:
        case None:
            return default
        case Constant(value=constant):
            return default if constant is None else constant
        case Items(items=items):
            parts = tuple(plain(item) for item in items)
            return _UNKNOWN if any(part is _UNKNOWN for part in parts) else parts
    return _UNKNOWN


def _per_axis(value: Any, rank: int) -> Sequence[Any]:
    return (value,) * rank if isinstance(value, int) else tuple(value)


def _padded(padding: Any, rank: int) -> Sequence[tuple[int, int]] | None:
    """Paddings written out as numbers: one for all, one for each axis, or one for each end."""
    if isinstance(padding, str):
        return None
    each = _per_axis(padding, rank)
    return [(p, p) if isinstance(p, int) else tuple(p) for p in each]


def _convolved_by_word(use: Use, lengths: Shape, kernel: Shape) -> Shape | None:
    """`_convolved` for a padding that is a string of the constructor's: of those that jax has, VALID alone pads nothing."""
    match use.arguments.get("padding"):
        case Unknown(text=str() as text, why=why) if why == WORD:
            smaller, others = (
                _convolved(use, lengths, kernel, padding) for padding in ("VALID", "SAME")
            )
            if smaller is None or others is None:
                return None
            test = f' if {text} == "VALID" else '
            return tuple(
                one if same(one, other) else use.computed(("(", one, test, other, ")"))
                for one, other in zip(smaller, others, strict=True)
            )
    return _convolved(use, lengths, kernel, plain(use.arguments.get("padding"), "SAME"))


def _convolved(use: Use, lengths: Shape, kernel: Shape, padding: Any) -> Shape | None:
    """The sizes of the spatial axes after a convolution; None where they cannot be told."""
    rank = len(kernel)
    settings = [_spacing(use, name, rank) for name in _SPACING]
    if any(s is None for s in settings) or padding is _UNKNOWN:
        return None
    strides, spread, dilation = (tuple(setting or ()) for setting in settings)
    explicit = _padded(padding, rank)
    found = []
    for at, length in enumerate(lengths):
        field = (kernel[at] - 1) * dilation[at] + 1
        if padding in ("CIRCULAR", "REFLECT", "CAUSAL"):  # the input grows before it is spread out
            added = field - 1 if padding != "CAUSAL" else dilation[at] * (kernel[at] - 1)
            length = (length + added - 1) * spread[at] + 1
            found.append(_steps(length - field, strides[at]))
            continue
        length = (length - 1) * spread[at] + 1
        if explicit is not None:
            found.append(_steps(length + sum(explicit[at]) - field, strides[at]))
        elif padding == "VALID":
            found.append(_steps(length - field, strides[at]))
        elif padding in ("SAME", "SAME_LOWER"):
            found.append(-(-length // strides[at]))
        else:
            return None
    return tuple(found)


def _spacing(use: Use, name: str, rank: int) -> Shape | None:
    """Strides or dilations, one for each spatial axis; 1 where none is given."""
    if use.arguments.get(name) is None:
        return (1,) * rank
    dims = use.per_axis(name, rank)
    return dims if dims is not None and len(dims) == rank else None


_SPACING = ("strides", "input_dilation", "kernel_dilation")


def _steps(room: Dim, stride: int) -> Dim:
    """How many places a window has that may move by `room`."""
    return room // stride + 1


def _transposed(use: Use, lengths: Shape, kernel: Shape) -> Shape | None:
    """The sizes of the spatial axes after a transposed convolution; None where they cannot be told."""
    rank = len(kernel)
    settings = [plain(use.arguments.get(name), 1) for name in ("strides", "kernel_dilation")]
    padding = plain(use.arguments.get("padding"), "SAME")
    if any(s is _UNKNOWN for s in (*settings, padding)):
        return None
    strides, dilation = (_per_axis(setting, rank) for setting in settings)
    explicit = _padded(padding, rank)
    found = []
    for at, length in enumerate(lengths):
        field = (kernel[at] - 1) * dilation[at] + 1
        if explicit is not None:
            found.append((length - 1) * strides[at] + sum(explicit[at]) - field + 2)
        elif padding in ("SAME", "CIRCULAR"):
            found.append(length * strides[at])
        elif padding == "VALID":
            found.append(length * strides[at] + max(field - strides[at], 0))
        else:
            return None
    return tuple(found)


def convolved(transposed: bool = False) -> ShapeOf:
    """The shape of a convolution's result."""

    def output(use: Use) -> Value | None:
        shape, features = use.shape(), use.dim("features")
        if shape is None:
            return None
        if features is None:
            features = use.own_features()
        kernel = use.dims("kernel_size")
        if isinstance(use.arguments.get("kernel_size"), Unknown):
            kernel = use.per_axis("kernel_size", len(shape) - 2)
        rank = len(kernel) if kernel is not None else len(shape) - 2
        if len(shape) < rank + 1:
            return None
        lengths = shape[len(shape) - rank - 1 : -1]
        sizes = None
        if kernel is not None and not transposed:
            sizes = _convolved_by_word(use, lengths, kernel)
        elif kernel is not None and all(isinstance(size, int) for size in kernel):
            sizes = _transposed(use, lengths, kernel)
        if sizes is None:
            sizes = tuple(use.unknown("the extent of a convolution") for _ in range(rank))
        return Array((*shape[: len(shape) - rank - 1], *sizes, features), dtype_of(use.input()))

    return output


def _place_and_channels(use: Use) -> Shape:
    """The shape of one input of an nn.ConvLocal: each place has a kernel of its own."""
    shape, kernel = use.shape(), use.dims("kernel_size")
    if shape is None or kernel is None or len(shape) < len(kernel) + 1:
        raise Declined(
            "an nn.ConvLocal whose input has a shape that could not be inferred",
            "annotate the shapes: its kernels depend on the places of its input",
            unsized=True,
        )
    return shape[len(shape) - len(kernel) - 1 :]


def _plain_padding(use: Use) -> None:
    padding = plain(use.arguments.get("padding"), "SAME")
    if isinstance(padding, str) and padding not in ("SAME", "VALID"):
        raise Declined(
            f"padding {padding!r} of nn.ConvLocal", "pad the input before the layer and use 'VALID'"
        )


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
_OPERATION: dict[str, Argument] = {
    "promote_dtype": PROMOTE_DTYPE,
    "conv_general_dilated": only("conv_general_dilated", "jax.lax.conv_general_dilated"),
    "conv_general_dilated_cls": Refuse(
        "`conv_general_dilated_cls`", "pass a function as `conv_general_dilated=`"
    ),
}
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

# Code that may make ordinary convolutions as well tells the channels alone: the first call shows the rest.
_HANDED = Layer(
    code="LN113",
    summary="nn.ConvLocal that is handed on becomes a module that makes its kernels at its first call",
    before="Net(conv=nn.ConvLocal)",
    after="Net(conv=LazyConvLocal)",
    source="flax.linen.ConvLocal",
    target="LazyConvLocal",
    helper=True,
    signature=_SIGNATURE,
    arguments={"features": To("out_features"), **_OPERATION},
    sizes={"in_features": axis()},
    leading=("in_features", "out_features"),
    output=convolved(),
    attribute="conv_local",
    variables=KERNEL_AND_BIAS,
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
        arguments={"features": To("out_features"), **_OPERATION},
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
            "self.conv_transpose = nnx.ConvTranspose(\n"
            "    in_features, features, (3, 3), strides=(2, 2), rngs=rngs\n"
            ")\n"
            "x = self.conv_transpose(x)"
        ),
        source="flax.linen.ConvTranspose",
        target="flax.nnx.ConvTranspose",
        signature=_TRANSPOSE,
        arguments={"features": To("out_features"), "promote_dtype": PROMOTE_DTYPE},
        sizes={"in_features": axis()},
        leading=("in_features", "out_features"),
        output=convolved(transposed=True),
        attribute="conv_transpose",
        variables=KERNEL_AND_BIAS,
    ),
    Layer(
        code="LN113",
        summary="nn.ConvLocal becomes a module with the same kernels",
        before="x = nn.ConvLocal(features, (3,))(x)",
        after=(
            "self.conv_local = ConvLocal((length, in_features), features, (3,), rngs=rngs)\n"
            "x = self.conv_local(x)"
        ),
        source="flax.linen.ConvLocal",
        target="ConvLocal",
        helper=True,
        signature=_SIGNATURE,
        defaults={"feature_group_count": 1},
        arguments={
            "feature_group_count": Refuse(
                "groups of features in nn.ConvLocal", "Linen does not have them either"
            ),
            "mask": Refuse("a mask of nn.ConvLocal's kernel", "multiply the kernel by hand"),
            **_OPERATION,
        },
        sizes={"in_shape": lambda use: None},
        told={"in_shape": _place_and_channels},
        leading=("in_shape", "features"),
        output=convolved(),
        attribute="conv_local",
        variables=KERNEL_AND_BIAS,
        check=_plain_padding,
        handed=_HANDED,
    ),
)
