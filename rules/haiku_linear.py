"""Linear layers of Haiku.

`hk.Linear` is `nnx.Linear` with Haiku's own weight initialiser, a truncated normal that is not corrected for what the
truncation cuts off. `w` is the kernel and `b` the bias.
"""

from __future__ import annotations

from ..codemod.rule import Declined, Heritage, Layer, Refuse, To, Use, VariableName, axis, last_axis
from ..codemod.shapes.values import Array
from .haiku_initializers import WEIGHTS, ZEROS

W_AND_B = (VariableName("w", "kernel"), VariableName("b", "bias"))
INITIALIZED = {
    "with_bias": To("use_bias"),
    "w_init": To("kernel_init", WEIGHTS),
    "b_init": To("bias_init", ZEROS),
}
NO_PRECISION = {
    "precision": Refuse("`precision=` in a call", "give it to the constructor of the NNX layer")
}


def in_float32(use: Use) -> None:
    """Haiku makes parameters in the dtype of the input, NNX in float32 unless told otherwise."""
    value = use.input()
    if isinstance(value, Array) and value.dtype in ("bfloat16", "float16"):
        raise Declined(
            f"the parameters of this layer have the dtype of its input, {value.dtype}",
            f"cast the input to float32, or write the layer by hand with param_dtype=jnp.{value.dtype}",
        )


RULES = (
    Layer(
        code="HK101",
        summary="hk.Linear becomes nnx.Linear",
        before="x = hk.Linear(features)(x)",
        after="self.linear = nnx.Linear(in_features, features, kernel_init=haiku_init, rngs=rngs)\nx = self.linear(x)",
        source="haiku.Linear",
        target="flax.nnx.Linear",
        signature=("output_size", "with_bias", "w_init", "b_init"),
        arguments={"output_size": To("out_features"), **INITIALIZED},
        sizes={"in_features": axis()},
        leading=("in_features", "out_features"),
        stated={"kernel_init": "haiku_init"},
        inputs=("inputs", "precision"),
        call=NO_PRECISION,
        output=last_axis("output_size"),
        attribute="linear",
        variables=W_AND_B,
        check=in_float32,
        heritage=Heritage(
            "output_size, with_bias=True, w_init=None, b_init=None",
            attributes={
                "output_size": "{output_size}",
                "with_bias": "{with_bias}",
                "w_init": "{w_init}",
                "b_init": "{b_init} or {jnp}.zeros",
            },
        ),
    ),
)
