"""Modules, and classes of modules, that are given to a constructor."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Iterator

from ..chains import is_own, root_name, stored_names
from ..shapes import classes
from ..shapes.values import Class, Either, External, LayerObject, Object, Partial, Unknown, Value
from ..strangers import makers

_LAYER = re.compile(r"(flax\.linen|haiku)\.(\w+\.)*[A-Z]\w*")

ValueOf = Callable[[ast.AST], Value | None]
Resolve = Callable[[ast.expr], object]


def may_be_module(
    argument: ast.expr, value_of: ValueOf, resolve: Resolve, records: bool = True
) -> bool:
    """Whether an argument is a module or a class of modules, or mentions one; `records` may hold them, too."""
    if _is_module(value_of(argument), records):
        return True
    for node in ast.walk(argument):
        if isinstance(node, ast.Name | ast.Attribute):
            named = resolve(node)
            if isinstance(named, Class) and classes.framework(named) is not None:
                return True
            if _is_layer(named):
                return True
    return False


def may_give_module(
    call: ast.Call,
    cls: Class,
    value_of: ValueOf,
    resolve: Resolve,
    passes: Callable[[ast.expr], bool] = lambda argument: False,
) -> bool:
    """Whether the constructor of `cls` gets a module or a class of modules, or something unknown where it wants one.

    `passes` says of an argument that it may be given all the same.
    """
    wanted, inside = _wanted(cls)
    for name, argument in _named_arguments(call, cls):
        if passes(argument):
            continue
        if may_be_module(argument, value_of, resolve, records=inside):
            return True
        if name in wanted and not isinstance(argument, ast.Constant):
            if _is_unknown(value_of(argument)):
                return True
    return False


def _named_arguments(call: ast.Call, cls: Class) -> Iterator[tuple[str | None, ast.expr]]:
    names = classes.parameters(cls)[: len(call.args)]
    yield from itertools.zip_longest(names, call.args)
    for keyword in call.keywords:
        yield keyword.arg, keyword.value


def _wanted(cls: Class) -> tuple[set[str], bool]:
    """The attributes that a class calls for layers, and whether it finds such classes inside of anything else."""
    owned, inside = set(), False
    stored = stored_names(cls.node)
    for head in makers(cls.node):
        if is_own(head):
            owned.add(head.attr.strip("_"))
        elif isinstance(head, ast.Attribute):
            inside |= root_name(head) in {"self", *stored}
    return owned, inside


def _is_module(value: Value | None, records: bool) -> bool:
    while isinstance(value, Partial):
        value = value.function
    if isinstance(value, Either):
        return any(_is_module(one, records) for one in value.values)
    if isinstance(value, Object) and not records:
        return classes.framework(value.cls) is not None
    return isinstance(value, Class | Object | LayerObject) or _is_layer(value)


def _is_unknown(value: Value | None) -> bool:
    if isinstance(value, Either):
        return any(map(_is_unknown, value.values))
    return value is None or isinstance(value, Unknown)


def _is_layer(value: object) -> bool:
    """Whether a value is a layer class of Linen or Haiku."""
    return isinstance(value, External) and _LAYER.fullmatch(value.name) is not None
