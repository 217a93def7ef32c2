"""How a file orders its imports."""

from __future__ import annotations

import ast
import enum
import sys
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

HELPERS = "nnx_layers"


class Section(enum.IntEnum):
    """The parts of an import block, in their usual order."""

    FUTURE = 0
    STANDARD = 1
    THIRD_PARTY = 2
    LOCAL = 3


class Order(enum.Enum):
    """`import x` lines before `from x import` lines, or both together by module."""

    STRAIGHT_FIRST = "straight first"
    BY_MODULE = "by module"


def section(module: str, local: Collection[str] = ()) -> Section:
    """The section of a module; `local` are the top-level names of the tree's own packages."""
    root = module.split(".")[0]
    if root == "__future__":
        return Section.FUTURE
    if not root or root in local or module == HELPERS:
        return Section.LOCAL
    return Section.STANDARD if root in sys.stdlib_module_names else Section.THIRD_PARTY


def sort_key(module: str, is_from: bool, order: Order) -> tuple[object, ...]:
    if order is Order.BY_MODULE:
        return module.lower(), is_from
    return is_from, module.lower()


def sorted_names(names: Iterable[str]) -> list[str]:
    """Imported names in order: constants, classes, functions, each by alphabet."""
    return sorted(names, key=name_key)


def name_key(name: str) -> tuple[int, str, str]:
    """Where a name stands among the names that one statement imports."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name.lower(), name


def is_sorted(statements: Sequence[ast.Import | ast.ImportFrom], order: Order) -> bool:
    keys = [_key(stmt, order) for stmt in statements]
    return all(left <= right for left, right in pairwise(keys))


def _key(stmt: ast.Import | ast.ImportFrom, order: Order) -> tuple[object, ...]:
    return sort_key(_module(stmt), isinstance(stmt, ast.ImportFrom), order)


def _module(stmt: ast.Import | ast.ImportFrom) -> str:
    if isinstance(stmt, ast.ImportFrom):
        return "." * stmt.level + (stmt.module or "")
    return stmt.names[0].name


def file_order(
    groups: Sequence[Sequence[ast.Import | ast.ImportFrom]], local: Collection[str]
) -> Order | None:
    """The order that all groups of a file keep; None where they keep none."""
    for group in groups:
        if [section(_module(s), local) for s in group] != sorted(
            section(_module(s), local) for s in group
        ):
            return None
    kept = [order for order in Order if all(is_sorted(group, order) for group in groups)]
    if len(kept) == 2:
        return _habit(groups)
    return kept[0] if kept else None


def _habit(groups: Sequence[Sequence[ast.Import | ast.ImportFrom]]) -> Order:
    """The likelier order where both fit: `import flax.linen as nn` is not how those write who sort by module."""
    straight = any(
        isinstance(stmt, ast.Import) and stmt.names[0].name.startswith("flax.")
        for group in groups
        for stmt in group
    )
    return Order.STRAIGHT_FIRST if straight else Order.BY_MODULE
