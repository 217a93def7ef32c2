"""Moving averages of Haiku: `hk.ExponentialMovingAverage` becomes a small module beside the code.

NNX has no average that is corrected for its start at zero. The module makes its variables at once, so it takes the
shape of the values; `ema.average` is a variable, read as `ema.average[...]`.
"""

from __future__ import annotations

from ..codemod.rule import Declined, Layer, Use, VariableName
from ..codemod.shapes.values import Array, Constant, Shape, Size
from .haiku_linear import in_float32


def _shape(use: Use) -> Shape | None:
    """The shape of the values, which a number does not have."""
    value = use.input()
    if isinstance(value, Constant | Size):
        return ()
    return value.shape if isinstance(value, Array) else None


def _float_values(use: Use) -> None:
    in_float32(use)
    value = use.input()
    if isinstance(value, Array) and value.dtype is not None and "float" not in value.dtype:
        raise Declined(f"a moving average of {value.dtype} values", "convert the values to float32")


RULES = (
    Layer(
        code="HK251",
        summary="hk.ExponentialMovingAverage becomes a module with the same averages",
        before="ema = hk.ExponentialMovingAverage(0.99)\naverage = ema(x)",
        after="self.ema = ExponentialMovingAverage((in_features,), 0.99)\naverage = self.ema(x)",
        source="haiku.ExponentialMovingAverage",
        target="ExponentialMovingAverage",
        helper=True,
        signature=("decay", "zero_debias", "warmup_length"),
        sizes={"shape": lambda use: None},
        told={"shape": _shape},
        leading=("shape", "decay"),
        inputs=("value", "update_stats"),
        attribute="ema",
        variables=tuple(
            VariableName(name, name, "state") for name in ("hidden", "average", "counter")
        ),
        rngs=False,
        holds=frozenset(("BatchStat",)),
        check=_float_values,
    ),
)
