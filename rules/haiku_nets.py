"""Whole networks of Haiku: `hk.nets.MLP` becomes a small module beside the code."""

from __future__ import annotations

from ..codemod.rule import Layer, Refuse, To, Use, VariableName, axis, dtype_of
from ..codemod.shapes.values import Array, Items, Repeated, Unknown, Value, as_dim
from .haiku_linear import initializer


def _output(use: Use) -> Value | None:
    shape = use.shape()
    sizes = use.arguments.get("output_sizes")
    last = sizes.items[-1] if isinstance(sizes, Items) and sizes.items else None
    if isinstance(sizes, Unknown) and sizes.text:
        last = Unknown(f"{sizes.text}[-1]")
    if isinstance(sizes, Repeated):
        last = None
    dim = use.to_dim(last) if last is not None else as_dim(last)
    if shape is None:
        return None
    return Array((*shape[:-1], use.unknown("the last size of an MLP") if dim is None else dim), dtype_of(use.input()))


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
            "w_init": To("kernel_init", initializer),
            "b_init": To("bias_init", initializer),
            "with_bias": To("use_bias"),
        },
        sizes={"in_features": axis()},
        leading=("in_features", "output_sizes"),
        inputs=("inputs", "dropout_rate", "rng"),
        call={
            "dropout_rate": Refuse("dropout inside hk.nets.MLP", "write the layers out, with nnx.Dropout between"),
            "rng": Refuse("a key given to hk.nets.MLP", "write the layers out, with nnx.Dropout between"),
        },
        output=_output,
        attribute="mlp",
        variables=(
            VariableName("linear_{i}/w", "linears[{i}]/kernel"),
            VariableName("linear_{i}/b", "linears[{i}]/bias"),
        ),
    ),
)
