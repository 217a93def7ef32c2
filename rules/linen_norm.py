"""Normalisation layers of Linen.

NNX takes the number of features first. Defaults agree (epsilon 1e-6 for layer, group and RMS norms, 1e-5 for batch norm,
momentum 0.99). `use_running_average` is obeyed by `model.train()` and `model.eval()`.
"""

from __future__ import annotations

from ..codemod.rule import Layer, Mode, Refuse, Use, VariableName, axis
from ..codemod.shapes.dims import Dim

SCALE_AND_BIAS = (VariableName("scale", "scale"), VariableName("bias", "bias"))
_RUNNING = Mode("eval", "use_running_average")
_MASK = "inputs", "mask"


def _features(use: Use) -> Dim | None:
    """The size of the axis that scale and bias belong to."""
    shape, at = use.shape(), use.constant("axis", use.constant("feature_axes", -1))
    if shape is None or not isinstance(at, int) or not -len(shape) <= at < len(shape):
        return None
    return shape[at]


_LAYER_NORM = (
    "epsilon",
    "dtype",
    "param_dtype",
    "use_bias",
    "use_scale",
    "bias_init",
    "scale_init",
    "reduction_axes",
    "feature_axes",
    "axis_name",
    "axis_index_groups",
    "use_fast_variance",
    "force_float32_reductions",
)

RULES = (
    Layer(
        code="LN201",
        summary="nn.LayerNorm becomes nnx.LayerNorm",
        before="x = nn.LayerNorm()(x)",
        after="self.layernorm = nnx.LayerNorm(in_features, rngs=rngs)\nx = self.layernorm(x)",
        source="flax.linen.LayerNorm",
        target="flax.nnx.LayerNorm",
        signature=_LAYER_NORM,
        arguments={
            "force_float32_reductions": Refuse(
                "`force_float32_reductions`", "cast around the layer"
            )
        },
        sizes={"num_features": _features},
        leading=("num_features",),
        inputs=("x", "mask"),
        attribute="layernorm",
        variables=SCALE_AND_BIAS,
    ),
    Layer(
        code="LN202",
        summary="nn.RMSNorm becomes nnx.RMSNorm",
        before="x = nn.RMSNorm()(x)",
        after="self.rmsnorm = nnx.RMSNorm(in_features, rngs=rngs)\nx = self.rmsnorm(x)",
        source="flax.linen.RMSNorm",
        target="flax.nnx.RMSNorm",
        signature=(
            "epsilon",
            "dtype",
            "param_dtype",
            "use_scale",
            "scale_init",
            "reduction_axes",
            "feature_axes",
            "axis_name",
            "axis_index_groups",
            "use_fast_variance",
            "force_float32_reductions",
        ),
        arguments={
            "force_float32_reductions": Refuse(
                "`force_float32_reductions`", "cast around the layer"
            )
        },
        sizes={"num_features": _features},
        leading=("num_features",),
        inputs=("x", "mask"),
        attribute="rmsnorm",
        variables=(VariableName("scale", "scale"),),
    ),
    Layer(
        code="LN203",
        summary="nn.GroupNorm becomes nnx.GroupNorm",
        before="x = nn.GroupNorm(num_groups=8)(x)",
        after="self.groupnorm = nnx.GroupNorm(in_features, num_groups=8, rngs=rngs)\nx = self.groupnorm(x)",
        source="flax.linen.GroupNorm",
        target="flax.nnx.GroupNorm",
        signature=(
            "num_groups",
            "group_size",
            "epsilon",
            "dtype",
            "param_dtype",
            "use_bias",
            "use_scale",
            "bias_init",
            "scale_init",
            "reduction_axes",
            "axis_name",
            "axis_index_groups",
            "use_fast_variance",
            "force_float32_reductions",
        ),
        arguments={
            "force_float32_reductions": Refuse(
                "`force_float32_reductions`", "cast around the layer"
            )
        },
        sizes={"num_features": axis()},
        leading=("num_features",),
        inputs=("x", "mask"),
        attribute="groupnorm",
        variables=SCALE_AND_BIAS,
    ),
    Layer(
        code="LN204",
        summary="nn.InstanceNorm becomes nnx.InstanceNorm",
        before="x = nn.InstanceNorm()(x)",
        after="self.instancenorm = nnx.InstanceNorm(in_features, rngs=rngs)\nx = self.instancenorm(x)",
        source="flax.linen.InstanceNorm",
        target="flax.nnx.InstanceNorm",
        signature=(
            "epsilon",
            "dtype",
            "param_dtype",
            "use_bias",
            "use_scale",
            "bias_init",
            "scale_init",
            "feature_axes",
            "axis_name",
            "axis_index_groups",
            "use_fast_variance",
            "force_float32_reductions",
        ),
        arguments={
            "force_float32_reductions": Refuse(
                "`force_float32_reductions`", "cast around the layer"
            )
        },
        sizes={"num_features": _features},
        leading=("num_features",),
        inputs=("x", "mask"),
        attribute="instancenorm",
        variables=SCALE_AND_BIAS,
    ),
    Layer(
        code="LN205",
        summary="nn.BatchNorm becomes nnx.BatchNorm",
        before="x = nn.BatchNorm()(x, use_running_average=not train)",
        after="self.batchnorm = nnx.BatchNorm(in_features, rngs=rngs)\nx = self.batchnorm(x)",
        source="flax.linen.BatchNorm",
        target="flax.nnx.BatchNorm",
        signature=(
            "use_running_average",
            "axis",
            "momentum",
            "epsilon",
            "dtype",
            "param_dtype",
            "use_bias",
            "use_scale",
            "bias_init",
            "scale_init",
            "axis_name",
            "axis_index_groups",
            "use_fast_variance",
            "force_float32_reductions",
        ),
        arguments={
            "use_running_average": _RUNNING,
            "force_float32_reductions": Refuse(
                "`force_float32_reductions`", "cast around the layer"
            ),
        },
        sizes={"num_features": _features},
        leading=("num_features",),
        inputs=("x", "use_running_average", "mask"),
        call={"use_running_average": _RUNNING},
        attribute="batchnorm",
        variables=(
            *SCALE_AND_BIAS,
            VariableName("mean", "mean", "batch_stats"),
            VariableName("var", "var", "batch_stats"),
        ),
        holds=frozenset(("BatchStat",)),
    ),
)
