"""Functions of Linen that NNX or JAX has under the same or another name.

Activations, initialisers, poolings and masks are the same objects, so calls keep their arguments.
"""

from __future__ import annotations

from ..codemod.rule import Renames

_ACTIVATIONS = (
    "celu elu gelu glu hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu log_sigmoid log_softmax logsumexp"
    " one_hot relu relu6 selu sigmoid silu soft_sign softmax softplus standardize swish tanh"
).split()
_MASKS = ("combine_masks", "make_attention_mask", "make_causal_mask", "dot_product_attention")
_POOLINGS = ("avg_pool", "max_pool", "min_pool", "pool")
_INITIALIZERS = (
    "constant delta_orthogonal glorot_normal glorot_uniform he_normal he_uniform kaiming_normal kaiming_uniform"
    " lecun_normal lecun_uniform normal ones ones_init orthogonal truncated_normal uniform variance_scaling"
    " xavier_normal xavier_uniform zeros zeros_init Initializer"
).split()

RULES = (
    Renames(
        code="LN411",
        summary="activations keep their names in nnx",
        before="x = nn.relu(x)",
        after="x = nnx.relu(x)",
        names={
            **{f"flax.linen.{name}": f"flax.nnx.{name}" for name in _ACTIVATIONS},
            "flax.linen.normalize": "jax.nn.standardize",
        },
    ),
    Renames(
        code="LN412",
        summary="masks and attention functions keep their names in nnx",
        before="mask = nn.make_causal_mask(tokens)",
        after="mask = nnx.make_causal_mask(tokens)",
        names={f"flax.linen.{name}": f"flax.nnx.{name}" for name in _MASKS},
    ),
    Renames(
        code="LN413",
        summary="poolings keep their names in nnx",
        before="x = nn.max_pool(x, (2, 2), strides=(2, 2))",
        after="x = nnx.max_pool(x, (2, 2), strides=(2, 2))",
        names={f"flax.linen.{name}": f"flax.nnx.{name}" for name in _POOLINGS},
    ),
    Renames(
        code="LN414",
        summary="initialisers keep their names in nnx.initializers",
        before="kernel_init=nn.initializers.normal(0.02)",
        after="kernel_init=nnx.initializers.normal(0.02)",
        names={
            **{
                f"flax.linen.initializers.{name}": f"flax.nnx.initializers.{name}"
                for name in _INITIALIZERS
            },
            "flax.linen.zeros_init": "flax.nnx.initializers.zeros_init",
            "flax.linen.ones_init": "flax.nnx.initializers.ones_init",
            "flax.linen.initializers": "flax.nnx.initializers",
        },
    ),
)
