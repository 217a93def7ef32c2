"""Expressions that stand alone: names are replaced by what they stand for, or the expression is given up."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

_BUILTINS = frozenset(
    "abs bool complex dict float frozenset int len list max min pow range round set sorted str sum tuple zip".split()
)
_UNCLEAR = (
    ast.Lambda,
    ast.Await,
    ast.NamedExpr,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)
_DEEPEST = 12  # names that lead to names


class Open(Exception):
    """An expression that depends on what is not known here."""


@dataclass
class Scope:
    """The names that an expression can use: assignments of each enclosing block, innermost first, and imports.

    `imports` maps a name to (module, attribute or ""); `local` tells how a class or function of the file is reached,
    None where it cannot be.
    """

    blocks: Sequence[dict[str, ast.expr | None]]
    imports: dict[str, tuple[str, str]]
    local: Callable[[str], str | None]


def closed(node: ast.expr, scope: Scope) -> str:
    """The text of an expression over `load`, builtins and `module` alone; raises Open."""
    return ast.unparse(_Closing(scope, 0).visit(copy.deepcopy(node)))


class _Closing(ast.NodeTransformer):
    def __init__(self, scope: Scope, depth: int) -> None:
        self._scope = scope
        self._depth = depth

    def visit_Name(self, node: ast.Name) -> ast.expr:
        for position, block in enumerate(self._scope.blocks):
            if node.id in block:
                return self._assigned(block[node.id], position)
        text = self._known(node.id)
        if text is None:
            raise Open(node.id)
        return ast.parse(text, mode="eval").body

    def _assigned(self, value: ast.expr | None, position: int) -> ast.expr:
        if value is None or self._depth >= _DEEPEST:
            raise Open("a name that has several values")
        outer = Scope(self._scope.blocks[position:], self._scope.imports, self._scope.local)
        made: ast.expr = _Closing(outer, self._depth + 1).visit(copy.deepcopy(value))
        return made

    def _known(self, name: str) -> str | None:
        if name in self._scope.imports:
            module, attribute = self._scope.imports[name]
            return f"load({module!r})" + (f".{attribute}" if attribute else "")
        return self._scope.local(name) or (name if name in _BUILTINS else None)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, _UNCLEAR):
            raise Open(type(node).__name__)
        return super().generic_visit(node)


# ---- the names of a file -------------------------------------------------------------------------------


def assignments(body: Sequence[ast.stmt]) -> dict[str, ast.expr | None]:
    """The names that statements bind, each with its value; None for what is bound twice, in a loop or by unpacking."""
    found: dict[str, ast.expr | None] = {}
    for statement in _plain(body):
        for node in _own(statement):
            for name, value in _bound(node):
                found[name] = None if name in found or statement is not node else value
    return found


def _plain(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements, with those of `if __name__ == "__main__":` among them."""
    for statement in body:
        match statement:
            case ast.If(
                test=ast.Compare(left=ast.Name(id="__name__"), comparators=[ast.Constant()]),
                body=inner,
                orelse=[],
            ):
                yield from inner
            case _:
                yield statement


def _own(statement: ast.stmt) -> list[ast.AST]:
    """A statement and those within it, without what functions and classes hold."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return []
    found: list[ast.AST] = [statement]
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.stmt):
            found += _own(child)
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            found += [node for inner in child.body for node in _own(inner)]
    return found


def _bound(node: ast.AST) -> list[tuple[str, ast.expr | None]]:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return [(name, value)]
        case ast.AnnAssign(target=ast.Name(id=name), value=value):
            return [(name, value)]
        case ast.Assign(targets=targets):
            return [(name, None) for target in targets for name in _names(target)]
        case ast.AugAssign(target=target) | ast.For(target=target):
            return [(name, None) for name in _names(target)]
        case ast.With(items=items):
            variables = [item.optional_vars for item in items if item.optional_vars is not None]
            return [(name, None) for variable in variables for name in _names(variable)]
    return []


def _names(target: ast.expr) -> list[str]:
    return [
        node.id
        for node in ast.walk(target)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]


def imports(tree: ast.Module, package: str) -> dict[str, tuple[str, str]]:
    """The imported names of a file in `package` ("" for a module of no package), wherever they are imported."""
    found: dict[str, tuple[str, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                found[name] = (alias.name if alias.asname else name, "")
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, package)
            for alias in node.names:
                found[alias.asname or alias.name] = (module, alias.name)
    return found


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parents = package.split(".") if package else []
    kept = parents[: len(parents) - (node.level - 1)]
    return ".".join([*kept, *([node.module] if node.module else [])])
