"""Whole networks of `hk.nets` that are not rewritten: NNX has none, and each is a page of layers that have rules."""

from __future__ import annotations

from ..codemod.rule import Unsupported

_DEPTHS = ("", "18", "34", "50", "101", "152", "200")
_RESNET = (
    "nnx has no residual networks of its own",
    "copy the class from Haiku's source into the project, with hk. before its layers, and rewrite that",
)
_MOBILE = ("nnx has no MobileNet of its own", _RESNET[1])
_QUANTISER = ("nnx has no vector quantisers of its own", _RESNET[1])

RULES = (
    Unsupported(
        code="HK911",
        summary="residual networks, MobileNet and vector quantisers have no counterpart",
        names={
            **{f"haiku.nets.ResNet{depth}": _RESNET for depth in _DEPTHS},
            "haiku.nets.MobileNetV1": _MOBILE,
            "haiku.nets.VectorQuantizer": _QUANTISER,
            "haiku.nets.VectorQuantizerEMA": _QUANTISER,
        },
    ),
)
