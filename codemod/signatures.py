"""The parameters of a function, each with its default, and whether a call tells what each is given."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Parameter:
    """A parameter that has a name of its own: neither `*args` nor `**kwargs`."""

    arg: ast.arg
    default: ast.expr | None
    keyword_only: bool

    @property
    def name(self) -> str:
        return self.arg.arg


def parameters(spec: ast.arguments) -> Iterator[Parameter]:
    """All parameters in their order, `self` among them."""
    positional = [*spec.posonlyargs, *spec.args]
    missing = len(positional) - len(spec.defaults)
    defaults: list[ast.expr | None] = [*[None] * missing, *spec.defaults]
    for arg, default in zip(positional, defaults, strict=True):
        yield Parameter(arg, default, keyword_only=False)
    for arg, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        yield Parameter(arg, default, keyword_only=True)


def defaults(spec: ast.arguments) -> dict[str, ast.expr]:
    """The defaults of those parameters that have one, by name."""
    return {p.name: p.default for p in parameters(spec) if p.default is not None}


def is_unpacked(call: ast.Call) -> bool:
    """Whether `*args` or `**kwargs` keeps a call from telling which arguments it has."""
    return any(isinstance(arg, ast.Starred) for arg in call.args) or any(
        keyword.arg is None for keyword in call.keywords
    )


def written_arguments(names: Sequence[str], call: ast.Call) -> dict[str, ast.expr]:
    """What a call gives parameters of these names; nothing of what it unpacks from a dict."""
    given = dict(zip(names, call.args, strict=False))
    given.update({k.arg: k.value for k in call.keywords if k.arg is not None})
    return given


def dict_entries(node: ast.expr) -> dict[str, ast.expr] | None:
    """The entries of a dict display with constant keys, or of `dict(...)` with keywords alone."""
    match node:
        case ast.Dict(keys=keys, values=values):
            names = [key.value for key in keys if isinstance(key, ast.Constant)]
            if len(names) == len(keys) and all(isinstance(name, str) for name in names):
                return {str(name): value for name, value in zip(names, values, strict=True)}
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
            if all(keyword.arg is not None for keyword in keywords):
                return {str(keyword.arg): keyword.value for keyword in keywords}
    return None
