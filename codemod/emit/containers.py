"""Lists, tuples and dicts of layers, as NNX holds them: an attribute's containers are its own, down to the innermost."""

from __future__ import annotations

import ast
from collections.abc import Set

from .transport import Scope, Transport


def held(node: ast.expr, text: str) -> str:
    """`text`, the new text of `node`, in the container of NNX where it is a list, a tuple or a dict of layers."""
    match node:
        case ast.Tuple():
            return f"nnx.List([{text.strip()[1:-1].rstrip().rstrip(',')}])"
        case ast.List() | ast.ListComp():
            return f"nnx.List({text})"
        case ast.Dict() | ast.DictComp():
            return f"nnx.Dict({text})"
    return text


def hold_within(node: ast.expr, made: Set[ast.AST], transport: Transport, scope: Scope) -> None:
    """Has the containers within a container that hold a layer of `made` written as those of NNX."""
    for inner in _elements(node):
        if _elements(inner) and any(each in made for each in ast.walk(inner)):
            hold_within(inner, made, transport, scope)
            transport.substitutes[inner] = held(inner, transport.expression(inner, scope))


def _elements(node: ast.expr) -> list[ast.expr]:
    """What a container holds; nothing where it is none."""
    match node:
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return elements
        case ast.Dict(values=elements):
            return elements
        case ast.ListComp(elt=element) | ast.DictComp(value=element):
            return [element]
    return []
