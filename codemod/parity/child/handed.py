"""Functions that hand back a function which makes layers, as classes: built with the one's arguments, called with the other's."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Any

from . import parts


def as_class(thing: Any) -> Any:
    """A class in the place of such a function; anything else as it is."""
    inner = _inner(thing)
    if inner is None:
        return thing

    class Handed:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._function = thing(*args, **kwargs)

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return self._function(*args, **kwargs)

    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    call: Any = Handed.__call__
    call.__signature__ = inspect.Signature([itself, *_parameters(inner.args)])
    call.tree = ast.Module([inner], [])
    Handed.__signature__ = inspect.signature(thing)  # type: ignore[attr-defined]  # read by inspect
    Handed.__name__ = thing.__name__
    return Handed


def _inner(thing: Any) -> ast.FunctionDef | None:
    """The function that a function hands back, where it is the only thing that it hands back."""
    tree = parts.source(thing) if inspect.isfunction(thing) else None
    if tree is None or not (tree.body and isinstance(tree.body[0], ast.FunctionDef)):
        return None
    body = tree.body[0].body
    returned = {ast.unparse(one.value) if one.value else "" for one in _returns(body)}
    own = {one.name: one for one in body if isinstance(one, ast.FunctionDef) and _is_plain(one)}
    return own.get(returned.pop()) if len(returned) == 1 else None


def _is_plain(function: ast.FunctionDef) -> bool:
    """Whether no decorator makes a transformed pair of a function."""
    words = {ast.unparse(one).rpartition(".")[2] for one in function.decorator_list}
    return not any("transform" in word for word in words)


def _returns(body: list[ast.stmt]) -> Iterator[ast.Return]:
    """The `return`s of a function, without those of functions within it."""
    for statement in body:
        if isinstance(statement, ast.Return):
            yield statement
        elif not isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            for blocks in ("body", "orelse", "finalbody"):
                yield from _returns(getattr(statement, blocks, []))


def _parameters(arguments: ast.arguments) -> Iterator[inspect.Parameter]:
    """The parameters that a function's tree says; a default stands for any, as only its being there is asked for."""
    place = [*arguments.posonlyargs, *arguments.args]
    without = len(place) - len(arguments.defaults)
    for number, one in enumerate(place):
        yield _parameter(one, inspect.Parameter.POSITIONAL_OR_KEYWORD, number >= without)
    if arguments.vararg:
        yield _parameter(arguments.vararg, inspect.Parameter.VAR_POSITIONAL)
    for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _parameter(one, inspect.Parameter.KEYWORD_ONLY, default is not None)
    if arguments.kwarg:
        yield _parameter(arguments.kwarg, inspect.Parameter.VAR_KEYWORD)


def _parameter(one: ast.arg, kind: Any, default: bool = False) -> inspect.Parameter:
    empty = inspect.Parameter.empty
    annotation = ast.unparse(one.annotation) if one.annotation else empty
    return inspect.Parameter(
        one.arg, kind, default=None if default else empty, annotation=annotation
    )
