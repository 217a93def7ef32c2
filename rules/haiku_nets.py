"""Networks of Haiku: `hk.nets.MLP`, `hk.nets.ResNet50` and the like become modules beside the code.

Dictionaries of arguments (`bn_config`, `initial_conv_config`) are translated where they are written out.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from ..codemod.rule import (
    Declined,
    Drop,
    Heritage,
    Layer,
    Method,
    Mode,
    Refuse,
    ShapeOf,
    To,
    Use,
    VariableName,
    Writer,
    Written,
    axis,
    dtype_of,
)
from ..codemod.shapes.dims import Dim
from ..codemod.shapes.values import Array, Constant, External, Items, Table, Unknown, Value
from .haiku_initializers import WEIGHTS, ZEROS
from .haiku_linear import in_float32

_DROPOUT = "write the layers out, with nnx.Dropout between them"


def _last_size(use: Use) -> Dim | None:
    sizes = use.arguments.get("output_sizes")
    if isinstance(sizes, Items) and sizes.items:
        return use.to_dim(sizes.items[-1])
    if isinstance(sizes, Unknown) and sizes.text:
        return use.to_dim(Unknown(f"{sizes.text}[-1]"))
    return None


def _output(use: Use) -> Value | None:
    shape, last = use.shape(), _last_size(use)
    if shape is None:
        return None
    return Array(
        (*shape[:-1], use.unknown("the last size of an MLP") if last is None else last),
        dtype_of(use.input()),
    )


def _check(use: Use) -> None:
    in_float32(use)
    sizes = use.arguments.get("output_sizes")
    if isinstance(sizes, Items) and not sizes.items:
        raise Declined("hk.nets.MLP without layers", "remove it: it returns its input")


# ---- networks for images -------------------------------------------------------------------------------

_TRAINING = Mode("train", "use_running_average", negated=True)
_NORM_NAMES = {
    "decay_rate": "momentum",
    "eps": "epsilon",
    "create_scale": "use_scale",
    "create_offset": "use_bias",
    "cross_replica_axis": "axis_name",
}
_CONV_NAMES = {
    "output_channels": "out_features",
    "kernel_shape": "kernel_size",
    "stride": "strides",
    "padding": "padding",
    "with_bias": "use_bias",
}


def _configuration(names: Mapping[str, str], options: str = "") -> Writer:
    """A dictionary of arguments that is written out, with the arguments' names in NNX.

    Others go through the helper `options`, if there is one.
    """

    def write(written: Written) -> str | None:
        if written.value == Constant(None):
            return None
        entries = _entries(written.text.strip())
        if options and entries is None:
            return f"{options}({written.text.strip()})"
        if entries is None or not entries.keys() <= names.keys():
            raise Declined(
                "arguments in a dictionary that could not be read",
                "write the dictionary out in the call",
            )
        if "kernel_shape" in entries and entries["kernel_shape"].isdigit():
            entries["kernel_shape"] = f"({entries['kernel_shape']}, {entries['kernel_shape']})"
        return f"dict({', '.join(f'{names[name]}={text}' for name, text in entries.items())})"

    return write


def _entries(text: str) -> dict[str, str] | None:
    """The texts of `dict(a=1)` or `{"a": 1}` by name."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
    match tree:
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
            pairs = [(keyword.arg, keyword.value) for keyword in keywords]
        case ast.Dict(keys=keys, values=values):
            pairs = [
                (
                    key.value
                    if isinstance(key, ast.Constant) and isinstance(key.value, str)
                    else None,
                    value,
                )
                for key, value in zip(keys, values, strict=True)
            ]
        case _:
            return None
    found = {
        name: ast.get_source_segment(text, value) or "" for name, value in pairs if name is not None
    }
    return found if len(found) == len(pairs) else None


def _logits(classes: str) -> ShapeOf:
    def shape(use: Use) -> Value | None:
        images, size = use.shape(), use.dim(classes)
        if images is None:
            return None
        return Array(
            (images[0], use.unknown("the number of classes") if size is None else size), "float32"
        )

    return shape


def _normalized(source: str, target: str) -> tuple[VariableName, ...]:
    """The variables of a batch norm."""
    return (
        VariableName(f"{source}/scale", f"{target}/scale", layout="v.reshape(shape)"),
        VariableName(f"{source}/offset", f"{target}/bias", layout="v.reshape(shape)"),
        *(
            VariableName(
                f"{source}/{moment}_ema/{leaf}",
                f"{target}/{moment}_ema/{leaf}",
                "state",
                "v.reshape(shape)",
            )
            for moment in ("mean", "var")
            for leaf in ("hidden", "average", "counter")
        ),
    )


def _weighted(source: str, target: str) -> tuple[VariableName, ...]:
    """The variables of a linear layer or a convolution."""
    return (
        VariableName(f"{source}/w", f"{target}/kernel"),
        VariableName(f"{source}/b", f"{target}/bias"),
    )


_BLOCK, _OUR_BLOCK = "block_group_{i}/block_{j}", "block_groups[{i}][{j}]"
_RESIDUAL = (
    *_weighted("initial_conv", "initial_conv"),
    *_normalized("initial_batchnorm", "initial_batchnorm"),
    *_weighted(f"{_BLOCK}/shortcut_conv", f"{_OUR_BLOCK}/shortcut_conv"),
    *_normalized(f"{_BLOCK}/shortcut_batchnorm", f"{_OUR_BLOCK}/shortcut_batchnorm"),
    *_weighted(f"{_BLOCK}/conv_{{k}}", f"{_OUR_BLOCK}/convs[{{k}}]"),
    *_normalized(f"{_BLOCK}/batchnorm_{{k}}", f"{_OUR_BLOCK}/batchnorms[{{k}}]"),
    *_normalized("final_batchnorm", "final_batchnorm"),
    *_weighted("logits", "logits"),
)


def _mobile_block(source: str, target: str) -> tuple[VariableName, ...]:
    return (
        *_weighted(f"{source}/depthwise_conv", f"{target}/depthwise_conv"),
        *_weighted(f"{source}/pointwise_conv", f"{target}/pointwise_conv"),
        *_normalized(f"{source}/batch_norm", f"{target}/batch_norm1"),
        *_normalized(f"{source}/batch_norm_1", f"{target}/batch_norm2"),
    )


_REST = ("logits_config", "name", "initial_conv_config", "strides")


def _resnet(code: str, name: str) -> Layer:
    whole = name == "ResNet"
    signature: tuple[str, ...] = ("num_classes", "bn_config", "resnet_v2", *_REST)
    if whole:
        depths = ("bottleneck", "channels_per_group", "use_projection")
        signature = ("blocks_per_group", *signature[:3], *depths, *_REST)
    sizes = "[3, 4, 6, 3], " if whole else ""
    attribute = "res_net" + name.removeprefix("ResNet")
    return Layer(
        code=code,
        summary=f"hk.nets.{name} becomes a module with the same layers",
        before=f"x = hk.nets.{name}({sizes}1000)(images, is_training)",
        after=f"self.{attribute} = {name}(in_features, {sizes}1000, rngs=rngs)\nx = self.{attribute}(images)",
        source=f"haiku.nets.{name}",
        target=name,
        helper=True,
        signature=signature,
        arguments={
            "bn_config": To("bn_config", _configuration(_NORM_NAMES)),
            "initial_conv_config": To("initial_conv_config", _configuration(_CONV_NAMES)),
            "logits_config": Drop(
                (None,),
                "arguments of the last layer of a network",
                "replace `logits` after construction",
            ),
        },
        sizes={"in_features": axis()},
        leading=("in_features", *(("blocks_per_group",) if whole else ()), "num_classes"),
        inputs=("inputs", "is_training", "test_local_stats"),
        call={"is_training": _TRAINING, "test_local_stats": To("local_stats")},
        output=_logits("num_classes"),
        attribute=attribute,
        variables=_RESIDUAL,
        holds=frozenset(("BatchStat",)),
        check=in_float32,
    )


def _blocks(use: Use) -> Value | None:
    """What a group of residual blocks returns: its first block has the stride."""
    images, channels = use.shape(), use.dim("channels")
    if channels is None:
        channels = use.unknown("the channels of a group of blocks")
    if images is None or len(images) != 4:
        return Array(None, "float32", last=channels)
    strides = use.per_axis("stride", 2)
    if strides is None or len(strides) != 2:
        strides = tuple(use.unknown("the size of an image") for _ in images[1:3])
        return Array((images[0], *strides, channels), "float32")
    extents = (-(-size // stride) for size, stride in zip(images[1:3], strides, strict=True))
    return Array((images[0], *extents, channels), "float32")


_IN_GROUP, _OUR_GROUP = "block_{j}", "blocks[{j}]"
_GROUP = Layer(
    code="HK148",
    summary="hk.nets.ResNet.BlockGroup becomes a module with the same blocks",
    before="x = hk.nets.ResNet.BlockGroup(64, 2, 1, {}, False, True, True)(x, is_training, False)",
    after="self.block_group = ResNetBlockGroup(\n"
    "    in_features, 64, 2, stride=1, bn_config=dict(), resnet_v2=False, bottleneck=True, use_projection=True, rngs=rngs\n"
    ")\n"
    "x = self.block_group(x)",
    source="haiku.nets.ResNet.BlockGroup",
    target="ResNetBlockGroup",
    helper=True,
    signature=(
        *("channels", "num_blocks", "stride", "bn_config"),
        *("resnet_v2", "bottleneck", "use_projection"),
    ),
    arguments={"bn_config": To("bn_config", _configuration(_NORM_NAMES, "norm_options"))},
    sizes={"in_features": axis()},
    leading=("in_features", "channels", "num_blocks"),
    inputs=("inputs", "is_training", "test_local_stats"),
    call={"is_training": _TRAINING, "test_local_stats": To("local_stats")},
    output=_blocks,
    attribute="block_group",
    variables=(
        *_weighted(f"{_IN_GROUP}/shortcut_conv", f"{_OUR_GROUP}/shortcut_conv"),
        *_normalized(f"{_IN_GROUP}/shortcut_batchnorm", f"{_OUR_GROUP}/shortcut_batchnorm"),
        *_weighted(f"{_IN_GROUP}/conv_{{k}}", f"{_OUR_GROUP}/convs[{{k}}]"),
        *_normalized(f"{_IN_GROUP}/batchnorm_{{k}}", f"{_OUR_GROUP}/batchnorms[{{k}}]"),
    ),
    holds=frozenset(("BatchStat",)),
    check=in_float32,
)


# ---- vector quantisation -------------------------------------------------------------------------------


_SPACE = ("embedding_dim", "num_embeddings", "commitment_cost")


def _float32(written: Written) -> None:
    value = written.value
    if not (isinstance(value, External) and value.name in ("jax.numpy.float32", "numpy.float32")):
        raise Declined("a dtype for vectors", "write the quantiser by hand")


def _quantized(use: Use) -> Value | None:
    inputs, count = use.shape(), use.dim("num_embeddings")
    if inputs is None:
        return None
    rows: Dim = 1
    for size in inputs[:-1]:
        rows = rows * size
    count = use.unknown("the number of vectors") if count is None else count
    table = Array((rows, count), "float32")
    return Table(
        {
            "quantize": Array(inputs, "float32"),
            "loss": Array((), "float32"),
            "perplexity": Array((), "float32"),
            "encodings": table,
            "encoding_indices": Array(inputs[:-1], "int32"),
            "distances": table,
        }
    )


def _looked_up(use: Use) -> Value | None:
    indices, width = use.shape(), use.dim("embedding_dim")
    return None if indices is None or width is None else Array((*indices, width), "float32")


def _quantiser(
    code: str,
    name: str,
    signature: tuple[str, ...],
    training: Mode,
    variables: tuple[VariableName, ...],
) -> Layer:
    averaged = "decay" in signature
    shown = "64, 512, 0.25" + (", 0.99" if averaged else "")
    return Layer(
        code=code,
        summary=f"hk.nets.{name} becomes a module with the same vectors",
        before=f"out = hk.nets.{name}({shown})(x, is_training)",
        after=f"self.vector_quantizer = {name}({shown}, rngs=rngs)\nout = self.vector_quantizer(x)",
        source=f"haiku.nets.{name}",
        target=name,
        helper=True,
        signature=(*_SPACE, *signature),
        arguments={"dtype": To("dtype", _float32), "cross_replica_axis": To("axis_name")},
        leading=(*_SPACE, *(("decay",) if averaged else ())),
        inputs=("inputs", "is_training"),
        call={"is_training": training},
        output=_quantized,
        methods={"quantize": Method(_looked_up, ("encoding_indices",))},
        attribute="vector_quantizer",
        variables=variables,
        holds=frozenset(("BatchStat",)) if averaged else frozenset(),
        check=in_float32,
    )


RULES = (
    Layer(
        code="HK131",
        summary="hk.nets.MLP becomes a module with the same layers",
        before="x = hk.nets.MLP([32, 10])(x)",
        after="self.mlp = MLP(in_features, [32, 10], rngs=rngs)\nx = self.mlp(x)",
        source="haiku.nets.MLP",
        target="MLP",
        helper=True,
        signature=("output_sizes", "w_init", "b_init", "with_bias", "activation", "activate_final"),
        arguments={
            "w_init": To("kernel_init", WEIGHTS),
            "b_init": To("bias_init", ZEROS),
            "with_bias": To("use_bias"),
        },
        sizes={"in_features": axis()},
        leading=("in_features", "output_sizes"),
        inputs=("inputs", "dropout_rate", "rng"),
        call={
            "dropout_rate": Refuse("dropout inside hk.nets.MLP", _DROPOUT),
            "rng": Refuse("a key given to hk.nets.MLP", _DROPOUT),
        },
        output=_output,
        attribute="mlp",
        variables=(
            VariableName("linear_{i}/w", "linears[{i}]/kernel"),
            VariableName("linear_{i}/b", "linears[{i}]/bias"),
        ),
        check=_check,
        heritage=Heritage(
            "output_sizes, w_init=None, b_init=None, with_bias=True, activation=jax.nn.relu, activate_final=False",
            attributes={
                "with_bias": "{with_bias}",
                "w_init": "{w_init}",
                "b_init": "{b_init}",
                "activation": "{activation}",
                "activate_final": "{activate_final}",
            },
        ),
    ),
    *(
        _resnet(f"HK14{place}", f"ResNet{depth}")
        for place, depth in enumerate(("", "18", "34", "50", "101", "152", "200"))
    ),
    _GROUP,
    Layer(
        code="HK147",
        summary="hk.nets.MobileNetV1 becomes a module with the same layers",
        before="x = hk.nets.MobileNetV1(num_classes=10)(images, is_training)",
        after="self.mobile_net_v1 = MobileNetV1(in_features, num_classes=10, rngs=rngs)\nx = self.mobile_net_v1(images)",
        source="haiku.nets.MobileNetV1",
        target="MobileNetV1",
        helper=True,
        signature=("strides", "channels", "num_classes", "use_bn"),
        defaults={"num_classes": 1000},
        sizes={"in_features": axis()},
        leading=("in_features",),
        inputs=("inputs", "is_training"),
        call={"is_training": _TRAINING},
        output=_logits("num_classes"),
        attribute="mobile_net_v1",
        variables=(
            *_weighted("conv2_d", "conv"),
            *_normalized("batch_norm", "batch_norm"),
            *_mobile_block("mobile_net_v1_block", "blocks[0]"),
            *_mobile_block("mobile_net_v1_block_{i}", "blocks[{i}]"),
            *_weighted("logits", "logits"),
        ),
        holds=frozenset(("BatchStat",)),
        check=in_float32,
    ),
    _quantiser(
        "HK151",
        "VectorQuantizer",
        ("dtype", "name", "cross_replica_axis"),
        Mode("train"),
        (VariableName("embeddings", "embeddings"),),
    ),
    _quantiser(
        "HK152",
        "VectorQuantizerEMA",
        ("decay", "epsilon", "dtype", "cross_replica_axis"),
        _TRAINING,
        (
            VariableName("embeddings", "embeddings", "state"),
            *(
                VariableName(f"{average}/{leaf}", f"{average}/{leaf}", "state")
                for average in ("ema_cluster_size", "ema_dw")
                for leaf in ("hidden", "average", "counter")
            ),
        ),
    ),
)
