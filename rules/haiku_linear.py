"""Linear layers of Haiku.

`hk.Linear` is `nnx.Linear` with Haiku's own weight initialiser, which is a truncated normal that is not corrected for
what the truncation cuts off. `w` is the kernel and `b` the bias.
"""

from __future__ import annotations

from ..codemod.rule import Layer, Refuse, To, VariableName, Written, axis, last_axis
from ..codemod.shapes.values import External

W_AND_B = (VariableName("w", "kernel"), VariableName("b", "bias"))
_PLAIN = {"zeros": "nnx.initializers.zeros", "ones": "nnx.initializers.ones"}


def initializer(written: Written) -> str | None:
    """An initialiser: Haiku's own are rewritten where they stand, `jnp.zeros` has its equal in NNX; None is the default."""
    value = written.value
    if isinstance(value, External) and value.name.rpartition(".")[0] in ("jax.numpy", "numpy"):
        return _PLAIN.get(value.name.rpartition(".")[2], written.text)
    return None if written.text == "None" else written.text


WEIGHTS = {
    "with_bias": To("use_bias"),
    "w_init": To("kernel_init", initializer),
    "b_init": To("bias_init", initializer),
}

RULES = (
    Layer(
        code="HK101",
        summary="hk.Linear becomes nnx.Linear",
        before="x = hk.Linear(features)(x)",
        after=(
            "self.linear = nnx.Linear(in_features, features, kernel_init=haiku_init, rngs=rngs)\n"
            "x = self.linear(x)"
        ),
        source="haiku.Linear",
        target="flax.nnx.Linear",
        signature=("output_size", "with_bias", "w_init", "b_init"),
        arguments={"output_size": To("out_features"), **WEIGHTS},
        sizes={"in_features": axis()},
        leading=("in_features", "out_features"),
        stated={"kernel_init": "haiku_init"},
        call={"precision": Refuse("`precision=` in the call of hk.Linear", "give it to the constructor")},
        inputs=("inputs", "precision"),
        output=last_axis("output_size"),
        attribute="linear",
        variables=W_AND_B,
    ),
)
