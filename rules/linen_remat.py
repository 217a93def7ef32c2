"""Classes whose gradients compute activations again.

`nn.remat` of a module class makes another class. In NNX `nnx.remat` changes functions: a function beside the code makes a
class of its own, whose call is the changed one. `static_argnums` count alike, `self` first; only those of
`flax.linen.partitioning` leave `self` out.
"""

from __future__ import annotations

import ast

from ..codemod.rule import Call, Declined, Drop, To, Written
from ..codemod.shapes import classes
from ..codemod.shapes.lifts import Given, Rematerialized
from ..codemod.shapes.values import Class, Either, Partial, Value


def _is_class(value: Value | None) -> bool:
    if isinstance(value, Given):
        return True
    if isinstance(value, Either):
        return all(_is_class(option) for option in value.values)
    if isinstance(value, Rematerialized):
        return _is_class(value.target)
    if isinstance(value, Partial):
        return not value.args and _is_class(value.function)
    return isinstance(value, Class) and classes.framework(value) == "linen"


def _target(written: Written) -> str:
    if not _is_class(written.value):
        raise Declined(
            "nn.remat of something else than a module class of the program",
            "use nnx.remat on a function that takes the module as its first argument",
        )
    return written.text


def _kept(name: str, default: object) -> Drop:
    return Drop(
        only_if=(default,),
        message=f"`{name}` of nn.remat",
        help="nnx.remat lifts all variables and streams; leave the argument out",
    )


def _with_self(written: Written) -> str:
    """Positions of arguments where `self` is the first."""
    try:
        places = ast.literal_eval(written.text)
    except ValueError as error:
        raise Declined(
            "`static_argnums` that only a run tells", "write the numbers of the arguments out"
        ) from error
    return str(tuple(1 + place for place in (places if isinstance(places, tuple) else (places,))))


def _rule(code: str, name: str, package: str = "flax.linen") -> Call:
    positions = {"static_argnums": To("static_argnums", _with_self)}
    return Call(
        code=code,
        summary=f"nn.{name} of a module class becomes a class made beside the code",
        before=f"x = nn.{name}(Block)(features)(x)",
        after="self.block = rematerialized(Block)(in_features, features, rngs=rngs)",
        source=f"{package}.{name}",
        target="rematerialized",
        signature=(
            "target",
            "variables",
            "rngs",
            "concrete",
            "prevent_cse",
            "static_argnums",
            "policy",
            "methods",
        ),
        arguments={
            "target": To("cls", _target),
            "variables": _kept("variables", True),
            "rngs": _kept("rngs", True),
            "concrete": _kept("concrete", False),
            "methods": _kept("methods", None),
            **(positions if package.endswith("partitioning") else {}),
        },
        keyword_only=("prevent_cse", "static_argnums", "policy"),
    )


RULES = (
    _rule("LN424", "remat"),
    _rule("LN425", "checkpoint"),
    _rule("LN426", "remat", "flax.linen.partitioning"),
)
