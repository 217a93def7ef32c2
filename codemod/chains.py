"""Names with attributes behind them: `self.layers`, `jax.numpy`."""

from __future__ import annotations

import ast


def root_name(node: ast.AST) -> str | None:
    """The name that a chain of attributes begins with, None where it begins with something else."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None
