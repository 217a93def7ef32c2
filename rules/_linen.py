"""What the rules about Linen's layers share."""

from __future__ import annotations

from collections.abc import Mapping

from ..codemod.rule import Argument, Declined, Refuse, To, Use, VariableName, Written
from ..codemod.shapes.values import Constant, Either, External, Items, Value

KERNEL_AND_BIAS = (VariableName("kernel", "kernel"), VariableName("bias", "bias"))
SCALE_AND_BIAS = (VariableName("scale", "scale"), VariableName("bias", "bias"))
_HALF = frozenset(("bfloat16", "float16"))


def only(name: str, *own: str) -> To:
    """A hook that NNX calls in another way: the layer's own, by qualified name, may be left out."""

    def write(written: Written) -> str | None:
        value = written.value
        if (isinstance(value, External) and value.name in own) or value == Constant(None):
            return None
        raise Declined(
            f"a `{name}` of your own, which nnx calls with other arguments",
            f"adapt the function to how nnx calls `{name}` and write the layer by hand",
        )

    return To(name, write)


PROMOTE_DTYPE = only("promote_dtype", "flax.linen.dtypes.promote_dtype")
HOOKS: Mapping[str, Argument] = {
    "promote_dtype": PROMOTE_DTYPE,
    "dot_general": only("dot_general", "jax.lax.dot_general"),
    "dot_general_cls": Refuse(
        "`dot_general_cls`, which nnx.Linear lacks", "pass a function as `dot_general=`"
    ),
}


def is_half(value: Value | None) -> bool:
    """Whether a dtype is, or may be, one of half precision."""
    match value:
        case Constant(value=str(name)) | External(name=name):
            return name.rpartition(".")[2] in _HALF
        case Either(values=values):
            return any(is_half(option) for option in values)
    return False


def is_known(use: Use, name: str) -> bool:
    """Whether an argument is left out or known whole; False where only running the code would tell."""
    value = use.arguments.get(name)
    if isinstance(value, Items):
        return all(isinstance(item, Constant) for item in value.items)
    return value is None or isinstance(value, Constant)
