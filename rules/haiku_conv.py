"""Convolutions of Haiku, channels last.

`hk.Conv2D` and its kin are `nnx.Conv` with Haiku's weight initialiser. A number for a kernel or a pair for a padding
stands for all dimensions in Haiku and is spelt out for NNX. Kernels of transposed convolutions are (..., out, in) in
Haiku and (..., in, out) in NNX. `hk.DepthwiseConv2D` is a convolution with as many groups as input channels.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence

from ..codemod.rule import (
    Declined,
    Drop,
    Heritage,
    Layer,
    Refuse,
    ShapeOf,
    SizeOf,
    To,
    Use,
    VariableName,
    Writer,
    Written,
    axis,
    dtype_of,
)
from ..codemod.shapes.dims import Dim
from ..codemod.shapes.values import (
    WORD,
    Array,
    Constant,
    Either,
    External,
    Items,
    Repeated,
    Size,
    Unknown,
    Value,
    as_dim,
)
from ._channels import with_channels_first
from .haiku_initializers import WEIGHTS
from .haiku_linear import INITIALIZED, NO_PRECISION, W_AND_B, in_float32

Pair = tuple[Dim, Dim]

_FORMATS = {1: "NWC", 2: "NHWC", 3: "NDHWC"}
_LAST = ("channels_last", "N...C")
_BY_HAND = "write the layer by hand with nnx.Conv"
# What hk.pad.* adds on each side of a kernel that spans `k` positions.
_PADS: dict[str, Callable[[int], Pair]] = {
    "valid": lambda k: (0, 0),
    "same": lambda k: ((k - 1) // 2, k // 2),
    "full": lambda k: (k - 1, k - 1),
    "causal": lambda k: (k - 1, 0),
    "reverse_causal": lambda k: (0, k - 1),
}

RankOf = Callable[[Use], int]


def _of_rank(rank: int) -> RankOf:
    return lambda use: rank


def _given_rank(use: Use) -> int:
    """The rank of a ConvND."""
    rank = use.constant("num_spatial_dims")
    if not isinstance(rank, int):
        raise Declined(
            "the number of spatial dimensions could not be read",
            "use hk.Conv1D, hk.Conv2D or hk.Conv3D",
        )
    return rank


# ---- arguments ---------------------------------------------------------------------------------------


def _per_dimension(rank_of: RankOf, what: str, scalars: bool) -> Writer:
    """A number or a sequence of one stands for all dimensions; NNX takes lone numbers where not `scalars`."""

    def write(written: Written) -> str:
        value, rank = written.value, rank_of(written.use)
        if isinstance(value, Items):
            if len(value.items) == 1 and rank > 1:
                return (
                    f"({_inside(written.text)},) * {rank}"
                    if _inside(written.text)
                    else f"tuple({written.text}) * {rank}"
                )
            return written.text
        if not scalars and isinstance(value, Constant | Size):
            return written.text
        if (
            isinstance(value, Constant)
            and isinstance(value.value, int)
            and written.text.strip().isdigit()
        ):
            return f"({', '.join([written.text] * rank)}{',' if rank == 1 else ''})"
        if isinstance(value, Constant | Size):
            return repeated(written.text, rank)
        if not scalars:
            return written.text
        if isinstance(value, Repeated):
            return f"tuple({written.text})"
        if isinstance(value, Unknown) and re.fullmatch(r"[\w.]+", written.text):
            text = written.text
            return f"{repeated(text, rank)} if isinstance({text}, int) else tuple({text})"
        raise Declined(
            f"whether the {what} is a number or a tuple could not be told",
            "annotate it, or write a tuple",
        )

    return write


def repeated(text: str, rank: int) -> str:
    """A tuple that has one value for each dimension."""
    return f"({text},)" if rank == 1 else f"({text},) * {rank}"


def _inside(text: str) -> str | None:
    """The only element of a literal sequence."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return None
    if isinstance(tree, ast.Tuple | ast.List) and len(tree.elts) == 1:
        return ast.get_source_segment(text.strip(), tree.elts[0])
    return None


def _padding(rank_of: RankOf) -> Writer:
    def write(written: Written) -> str:
        value, rank = written.value, rank_of(written.use)
        if isinstance(value, Constant) and isinstance(value.value, str):
            upper = value.value.upper()
            return written.text if upper == value.value else repr(upper)
        options = value.values if isinstance(value, Either) else (value,)
        if all(_is_same_there(option, rank) for option in options) or _is_word(value):
            return written.text
        pairs = _pairs(written.use, rank)
        kernel = _kernel_text(written.use, rank)
        if pairs is None and kernel is not None and _is_field(written):
            return f"haiku_padding({written.text}, {kernel})"
        if pairs is None:
            raise Declined(
                "the padding of a convolution could not be read", "write it as a string or as pairs"
            )
        if all(isinstance(extent, int) for pair in pairs for extent in pair):
            return str(tuple(pairs))
        if isinstance(value, Items) and len(value.items) == 2 and not _are_pairs(value.items):
            return repeated(written.text, rank)
        raise Declined(
            "the padding of a convolution depends on its kernel", "write it as pairs of numbers"
        )

    return write


def _is_same_there(value: Value | None, rank: int) -> bool:
    """Whether NNX takes a padding as it is: a name, or a pair for each dimension."""
    if isinstance(value, Items):
        return len(value.items) == rank and _are_pairs(value.items)
    return value in (Constant("SAME"), Constant("VALID"))


def _is_word(value: Value | None) -> bool:
    return isinstance(value, Unknown) and value.why == WORD


def _is_field(written: Written) -> bool:
    """Whether an argument is something that a constructor was given, and stands there by its name."""
    name = re.fullmatch(r"[\w.]+", written.text) is not None
    return name and isinstance(written.value, Unknown) and written.value.text is not None


def _kernel_text(use: Use, rank: int) -> str | None:
    """The kernel of a convolution without holes, a size for each dimension, as a constructor writes it."""
    value = use.arguments.get("kernel_shape")
    if "rate" in use.arguments:
        return None
    if isinstance(value, Unknown) and value.text is not None:
        each = repeated(value.text, rank)
        return f"{each} if isinstance({value.text}, int) else {value.text}"
    sizes = _spread(use, "kernel_shape", rank, 1)
    known = sizes is not None and all(isinstance(size, int) for size in sizes)
    return str(sizes) if known else None


def _are_pairs(items: Sequence[Value]) -> bool:
    return all(isinstance(item, Items) for item in items)


def _pairs(use: Use, rank: int) -> list[Pair] | None:
    """Explicit padding: a pair, pairs, or functions of hk.pad, as one pair for each dimension."""
    value = use.arguments.get("padding")
    if (
        isinstance(value, Items)
        and len(value.items) == 2
        and not any(isinstance(i, Items | External) for i in value.items)
    ):
        each: Sequence[Value | None] = [value] * rank
    elif isinstance(value, Items):
        each = list(value.items) * (rank if len(value.items) == 1 else 1)
    else:
        each = [value] * rank
    spans = _spans(use, rank)
    if len(each) != rank:
        return None
    pairs = [
        _pair(item, spans[place] if spans is not None else None) for place, item in enumerate(each)
    ]
    return (
        None
        if any(pair is None for pair in pairs)
        else [pair for pair in pairs if pair is not None]
    )


def _pair(value: Value | None, span: Dim | None) -> Pair | None:
    if isinstance(value, External) and value.name.startswith("haiku.pad."):
        pad = _PADS.get(value.name.rpartition(".")[2])
        return None if pad is None or not isinstance(span, int) else pad(span)
    if isinstance(value, Items) and len(value.items) == 2:
        low, high = (as_dim(item) for item in value.items)
        if low is not None and high is not None:
            return (low, high)
    return None


def _named_padding(use: Use) -> str | None:
    """`SAME` or `VALID`, None for other paddings."""
    value = use.arguments.get("padding", Constant("SAME"))
    named = isinstance(value, Constant) and isinstance(value.value, str)
    return str(value.value).upper() if isinstance(value, Constant) and named else None


def _spread(use: Use, name: str, rank: int, default: int) -> tuple[Dim, ...] | None:
    """A size for each dimension from an argument that may be one for all."""
    if name not in use.arguments:
        return (default,) * rank
    found = use.dims(name)
    if found is None:
        return None
    return found * rank if len(found) == 1 else found


def _spans(use: Use, rank: int) -> tuple[Dim, ...] | None:
    """How many positions the kernel spans, holes included."""
    kernel, rate = _spread(use, "kernel_shape", rank, 1), _spread(use, "rate", rank, 1)
    if kernel is None or rate is None:
        return None
    return tuple((size - 1) * step + 1 for size, step in zip(kernel, rate, strict=True))


# ---- shapes --------------------------------------------------------------------------------------------


def _convolved(
    rank_of: RankOf,
    features: SizeOf,
    extents: Callable[[Use, int, tuple[Dim, ...]], tuple[Dim, ...] | None],
) -> ShapeOf:
    def output(use: Use) -> Value | None:
        shape, channels, rank = use.shape(), features(use), rank_of(use)
        if channels is None and features is not _multiplied:
            channels = use.own_features()
        if shape is None or channels is None or len(shape) not in (rank + 1, rank + 2):
            return None
        sizes = extents(use, rank, shape[-rank - 1 : -1])
        if sizes is None:
            sizes = tuple(use.unknown("the extent of a convolution") for _ in range(rank))
        return Array((*shape[: -rank - 1], *sizes, channels), dtype_of(use.input()))

    return output


def _shrunk(use: Use, rank: int, lengths: tuple[Dim, ...]) -> tuple[Dim, ...] | None:
    """The extents after a convolution."""
    steps, spans = _spread(use, "stride", rank, 1), _spans(use, rank)
    padding = _named_padding(use)
    if steps is None:
        return None
    if padding == "SAME":
        return tuple(-(-length // step) for length, step in zip(lengths, steps, strict=True))
    if spans is None:
        return None
    pairs = [(0, 0)] * rank if padding == "VALID" else _pairs(use, rank)
    if pairs is None:
        return None
    return tuple(
        (length + low + high - span) // step + 1
        for length, span, step, (low, high) in zip(lengths, spans, steps, pairs, strict=True)
    )


def _grown(use: Use, rank: int, lengths: tuple[Dim, ...]) -> tuple[Dim, ...] | None:
    """The extents after a transposed convolution."""
    if use.arguments.get("output_shape", Constant(None)) != Constant(None):
        return _spread(use, "output_shape", rank, 1)
    steps, kernel = _spread(use, "stride", rank, 1), _spread(use, "kernel_shape", rank, 1)
    padding = _named_padding(use)
    if steps is None or padding is None:
        return None
    if padding == "SAME":
        return tuple(length * step for length, step in zip(lengths, steps, strict=True))
    if kernel is None or not all(isinstance(size, int) for size in (*kernel, *steps)):
        return None
    return tuple(
        length * step + max(size - step, 0)
        for length, step, size in zip(lengths, steps, kernel, strict=True)
    )


def _argument(name: str) -> SizeOf:
    return lambda use: use.dim(name)


def _multiplied(use: Use) -> Dim | None:
    """The output channels of a depthwise convolution."""
    channels, times = axis()(use), use.dim("channel_multiplier")
    return None if channels is None or times is None else times * channels


# ---- rules ---------------------------------------------------------------------------------------------


def _channels_last(rank: int | None) -> Drop:
    formats = (*_LAST, _FORMATS[rank]) if rank is not None else (*_LAST, *_FORMATS.values())
    return Drop(
        formats,
        "channels that are not on the last axis",
        "move the channels to the last axis around the layer",
    )


def _layer(
    code: str,
    kind: str,
    rank: int | None,
    signature: tuple[str, ...],
    example: tuple[str, str],
    *,
    features: SizeOf,
    arguments: dict[str, To | Drop | Refuse],
    sizes: dict[str, SizeOf],
    transposed: bool = False,
    precision: bool = True,
) -> Layer:
    rank_of = _of_rank(rank) if rank is not None else _given_rank
    dimensions: dict[str, To | Drop | Refuse] = (
        {} if rank is not None else {"num_spatial_dims": Drop()}
    )
    attribute = "conv_transpose" if transposed else "conv"
    target = "ConvTranspose" if transposed else "Conv"
    rule = Layer(
        code=code,
        summary=f"hk.{kind} becomes nnx.{target}",
        before=f"x = {example[0]}(x)",
        after=f"self.{attribute} = {example[1]}\nx = self.{attribute}(x)",
        source=f"haiku.{kind}",
        target=f"flax.nnx.{target}",
        signature=signature if rank is not None else ("num_spatial_dims", *signature),
        arguments={
            **dimensions,
            "kernel_shape": To("kernel_size", _per_dimension(rank_of, "kernel", scalars=True)),
            "stride": To("strides", _per_dimension(rank_of, "stride", scalars=False)),
            "rate": To("kernel_dilation", _per_dimension(rank_of, "rate", scalars=False)),
            "padding": To("padding", _padding(rank_of)),
            "data_format": _channels_last(rank),
            **INITIALIZED,
            **arguments,
        },
        sizes={"in_features": axis(), **sizes},
        leading=("in_features", "out_features"),
        stated={"kernel_init": "haiku_transpose_init" if transposed else "haiku_init"},
        inputs=("inputs", "precision") if precision else ("inputs",),
        call=NO_PRECISION if precision else {},
        output=_convolved(rank_of, features, _grown if transposed else _shrunk),
        attribute=attribute,
        variables=_TRANSPOSED_W_AND_B if transposed else W_AND_B,
        check=in_float32,
        heritage=_heritage(rank) if signature is _SIGNATURE and rank is not None else None,
    )
    return rule if rank is None else with_channels_first(rule)


def _heritage(rank: int) -> Heritage:
    """What subclasses of `hk.Conv2D` and its kin get from it."""
    last = f'{{data_format}} in ("{_FORMATS[rank]}", "channels_last", "N...C")'
    ours = (_FORMATS[rank], _FORMATS[rank][1:-1] + "IO", _FORMATS[rank])
    first = tuple("NC" + s.replace("N", "").replace("C", "") if "N" in s else s for s in ours)
    each = f"{repeated('{0}', rank)} if isinstance({{0}}, int) else tuple({{0}})"
    return Heritage(
        'output_channels, kernel_shape, stride=1, rate=1, padding="SAME", with_bias=True, w_init=None, '
        f'b_init=None, data_format="{_FORMATS[rank]}", mask=None, feature_group_count=1',
        attributes={
            **{
                name: f"{{{name}}}"
                for name in (
                    "output_channels",
                    "with_bias",
                    "w_init",
                    "mask",
                    "feature_group_count",
                )
            },
            "b_init": "{b_init} or {jnp}.zeros",
            "kernel_shape": each.replace("0", "kernel_shape"),
            "stride": each.replace("0", "stride"),
            "kernel_dilation": each.replace("0", "rate"),
            "lhs_dilation": str((1,) * rank),
            "data_format": "{data_format}",
            "channel_index": f"-1 if {last} else 1",
            "dimension_numbers": f"{ours} if {last} else {first}",
            "padding": "{padding}",
        },
    )


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
_TRANSPOSE = (
    "output_channels",
    "kernel_shape",
    "stride",
    "output_shape",
    "padding",
    "with_bias",
    "w_init",
    "b_init",
    "data_format",
    "mask",
)
_DEPTHWISE = (
    "channel_multiplier",
    "kernel_shape",
    "stride",
    "rate",
    "padding",
    "with_bias",
    "w_init",
    "b_init",
    "data_format",
)
_TRANSPOSED_W_AND_B = (
    VariableName("w", "kernel", layout="v.swapaxes(-1, -2)"),
    VariableName("b", "bias"),
)


def _kernel(rank: int) -> str:
    return f"({', '.join(['3'] * rank)}{',' if rank == 1 else ''})"


def _conv(code: str, rank: int | None) -> Layer:
    kind = "ND" if rank is None else f"{rank}D"
    source = f"hk.Conv{kind}({'2, ' if rank is None else ''}features, 3)"
    return _layer(
        code,
        f"Conv{kind}",
        rank,
        _SIGNATURE,
        (
            source,
            f"nnx.Conv(in_features, features, {_kernel(rank or 2)}, kernel_init=haiku_init, rngs=rngs)",
        ),
        features=_argument("output_channels"),
        arguments={"output_channels": To("out_features")},
        sizes={},
    )


def _transposed_weights(written: Written) -> str | None:
    """An initialiser of kernels that Haiku draws as (..., out, in)."""
    text = WEIGHTS(written)
    if text is None:
        return None
    if text in ("nnx.initializers.zeros", "nnx.initializers.ones"):
        return text
    if text.endswith(" or haiku_init"):
        raise Declined("an initialiser that may be None", "give the layer an initialiser, or none")
    return f"transposed({text})"


def _conv_transpose(code: str, rank: int | None) -> Layer:
    kind = "ND" if rank is None else f"{rank}D"
    source = f"hk.Conv{kind}Transpose({'2, ' if rank is None else ''}features, 3, stride=2)"
    target = (
        f"nnx.ConvTranspose(in_features, features, {_kernel(rank or 2)}, strides=2, "
        "kernel_init=haiku_transpose_init, rngs=rngs)"
    )
    return _layer(
        code,
        f"Conv{kind}Transpose",
        rank,
        _TRANSPOSE,
        (source, target),
        features=_argument("output_channels"),
        arguments={
            "output_channels": To("out_features"),
            "w_init": To("kernel_init", _transposed_weights),
            "padding": To(
                "padding", _transposed_padding(_of_rank(rank) if rank is not None else _given_rank)
            ),
            "output_shape": To(
                "padding", _adjusted_padding(_of_rank(rank) if rank is not None else _given_rank)
            ),
            "mask": Refuse(
                "a mask on a transposed convolution",
                "give it to nnx.ConvTranspose with its last axes swapped",
            ),
        },
        sizes={},
        transposed=True,
    )


def _transposed_padding(rank_of: RankOf) -> Writer:
    def write(written: Written) -> str | None:
        if written.use.arguments.get("output_shape", Constant(None)) != Constant(None):
            return None  # `output_shape` says it
        value = written.value
        if _is_word(value) or (isinstance(value, Constant) and value.value in ("SAME", "VALID")):
            return written.text
        if (
            isinstance(value, Items)
            and len(value.items) == rank_of(written.use)
            and _are_pairs(value.items)
        ):
            return written.text
        raise Declined(
            "the padding of a transposed convolution could not be read",
            "write it as a string or as pairs",
        )

    return write


def _adjusted_padding(rank_of: RankOf) -> Writer:
    """The padding that gives a transposed convolution the output shape that is asked for."""

    def write(written: Written) -> str | None:
        if written.value == Constant(None):
            return None
        use = written.use
        rank, shape = rank_of(use), use.shape()
        wanted = _spread(use, "output_shape", rank, 1)
        steps, kernel = _spread(use, "stride", rank, 1), _spread(use, "kernel_shape", rank, 1)
        padding = _named_padding(use)
        lengths = None if shape is None else shape[-rank - 1 : -1]
        known = [wanted, steps, kernel, lengths]
        if any(
            sizes is None or not all(isinstance(size, int) for size in sizes) for sizes in known
        ):
            raise Declined(
                "`output_shape` of a transposed convolution whose sizes could not be told",
                "give nnx.ConvTranspose the padding that leads to it",
                unsized=True,
            )
        each = zip(lengths or (), wanted or (), kernel or (), steps or (), strict=True)
        return str(tuple(_adjusted(i, o, k, s, padding) for i, o, k, s in each))

    return write


def _adjusted(length: int, wanted: int, kernel: int, step: int, padding: object) -> Pair:
    dilated = (length - 1) * step + 1
    before = max(0, dilated - 1 + kernel - wanted) // 2 if padding == "SAME" else 0
    low = kernel - 1 - before
    return low, wanted + kernel - 1 - dilated - low


def _depthwise(code: str, rank: int) -> Layer:
    target = (
        f"nnx.Conv(in_features, in_features, {_kernel(rank)}, feature_group_count=in_features, "
        "kernel_init=haiku_init, rngs=rngs)"
    )
    return _layer(
        code,
        f"DepthwiseConv{rank}D",
        rank,
        _DEPTHWISE,
        (f"hk.DepthwiseConv{rank}D(1, 3)", target),
        features=_multiplied,
        arguments={"channel_multiplier": Drop()},
        sizes={"out_features": _multiplied, "feature_group_count": axis()},
        precision=False,
    )


RULES = (
    *(_conv(f"HK11{rank}", rank) for rank in (1, 2, 3)),
    _conv("HK114", None),
    *(_conv_transpose(f"HK11{rank + 4}", rank) for rank in (1, 2, 3)),
    _conv_transpose("HK118", None),
    *(_depthwise(f"HK12{rank + 5}", rank) for rank in (1, 2, 3)),
    Layer(
        code="HK119",
        summary="hk.SeparableDepthwiseConv2D becomes a module with its two convolutions",
        before="x = hk.SeparableDepthwiseConv2D(1, 3)(x)",
        after="self.conv = SeparableDepthwiseConv(in_features, 1, (3, 3), rngs=rngs)\nx = self.conv(x)",
        source="haiku.SeparableDepthwiseConv2D",
        target="SeparableDepthwiseConv",
        helper=True,
        signature=tuple(name for name in _DEPTHWISE if name != "rate"),
        arguments={
            "kernel_shape": To("kernel_size", _per_dimension(_of_rank(2), "kernel", scalars=True)),
            "stride": To("strides", _per_dimension(_of_rank(2), "stride", scalars=False)),
            "padding": To("padding", _padding(_of_rank(2))),
            "data_format": _channels_last(2),
            **INITIALIZED,
        },
        sizes={"in_features": axis()},
        leading=("in_features", "channel_multiplier", "kernel_size"),
        output=_convolved(_of_rank(2), _multiplied, _shrunk),
        attribute="conv",
        variables=(
            VariableName("depthwise_conv2_d/w", "rows/kernel"),
            VariableName("depthwise_conv2_d_1/w", "columns/kernel"),
            VariableName("depthwise_conv2_d_1/b", "columns/bias"),
        ),
        check=in_float32,
    ),
)
