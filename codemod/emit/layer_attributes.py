"""Attributes of layers that a class reads, `self.head.output_size`: layers of NNX have other names for some, and no others."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from ..chains import constructs
from ..edits import Edits
from ..rule import Layer, To
from ..shapes.facts import Facts
from ..shapes.held import TELLING
from ..shapes.values import LayerObject
from .helpers import helper_names, helper_source
from .transport import CannotMove

_SIZES = {
    "in_features": ("input_size",),
    "out_features": ("output_size", "output_channels", "features"),
}
_KEPT = {
    ("flax.nnx.Sequential", "layers"): "layers",
    ("flax.nnx.Embed", "embedding"): "embedding",
    ("flax.nnx.Embed", "features"): "features",
    ("flax.nnx.Embed", "vocab_size"): "num_embeddings",
    ("flax.nnx.Embed", "embed_dim"): "features",
}


def edit_layer_attributes(
    function: ast.FunctionDef, edits: Edits, facts: Facts, parents: Mapping[ast.AST, ast.AST]
) -> None:
    """Has a method read what the layers of NNX call it; raises CannotMove for what they do not keep."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Load):
            continue
        above = parents.get(node)
        if isinstance(above, ast.Call) and above.func is node:
            continue
        layer = facts.value(node.value)
        if not isinstance(layer, LayerObject) or node.attr not in _own(layer.rule):
            continue
        name = _there(layer.rule, node.attr)
        if name is None or (name != node.attr and constructs(function)):
            raise CannotMove(
                node,
                f"`{node.attr}` of `{layer.rule.source}` is read, which the layer of NNX does not keep",
                "keep the number beside the layer, and read it there",
            )
        if name != node.attr:
            edits.replace(node, f"{edits.render(node.value)}.{name}")


def _own(rule: Layer) -> set[str]:
    """The attributes that a layer has of the arguments that it was made with."""
    if not rule.source.startswith("haiku."):
        return {name for name in rule.signature if name in _SIZES["out_features"]}
    inherited = rule.heritage.attributes if rule.heritage is not None else {}
    return {*rule.signature, *inherited, "input_size"}


def _there(rule: Layer, name: str) -> str | None:
    """The attribute under which the counterpart of a layer keeps something, None where it does not."""
    if (rule.target, name) in _KEPT and not rule.around:
        return _KEPT[rule.target, name]
    if rule.target in TELLING and not rule.around:
        return next((new for new, old in _SIZES.items() if name in old), None)
    argument = rule.arguments.get(name, To(name))
    if rule.target in helper_names() and isinstance(argument, To):
        kept = re.search(rf"\bself\.{argument.name} = ", helper_source(rule.target))
        return argument.name if kept else None
    return None
