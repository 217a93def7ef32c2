"""Where code asks for what a file defines by a name: `getattr(models, name)`, `vars(models)[name]`,
`importlib.import_module(f"models.{name}").Model`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .project import Module
from .shapes import named
from .shapes.interpreter import Interpreter
from .shapes.scopes import ModuleValue
from .shapes.values import Value

_ANY, _HANDED = "any name", "handed on"  # what may be read off an imported file besides names
_SIGNS = ("getattr(", "vars(", "__dict__", "globals(", "import_module(")


@dataclass(frozen=True)
class Asked:
    """A place in a file that asks for a name, of what it may be, of another file, or that one.

    A file that is `handed` on is asked by other code, in the plain way: `imported.Name`.
    """

    module: Module
    node: ast.expr
    holder: Module
    name: re.Pattern[str]
    handed: bool = False

    def values(self, interp: Interpreter) -> Iterator[Value]:
        """All that it may find."""
        for name, value in list(interp.environment_of(self.holder).names.items()):
            if self.name.fullmatch(name) and (not self.handed or _is_read(interp, name)):
                yield value


def _is_read(interp: Interpreter, name: str) -> bool:
    """Whether any file says `.name`."""
    return any(f".{name}" in m.source.text for m in list(interp.project.modules.values()))


def find(interp: Interpreter, module: Module) -> Iterator[Asked]:
    """Each place of a file that asks for names."""
    if not any(sign in module.source.text for sign in _SIGNS):
        return
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=ast.Name(id="getattr"), args=[owner, key, *_]):
                yield from _of_file(interp, module, node, owner, key)
            case ast.Subscript(value=owner, slice=key, ctx=ast.Load()):
                if _is_namespace(owner):
                    yield from _of_file(interp, module, node, owner, key)
            case ast.Call(func=ast.Attribute(value=owner, attr="get"), args=[key, *_]):
                if _is_namespace(owner):
                    yield from _of_file(interp, module, node, owner, key)
            case ast.Call(func=func, args=[dotted, *_]):
                if _is_import(func):
                    yield from _of_imported(interp, module, node, dotted)


def _is_namespace(node: ast.expr) -> bool:
    """Whether an expression is the names of a file as a dict."""
    match node:
        case ast.Call(func=ast.Name(id="vars" | "globals")) | ast.Attribute(attr="__dict__"):
            return True
    return False


def _is_import(node: ast.expr) -> bool:
    return getattr(node, "attr", getattr(node, "id", None)) == "import_module"


def _of_file(
    interp: Interpreter, module: Module, node: ast.expr, owner: ast.expr, key: ast.expr
) -> Iterator[Asked]:
    env = interp.environment_of(module)
    if isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and not owner.args:
        yield Asked(module, node, module, named.pattern(key))  # `globals()`
        return
    holder = interp.facts.value(owner) or interp.peek(owner, env)
    if isinstance(holder, ModuleValue) and isinstance(holder.module, Module):
        yield Asked(module, node, holder.module, named.pattern(key))


def _of_imported(
    interp: Interpreter, module: Module, node: ast.Call, dotted: ast.expr
) -> Iterator[Asked]:
    """What is asked of files whose names a text says in part; one that says nothing may import anything at all."""
    asked = named.pattern(dotted)
    if not re.match(r"\w", asked.pattern):
        return
    names = _names_read(module, node, isinstance(interp.facts.value(node), ModuleValue))
    said = re.compile(".*" if _ANY in names else "|".join(map(re.escape, names - {_HANDED})))
    for other in list(interp.project.modules.values()):
        parts = [
            *other.path.parent.parts,
            *([] if other.path.stem == "__init__" else [other.path.stem]),
        ]
        if any(asked.fullmatch(".".join(parts[start:])) for start in range(len(parts))):
            yield Asked(module, node, other, said)
            if _HANDED in names:
                yield Asked(module, node, other, re.compile(".*"), handed=True)


def _names_read(module: Module, node: ast.Call, known: bool) -> set[str]:
    """The names that are read off what is imported, by `imported.Name`; that it is handed on counts as one, as does any
    name that is not told.

    What `getattr` asks of a file that is `known` is told elsewhere.
    """
    parents = module.source.parents
    reads: list[ast.expr] = [node]
    match parents.get(node):
        case ast.Expr():
            return set()
        case ast.Assign(targets=[ast.Name(id=name)]):
            own = set(ast.walk(node))
            names = [n for n in ast.walk(module.tree) if isinstance(n, ast.Name) and n.id == name]
            reads = [n for n in names if isinstance(n.ctx, ast.Load) and n not in own]
    return {_name_read(parents.get(read), read, known) for read in reads} - {""}


def _name_read(above: ast.AST | None, read: ast.expr, known: bool) -> str:
    """The name that one use of an imported file reads; empty where it reads none, or is told elsewhere."""
    match above:
        case ast.Attribute(attr="__dict__"):
            return "" if known else _ANY
        case ast.Attribute(attr=attr):
            return attr
        case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(attr)), *_]):
            return attr
        case ast.Call(func=ast.Name(id="getattr" | "vars"), args=[first, *_]) if first is read:
            return "" if known else _ANY
    return _HANDED
