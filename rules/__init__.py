"""The rules: one module per idiom or family of layers, found by being there."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from ..codemod.rule import Rule


@functools.cache
def catalogue() -> tuple[Rule, ...]:
    """Every rule of every module of this package, in the order of their codes; no code may come twice."""
    found: dict[str, Rule] = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for rule in module.RULES:
            if rule.code in found:
                raise ValueError(f"two rules have the code {rule.code}: {found[rule.code].summary}; {rule.summary}")
            found[rule.code] = rule
    return tuple(found[code] for code in sorted(found))


def documentation(code: str) -> str:
    """The docstring of the module that holds a rule."""
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        if any(rule.code == code for rule in module.RULES):
            return (module.__doc__ or "").strip()
    raise KeyError(code)
