"""The table of activations that models built on transformers choose from: none of them changes a shape."""

import functools

import jax

ACT2FN = {
    "gelu": functools.partial(jax.nn.gelu, approximate=False),
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
    "swish": jax.nn.swish,
    "gelu_new": functools.partial(jax.nn.gelu, approximate=True),
    "quick_gelu": jax.nn.gelu,
    "gelu_pytorch_tanh": functools.partial(jax.nn.gelu, approximate=True),
    "tanh": jax.nn.tanh,
}
