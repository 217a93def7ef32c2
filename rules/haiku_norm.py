"""Normalisation layers of Haiku.

Haiku's epsilon is 1e-5 and its variance is computed in two passes. `hk.BatchNorm` keeps moving averages that are
corrected for their start at zero: a small module beside the code does the same.
"""

from __future__ import annotations

from ..codemod.rule import Drop, Layer, Mode, Refuse, To, Use, VariableName, Written, axis
from ..codemod.shapes.dims import Dim
from .haiku_linear import initializer

SCALE_AND_OFFSET = (VariableName("scale", "scale"), VariableName("offset", "bias"))


def _flag(written: Written) -> str | None:
    """`create_scale=True` is NNX's default."""
    return None if written.constant is True else written.text


def _features(use: Use) -> Dim | None:
    shape = use.shape()
    return None if shape is None else shape[-1]


_AVERAGES = tuple(
    VariableName(f"{moment}_ema/{leaf}", f"{moment}_ema/{leaf}", "state")
    for moment in ("mean", "var")
    for leaf in ("hidden", "average", "counter")
)

RULES = (
    Layer(
        code="HK201",
        summary="hk.LayerNorm becomes nnx.LayerNorm",
        before="x = hk.LayerNorm(axis=-1, create_scale=True, create_offset=True)(x)",
        after=(
            "self.layer_norm = nnx.LayerNorm(in_features, epsilon=1e-5, use_fast_variance=False, rngs=rngs)\n"
            "x = self.layer_norm(x)"
        ),
        source="haiku.LayerNorm",
        target="flax.nnx.LayerNorm",
        signature=(
            "axis",
            "create_scale",
            "create_offset",
            "eps",
            "scale_init",
            "offset_init",
            "use_fast_variance",
            "name",
            "param_axis",
        ),
        arguments={
            "axis": Drop((-1,), "a layer norm over other axes than the last", "use `reduction_axes=` by hand"),
            "create_scale": To("use_scale", _flag),
            "create_offset": To("use_bias", _flag),
            "eps": To("epsilon"),
            "scale_init": To("scale_init", initializer),
            "offset_init": To("bias_init", initializer),
            "param_axis": Drop((-1, None), "parameters on another axis", "use `feature_axes=` by hand"),
        },
        sizes={"num_features": _features},
        leading=("num_features",),
        stated={"epsilon": "1e-5", "use_fast_variance": "False"},
        inputs=("inputs", "scale", "offset"),
        call={
            "scale": Refuse("a scale given in the call", "multiply the result by it"),
            "offset": Refuse("an offset given in the call", "add it to the result"),
        },
        attribute="layer_norm",
        variables=SCALE_AND_OFFSET,
    ),
    Layer(
        code="HK202",
        summary="hk.RMSNorm becomes nnx.RMSNorm",
        before="x = hk.RMSNorm(axis=-1)(x)",
        after="self.rms_norm = nnx.RMSNorm(in_features, epsilon=1e-5, rngs=rngs)\nx = self.rms_norm(x)",
        source="haiku.RMSNorm",
        target="flax.nnx.RMSNorm",
        signature=("axis", "eps", "scale_init", "name", "create_scale", "param_axis"),
        arguments={
            "axis": Drop((-1,), "an RMS norm over other axes than the last", "use `reduction_axes=` by hand"),
            "eps": To("epsilon"),
            "create_scale": To("use_scale", _flag),
            "scale_init": To("scale_init", initializer),
            "param_axis": Drop((-1, None), "parameters on another axis", "use `feature_axes=` by hand"),
        },
        sizes={"num_features": axis()},
        leading=("num_features",),
        stated={"epsilon": "1e-5"},
        attribute="rms_norm",
        variables=(VariableName("scale", "scale"),),
    ),
    Layer(
        code="HK203",
        summary="hk.GroupNorm becomes nnx.GroupNorm",
        before="x = hk.GroupNorm(groups=4)(x)",
        after=(
            "self.group_norm = nnx.GroupNorm(in_features, num_groups=4, epsilon=1e-5, use_fast_variance=False, rngs=rngs)\n"
            "x = self.group_norm(x)"
        ),
        source="haiku.GroupNorm",
        target="flax.nnx.GroupNorm",
        signature=(
            "groups",
            "axis",
            "create_scale",
            "create_offset",
            "eps",
            "scale_init",
            "offset_init",
            "data_format",
        ),
        arguments={
            "groups": To("num_groups"),
            "axis": Refuse("a group norm over chosen axes", "use `reduction_axes=` by hand"),
            "create_scale": To("use_scale", _flag),
            "create_offset": To("use_bias", _flag),
            "eps": To("epsilon"),
            "scale_init": To("scale_init", initializer),
            "offset_init": To("bias_init", initializer),
            "data_format": Drop(("channels_last", "NHWC", "NWC", "N...C"), "channels first", "move the channels last"),
        },
        sizes={"num_features": axis()},
        leading=("num_features", "num_groups"),
        stated={"epsilon": "1e-5", "use_fast_variance": "False"},
        attribute="group_norm",
        variables=SCALE_AND_OFFSET,
    ),
    Layer(
        code="HK205",
        summary="hk.BatchNorm becomes a module with the same averages",
        before="x = hk.BatchNorm(True, True, 0.99)(x, is_training)",
        after="self.batch_norm = BatchNorm(in_features, momentum=0.99, rngs=rngs)\nx = self.batch_norm(x)",
        source="haiku.BatchNorm",
        target="BatchNorm",
        helper=True,
        signature=(
            "create_scale",
            "create_offset",
            "decay_rate",
            "eps",
            "scale_init",
            "offset_init",
            "axis",
            "cross_replica_axis",
            "cross_replica_axis_index_groups",
            "data_format",
        ),
        arguments={
            "create_scale": To("use_scale", _flag),
            "create_offset": To("use_bias", _flag),
            "decay_rate": To("momentum"),
            "eps": To("epsilon"),
            "scale_init": To("scale_init", initializer),
            "offset_init": To("bias_init", initializer),
            "axis": Refuse("a batch norm over chosen axes", "reshape around the layer"),
            "cross_replica_axis": To("axis_name"),
            "cross_replica_axis_index_groups": Refuse("groups of replicas", "normalise by hand"),
            "data_format": Drop(("channels_last", "NHWC", "NWC", "N...C"), "channels first", "move the channels last"),
        },
        sizes={"num_features": axis()},
        leading=("num_features",),
        inputs=("inputs", "is_training", "test_local_stats", "scale", "offset"),
        call={
            "is_training": Mode("train", "use_running_average", negated=True),
            "test_local_stats": Drop((False,), "local statistics in evaluation", "call the layer in training mode"),
            "scale": Refuse("a scale given in the call", "multiply the result by it"),
            "offset": Refuse("an offset given in the call", "add it to the result"),
        },
        attribute="batch_norm",
        variables=(*SCALE_AND_OFFSET, *_AVERAGES),
        holds=frozenset(("BatchStat",)),
    ),
)
