"""Dense layers of Linen.

`nn.Dense` and `nn.DenseGeneral` infer their input size; `nnx.Linear` and `nnx.LinearGeneral` take it first. Kernels,
biases and initialisers are the same.
"""

from __future__ import annotations

from ..codemod.rule import Layer, Refuse, To, Use, VariableName, axis, dtype_of, last_axis
from ..codemod.shapes.dims import Dim
from ..codemod.shapes.values import Array, Value

KERNEL_AND_BIAS = (VariableName("kernel", "kernel"), VariableName("bias", "bias"))


def _axes(use: Use) -> tuple[int, ...]:
    given = use.constant("axis", -1)
    return (given,) if isinstance(given, int) else tuple(given or (-1,))


def _general_input(use: Use) -> Dim | None:
    shape, axes = use.shape(), _axes(use)
    return shape[axes[0]] if shape is not None and len(axes) == 1 else None


def _general_output(use: Use) -> Value | None:
    shape, features = use.shape(), use.dims("features")
    if shape is None or features is None:
        return None
    contracted = {axis % len(shape) for axis in _axes(use)}
    kept = tuple(dim for place, dim in enumerate(shape) if place not in contracted)
    return Array((*kept, *features), dtype_of(use.input()))


_NO_GENERAL = Refuse("`batch_dims` of nn.DenseGeneral", "write the contraction with nnx.Einsum")

RULES = (
    Layer(
        code="LN101",
        summary="nn.Dense becomes nnx.Linear",
        before="x = nn.Dense(features)(x)",
        after="self.linear = nnx.Linear(in_features, features, rngs=rngs)\nx = self.linear(x)",
        source="flax.linen.Dense",
        target="flax.nnx.Linear",
        signature=(
            "features",
            "use_bias",
            "dtype",
            "param_dtype",
            "precision",
            "kernel_init",
            "bias_init",
            "promote_dtype",
            "dot_general",
            "dot_general_cls",
        ),
        arguments={
            "features": To("out_features"),
            "dot_general_cls": Refuse("`dot_general_cls`", "pass `dot_general=` instead"),
        },
        sizes={"in_features": axis()},
        leading=("in_features", "out_features"),
        output=last_axis("features"),
        attribute="linear",
        variables=KERNEL_AND_BIAS,
    ),
    Layer(
        code="LN102",
        summary="nn.DenseGeneral becomes nnx.LinearGeneral",
        before="x = nn.DenseGeneral((heads, width))(x)",
        after="self.linear = nnx.LinearGeneral(in_features, (heads, width), rngs=rngs)\nx = self.linear(x)",
        source="flax.linen.DenseGeneral",
        target="flax.nnx.LinearGeneral",
        signature=(
            "features",
            "axis",
            "batch_dims",
            "use_bias",
            "dtype",
            "param_dtype",
            "kernel_init",
            "bias_init",
            "precision",
            "promote_dtype",
            "dot_general",
            "dot_general_cls",
        ),
        defaults={"axis": -1, "batch_dims": ()},
        arguments={"features": To("out_features"), "batch_dims": _NO_GENERAL},
        sizes={"in_features": _general_input},
        leading=("in_features", "out_features"),
        output=_general_output,
        attribute="linear",
        variables=KERNEL_AND_BIAS,
    ),
)
