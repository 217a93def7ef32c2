"""Initialisers of Haiku.

A Haiku initialiser is an object called with (shape, dtype); one of NNX is a function of (key, shape, dtype). The
objects of `hk.initializers` become the functions of `nnx.initializers` with the values that Haiku would use stated,
since NNX's defaults differ. Where a layer is given no initialiser, Haiku's default is stated as `haiku_init`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from ..codemod.chains import names_initializer
from ..codemod.rule import Argument, Call, Declined, Drop, To, Use, Writer, Written
from ..codemod.shapes.values import (
    FILLINGS,
    PRESENT,
    Constant,
    Either,
    External,
    Function,
    Items,
    Partial,
    Unknown,
    Value,
)

MADE = "an initialiser"  # marks what the interpreter knows to be an initialiser of hk.initializers
SCALED = "an initialiser that scales with the fan-in"
SCALED_OTHERWISE = "an initialiser that scales with the fan"


# ---- initialisers as arguments ---------------------------------------------------------------------


def initializer(default: str | None, vectors: bool = False) -> Writer:
    """Writes an argument that is an initialiser.

    `default` is what Haiku's layer uses where the argument is None; without it, NNX's takes None as well. For
    `vectors` Haiku takes the length as either fan, where NNX's initialisers that scale raise.
    """

    def write(written: Written) -> str | None:
        text, value = written.text, written.value
        options = value.values if isinstance(value, Either) else (value,)
        kinds = {option.told for option in options if isinstance(option, Unknown)}
        if vectors and SCALED_OTHERWISE in kinds:
            raise Declined(
                "a bias whose initialiser scales in a way that NNX's do not for vectors",
                "give it a standard deviation",
            )
        if vectors and SCALED in kinds:
            filled = _or(text, default) if default and may_be_none(value, text) else text
            return f"for_vectors({filled})"
        if value == Constant(None):
            return None
        if isinstance(value, External) and value.name in FILLINGS:
            return FILLINGS[value.name].removeprefix("flax.")
        if any(isinstance(v, External) and v.name in FILLINGS for v in options):
            _check_named(text)
        if isinstance(value, Function):
            return _with_key(text, value)
        if isinstance(value, External | Partial) and not text.startswith("nnx."):
            return f"lambda key, shape, dtype: {text}(shape, dtype)"
        return _or(text, default) if default and may_be_none(value, text) else text

    return write


def _check_named(text: str) -> None:
    """Raises Declined where `jnp.zeros` may stand in a name that does not say that it is an initialiser."""
    if names_initializer(text) or "(" in text:
        return
    raise Declined(
        "a function that fills an array is an initialiser under a name that does not say so",
        "use an initialiser of hk.initializers, or call it `init`",
    )


def may_be_none(value: Value | None, text: str) -> bool:
    """Whether an initialiser may be None when the program runs."""
    if isinstance(value, Either):
        return any(
            option == Constant(None)
            or (isinstance(option, Unknown) and not (option.told or option.why == PRESENT))
            for option in value.values
        )
    if isinstance(value, Unknown) and value.told:
        return False
    return not _is_call(text)


def _or(text: str, default: str) -> str:
    """An initialiser, or the default where it is None."""
    try:
        loose = isinstance(ast.parse(text.strip(), mode="eval").body, ast.IfExp | ast.Lambda)
    except SyntaxError:
        loose = True
    return f"({text}) or {default}" if loose else f"{text} or {default}"


def _is_call(text: str) -> bool:
    try:
        return isinstance(ast.parse(text.strip(), mode="eval").body, ast.Call)
    except SyntaxError:
        return False


def _with_key(text: str, function: Function) -> str:
    """A function of (shape, dtype) as one that also takes a key, which it does not need."""
    if any(
        isinstance(n, ast.Attribute) and n.attr.endswith("next_rng_key")
        for n in ast.walk(function.node)
    ):
        raise Declined(
            f"the initialiser `{text[:40]}` draws a key of its own",
            "write it as a function of (key, shape, dtype)",
        )
    if isinstance(function.node, ast.Lambda) and text.startswith("lambda "):
        return f"lambda key, {text.removeprefix('lambda ')}"
    return f"lambda key, shape, dtype: {text}(shape, dtype)"


WEIGHTS = initializer("haiku_init")
ZEROS = initializer("nnx.initializers.zeros", vectors=True)
ONES = initializer("nnx.initializers.ones")
OPTIONAL = initializer(None)


# ---- the initialisers themselves ---------------------------------------------------------------------


def made(use: Use) -> Value:
    """What the interpreter makes of an initialiser."""
    return Unknown(told=MADE)


def _made_scaled(use: Use) -> Value:
    mode = use.arguments.get("mode", Constant("fan_in"))
    return Unknown(told=SCALED if mode == Constant("fan_in") else SCALED_OTHERWISE)


def literal(text: str) -> object:
    """The value of an argument that is written as a number or a string, else None."""
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return None


def known(written: Written | None, default: object = None) -> object:
    """The value of an argument, from what the interpreter knows or from its text."""
    if written is None:
        return default
    if isinstance(written.value, Constant):
        return written.value.value
    if isinstance(written.value, Items) and all(
        isinstance(item, Constant) for item in written.value.items
    ):
        return tuple(item.value for item in written.value.items if isinstance(item, Constant))
    return literal(written.text)


def _no_mean(name: str) -> Argument:
    return Drop(
        only_if=(0, 0.0),
        message=f"hk.initializers.{name} with a mean",
        help="NNX's draws around zero: add the mean in an initialiser of your own",
    )


def _uniform(args: Mapping[str, Written]) -> str:
    low, high = args.get("minval"), args.get("maxval")
    top = high.text if high is not None else "1.0"
    if known(low, 0) == 0:
        return f"nnx.initializers.uniform({top})"
    assert low is not None
    return f"uniform({low.text}, {top})"


def _uniform_scaling(args: Mapping[str, Written]) -> str:
    scale = args.get("scale")
    value = known(scale, 1.0)
    if isinstance(value, int | float):
        return f'nnx.initializers.variance_scaling({value**2}, "fan_in", "uniform")'
    assert scale is not None
    base = scale.text if scale.text.isidentifier() else f"({scale.text})"
    return f'nnx.initializers.variance_scaling({base} ** 2, "fan_in", "uniform")'


def _distribution(written: Written) -> str | None:
    """Haiku takes names of distributions in any case."""
    value = known(written)
    return (
        repr(value.lower()) if isinstance(value, str) and value != value.lower() else written.text
    )


def _scaling(args: Mapping[str, Written]) -> str:
    axes = args.get("fan_in_axes")
    if axes is not None and axes.text != "None":
        raise Declined(
            "`fan_in_axes` of hk.initializers.VarianceScaling",
            "use nnx.initializers.variance_scaling with in_axis and out_axis",
        )
    scale = args["scale"].text if "scale" in args else "1.0"
    mode = args["mode"].text if "mode" in args else '"fan_in"'
    distribution = (
        _distribution(args["distribution"]) if "distribution" in args else '"truncated_normal"'
    )
    return f"nnx.initializers.variance_scaling({scale}, {mode}, {distribution})"


RULES = (
    Call(
        code="HK421",
        summary="hk.initializers.Constant becomes nnx.initializers.constant",
        before="hk.initializers.Constant(1.0)",
        after="nnx.initializers.constant(1.0)",
        source="haiku.initializers.Constant",
        target="flax.nnx.initializers.constant",
        signature=("constant",),
        arguments={"constant": To("value")},
        result=made,
    ),
    Call(
        code="HK422",
        summary="hk.initializers.RandomNormal becomes nnx.initializers.normal",
        before="hk.initializers.RandomNormal(0.02)",
        after="nnx.initializers.normal(0.02)",
        source="haiku.initializers.RandomNormal",
        target="flax.nnx.initializers.normal",
        signature=("stddev", "mean"),
        arguments={"mean": _no_mean("RandomNormal")},
        stated={"stddev": "1.0"},
        result=made,
    ),
    Call(
        code="HK423",
        summary="hk.initializers.TruncatedNormal becomes nnx.initializers.truncated_normal",
        before="hk.initializers.TruncatedNormal(stddev=0.02)",
        after="nnx.initializers.truncated_normal(stddev=0.02)",
        source="haiku.initializers.TruncatedNormal",
        target="flax.nnx.initializers.truncated_normal",
        signature=("stddev", "mean", "lower", "upper"),
        arguments={"mean": _no_mean("TruncatedNormal")},
        stated={"stddev": "1.0"},
        result=made,
    ),
    Call(
        code="HK424",
        summary="hk.initializers.RandomUniform becomes nnx.initializers.uniform, or `uniform` where it starts below 0",
        before="hk.initializers.RandomUniform(-0.1, 0.1)",
        after="uniform(-0.1, 0.1)",
        source="haiku.initializers.RandomUniform",
        target="uniform",
        signature=("minval", "maxval"),
        write=_uniform,
        result=made,
    ),
    Call(
        code="HK425",
        summary="hk.initializers.VarianceScaling becomes nnx.initializers.variance_scaling",
        before='hk.initializers.VarianceScaling(2.0, "fan_avg", "uniform")',
        after='nnx.initializers.variance_scaling(2.0, "fan_avg", "uniform")',
        source="haiku.initializers.VarianceScaling",
        target="flax.nnx.initializers.variance_scaling",
        signature=("scale", "mode", "distribution", "fan_in_axes"),
        write=_scaling,
        result=_made_scaled,
    ),
    Call(
        code="HK426",
        summary="hk.initializers.UniformScaling becomes nnx.initializers.variance_scaling",
        before="hk.initializers.UniformScaling(0.5)",
        after='nnx.initializers.variance_scaling(0.25, "fan_in", "uniform")',
        source="haiku.initializers.UniformScaling",
        target="flax.nnx.initializers.variance_scaling",
        signature=("scale",),
        write=_uniform_scaling,
        result=lambda use: Unknown(told=SCALED_OTHERWISE),
    ),
    Call(
        code="HK427",
        summary="hk.initializers.Orthogonal becomes `orthogonal`, which draws square matrices as Haiku does",
        before="hk.initializers.Orthogonal(2.0)",
        after="orthogonal(2.0)",
        source="haiku.initializers.Orthogonal",
        target="orthogonal",
        signature=("scale", "axis"),
        result=made,
    ),
    Call(
        code="HK428",
        summary="hk.initializers.Identity becomes `identity`",
        before="hk.initializers.Identity()",
        after="identity()",
        source="haiku.initializers.Identity",
        target="identity",
        signature=("gain",),
        result=made,
    ),
)
