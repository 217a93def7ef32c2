"""Dense layers that a module runs with a kernel from elsewhere: `self.head.apply({"params": {"kernel": table.T}}, x)`.

Such a layer has no kernel of its own unless it is called elsewhere; what it computes is a product.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

from ..ancestry import lineage
from ..chains import is_own
from ..edits import Edits
from ..shapes.facts import Facts
from ..shapes.values import NONE, Constant, LayerObject

_DENSE = "flax.linen.Dense"
_OPTIONS = frozenset(("features", "use_bias", "dtype", "param_dtype", "name"))
_UNREAD = ("kernel_init", "bias_init")


def is_applied(layer: ast.expr, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether `layer` is read to be run with a kernel from elsewhere."""
    above = parents.get(layer)
    call = parents.get(above) if isinstance(above, ast.Attribute) else None
    return isinstance(call, ast.Call) and call.func is above and _given(call) is not None


def _given(call: ast.Call) -> tuple[ast.expr, ast.expr] | None:
    """The kernel and the input of `layer.apply({"params": {"kernel": kernel}}, x)`."""
    match call:
        case ast.Call(
            func=ast.Attribute(attr="apply"),
            args=[
                ast.Dict(
                    keys=[ast.Constant(value="params")],
                    values=[ast.Dict(keys=[ast.Constant(value="kernel")], values=[kernel])],
                ),
                given,
            ],
            keywords=[],
        ):
            return kernel, given
    return None


def product(
    call: ast.Call,
    facts: Facts,
    edits: Edits,
    target: Callable[[str], str],
    parents: Mapping[ast.AST, ast.AST],
) -> str | None:
    """What a dense layer computes with a kernel that it is given; None for other calls and layers.

    A layer that is never called itself would be made for nothing: that is None, too. `target` is how the file writes
    a qualified name.
    """
    found = _given(call)
    assert isinstance(call.func, ast.Attribute)
    layer = facts.value(call.func.value)
    if found is None or not _is_called(call.func.value, parents):
        return None
    if not isinstance(layer, LayerObject) or layer.site is None:
        return None
    given = {name for name, value in layer.arguments.items() if value != NONE}
    plain = layer.rule.source == _DENSE and given <= {*_OPTIONS, *_UNREAD}
    if not plain or layer.arguments.get("use_bias") != Constant(False):
        return None
    kernel, x = (edits.render(part) for part in found)
    dtype = next((k.value for k in layer.site.keywords if k.arg == "dtype"), None)
    if dtype is None:
        return " @ ".join(_operand(part, edits) for part in (found[1], found[0]))
    if not is_own(dtype):
        return None
    asarray = target("jax.numpy.asarray")
    written = ast.unparse(dtype)
    return f"{asarray}({x}, {written}) @ {asarray}({kernel}, {written})"


def _is_called(layer: ast.expr, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether the class reads a layer, by the same words, in another way than to run it with another's kernel."""
    around = next(n for n in lineage(layer, parents) if isinstance(n, ast.ClassDef))
    said = ast.dump(layer)
    reads = [n for n in ast.walk(around) if isinstance(n, type(layer)) and ast.dump(n) == said]
    return not all(is_applied(read, parents) for read in reads)


def _operand(node: ast.expr, edits: Edits) -> str:
    text = edits.render(node)
    is_atom = isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call)
    return text if is_atom else f"({text})"
