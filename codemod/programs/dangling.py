"""Names that a rewrite took the definition of but left in use: such a rewrite is not carried out."""

from __future__ import annotations

import ast
import builtins

from ..chains import is_own

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def dangling(old: ast.Module, new_text: str) -> set[str]:
    """Names, and attributes as `.name`, that the new text reads but nothing in it binds, though the old text did.

    Names that a rewrite gives its own objects count, whether the old text had them or not.
    """
    new = ast.parse(new_text)
    loose = _unbound(old)
    elsewhere = _bound(new) - loose  # a local of another function
    known = _bound(old) - (loose & vars(builtins).keys())  # a parameter may be called `str`
    names = _unbound(new) & (known | elsewhere | (_GIVEN - loose))
    attributes = {f".{name}" for name in (_read(new) & _set(old)) - _set(new)}
    return names | attributes


_GIVEN = frozenset(("model", "optimizer", "graphdef", "params", "rest"))


def _bound(tree: ast.AST) -> set[str]:
    """Every name that is bound anywhere in a tree."""
    found = {
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)
    }
    for node in ast.walk(tree):
        found |= _own(node)
    return found


def _own(node: ast.AST) -> set[str]:
    """What a node other than a name binds."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.arg(arg=name):
            return {name}
        case ast.alias(name=name, asname=asname):
            return {(asname or name).split(".")[0]}
        case ast.ExceptHandler(name=str() as name):
            return {name}
        case ast.MatchAs(name=str() as name) | ast.MatchStar(name=str() as name):
            return {name}
    return set()


def _unbound(tree: ast.Module) -> set[str]:
    """Names that are read where no scope around them binds them."""
    missing: set[str] = set()

    def visit(node: ast.AST, known: set[str]) -> None:
        if isinstance(node, _SCOPES):
            for outer in [
                *getattr(node, "decorator_list", []),
                *node.args.defaults,
                *[d for d in node.args.kw_defaults if d],
            ]:
                visit(outer, known)
            inner = known | _names_of_scope(node)
            body = node.body if isinstance(node.body, list) else [node.body]
            for child in body:
                visit(child, inner)
            return
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in known:
            missing.add(node.id)
        for inner_node in ast.iter_child_nodes(node):
            visit(inner_node, known)

    everything = _names_of_scope(tree)
    for statement in tree.body:
        visit(statement, everything)
    return missing


def _names_of_scope(scope: ast.AST) -> set[str]:
    """The names that a function or module binds, those of classes and comprehensions within it included."""
    found: set[str] = set()
    pending = list(ast.iter_child_nodes(scope))
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        found |= _own(node)
        if not isinstance(node, _SCOPES):
            pending += ast.iter_child_nodes(node)
    return found


def _read(tree: ast.AST) -> set[str]:
    """Attributes that are read on `self`."""
    return {n.attr for n in ast.walk(tree) if is_own(n) and isinstance(n.ctx, ast.Load)}


def _set(tree: ast.AST) -> set[str]:
    """Attributes that are set on `self`, and fields and methods of classes."""
    found = {n.attr for n in ast.walk(tree) if is_own(n) and not isinstance(n.ctx, ast.Load)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for statement in node.body:
                found |= _names_of_scope(ast.Module([statement], []))
    return found
