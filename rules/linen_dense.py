"""Dense layers of Linen.

`nn.Dense`, `nn.DenseGeneral` and `nn.Einsum` infer sizes from their first input; `nnx.Linear`, `nnx.LinearGeneral` and
`nnx.Einsum` take them. Kernels, biases and initialisers are the same. Hooks of the user's own (`dot_general`,
`promote_dtype`) are declined: NNX calls them with other arguments.
"""

from __future__ import annotations

from typing import Any

from ..codemod.rule import (
    Declined,
    Drop,
    Layer,
    Refuse,
    To,
    Use,
    axis,
    dtype_of,
    last_axis,
)
from ..codemod.shapes.dims import Dim
from ..codemod.shapes.values import Array, Shape, Value
from ._linen import HOOKS, KERNEL_AND_BIAS, PROMOTE_DTYPE, is_known


def _axes(use: Use) -> tuple[int, ...] | None:
    """The contracted axes as Linen orders them: from the first to the last; None where unknown."""
    shape, given = use.shape(), use.constant("axis")
    if shape is None or given is None:
        return None
    axes = (given,) if isinstance(given, int) else tuple(given)
    return tuple(sorted(at % len(shape) for at in axes))


def _one_size(use: Use) -> Dim | None:
    shape, axes = use.shape(), _axes(use)
    return shape[axes[0]] if shape is not None and axes is not None and len(axes) == 1 else None


def _sizes(use: Use) -> Shape | None:
    """The sizes of several contracted axes; None leaves it to the single one."""
    shape, axes = use.shape(), _axes(use)
    if shape is None or axes is None or len(axes) == 1:
        return None
    return tuple(shape[at] for at in axes)


def _contracted(use: Use) -> Value | None:
    shape, features, axes = use.shape(), use.dims("features"), _axes(use)
    if shape is None or features is None or axes is None:
        return None
    kept = tuple(dim for at, dim in enumerate(shape) if at not in axes)
    return Array((*kept, *features), dtype_of(use.input()))


def _known_equation(use: Use) -> None:
    equation = use.constant("einsum_str")
    if not isinstance(equation, str) or "einsum_str" in use.inputs:
        raise Declined(
            "an nn.Einsum whose equation is not written in its constructor",
            "nnx.Einsum needs the equation when it is made: pass it there",
        )
    if equation.count(",") != 1 or "->" not in equation:
        raise Declined(
            f"the equation {equation!r} of nn.Einsum without `->` or with other than two operands",
            "write it as 'inputs,kernel->result'",
        )
    if not is_known(use, "use_bias"):
        raise Declined(
            "an nn.Einsum whose `use_bias` is only known when it runs",
            "write nnx.Einsum by hand: it takes the shape of the bias",
        )


def _labels(use: Use) -> tuple[str, str, str]:
    operands, result = str(use.constant("einsum_str")).replace(" ", "").split("->")
    inputs, kernel = operands.split(",")
    return inputs, kernel, result


def _bias_shape(use: Use) -> Shape | None:
    """The sizes of the result's labels that the kernel has, in the result's order."""
    _known_equation(use)
    shape = use.dims("shape")
    if use.constant("use_bias") is False:
        return None
    _, kernel, result = _labels(use)
    if shape is None or len(kernel) != len(shape) or "." in kernel:
        raise Declined(
            "an nn.Einsum whose kernel has sizes that could not be inferred",
            "write nnx.Einsum by hand, with the shape of its bias",
            unsized=True,
        )
    sizes = dict(zip(kernel, shape, strict=True))
    return tuple(sizes[label] for label in result.replace(".", "") if label in sizes)


def _product(use: Use) -> Value | None:
    import jax
    import jax.numpy as jnp

    shape, kernel = use.shape(), use.dims("shape")
    if shape is None or kernel is None or not isinstance(use.constant("einsum_str"), str):
        return None
    spec: Any = jax.ShapeDtypeStruct  # untyped in JAX
    result = jax.eval_shape(
        lambda x, w: jnp.einsum(use.constant("einsum_str"), x, w),
        spec(shape, "float32"),
        spec(kernel, "float32"),
    )
    return Array(tuple(result.shape), dtype_of(use.input()))


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
        arguments={"features": To("out_features"), **HOOKS},
        sizes={"in_features": axis()},
        leading=("in_features", "out_features"),
        output=last_axis("features"),
        attribute="linear",
        variables=KERNEL_AND_BIAS,
    ),
    Layer(
        code="LN102",
        summary="nn.DenseGeneral becomes nnx.LinearGeneral",
        before="x = nn.DenseGeneral(features, axis=(-2, -1))(x)",
        after=(
            "self.linear = nnx.LinearGeneral((heads, width), features, axis=(-2, -1), rngs=rngs)\n"
            "x = self.linear(x)"
        ),
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
        arguments={
            "features": To("out_features"),
            "batch_dims": Refuse(
                "`batch_dims` of nn.DenseGeneral", "write the contraction with nnx.Einsum"
            ),
            **HOOKS,
        },
        sizes={"in_features": _one_size},
        told={"in_features": _sizes},
        leading=("in_features", "out_features"),
        output=_contracted,
        attribute="linear",
        variables=KERNEL_AND_BIAS,
    ),
    Layer(
        code="LN103",
        summary="nn.Einsum becomes nnx.Einsum",
        before="x = nn.Einsum((8, 2, 4), 'bta,ahd->bthd')(x)",
        after=(
            "self.einsum = nnx.Einsum('bta,ahd->bthd', (8, 2, 4), (2, 4), rngs=rngs)\n"
            "x = self.einsum(x)"
        ),
        source="flax.linen.Einsum",
        target="flax.nnx.Einsum",
        signature=(
            "shape",
            "einsum_str",
            "use_bias",
            "dtype",
            "param_dtype",
            "precision",
            "kernel_init",
            "bias_init",
            "promote_dtype",
            "preferred_element_type",
        ),
        defaults={"einsum_str": None, "use_bias": True},
        arguments={
            "shape": To("kernel_shape"),
            "use_bias": Drop(),
            "promote_dtype": PROMOTE_DTYPE,
        },
        told={"bias_shape": _bias_shape},
        leading=("einsum_str", "kernel_shape", "bias_shape"),
        inputs=("inputs", "einsum_str"),
        output=_product,
        attribute="einsum",
        variables=KERNEL_AND_BIAS,
        check=_known_equation,
    ),
)
