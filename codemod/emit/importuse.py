"""Which global names a module reads."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator


def used_names(text: str, tree: ast.Module) -> set[str]:
    """The global names that a module reads, string annotations and `__all__` included."""
    used = {name for table in _tables(text) for name in _global_reads(table)}
    for node in ast.walk(tree):
        used |= {name for string in _typing_strings(node) for name in _names_in(string)}
    return used | set(_exported(tree))


def uses_dotted(tree: ast.Module, dotted: str) -> bool:
    """Whether a module reads `a.b.c`, or something below it."""
    return any(
        isinstance(node, ast.Attribute) and _dotted(node) == dotted for node in ast.walk(tree)
    ) or any(dotted in string for node in ast.walk(tree) for string in _typing_strings(node))


def _dotted(node: ast.expr) -> str | None:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            before = _dotted(value)
            return None if before is None else f"{before}.{attr}"
    return None


def _tables(text: str) -> Iterator[symtable.SymbolTable]:
    todo = [symtable.symtable(text, "module.py", "exec")]
    while todo:
        table = todo.pop()
        yield table
        todo += table.get_children()


def _global_reads(table: symtable.SymbolTable) -> Iterator[str]:
    kind = table.get_type()
    for symbol in table.get_symbols():
        # A class body that assigns a name may still read the global one first.
        if symbol.is_referenced() and (symbol.is_global() or kind in ("module", "class")):
            yield symbol.get_name()


def _typing_strings(node: ast.AST) -> Iterator[str]:
    """The strings of a node that a type checker reads as code."""
    annotations: list[ast.expr | None] = []
    match node:
        case ast.arg(annotation=annotation) | ast.AnnAssign(annotation=annotation):
            annotations.append(annotation)
        case ast.FunctionDef(returns=returns) | ast.AsyncFunctionDef(returns=returns):
            annotations.append(returns)
        case ast.Call(func=ast.Name(id="cast") | ast.Attribute(attr="cast"), args=[first, *_]):
            annotations.append(first)
        case ast.Call(func=ast.Name(id="TypeVar") | ast.Attribute(attr="TypeVar")):
            annotations += [*node.args[1:], *(keyword.value for keyword in node.keywords)]
    for annotation in annotations:
        for part in ast.walk(annotation) if annotation is not None else ():
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value


def _names_in(string: str) -> Iterator[str]:
    try:
        tree = ast.parse(string.strip(), mode="eval")
    except SyntaxError:
        return
    yield from (node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def _exported(tree: ast.Module) -> Iterator[str]:
    """The names in `__all__`."""
    for stmt in tree.body:
        targets = stmt.targets if isinstance(stmt, ast.Assign) else [getattr(stmt, "target", None)]
        value = getattr(stmt, "value", None)
        named = any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)
        if named and value is not None:
            for node in ast.walk(value):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value
