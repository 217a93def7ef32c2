"""Activations of Linen: NNX exports the same functions of JAX under the same names.

`nn.PReLU`, which learns its slope, is a layer on both sides.
"""

from __future__ import annotations

from ..codemod.rule import Layer, Renames, VariableName

_FUNCTIONS = (
    "celu elu gelu glu hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu log_sigmoid"
    " log_softmax logsumexp one_hot relu relu6 selu sigmoid silu soft_sign softmax softplus"
    " standardize swish tanh"
).split()

RULES = (
    Layer(
        code="LN131",
        summary="nn.PReLU becomes nnx.PReLU",
        before="x = nn.PReLU()(x)",
        after="self.prelu = nnx.PReLU()\nx = self.prelu(x)",
        source="flax.linen.PReLU",
        target="flax.nnx.PReLU",
        signature=("param_dtype", "negative_slope_init"),
        attribute="prelu",
        variables=(VariableName("negative_slope", "negative_slope"),),
        rngs=False,
    ),
    Renames(
        code="LN411",
        summary="activations keep their names in nnx",
        before="x = nn.relu(x)",
        after="x = nnx.relu(x)",
        names={
            **{f"flax.linen.{name}": f"flax.nnx.{name}" for name in _FUNCTIONS},
            "flax.linen.normalize": "flax.nnx.standardize",
        },
    ),
)
