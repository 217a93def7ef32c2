"""What the code of a class does with its fields: calls them, makes layers of them, goes through them, compares them
with texts, reads settings off them."""

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
    tested: bool = False
    settings: dict[str, Use] = field(default_factory=dict)  # what is read off it, by name


def of(constructor: Any) -> dict[str, Use]:
    """The uses of what a class is constructed with, by name: as `self.name`, `self._name`, or `name` in `__init__`."""
    tree = parts.source(constructor) if inspect.isclass(constructor) else None
    found: dict[str, Use] = {}
    for function in ast.walk(tree) if tree is not None else ():
        if isinstance(function, ast.FunctionDef):
            parents = {c: n for n in ast.walk(function) for c in ast.iter_child_nodes(n)}
            constructing = function.name == "__init__"
            also = dict(_also(function, constructing))
            for node in ast.walk(function):
                chain = _chain(node, constructing, also)
                if chain:
                    _note(_at(found, chain), node, parents)
    return found


def _also(function: ast.FunctionDef, constructing: bool) -> Iterator[tuple[str, str]]:
    """The locals that stand for a field: `config = self.config`, of one or of several."""
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pairs = [(name, value)]
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                both = zip(names, values, strict=False)
                pairs = [(one.id, value) for one, value in both if isinstance(one, ast.Name)]
            case _:
                continue
        for name, value in pairs:
            held = _name(value, constructing)
            if held:
                yield name, held


def _chain(node: ast.AST, constructing: bool, also: dict[str, str]) -> list[str]:
    """The field that an expression is read off, and the names of what is read."""
    name = _name(node, constructing)
    match node:
        case _ if name:
            return [name]
        case ast.Name(id=name, ctx=ast.Load()) if name in also:
            return [also[name]]
        case ast.Attribute(value=value, attr=name, ctx=ast.Load()):
            base = _chain(value, constructing, also)
            return [*base, name] if base else []
    return []


def _at(found: dict[str, Use], chain: list[str]) -> Use:
    use = found.setdefault(chain[0], Use())
    for name in chain[1:]:
        use = use.settings.setdefault(name, Use())
    return use


def is_record(use: Use) -> bool:
    """Whether a field is something that settings are read off: no array, no module, and no dict."""
    import numpy as np

    known = any(hasattr(one, name) for name in use.settings for one in (np.ndarray, dict, str))
    used = use.calls or use.made or use.sequence or use.texts
    return bool(use.settings) and not known and not used


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
        case ast.If(test=test) | ast.IfExp(test=test) if test is node:
            use.tested = True
        case ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            use.tested = True
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
