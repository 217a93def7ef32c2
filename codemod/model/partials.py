"""Module classes with part of their arguments: `ResNet18 = functools.partial(ResNet, block=Block)` shows what is given."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from ..project import Module
from ..shapes import classes
from ..shapes.interpreter import Interpreter
from ..shapes.values import Class, Items, Partial, Table, Value

Given = dict[ast.AST, list[dict[str, Value]]]  # by class: arguments by name


def given_by_partials(interp: Interpreter, modules: Iterable[Module]) -> Given:
    """The arguments that partials at the top of files give to the constructors of module classes."""
    found: Given = defaultdict(list)
    for module in modules:
        for value in interp.environment_of(module).names.values():
            for partial in _partials(value):
                cls, arguments = _bound(partial)
                if isinstance(cls, Class) and classes.framework(cls) is not None:
                    found[cls.node].append(dict(arguments))
    return found


def _partials(value: Value) -> Iterator[Partial]:
    if isinstance(value, Partial):
        yield value
    elif isinstance(value, Items):
        for item in value.items:
            yield from _partials(item)
    elif isinstance(value, Table):
        for item in value.items.values():
            yield from _partials(item)


def _bound(partial: Partial) -> tuple[Value, Mapping[str, Value]]:
    """What a partial calls in the end, and the arguments that it gives."""
    if isinstance(partial.function, Partial):
        function, inner = _bound(partial.function)
        return function, {**inner, **partial.kwargs}
    function = partial.function
    names = classes.parameters(function) if isinstance(function, Class) else []
    return function, {**dict(zip(names, partial.args, strict=False)), **partial.kwargs}
