"""Functions around `nn.vmap` that make several of the class that they are given, with parameters of their own.

In NNX `nnx.vmap` changes functions: a function beside the code makes modules of a class of their own, whose call runs all
copies. A `nn.vmap` beside the module that it makes is written out there, and needs no such function.
"""

from __future__ import annotations

from ..codemod.rule import Call, Drop, To
from ..codemod.shapes.lifts import Given
from ..codemod.shapes.values import Value


def _is_given(value: Value | None) -> bool:
    return isinstance(value, Given)


RULES = (
    Call(
        code="LN427",
        summary="nn.vmap of a class that a function is given becomes a class made beside the code",
        before="ensemble = nn.vmap(cls, variable_axes={'params': 0}, split_rngs={'params': True}, in_axes=None, axis_size=n)",
        after="ensemble = vmapped(cls, in_axes=None, axis_size=n)",
        source="flax.linen.vmap",
        target="vmapped",
        signature=(
            "target",
            "variable_axes",
            "split_rngs",
            "in_axes",
            "out_axes",
            "axis_size",
        ),
        arguments={"target": To("cls"), "variable_axes": Drop(), "split_rngs": Drop()},
        keyword_only=("in_axes", "out_axes", "axis_size"),
        hands_on=True,
        only=_is_given,
    ),
)
