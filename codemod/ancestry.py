"""What a node stands in, by the parents of the nodes of its file."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

Parents = Mapping[ast.AST, ast.AST]


def lineage(node: ast.AST, parents: Parents) -> Iterator[ast.AST]:
    """A node and all that is around it, nearest first."""
    above: ast.AST | None = node
    while above is not None:
        yield above
        above = parents.get(above)


def class_around(node: ast.AST, parents: Parents) -> ast.ClassDef | None:
    """The nearest class that a node is a part of."""
    around = (above for above in lineage(node, parents) if above is not node)
    return next((above for above in around if isinstance(above, ast.ClassDef)), None)
