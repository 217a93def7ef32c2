"""The parameters of a function, each with its default."""

from __future__ import annotations

import ast
from collections.abc import Iterator
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


def parameters(
    function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
) -> Iterator[Parameter]:
    """All parameters in their order, `self` among them."""
    spec = function.args
    positional = [*spec.posonlyargs, *spec.args]
    missing = len(positional) - len(spec.defaults)
    defaults: list[ast.expr | None] = [*[None] * missing, *spec.defaults]
    for arg, default in zip(positional, defaults, strict=True):
        yield Parameter(arg, default, keyword_only=False)
    for arg, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        yield Parameter(arg, default, keyword_only=True)


def default_of(
    function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, name: str
) -> ast.expr | None:
    """The default of a parameter, None where it has none or there is no such parameter."""
    return next((p.default for p in parameters(function) if p.name == name), None)
