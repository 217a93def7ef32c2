"""Models that run with variables which nothing in sight initialises: they may come from a file, under their old names.

A bridge has other names of variables. Where `init` is what makes them, it makes them under these names; where they come
from elsewhere, they would not be found.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Collection, Iterable, Iterator

from ..chains import last_name
from ..emit.path_reads import outside
from ..project import Module
from ..shapes.interpreter import Interpreter
from ..shapes.values import Class, Value

_INITIALISES = ("init", "init_with_output", "lazy_init")
PeekName = Callable[[ast.expr], Value | None]


def only_runs(
    interp: Interpreter, modules: Iterable[Module], cls: Class, module_nodes: Collection[ast.AST]
) -> bool:
    """Whether models of a class are run by the code around the `module_nodes`, and initialised by none of it."""
    names: set[str] = set()
    running: list[Module] = []
    modules = list(modules)
    for module in modules:
        if cls.name in module.source.text:
            peek = functools.partial(interp.peek_name, env=interp.environment_of(module))
            names |= _names_of_models(outside(module, module_nodes), cls, peek)
            running.append(module)
    if not names or not any(_runs(outside(m, module_nodes), names) for m in running):
        return False
    return not any(
        _initialises(list(outside(module, module_nodes)), names)
        for module in modules
        if any(name in module.source.text for name in names)
    )


def _names_of_models(nodes: Iterable[ast.AST], cls: Class, peek: PeekName) -> set[str]:
    """The variables and attributes, by their last names, that are given a model of a class as it is made."""
    found: set[str | None] = set()
    for node in nodes:
        match node:
            case ast.Assign(
                targets=[target], value=ast.Call(func=ast.Name() | ast.Attribute() as f)
            ):
                if peek(f) is cls:
                    found.add(last_name(target))
    return {name for name in found if name is not None}


def _runs(nodes: Iterable[ast.AST], names: Collection[str]) -> bool:
    """Whether `apply` of a model under one of these names is called."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "apply"
        and last_name(node.func.value) in names
        for node in nodes
    )


def _initialises(nodes: Collection[ast.AST], names: Collection[str]) -> bool:
    """Whether a model under one of these names may be initialised: `init` takes a key, and may be handed on."""
    called = set(_calls_without_arguments(nodes))
    return any(
        isinstance(node, ast.Attribute)
        and node.attr in _INITIALISES
        and last_name(node.value) in names
        and node not in called
        for node in nodes
    )


def _calls_without_arguments(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    for node in nodes:
        if isinstance(node, ast.Call) and not node.args and not node.keywords:
            yield node.func
