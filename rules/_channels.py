"""Layers of Haiku with their channels on axis 1: NNX's have them last, so a module beside the code moves them around the layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from ..codemod.rule import Argument, Declined, Drop, Layer, ShapeOf, SizeOf, Use
from ..codemod.shapes.values import Array, Constant, Value

_FIRST = ("channels_first", "NC...", "NCW", "NCHW", "NCDHW")
Variant = Callable[[Mapping[str, Value]], Layer | None]


def with_channels_first(rule: Layer) -> Layer:
    """A rule that also holds where `data_format` says that the channels come first."""
    formats = Drop(_FIRST, "channels that are not on the last axis", "move them there around it")
    arguments: dict[str, Argument] = {**rule.arguments, "data_format": formats}
    if "output_shape" in arguments:
        arguments["output_shape"] = Drop(
            (None,), "`output_shape` with channels first", "move the channels to the last axis"
        )
    first = dataclasses.replace(
        rule,
        around="ChannelsFirst",
        arguments=arguments,
        sizes={name: _size(size) for name, size in rule.sizes.items()},
        output=_shape(rule.output),
        variables=tuple(
            dataclasses.replace(
                v, target=f"layer/{v.target}", layout=v.layout or "v.reshape(shape)"
            )
            for v in rule.variables
        ),
        check=_checked(rule.check),
        call={name: told for name, told in rule.call.items() if name not in ("scale", "offset")},
        heritage=None,
    )

    def variant(given: Mapping[str, Value]) -> Layer | None:
        value = given.get("data_format")
        return first if isinstance(value, Constant) and value.value in _FIRST else None

    return dataclasses.replace(rule, variant=variant)


def _moved(use: Use) -> Use:
    """A use whose input has its channels last."""
    inputs = dict(use.inputs)
    for name, value in list(inputs.items())[:1]:
        if isinstance(value, Array) and value.shape is not None and len(value.shape) > 2:
            batch, channels, *rest = value.shape
            inputs[name] = dataclasses.replace(value, shape=(batch, *rest, channels))
    return dataclasses.replace(use, inputs=inputs)


def _size(size: SizeOf) -> SizeOf:
    return lambda use: size(_moved(use))


def _shape(output: ShapeOf) -> ShapeOf:
    def shape(use: Use) -> Value | None:
        found = output(_moved(use))
        if isinstance(found, Array) and found.shape is not None and len(found.shape) > 2:
            batch, *rest, channels = found.shape
            return dataclasses.replace(found, shape=(batch, channels, *rest))
        return found

    return shape


def _checked(check: Callable[[Use], None] | None) -> Callable[[Use], None]:
    def checked(use: Use) -> None:
        value = use.input()
        rank = len(value.shape) if isinstance(value, Array) and value.shape is not None else None
        if rank is None or rank < 3:
            raise Declined(
                "channels that are not on the last axis, of an input of unknown rank",
                "move the channels to the last axis around the layer",
                unsized=True,
            )
        if check is not None:
            check(use)

    return checked
