"""What import statements bind: files of the tree, the names in them, and the libraries that rules know."""

from __future__ import annotations

import ast
import functools
from pathlib import Path
from typing import TYPE_CHECKING

from ..project import Module, read_in_place
from .scopes import Environment, ModuleValue
from .values import (
    UNKNOWN,
    External,
    Value,
)

if TYPE_CHECKING:
    from .interpreter import Interpreter


def import_modules(interp: Interpreter, node: ast.Import, env: Environment) -> None:
    for alias in node.names:
        if alias.asname:
            value = import_module(interp, alias.name, env)
            interp.bind(alias.asname, value, env)
        else:
            interp.bind(
                alias.name.split(".")[0], import_module(interp, alias.name.split(".")[0], env), env
            )


def import_names(interp: Interpreter, node: ast.ImportFrom, env: Environment) -> None:
    module = interp.project.find(node.module or "", env.module.path, node.level)
    for alias in node.names:
        if alias.name == "*":
            _import_all(interp, node, module, env)
            continue
        interp.bind(
            alias.asname or alias.name, _import_name(interp, node, module, alias.name, env), env
        )


def _import_all(
    interp: Interpreter, node: ast.ImportFrom, module: Module | None, env: Environment
) -> None:
    if module is not None:
        for name, value in interp.environment_of(module).names.items():
            if not name.startswith("_"):
                interp.bind(name, value, env)
    elif node.module and interp.rules.is_framework(node.module):
        for name in interp.rules.public_names(node.module):
            interp.bind(name, External(f"{node.module}.{name}"), env)


def _import_name(
    interp: Interpreter, node: ast.ImportFrom, module: Module | None, name: str, env: Environment
) -> Value:
    if module is not None:
        found = interp.environment_of(module).names.get(name)
        if found is not None:
            return found
    dotted = f"{node.module}.{name}" if node.module else name
    submodule = interp.project.find(dotted, env.module.path, node.level)
    if submodule is not None:
        return ModuleValue(submodule)
    if node.level or (module is not None and read_in_place(module) is None):
        return UNKNOWN
    return External(interp.rules.canonical(dotted))


def import_module(interp: Interpreter, dotted: str, env: Environment) -> Value:
    module = interp.project.find(dotted, env.module.path)
    if module is not None:
        return ModuleValue(module)
    if "." not in dotted and _is_folder(env.module.path.parent / dotted):
        return External(dotted) if interp.rules.is_library(dotted) else ModuleValue(None, dotted)
    return External(interp.rules.canonical(dotted))


@functools.lru_cache(maxsize=4096)
def _is_folder(path: Path) -> bool:
    """Whether there is a folder; asked once, for many files of a folder import the same libraries."""
    return path.is_dir()
