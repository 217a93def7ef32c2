"""What the code of a class does with its fields: calls them, makes layers of them, goes through them, compares them with texts."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from . import parts

_THROUGH = ("enumerate", "len", "list", "reversed", "tuple", "zip")


@dataclass
class Use:
    """How one field is used: each call of it, those whose result is called in turn (with that call), and the rest."""

    calls: list[ast.Call] = field(default_factory=list)
    made: list[tuple[ast.Call, ast.Call]] = field(default_factory=list)
    sequence: bool = False
    texts: list[str] = field(default_factory=list)  # that it is compared with


def of(constructor: Any) -> dict[str, Use]:
    """The uses of what a class is constructed with, by name: as `self.name`, `self._name`, or `name` in `__init__`."""
    tree = parts.source(constructor) if inspect.isclass(constructor) else None
    found: dict[str, Use] = {}
    for function in ast.walk(tree) if tree is not None else ():
        if isinstance(function, ast.FunctionDef):
            parents = {c: n for n in ast.walk(function) for c in ast.iter_child_nodes(n)}
            for node in ast.walk(function):
                name = _name(node, function.name == "__init__")
                if name:
                    _note(found.setdefault(name, Use()), node, parents)
    return found


def _name(node: ast.AST, constructing: bool) -> str:
    match node:
        case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Load()):
            return name.removeprefix("_")
        case ast.Name(id=name, ctx=ast.Load()) if constructing:
            return name
    return ""


def _note(use: Use, node: ast.AST, parents: dict[ast.AST, ast.AST]) -> None:
    match parents.get(node):
        case ast.Call(func=called) as call if called is node:
            around = parents.get(call)
            if isinstance(around, ast.Call) and around.func is call:
                use.made.append((call, around))
            else:
                use.calls.append(call)
        case ast.Call(func=ast.Name(id=name)) if name in _THROUGH:
            use.sequence = True
        case ast.For(iter=through) | ast.comprehension(iter=through) if through is node:
            use.sequence = True
        case ast.Starred() | ast.Subscript(value=ast.Attribute() | ast.Name(), slice=_) as one:
            use.sequence = use.sequence or isinstance(one, ast.Starred) or _counts(one)
        case ast.Compare() as test:
            use.texts += [text for text in _texts(test) if text not in use.texts]


def _counts(node: ast.Subscript) -> bool:
    return not isinstance(node.slice, ast.Constant) or isinstance(node.slice.value, int)


def _texts(test: ast.Compare) -> Iterator[str]:
    for side in (test.left, *test.comparators):
        for node in ast.walk(side):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def fitting(use: Use, module: Any) -> list[str]:
    """The module classes of a file that can be made and called as a field is, as expressions."""
    found = []
    for name, cls in vars(module).items():
        own = inspect.isclass(cls) and cls.__module__ == module.__name__
        if own and all(_fits(cls, *pair) for pair in use.made):
            found.append(f"py:module.{name}")
    return found


def library(use: Use) -> str:
    """The layer of the library that is made as a field is: of no size, of one, or of more, which are windows."""
    sized = any(made.args or "features" in _keywords(made) for made, _ in use.made)
    windowed = any(
        any(isinstance(one, ast.Tuple) for one in made.args[1:])
        or {"kernel_size", "strides"} & {*_keywords(made)}
        for made, _ in use.made
    )
    if not sized:
        return "py:nn.LayerNorm"
    return "py:nn.Conv" if windowed else "py:nn.Dense"


def _fits(cls: Any, made: ast.Call, called: ast.Call) -> bool:
    try:
        inspect.signature(cls).bind(*made.args, **_keywords(made))
        inspect.signature(cls.__call__).bind(cls, *called.args, **_keywords(called))
    except (AttributeError, TypeError, ValueError):
        return False
    return True


def _keywords(call: ast.Call) -> dict[str, Any]:
    return {keyword.arg: None for keyword in call.keywords if keyword.arg is not None}
