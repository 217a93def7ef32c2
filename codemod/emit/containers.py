"""Lists, tuples and dicts of layers, as NNX holds them: an attribute's containers are its own, down to the innermost."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Set

from ..chains import last_name
from ..shapes import classes
from ..shapes.values import (
    Class,
    Either,
    External,
    Items,
    LayerObject,
    Object,
    Repeated,
    Table,
    Value,
)
from .transport import Scope, Transport

_SEQUENCES = frozenset(("Sequence", "List", "list", "Tuple", "tuple", "Iterable", "Collection"))
_MAPPINGS = frozenset(("Mapping", "Dict", "dict", "FrozenDict", "MutableMapping"))


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


# ---- containers that a module is given ---------------------------------------------------------------


def kind_given(
    annotation: ast.expr | None,
    values: Iterable[Value],
    resolve: Callable[[ast.expr], Value | None],
) -> str | None:
    """ "List" or "Dict" where a parameter is given modules in a sequence or a mapping, by its annotation or values."""
    declared = _declared(annotation, resolve) if annotation is not None else None
    return declared or next((kind for value in values if (kind := _holding(value))), None)


def _declared(annotation: ast.expr, resolve: Callable[[ast.expr], Value | None]) -> str | None:
    match annotation:
        case ast.Subscript(value=head, slice=inner) if last_name(head) == "Optional":
            return _declared(inner, resolve)
        case ast.BinOp(left=inner, op=ast.BitOr(), right=ast.Constant(value=None)):
            return _declared(inner, resolve)
        case ast.Subscript(value=head, slice=inner) if any(
            _is_module_type(each, resolve) for each in _items(inner)
        ):
            name = last_name(head)
            return "List" if name in _SEQUENCES else "Dict" if name in _MAPPINGS else None
    return None


def _items(node: ast.expr) -> list[ast.expr]:
    """The types within the brackets of a container's type."""
    return node.elts if isinstance(node, ast.Tuple) else [node]


def _is_module_type(node: ast.AST, resolve: Callable[[ast.expr], Value | None]) -> bool:
    if not isinstance(node, ast.Name | ast.Attribute):
        return False
    value = resolve(node)
    if isinstance(value, External):
        return value.name in ("flax.linen.Module", "haiku.Module")
    return isinstance(value, Class) and classes.framework(value) is not None


def _holding(value: Value) -> str | None:
    match value:
        case Items(items=items) if any(map(_is_made, items)):
            return "List"
        case Repeated(item=item, key=key) if _is_made(item):
            return "List" if key is None else "Dict"
        case Table(items=items) if any(map(_is_made, items.values())):
            return "Dict"
    return None


def _is_made(value: Value) -> bool:
    if isinstance(value, Either):
        return any(map(_is_made, value.values))
    return isinstance(value, LayerObject) or (
        isinstance(value, Object) and classes.framework(value.cls) is not None
    )
