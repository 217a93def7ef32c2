"""What a file defines inside of functions: defined at its top, where nothing of those functions is read."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from .failure import Failure

_Definition = ast.FunctionDef | ast.ClassDef


def defined(module: ModuleType, name: str) -> Any:
    """The only definition of this name inside of the functions of a module, without the transforms around it.

    Raises Failure where there is none, or several, or where it reads names of the function that it is in.
    """
    where = f"{name} is not to be had from {module.__name__}"
    text = _text(module)
    found = list(_inside(ast.parse(text), name, [])) if text else []
    if len(found) != 1:
        several = "several functions make one" if found else "it is made inside a function"
        raise Failure("imports", f"{where}: {several}")
    node, line = found[0]
    outer = _of_outside(text, name, line)
    if outer:
        what = ", ".join(f"`{one}`" for one in sorted(outer))
        raise Failure("imports", f"{where}: it is made inside a function, and reads {what} there")
    node.decorator_list = [one for one in node.decorator_list if not _transforms(one)]
    scope = dict(vars(module))
    try:
        exec(compile(ast.Module([node], []), module.__file__ or "", "exec"), scope)
    except Exception as error:
        raise Failure("imports", f"{where}: {type(error).__name__}: {error}") from error
    return scope[name]


def _text(module: ModuleType) -> str:
    try:
        with open(module.__file__ or "", encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ""


def _inside(node: ast.AST, name: str, around: list[ast.AST]) -> Iterator[tuple[_Definition, int]]:
    """The definitions of a name within functions, each with the line that it begins at."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _Definition) and child.name == name and around:
            yield child, child.lineno
        functions = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from _inside(child, name, [*around, child] if functions else around)


def _transforms(decorator: ast.expr) -> bool:
    """Whether a decorator makes a transformed pair, or compiles: neither is for what runs inside of a module."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(called).rpartition(".")[2] in (
        "transform",
        "transform_with_state",
        "without_apply_rng",
        "jit",
    )


def _of_outside(text: str, name: str, line: int) -> set[str]:
    """The names that a definition and what is in it read of the functions around it."""
    pending = [symtable.symtable(text, "file", "exec")]
    found: set[str] = set()
    while pending:
        table = pending.pop()
        pending += table.get_children()
        if table.get_name() == name and table.get_lineno() == line:
            found |= {one.get_name() for one in table.get_symbols() if one.is_free()}
    return found - set(vars(builtins))
