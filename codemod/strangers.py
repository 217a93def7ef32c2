"""Classes that the tree does not show, whose instances are called: they may be modules of the source framework."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator

from .shapes.real_calls import LIBRARIES
from .shapes.values import External, Partial, Unknown, Value

_KNOWN_PACKAGES = frozenset((*LIBRARIES, "haiku", "builtins"))


def strangers(tree: ast.AST, meaning: Callable[[ast.expr], object]) -> Iterator[ast.expr]:
    """The heads of such constructor calls, `lib.Net` in `lib.Net(8)(x)` or `net = lib.Net(8); net(x)`.

    `meaning` says what a name or attribute chain stands for.
    """
    return (head for head in makers(tree) if _is_strange(meaning(head)))


def unknown_makers(tree: ast.AST, value: Callable[[ast.expr], Value | None]) -> Iterator[ast.expr]:
    """The heads of calls that stand for whatever is given, `self.block` in `self.block(8)(x)`: a module class perhaps.

    `value` says what an expression of the class's methods was found to be.
    """
    return (head for head in makers(tree) if _is_given(value(head)))


def makers(tree: ast.AST) -> Iterator[ast.expr]:
    """The names of what is called for something that is then called itself."""
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Call(func=head)):
                pass
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=head)) if (
                name in called
            ):
                pass
            case _:
                continue
        if isinstance(head, ast.Name | ast.Attribute):
            yield head


def _is_strange(value: object) -> bool:
    if not isinstance(value, External) or not value.name.rsplit(".", 1)[-1][:1].isupper():
        return False
    root = value.name.split(".")[0]
    return root not in _KNOWN_PACKAGES and root not in sys.stdlib_module_names


def _is_given(value: Value | None) -> bool:
    while isinstance(value, Partial):
        value = value.function
    return isinstance(value, Unknown) and value.text is not None
