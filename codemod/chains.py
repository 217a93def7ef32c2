"""Names with attributes behind them: `self.layers`, `jax.numpy`."""

from __future__ import annotations

import ast
import functools
from typing import TypeGuard

# By framework, the method that makes a module ready before it is called.
CONSTRUCTORS = {"linen": "setup", "haiku": "__init__"}


def root(node: ast.AST) -> ast.Name | None:
    """What a chain of attributes begins with, None where that is no name."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node if isinstance(node, ast.Name) else None


def root_name(node: ast.AST) -> str | None:
    """The name that a chain of attributes begins with, None where it begins with something else."""
    found = root(node)
    return found.id if found is not None else None


def last_name(node: ast.AST) -> str | None:
    """The name that a chain of attributes ends with, None where it ends with something else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def is_own(node: object) -> TypeGuard[ast.Attribute]:
    """Whether a node is an attribute of `self`."""
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def constructs(function: object) -> bool:
    """Whether a function makes a module ready before it is called: `setup` of Linen, `__init__` of Haiku."""
    return getattr(function, "name", "") in CONSTRUCTORS.values()


def stored_names(tree: ast.AST) -> set[str]:
    """The names that get values anywhere in a tree, inner functions' too."""
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Store)}


@functools.lru_cache(maxsize=4096)
def bound_names(scope: ast.AST) -> frozenset[str]:
    """The names that are parameters or get values anywhere in a function or an expression, inner functions' too."""
    parameters = {node.arg for node in ast.walk(scope) if isinstance(node, ast.arg)}
    return frozenset(stored_names(scope) | parameters)


def names_initializer(name: str) -> bool:
    """Whether a name speaks of an initialiser."""
    return "init" in name
