"""Copies of records with other values in some fields: `dataclasses.replace`, and `replace` of `flax.struct`'s."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from . import classes
from .values import External, Object, Partial, Value

if TYPE_CHECKING:
    from .interpreter import Interpreter

_REPLACE = "dataclasses.replace"


def method(owner: Object, name: str) -> Value | None:
    """`record.replace`, which a program that runs only reads off the records that have it."""
    if name != "replace" or not _is_record(owner):
        return None
    return Partial(External(_REPLACE), (owner,), {})


def _replaced(
    interp: Interpreter, node: ast.AST, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    match args:
        case [Object() as record] if _is_record(record):
            return Object(record.cls, {**record.attributes, **kwargs}, record.site)
    return None


def _is_record(value: Object) -> bool:
    return classes.framework(value.cls) is None and classes.is_record(value.cls)


Special = Callable[["Interpreter", ast.AST, Sequence[Value], Mapping[str, Value]], Value | None]

SPECIAL: dict[str, Special] = {_REPLACE: _replaced}
