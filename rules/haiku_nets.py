"""Networks of Haiku: `hk.nets.MLP` becomes a small module beside the code."""

from __future__ import annotations

from ..codemod.rule import Declined, Layer, Refuse, To, Use, VariableName, axis, dtype_of
from ..codemod.shapes.dims import Dim
from ..codemod.shapes.values import Array, Items, Unknown, Value
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
    ),
)
