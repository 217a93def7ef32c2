"""Normalisation layers of Haiku.

Haiku's epsilon is 1e-5 and its variance is computed in two passes, which NNX is told. `hk.BatchNorm` keeps moving
averages that are corrected for their start at zero: a small module beside the code does the same, and obeys
`model.train()` and `model.eval()`.
"""

from __future__ import annotations

from ..codemod.rule import (
    Argument,
    Around,
    Declined,
    Drop,
    Heritage,
    Layer,
    Mode,
    To,
    Use,
    VariableName,
    Written,
    axis,
)
from ..codemod.shapes.dims import Dim
from ..codemod.shapes.values import Constant, Items, Size, Unknown, Value
from ._channels import with_channels_first
from .haiku_initializers import ONES, ZEROS
from .haiku_linear import in_float32

SCALE = VariableName("scale", "scale", layout="v.reshape(shape)")
SCALE_AND_OFFSET = (SCALE, VariableName("offset", "bias", layout="v.reshape(shape)"))
_CHANNELS_LAST = Drop(
    ("channels_last", "N...C", "NWC", "NHWC", "NDHWC"),
    "channels that are not on the last axis",
    "move the channels to the last axis around the layer",
)
# The input carries NNX's name, so that it is renamed only where it is given by keyword.
_OWN_SCALE: dict[str, Argument] = {"scale": Around("scaled"), "offset": Around("scaled")}


def _flag(written: Written) -> str | None:
    """`create_scale=True` is NNX's default."""
    return None if written.constant is True else written.text


_CREATED = {
    "create_scale": To("use_scale", _flag),
    "create_offset": To("use_bias", _flag),
    "eps": To("epsilon"),
    "scale_init": To("scale_init", ONES),
    "offset_init": To("bias_init", ZEROS),
}


# ---- axes ----------------------------------------------------------------------------------------------


def _axes(value: Value | None, rank: int | None) -> tuple[int, ...] | None:
    """The axes that a number, a sequence of numbers or a slice names; negative where the rank is known."""
    if value is None or value == Constant(None):
        return (-1,)
    if isinstance(value, Constant) and isinstance(value.value, int):
        found: tuple[int, ...] = (value.value,)
    elif isinstance(value, Items) and all(isinstance(item, Constant) for item in value.items):
        parts = [item.value for item in value.items if isinstance(item, Constant)]
        if value.kind == "slice":
            if rank is None:
                return None
            found = tuple(range(rank)[slice(*parts)])
        else:
            found = tuple(parts)
    else:
        return None
    return tuple(sorted(at % rank - rank for at in found)) if rank is not None else found


def _rank(use: Use) -> int | None:
    shape = use.shape()
    return None if shape is None else len(shape)


def _axes_unless_last(written: Written) -> str | None:
    """Axes as NNX has them, where they are not the last one alone."""
    axes = _axes(written.value, _rank(written.use))
    if axes is None:
        raise Declined(
            "the axes of a norm could not be read", "write them as numbers", unsized=True
        )
    if axes == (-1,):
        return None
    literal = isinstance(written.value, Constant) or (
        isinstance(written.value, Items) and written.value.kind == "tuple"
    )
    if literal and len(axes) > 0:
        return written.text
    return str(axes)


def _reduced(written: Written) -> str | None:
    """The axes to normalise over; those that only running tells go as they are, numbers in both libraries."""
    if isinstance(written.value, Unknown | Size) and written.text:
        return written.text
    return _axes_unless_last(written)


def _has_features(use: Use) -> bool:
    """Whether the layer has parameters of its own."""
    flags = [use.arguments.get(name) for name in ("create_scale", "create_offset")]
    return flags != [Constant(False), Constant(False)]


def _of_features(written: Written) -> str | None:
    """The axes of the parameters, where there are any."""
    return _axes_unless_last(written) if _has_features(written.use) else None


def _features(use: Use) -> Dim | None:
    """The product of the axes that scale and offset have."""
    shape = use.shape()
    chosen = use.arguments.get("param_axis") if _has_features(use) else None
    axes = None if shape is None else _axes(chosen, len(shape))
    if shape is None or axes is None:
        return None
    size: Dim = 1
    for at in axes:
        size = size * shape[at] if size != 1 else shape[at]
    return size


def _all_but_first(written: Written) -> None:
    """The axes of a group norm, where they are all but the first."""
    rank = _rank(written.use)
    value = written.value
    open_slice = (
        isinstance(value, Items)
        and value.kind == "slice"
        and value.items[:2] == [Constant(1), Constant(None)]
    )
    axes = _axes(value, rank)
    if not open_slice and (rank is None or axes != tuple(range(1 - rank, 0))):
        raise Declined(
            "a group norm over other axes than all but the first",
            "merge the axes that are not normalised into the first, around the layer",
        )


def _keeps_its_numbers(use: Use) -> None:
    """A scale that is given scales the norm alone: an offset of the layer's own would be scaled with it."""
    in_float32(use)
    given = use.inputs.get("scale")
    if given not in (None, Constant(None)) and use.arguments.get("create_offset") != Constant(
        False
    ):
        raise Declined(
            "a norm with an offset of its own is given its scale where it is called",
            "give it the offset there too, with `create_offset=False`",
        )


# ---- rules ---------------------------------------------------------------------------------------------


_AXES = {"axis": To("reduction_axes", _reduced), "param_axis": To("feature_axes", _of_features)}


_EXACT = {"epsilon": "1e-5", "use_fast_variance": "False"}
_NORM = {
    "create_scale": "{create_scale}",
    "create_offset": "{create_offset}",
    "eps": "{eps}",
    "scale_init": "{scale_init} or {jnp}.ones",
    "offset_init": "{offset_init} or {jnp}.zeros",
}
_AVERAGES = tuple(
    VariableName(f"{moment}_ema/{leaf}", f"{moment}_ema/{leaf}", "state", "v.reshape(shape)")
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
        ),
        keyword_only=("param_axis",),
        arguments={**_CREATED, **_AXES},
        sizes={"num_features": _features},
        leading=("num_features",),
        stated=_EXACT,
        inputs=("x", "scale", "offset"),
        call={"inputs": To("x"), **_OWN_SCALE},
        attribute="layer_norm",
        variables=SCALE_AND_OFFSET,
        options="norm_options",
        check=_keeps_its_numbers,
        heritage=Heritage(
            "axis, create_scale, create_offset, eps=1e-5, scale_init=None, offset_init=None, "
            "use_fast_variance=False, *, param_axis=None",
            attributes={
                **_NORM,
                "use_fast_variance": "{use_fast_variance}",
                "param_axis": "(-1,) if {param_axis} is None else ({param_axis},) "
                "if isinstance({param_axis}, int) else tuple({param_axis})",
            },
        ),
    ),
    Layer(
        code="HK202",
        summary="hk.RMSNorm becomes nnx.RMSNorm",
        before="x = hk.RMSNorm(axis=-1)(x)",
        after="self.rms_norm = nnx.RMSNorm(in_features, epsilon=1e-5, rngs=rngs)\nx = self.rms_norm(x)",
        source="haiku.RMSNorm",
        target="flax.nnx.RMSNorm",
        signature=("axis", "eps", "scale_init", "name", "create_scale"),
        keyword_only=("param_axis",),
        arguments={**_CREATED, **_AXES},
        sizes={"num_features": _features},
        leading=("num_features",),
        stated={"epsilon": "1e-5"},
        inputs=("x",),
        call={"inputs": To("x")},
        attribute="rms_norm",
        variables=(SCALE,),
        check=_keeps_its_numbers,
    ),
    with_channels_first(
        Layer(
            code="HK203",
            summary="hk.GroupNorm becomes nnx.GroupNorm",
            before="x = hk.GroupNorm(4)(x)",
            after=(
                "self.group_norm = nnx.GroupNorm(in_features, 4, epsilon=1e-5, use_fast_variance=False, rngs=rngs)\n"
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
                **_CREATED,
                "groups": To("num_groups"),
                "axis": To("reduction_axes", _all_but_first),
                "data_format": _CHANNELS_LAST,
            },
            sizes={"num_features": axis()},
            leading=("num_features",),
            stated=_EXACT,
            inputs=("x", "scale", "offset"),
            call=_OWN_SCALE,
            attribute="group_norm",
            variables=SCALE_AND_OFFSET,
            options="norm_options",
            check=_keeps_its_numbers,
        )
    ),
    with_channels_first(
        Layer(
            code="HK204",
            summary="hk.InstanceNorm becomes nnx.InstanceNorm",
            before="x = hk.InstanceNorm(True, True)(x)",
            after=(
                "self.instance_norm = nnx.InstanceNorm(in_features, epsilon=1e-5, use_fast_variance=False, rngs=rngs)\n"
                "x = self.instance_norm(x)"
            ),
            source="haiku.InstanceNorm",
            target="flax.nnx.InstanceNorm",
            signature=(
                "create_scale",
                "create_offset",
                "eps",
                "scale_init",
                "offset_init",
                "data_format",
            ),
            arguments={**_CREATED, "data_format": _CHANNELS_LAST},
            sizes={"num_features": axis()},
            leading=("num_features",),
            stated=_EXACT,
            inputs=("x", "scale", "offset"),
            call={"inputs": To("x"), **_OWN_SCALE},
            attribute="instance_norm",
            variables=SCALE_AND_OFFSET,
            options="norm_options",
            check=_keeps_its_numbers,
        )
    ),
    with_channels_first(
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
                **_CREATED,
                "decay_rate": To("momentum"),
                "axis": Drop((None,), "a batch norm over chosen axes", "reshape around the layer"),
                "cross_replica_axis": To("axis_name"),
                "cross_replica_axis_index_groups": Drop(
                    (None,), "groups of replicas", "normalise by hand"
                ),
                "data_format": _CHANNELS_LAST,
            },
            sizes={"num_features": axis()},
            leading=("num_features",),
            inputs=("inputs", "is_training", "test_local_stats", "scale", "offset"),
            call={
                "is_training": Mode("train", "use_running_average", negated=True),
                "test_local_stats": To("local_stats"),
                **_OWN_SCALE,
            },
            attribute="batch_norm",
            variables=(*SCALE_AND_OFFSET, *_AVERAGES),
            holds=frozenset(("BatchStat",)),
            options="norm_options",
            call_options="norm_modes",
            check=_keeps_its_numbers,
            heritage=Heritage(
                "create_scale, create_offset, decay_rate, eps=1e-5, scale_init=None, offset_init=None, axis=None, "
                'cross_replica_axis=None, cross_replica_axis_index_groups=None, data_format="channels_last"',
                call="inputs, is_training, test_local_stats=False",
                attributes=_NORM,
            ),
        )
    ),
)
