"""What a node stands in, by the parents of the nodes of its file."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from .chains import stored_names

Parents = Mapping[ast.AST, ast.AST]


def lineage(node: ast.AST, parents: Parents) -> Iterator[ast.AST]:
    """A node and all that is around it, nearest first."""
    above: ast.AST | None = node
    while above is not None:
        yield above
        above = parents.get(above)


def argument_around(node: ast.AST, parents: Parents) -> tuple[ast.AST, ast.AST]:
    """What a node is as an argument, itself or the keyword that gives it, and what that is a part of."""
    above = parents[node]
    return (above, parents[above]) if isinstance(above, ast.keyword) else (node, above)


def reads_around(node: ast.AST, name: str, parents: Parents) -> list[ast.Name]:
    """Where the function around a node reads a name."""
    function = next(each for each in lineage(node, parents) if isinstance(each, ast.FunctionDef))
    names = (each for each in ast.walk(function) if isinstance(each, ast.Name))
    return [each for each in names if each.id == name and isinstance(each.ctx, ast.Load)]


def functions_around(node: ast.AST, parents: Parents) -> Iterator[ast.FunctionDef]:
    """The functions that a node is a part of, innermost first."""
    around = (above for above in lineage(node, parents) if above is not node)
    return (above for above in around if isinstance(above, ast.FunctionDef))


def names_around(node: ast.AST, parents: Parents) -> set[str]:
    """The parameters and variables of the functions that a node is a part of."""
    names: set[str] = set()
    for function in functions_around(node, parents):
        names |= {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
        names |= stored_names(function)
    return names


def class_around(node: ast.AST, parents: Parents) -> ast.ClassDef | None:
    """The nearest class that a node is a part of."""
    around = (above for above in lineage(node, parents) if above is not node)
    return next((above for above in around if isinstance(above, ast.ClassDef)), None)
