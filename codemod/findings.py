"""Diagnostics before they have a line: what was found at a node, why it stopped, what a person does next."""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass
class Finding:
    """One diagnostic about a node of a file."""

    node: ast.AST
    code: str
    message: str
    help: str
    place: tuple[int, int] | None = None  # line and column, where they are not the node's
