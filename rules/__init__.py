"""The rules: one module per idiom or family of layers, found by being there."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

from ..codemod.rule import Call, Layer, Renames, Rule, Unsupported


def _modules() -> Iterator[ModuleType]:
    """The modules that hold rules, by name; those with a leading underscore hold what rules share."""
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        if not info.name.startswith("_"):
            yield importlib.import_module(f"{__name__}.{info.name}")


def subjects(rule: Rule) -> tuple[str, ...]:
    """The qualified names that a rule is about."""
    match rule:
        case Layer(source=source) | Call(source=source):
            return (source,)
        case Renames(names=names):
            return tuple(names)
        case Unsupported(names=reasons):
            return tuple(reasons)
    return ()


@functools.cache
def catalogue() -> tuple[Rule, ...]:
    """Every rule of every module of this package, in the order of their codes.

    Raises ValueError where two rules have one code or are about one name.
    """
    codes: dict[str, Rule] = {}
    names: dict[str, Rule] = {}
    for rule in (rule for module in _modules() for rule in module.RULES):
        if rule.code in codes:
            raise ValueError(
                f"two rules have the code {rule.code}: {codes[rule.code].summary}; {rule.summary}"
            )
        codes[rule.code] = rule
        for name in subjects(rule):
            if name in names:
                raise ValueError(f"{names[name].code} and {rule.code} are both about {name}")
            names[name] = rule
    return tuple(codes[code] for code in sorted(codes))


def documentation(code: str) -> str:
    """The docstring of the module that holds a rule; raises KeyError where there is none."""
    for module in _modules():
        if any(rule.code == code for rule in module.RULES):
            return (module.__doc__ or "").strip()
    raise KeyError(code)
