"""Wrappers of Linen that call another layer with changed weights.

`nnx.WeightNorm` and `nnx.SpectralNorm` overwrite the weights of the layer that they wrap, so that gradients and later
calls differ from Linen's. Two small modules beside the code leave them as they are, as Linen does. `update_stats` of
nn.SpectralNorm is obeyed by `model.train()` and `model.eval()`.
"""

from __future__ import annotations

from ..codemod.rule import Layer, Mode, Refuse, Run, To, Use, Written
from ..codemod.shapes.values import Value


def _wrapped(use: Use, run: Run) -> Value | None:
    """What the wrapped layer returns."""
    layer, inputs = use.arguments.get("layer_instance"), use.input()
    return None if layer is None or inputs is None else run(layer, [inputs], {})


def _half(layer: str) -> Refuse:
    return Refuse(f"`dtype` of {layer}", "give the wrapped layer its `dtype=`")


def _as_tuple(written: Written) -> str:
    """A set of names is a tuple: NNX modules hold only what compares and hashes."""
    text = written.text.strip()
    if text.startswith("{"):
        inner = text[1:-1].strip().rstrip(",")
        return f"({inner},)" if "," not in inner else f"({inner})"
    return text


RULES = (
    Layer(
        code="LN206",
        summary="nn.WeightNorm becomes a module that leaves the wrapped weights as they are",
        before="x = nn.WeightNorm(nn.Dense(features))(x)",
        after=(
            "self.weight_norm = WeightNorm(nnx.Linear(in_features, features, rngs=rngs), rngs=rngs)\n"
            "x = self.weight_norm(x)"
        ),
        source="flax.linen.WeightNorm",
        target="WeightNorm",
        helper=True,
        signature=(
            "layer_instance",
            "epsilon",
            "dtype",
            "param_dtype",
            "use_scale",
            "scale_init",
            "feature_axes",
            "variable_filter",
        ),
        arguments={
            "dtype": _half("nn.WeightNorm"),
            "variable_filter": To("variable_filter", _as_tuple),
        },
        leading=("layer_instance",),
        output=lambda use: None,
        runs=_wrapped,
        attribute="weight_norm",
    ),
    Layer(
        code="LN207",
        summary="nn.SpectralNorm becomes a module that leaves the wrapped weights as they are",
        before="x = nn.SpectralNorm(nn.Dense(features))(x, update_stats=train)",
        after=(
            "self.spectral_norm = SpectralNorm(\n"
            "    nnx.Linear(in_features, features, rngs=rngs), rngs=rngs\n"
            ")\n"
            "x = self.spectral_norm(x)"
        ),
        source="flax.linen.SpectralNorm",
        target="SpectralNorm",
        helper=True,
        signature=(
            "layer_instance",
            "n_steps",
            "epsilon",
            "dtype",
            "param_dtype",
            "error_on_non_matrix",
            "collection_name",
        ),
        defaults={"error_on_non_matrix": False, "collection_name": "batch_stats"},
        arguments={
            "dtype": _half("nn.SpectralNorm"),
            "error_on_non_matrix": Refuse(
                "`error_on_non_matrix` of nn.SpectralNorm", "check the weights by hand"
            ),
            "collection_name": Refuse(
                "a collection of its own for nn.SpectralNorm",
                "make the variables of the emitted SpectralNorm another kind by hand",
            ),
        },
        leading=("layer_instance",),
        call={"update_stats": Mode("train", "use_running_average", negated=True)},
        output=lambda use: None,
        runs=_wrapped,
        attribute="spectral_norm",
        holds=frozenset(("BatchStat",)),
    ),
)
