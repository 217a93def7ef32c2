"""A function that hands back a function of its own: what its syntax says."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..ancestry import lineage
from ..chains import stored_names
from ..project import Module
from ..signatures import parameters
from .maker import names_read

if TYPE_CHECKING:
    from .closure_uses import Use

NAME = "name"


@dataclass
class Closure:
    """A function that hands back `inner`, with the statements before it and the functions beside it."""

    module: Module
    node: ast.FunctionDef
    inner: ast.FunctionDef
    ahead: list[ast.stmt]
    beside: list[ast.FunctionDef]  # read nothing of the function: they can stand at the top
    captured: list[str]  # what `inner` reads of the function, in that order
    naming: list[ast.keyword]  # the `name=name` of layers
    uses: list[Use] = field(default_factory=list)
    kept: bool = False  # it stays as it is beside its class

    @property
    def takes_name(self) -> bool:
        return any(p.name == NAME for p in parameters(self.node.args))


def closure_of(node: ast.FunctionDef, module: Module) -> Closure | None:
    """A function as one that hands back a function; None where it is not, or does more than a constructor can."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    if node.decorator_list or node.args.vararg or node.args.kwarg or len(body) < 2:
        return None
    *ahead, last = body
    functions = [s for s in ahead if isinstance(s, ast.FunctionDef)]
    inner = next((f for f in functions if _is_returned(f, last)), None)
    if inner is None or inner.decorator_list or not _is_plain(inner):
        return None
    beside = [f for f in functions if f is not inner]
    own = {p.name for p in parameters(node.args)}
    statements = [s for s in ahead if not isinstance(s, ast.FunctionDef)]
    own |= {name for s in statements for name in stored_names(s)}
    own |= {inner.name}
    if not all(_is_constructors(s) for s in statements):
        return None
    if any(names_read([f]) & own or f.decorator_list for f in beside):
        return None
    if any(names_read([s]) & {inner.name} for s in [*statements, inner]):
        return None
    if any(_is_taken(f.name, module) for f in beside):
        return None
    naming = [k for k in ast.walk(inner) if isinstance(k, ast.keyword) and _names_layer(k)]
    if not _names_alone(node, naming):
        return None
    return Closure(module, node, inner, statements, beside, _captured(inner, own), naming)


def _is_returned(function: ast.FunctionDef, last: ast.stmt) -> bool:
    match last:
        case ast.Return(value=ast.Name(id=name)):
            return name == function.name
    return False


def _is_plain(inner: ast.FunctionDef) -> bool:
    own = {p.name for p in parameters(inner.args)}
    return "self" not in own and not any(
        isinstance(n, ast.Yield | ast.YieldFrom | ast.Nonlocal | ast.Global | ast.ClassDef)
        or (isinstance(n, ast.Name) and n.id == "self")
        for n in ast.walk(inner)
    )


# What a call may change or draw: a constructor is run more often than the function was.
_NOT_AGAIN = ("random", "rng", "key", "next", "open", "append", "pop", "update", "add")


def _is_constructors(statement: ast.stmt) -> bool:
    """Whether a statement before the inner function does the same in a constructor."""
    for node in ast.walk(statement):
        match node:
            case ast.Return() | ast.Global() | ast.Nonlocal() | ast.For() | ast.While():
                return False
            case ast.With() | ast.Try() | ast.Delete() | ast.ClassDef() | ast.Yield():
                return False
            case ast.Import() | ast.ImportFrom() | ast.Lambda() | ast.NamedExpr():
                return False
            case ast.Call(func=func):
                last = ast.unparse(func).lower()
                if any(word in last for word in _NOT_AGAIN):
                    return False
            case ast.Attribute(ctx=ast.Store()) | ast.Subscript(ctx=ast.Store()):
                return False
    return True


def _names_layer(keyword: ast.keyword) -> bool:
    """Whether a keyword is `name=name`."""
    return keyword.arg == NAME and ast.unparse(keyword.value) == NAME


def _is_taken(name: str, module: Module) -> bool:
    """Whether a function cannot stand at the top of a file: something else has its name."""
    defined = [
        n
        for n in ast.walk(module.tree)
        if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == name
    ]
    return len(defined) > 1 or name in stored_names(module.tree)


def _names_alone(node: ast.FunctionDef, naming: list[ast.keyword]) -> bool:
    """Whether a parameter `name` is only ever the name of one layer."""
    reads = [n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id == NAME]
    if not any(p.name == NAME for p in parameters(node.args)):
        return not naming and not any(isinstance(n.ctx, ast.Store) for n in reads)
    return len(reads) == len(naming) <= 1


def _captured(inner: ast.FunctionDef, own: set[str]) -> list[str]:
    stored = stored_names(inner) | {a.arg for a in ast.walk(inner) if isinstance(a, ast.arg)}
    stored |= {f.name for f in ast.walk(inner) if isinstance(f, ast.FunctionDef)}
    reads = sorted(
        (n for n in ast.walk(inner) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)),
        key=lambda n: (n.lineno, n.col_offset),
    )
    found = [n.id for n in reads if n.id in own - stored and n.id != NAME]
    return list(dict.fromkeys(found))


def functions_at(node: ast.AST, module: Module) -> Iterator[ast.FunctionDef]:
    """The functions that a node stands in the bodies of, innermost first."""
    below = node
    for above in lineage(node, module.source.parents):
        if isinstance(above, ast.FunctionDef) and below in above.body:
            yield above
        below = above
