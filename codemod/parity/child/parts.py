"""What a function reads off its arguments: `batch["image"]`, `step.observation`, `x.ndim == 3`."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Parts:
    """The keys and attributes that are read off one argument; those that arrays have do not count."""

    keys: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    array: bool = False  # whether it is read as an array, too


def source(function: Any) -> ast.Module | None:
    """The tree of a function, which it may carry itself; None where its text is not to be had."""
    tree = getattr(function, "tree", None)
    if isinstance(tree, ast.Module):
        return tree
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None


def read(tree: ast.Module | None) -> dict[str, Parts]:
    """What a function reads off its parameters by name."""
    import numpy as np

    found: dict[str, Parts] = {}
    for node in ast.walk(tree) if tree is not None else ():
        match node:
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str() as key)):
                _once(found.setdefault(name, Parts()).keys, key)
            case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                parts = found.setdefault(name, Parts())
                if attribute == "at" or hasattr(np.ndarray, attribute):
                    parts.array = True
                else:
                    _once(parts.attributes, attribute)
    return found


def _once(items: list[str], item: str) -> None:
    if item not in items:
        items.append(item)


def ranks(tree: ast.Module | None) -> dict[str, int]:
    """Ranks that a function tells: by unpacking shapes (`b, t, c = x.shape`), by
    asserting `x.ndim == 3` or `len(x.shape) == 3` (or as chex does), by jaxtyping annotations."""
    found: dict[str, int] = {}
    for node in ast.walk(tree) if tree is not None else ():
        for name, rank in _told(node):
            found.setdefault(name, rank)
    return found


def _told(node: ast.AST) -> Iterator[tuple[str, int]]:
    match node:
        case ast.Assign(
            targets=[ast.Tuple(elts=names)],
            value=ast.Attribute(value=ast.Name(id=name), attr="shape"),
        ) if not any(isinstance(one, ast.Starred) for one in names):
            yield name, len(names)
        case ast.arg(
            arg=name,
            annotation=ast.Subscript(slice=ast.Tuple(elts=[_, ast.Constant(value=str(axes))])),
        ) if "..." not in axes:
            yield name, len(axes.split())
        case ast.Call(
            func=ast.Attribute(attr="assert_rank"),
            args=[ast.Name(id=name), ast.Constant(value=int() as rank)],
        ):
            yield name, rank
        case ast.Assert(test=test):
            both = isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And)
            for one in test.values if isinstance(test, ast.BoolOp) and both else [test]:
                yield from _asserted(one)


def _asserted(test: ast.expr) -> Iterator[tuple[str, int]]:
    match test:
        case ast.Compare(
            left=ast.Attribute(value=ast.Name(id=name), attr="ndim")
            | ast.Call(
                func=ast.Name(id="len"),
                args=[ast.Attribute(value=ast.Name(id=name), attr="shape")],
            ),
            ops=[ast.Eq()],
            comparators=[ast.Constant(value=int() as rank)],
        ):
            yield name, rank
