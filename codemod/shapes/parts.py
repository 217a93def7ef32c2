"""Parts of an input's shape that have as many axes as a field says: `x.shape[-self.num_axes:]`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from .dims import Expression, InputAxis, InputPart
from .values import NONE, Constant, Items, ShapePart, Size, Unknown, Value

if TYPE_CHECKING:
    from .interpreter import Interpreter


def part(interp: Interpreter, shape: Items, bounds: Items) -> ShapePart | None:
    """The slice of an input's whole shape between bounds that fields give."""
    axis = whole_shape(interp, shape)
    texts = [_bound(interp, item) for item in bounds.items]
    if axis is None or any(text is None for text in texts):
        return None
    written = ":".join(str(text) for text in (texts if texts[2] else texts[:2]))
    return _symbol(interp, InputPart(axis.method, axis.path, f"{axis.path}.shape[{written}]"))


def join(interp: Interpreter, node: ast.AST, left: Value, right: Value) -> ShapePart | None:
    """A part of a shape where a field's test holds, and another, or fixed sizes, where it does not."""
    parts = [value for value in (left, right) if isinstance(value, ShapePart)]
    if (
        not parts
        or not isinstance(node, ast.If | ast.IfExp)
        or not _is_of_fields(interp, node.test)
    ):
        return None
    origins = [interp.symbols.origin(value.symbol) for value in parts]
    first = origins[0]
    if not isinstance(first, InputPart) or any(
        not isinstance(o, InputPart) or o.path != first.path for o in origins
    ):
        return None
    one, other = _text(interp, left), _text(interp, right)
    if one is None or other is None:
        return None
    text = f"{one} if {ast.unparse(node.test)} else {other}"
    return _symbol(interp, InputPart(first.method, first.path, text))


def _symbol(interp: Interpreter, origin: InputPart) -> ShapePart:
    return ShapePart(interp.symbols.new(origin, ("part", interp.root, origin.method, origin.text)))


def whole_shape(interp: Interpreter, shape: Items) -> InputAxis | None:
    """The first axis of the one argument whose shape this is."""
    origins = [
        interp.symbols.origin(item.dim) if isinstance(item, Size) else None for item in shape.items
    ]
    first = origins[0] if origins else None
    if not isinstance(first, InputAxis):
        return None
    whole = [
        InputAxis(first.method, first.path, axis, len(origins)) for axis in range(len(origins))
    ]
    return first if origins == whole else None


def _bound(interp: Interpreter, bound: Value) -> str | None:
    """A slice's bound over the fields of `self`; an empty text for one that is left out."""
    match bound:
        case Constant(value=None):
            return ""
        case Constant(value=int(known)):
            return str(known)
        case Unknown(text=str(text)) if text.isidentifier():
            return f"self.{text}"
        case Size(dim=dim):
            origins = interp.symbols.origins_of(dim).values()
            if all(isinstance(o, Expression) and o.text.isidentifier() for o in origins):
                return interp.symbols.render(dim, lambda _, o: f"self.{getattr(o, 'text', '')}")
    return None


def _is_of_fields(interp: Interpreter, test: ast.expr) -> bool:
    """Whether a test reads nothing but fields of the module that is studied, each under its parameter's name."""
    owner = interp.frames[-1].self_value if interp.frames else None
    if owner is None or owner is not interp.root_object:
        return False
    parents = {child: node for node in ast.walk(test) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(test):
        if isinstance(node, ast.Name):
            above = parents.get(node)
            if node.id != "self" or not isinstance(above, ast.Attribute):
                return False
            if _bound(interp, owner.attributes.get(above.attr, NONE)) != f"self.{above.attr}":
                return False
    return True


def _text(interp: Interpreter, value: Value) -> str | None:
    """The text of a part, or of fixed sizes, over the arguments of the original's call."""
    match value:
        case ShapePart(symbol=symbol):
            origin = interp.symbols.origin(symbol)
            return origin.text if isinstance(origin, InputPart) else None
        case Items(items=items) if all(isinstance(item, Constant) for item in items):
            return repr(tuple(item.value for item in items if isinstance(item, Constant)))
    return None
