"""An axis of an input that the constructor's arguments choose: `x.shape[self.axis]`, where `axis` is -1 unless given.

Such a size is taken where the arguments have their defaults; whoever gives others is told nothing by it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import TYPE_CHECKING

from .. import signatures
from . import classes, parts
from .dims import ChosenAxis, Expression
from .scopes import Environment
from .values import Class, Constant, Items, Object, Size, Value

if TYPE_CHECKING:
    from .interpreter import Interpreter


def size(interp: Interpreter, node: ast.Subscript, shape: Items) -> Size | None:
    """The size of the axis that an index means by default, in a method of the module that is studied."""
    whole = parts.whole_shape(interp, shape)
    root = interp.root_object
    frame = interp.frames[-1] if interp.frames else None
    if whole is None or root is None or frame is None or frame.self_value is not root:
        return None
    index = _over_self(node.slice, frame.function)
    if index is None:
        return None
    chosen = _by_default(interp, root, index)
    rank = len(shape.items)
    if chosen is None or not -rank <= chosen < rank:
        return None
    attributes = {n.attr for n in ast.walk(index) if isinstance(n, ast.Attribute)}
    fields = tuple(sorted(_behind(root.cls, attributes) & defaults(root.cls).keys()))
    text = ast.unparse(index)
    origin = ChosenAxis(whole.method, whole.path, chosen % rank, rank, fields, text, chosen)
    key = ("chosen", interp.root, whole.method, whole.path, text)
    return Size(interp.symbols.new(origin, key))


def handed_on(
    interp: Interpreter, root: Object, owner: Object, shape: Items, index: str
) -> Size | None:
    """The size of the axis that an `index` over a module means, where the module that makes it hands on its own choice.

    `Norm(axis=self.axis)` in a module whose `axis` is -1 unless given: the size is then one that it is told itself.
    """
    whole = parts.whole_shape(interp, shape)
    given = _over(interp, owner, ast.parse(index, mode="eval").body)
    if whole is None or not isinstance(given, Size):
        return None
    origins = interp.symbols.origins_of(given.dim).values()
    known = defaults(root.cls)
    texts = {o.text for o in origins if isinstance(o, Expression)}
    if len(texts) < len(origins) or not texts or not texts <= known.keys():
        return None
    text = interp.symbols.render(given.dim, lambda _, o: f"self.{getattr(o, 'text', '')}")
    rank = len(shape.items)
    chosen = _by_default(interp, root, ast.parse(text, mode="eval").body)
    if chosen is None or not -rank <= chosen < rank:
        return None
    fields = tuple(sorted(texts))
    origin = ChosenAxis(whole.method, whole.path, chosen % rank, rank, fields, text, chosen)
    key = ("chosen", root.cls.node, whole.method, whole.path, text)
    return Size(interp.symbols.new(origin, key))


def as_given(
    interp: Interpreter, owner: Object, source: str, index: tuple[int, str] | None
) -> str | None:
    """The size `x.shape[-1]` of a module that is made for another axis: `x.shape[0]`; None where its axis is not known."""
    size = ast.parse(source, mode="eval").body
    if index is None or not isinstance(size, ast.Subscript):
        return None
    axis = _index_of(interp, owner, ast.parse(index[1], mode="eval").body)
    return None if axis is None else f"{ast.unparse(size.value)}[{axis}]"


def defaults(cls: Class) -> dict[str, ast.expr]:
    """The defaults of a module's constructor."""
    if classes.framework(cls) == "linen":
        found = {f.name: f.plain_default for f in classes.fields(cls)}
        return {name: default for name, default in found.items() if default is not None}
    initialiser = classes.method(cls, "__init__")
    if initialiser is None:
        return {}
    return signatures.defaults(initialiser.node.args)


def as_by_default(
    interp: Interpreter,
    owner: Object,
    fields: Collection[str],
    index: tuple[int, str] | None = None,
) -> bool:
    """Whether a module is made with what its constructor takes these arguments for, if they are not given.

    Where it is given others, an `index` over `self` may still be the one that it is by default.
    """
    if (
        index is not None
        and _index_of(interp, owner, ast.parse(index[1], mode="eval").body) == (index[0])
    ):
        return True
    known = defaults(owner.cls)
    for name in fields:
        given = owner.arguments.get(name, owner.arguments.get(f"<{name}>"))
        default = known.get(name)
        if given is None or default is None:
            continue
        if given != interp.peek(default, owner.cls.environment):
            return False
    return True


def _over_self(index: ast.expr, function: ast.AST) -> ast.expr | None:
    """An index that reads nothing but attributes of `self`; a local is what is assigned to it, once."""
    if isinstance(index, ast.Name):
        stores = [
            n
            for n in ast.walk(function)
            if isinstance(n, ast.Name) and n.id == index.id and isinstance(n.ctx, ast.Store)
        ]
        found = [
            n.value
            for n in ast.walk(function)
            if isinstance(n, ast.Assign) and len(n.targets) == 1 and n.targets[0] in stores
        ]
        if len(stores) != 1 or len(found) != 1:
            return None
        index = found[0]
    names = {n.id for n in ast.walk(index) if isinstance(n, ast.Name)}
    return index if names == {"self"} else None


def _by_default(interp: Interpreter, root: Object, index: ast.expr) -> int | None:
    """The index for a module that is made with the defaults of its constructor."""
    return _index_of(interp, _made(interp, root), index)


def _index_of(interp: Interpreter, owner: Object, index: ast.expr) -> int | None:
    """An index over `self` for a module."""
    value = _over(interp, owner, index)
    known = value.value if isinstance(value, Constant) else None
    return known if isinstance(known, int) and not isinstance(known, bool) else None


def _over(interp: Interpreter, owner: Object, index: ast.expr) -> Value | None:
    """What an index over `self`, its attributes and its constructor's parameters, is for a module."""
    env = Environment(owner.cls.module, None)
    env.names["self"] = Object(owner.cls, {**owner.arguments, **owner.attributes})
    return interp.peek(index, env)


def _made(interp: Interpreter, root: Object) -> Object:
    """The module that is studied, made with the defaults of its constructor."""
    from .calls import call_function

    made = Object(root.cls)
    given: dict[str, Value] = {
        name: interp.peek(default, root.cls.environment)
        for name, default in defaults(root.cls).items()
    }
    if classes.framework(root.cls) == "linen":
        made.arguments.update({**root.arguments, **given})
        return made
    initialiser = classes.method(root.cls, "__init__")
    if initialiser is None:
        return made
    saved, interp.recording = interp.recording, False
    try:
        call_function(interp, initialiser, [made], {**root.arguments, **given}, None, made)
    finally:
        interp.recording = saved
    return made


def _behind(cls: Class, attributes: Collection[str]) -> set[str]:
    """The parameters of a module's constructor that attributes are made of; Linen's fields are both."""
    found = set(attributes)
    initialiser = classes.method(cls, "__init__")
    if classes.framework(cls) == "linen" or initialiser is None:
        return found
    before: set[str] = set()
    while found != before:
        before = set(found)
        for node in ast.walk(initialiser.node):
            if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef):
                if _stored(node) & found:
                    found |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return found


def _stored(statement: ast.stmt) -> set[str]:
    """The names and attributes that a statement assigns."""
    stores = [n for n in ast.walk(statement) if isinstance(getattr(n, "ctx", None), ast.Store)]
    return {n.attr if isinstance(n, ast.Attribute) else getattr(n, "id", "") for n in stores}
