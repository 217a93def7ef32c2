"""What a module's new constructor parameters are where it is called."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from ..model.module import AddedParameter
from ..shapes import chosen, classes
from ..shapes.binding import bind_signature
from ..shapes.chosen import as_by_default
from ..shapes.interpreter import Interpreter
from ..shapes.scopes import Environment
from ..shapes.values import Class, Constant, Items, Object, ShapePart, Value, as_dim


def argument_value(
    interp: Interpreter,
    cls: Class,
    added: AddedParameter,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    owner: Object | None = None,
) -> Value | None:
    """The size, or the sizes, that a parameter's expression gives on the arguments of one call of `owner`."""
    names = _by_name(cls, added.method, args, kwargs)
    return None if names is None else evaluated(interp, cls, added, names, owner)


def handed_on(
    interp: Interpreter,
    root: Object,
    owner: Object,
    added: AddedParameter,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
) -> Value | None:
    """The size that a parameter is for `owner`, where `root`, which makes it, hands on what the axis is chosen by."""
    names = _by_name(owner.cls, added.method, args, kwargs)
    size = ast.parse(added.source, mode="eval").body
    if added.index is None or names is None or not isinstance(size, ast.Subscript):
        return None
    env = Environment(owner.cls.module, None)
    env.names.update(names)
    shape = interp.peek(size.value, env)
    if not isinstance(shape, Items):
        return None
    return chosen.handed_on(interp, root, owner, shape, added.index[1])


def _by_name(
    cls: Class, method: str, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> dict[str, Value] | None:
    """The arguments of a call of a method by parameter."""
    function = classes.method(cls, method)
    if function is None:
        return None
    parameters = [a.arg for a in function.node.args.args][1:]
    return bind_signature(parameters, args, kwargs)


def evaluated(
    interp: Interpreter,
    cls: Class,
    added: AddedParameter,
    names: Mapping[str, Value],
    owner: Object | None,
) -> Value | None:
    """A parameter's expression where names have these values; None where it is no size."""
    if added.rows:
        return _looked_up(interp, cls, added, names, owner)
    source = added.source
    if owner is not None and not as_by_default(interp, owner, added.fields, added.index):
        told = chosen.as_given(interp, owner, source, added.index)
        if told is None:
            return None
        source = told
    value = _value(interp, cls, source, names, owner)
    if as_dim(value) is not None or isinstance(value, ShapePart):
        return value
    if isinstance(value, Items) and all(as_dim(item) is not None for item in value.items):
        return value
    return None


def _looked_up(
    interp: Interpreter,
    cls: Class,
    added: AddedParameter,
    names: Mapping[str, Value],
    owner: Object | None,
) -> Value | None:
    """A size that runs showed, where what it goes by is known and was so in one of them."""
    known = [_value(interp, cls, key, names, owner) for key in added.keys]
    if not all(isinstance(value, Constant) for value in known):
        return None
    wanted = tuple(value.value for value in known if isinstance(value, Constant))
    found = next((size for values, size in added.rows if values == wanted), None)
    return None if found is None else Constant(found)


def _value(
    interp: Interpreter,
    cls: Class,
    source: str,
    names: Mapping[str, Value],
    owner: Object | None,
) -> Value:
    env = Environment(cls.module, None)
    if owner is not None:
        fields = Object(cls)
        fields.attributes = {**owner.attributes, **owner.arguments}
        env.names["self"] = fields
    env.names.update(names)
    saved, interp.recording = interp.recording, False
    try:
        return interp.evaluate(ast.parse(source, mode="eval").body, env)
    finally:
        interp.recording = saved
