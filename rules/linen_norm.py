"""Normalisation layers of Linen.

NNX takes the number of features first. Defaults agree (epsilon 1e-6 for layer, group, instance and RMS norms, 1e-5 for
batch norm, momentum 0.99). `use_running_average` is obeyed by `model.train()` and `model.eval()`.

In half precision Linen takes the statistics before it casts, NNX casts first: where `dtype` is a half one, the emitted
layer is told to keep what it is given (`promote_dtype=keep_dtypes`), which makes it equal bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable

from ..codemod.rule import Declined, Layer, Mode, Refuse, SizeOf, Use, VariableName, axis
from ..codemod.shapes.dims import Dim
from ..codemod.shapes.values import Constant
from ._linen import SCALE_AND_BIAS, is_half, is_known

_RUNNING = Mode("eval", "use_running_average")
_ARGUMENTS = {
    "force_float32_reductions": Refuse(
        "statistics in half precision (`force_float32_reductions=False`)",
        "leave them in float32, as nnx always does, or normalise by hand",
    ),
}
_DEFAULTS = {"force_float32_reductions": True}
_COMMON = ("axis_name", "axis_index_groups", "use_fast_variance", "force_float32_reductions")


def _features(name: str) -> SizeOf:
    """The size of the one axis that scale and bias belong to."""

    def size(use: Use) -> Dim | None:
        shape = use.shape()
        at = _single(use, name)
        if shape is None or at is None or not -len(shape) <= at < len(shape):
            return None
        return shape[at]

    return size


def _single(use: Use, name: str) -> int | None:
    at = use.constant(name)
    if isinstance(at, tuple) and len(at) == 1:
        at = at[0]
    return at if isinstance(at, int) else None


def _one_axis(name: str) -> Callable[[Use], None]:
    def check(use: Use) -> None:
        if is_known(use, name) and _single(use, name) is None:
            raise Declined(
                f"scale and bias over several axes (`{name}`)",
                "reshape these axes into the last one around the layer",
            )

    return check


def _all_axes_reduced(use: Use) -> None:
    """NNX spreads the statistics of groups over axis 1: right only where all axes but the batch's are reduced."""
    if use.arguments.get("reduction_axes", Constant(None)) == Constant(None):
        return
    shape, axes = use.shape(), use.constant("reduction_axes")
    axes = (axes,) if isinstance(axes, int) else axes
    if (
        shape is None
        or axes is None
        or sorted(a % len(shape) for a in axes) != [*range(1, len(shape))]
    ):
        raise Declined(
            "an nn.GroupNorm with chosen `reduction_axes`, which nnx.GroupNorm gets wrong",
            "fold the axes that are kept into the batch axis around the layer",
        )


def _keeps_dtypes(use: Use) -> str | None:
    return "keep_dtypes" if is_half(use.arguments.get("dtype")) else None


RULES = (
    Layer(
        code="LN201",
        summary="nn.LayerNorm becomes nnx.LayerNorm",
        before="x = nn.LayerNorm()(x)",
        after=("self.layernorm = nnx.LayerNorm(in_features, rngs=rngs)\nx = self.layernorm(x)"),
        source="flax.linen.LayerNorm",
        target="flax.nnx.LayerNorm",
        signature=(
            "epsilon",
            "dtype",
            "param_dtype",
            "use_bias",
            "use_scale",
            "bias_init",
            "scale_init",
            "reduction_axes",
            "feature_axes",
            *_COMMON,
        ),
        defaults={"feature_axes": -1, **_DEFAULTS},
        arguments={**_ARGUMENTS},
        sizes={"num_features": _features("feature_axes")},
        told={"promote_dtype": _keeps_dtypes},
        leading=("num_features",),
        inputs=("x", "mask"),
        attribute="layernorm",
        variables=SCALE_AND_BIAS,
        check=_one_axis("feature_axes"),
    ),
    Layer(
        code="LN202",
        summary="nn.RMSNorm becomes nnx.RMSNorm",
        before="x = nn.RMSNorm()(x)",
        after=("self.rmsnorm = nnx.RMSNorm(in_features, rngs=rngs)\nx = self.rmsnorm(x)"),
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
            *_COMMON,
        ),
        defaults={"feature_axes": -1, **_DEFAULTS},
        arguments={**_ARGUMENTS},
        sizes={"num_features": _features("feature_axes")},
        told={"promote_dtype": _keeps_dtypes},
        leading=("num_features",),
        inputs=("x", "mask"),
        attribute="rmsnorm",
        variables=(VariableName("scale", "scale"),),
        check=_one_axis("feature_axes"),
    ),
    Layer(
        code="LN203",
        summary="nn.GroupNorm becomes nnx.GroupNorm",
        before="x = nn.GroupNorm(num_groups=8)(x)",
        after=(
            "self.groupnorm = nnx.GroupNorm(in_features, num_groups=8, rngs=rngs)\n"
            "x = self.groupnorm(x)"
        ),
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
            *_COMMON,
        ),
        defaults={**_DEFAULTS},
        arguments={**_ARGUMENTS},
        sizes={"num_features": axis()},
        told={"promote_dtype": _keeps_dtypes},
        leading=("num_features",),
        inputs=("x", "mask"),
        attribute="groupnorm",
        variables=SCALE_AND_BIAS,
        check=_all_axes_reduced,
    ),
    Layer(
        code="LN204",
        summary="nn.InstanceNorm becomes nnx.InstanceNorm",
        before="x = nn.InstanceNorm()(x)",
        after=(
            "self.instancenorm = nnx.InstanceNorm(in_features, rngs=rngs)\nx = self.instancenorm(x)"
        ),
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
            *_COMMON,
        ),
        defaults={"feature_axes": -1, **_DEFAULTS},
        arguments={**_ARGUMENTS},
        sizes={"num_features": _features("feature_axes")},
        told={"promote_dtype": _keeps_dtypes},
        leading=("num_features",),
        inputs=("x", "mask"),
        attribute="instancenorm",
        variables=SCALE_AND_BIAS,
        check=_one_axis("feature_axes"),
    ),
    Layer(
        code="LN205",
        summary="nn.BatchNorm becomes nnx.BatchNorm",
        before="x = nn.BatchNorm()(x, use_running_average=not train)",
        after=("self.batchnorm = nnx.BatchNorm(in_features, rngs=rngs)\nx = self.batchnorm(x)"),
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
            *_COMMON,
        ),
        defaults={"axis": -1, **_DEFAULTS},
        arguments={"use_running_average": _RUNNING, **_ARGUMENTS},
        sizes={"num_features": _features("axis")},
        told={"promote_dtype": _keeps_dtypes},
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
        check=_one_axis("axis"),
    ),
)
