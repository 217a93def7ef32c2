"""Small layers of Haiku without an equal in NNX: `hk.Bias` and `hk.SpectralNorm`."""

from __future__ import annotations

from ..codemod.rule import Declined, Drop, Layer, To, Use, VariableName, axis
from ..codemod.shapes.values import Constant, Items
from .haiku_initializers import ZEROS
from .haiku_linear import in_float32


def _last_axis_only(use: Use) -> None:
    """A bias of another shape than (features,) is declined."""
    in_float32(use)
    dims, shape = use.arguments.get("bias_dims"), use.shape()
    if dims in (None, Constant(None)):
        last = shape is not None and len(shape) == 2
    else:
        last = isinstance(dims, Items) and dims.items in (
            [Constant(-1)],
            [Constant(len(shape) - 1)] if shape is not None else [],
        )
    if not last:
        raise Declined(
            "hk.Bias over other axes than the last",
            "make the bias an nnx.Param of the shape that it needs, and add it",
        )


RULES = (
    Layer(
        code="HK241",
        summary="hk.Bias over the last axis becomes `Bias`",
        before="x = hk.Bias(bias_dims=[-1])(x)",
        after="self.bias = Bias(in_features, rngs=rngs)\nx = self.bias(x)",
        source="haiku.Bias",
        target="Bias",
        helper=True,
        signature=("output_size", "bias_dims", "b_init"),
        arguments={
            "output_size": Drop(),
            "bias_dims": Drop(),
            "b_init": To("bias_init", ZEROS),
        },
        sizes={"num_features": axis()},
        leading=("num_features",),
        inputs=("inputs", "multiplier"),
        attribute="bias",
        variables=(VariableName("b", "bias"),),
        check=_last_axis_only,
    ),
    Layer(
        code="HK242",
        summary="hk.SpectralNorm becomes `SpectralNormalizer`",
        before="w = hk.SpectralNorm()(w)",
        after="self.spectral_norm = SpectralNormalizer(in_features, rngs=rngs)\nw = self.spectral_norm(w)",
        source="haiku.SpectralNorm",
        target="SpectralNormalizer",
        helper=True,
        signature=("eps", "n_steps"),
        sizes={"in_features": axis()},
        leading=("in_features",),
        inputs=("value", "update_stats", "error_on_non_matrix"),
        call={"error_on_non_matrix": Drop()},
        attribute="spectral_norm",
        variables=(VariableName("u0", "u0", "state"), VariableName("sigma", "sigma", "state")),
        holds=frozenset(("BatchStat",)),
        check=in_float32,
    ),
)
