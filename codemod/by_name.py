"""Classes that code finds by a name which reading does not tell: those that a decorator registers, or `getattr` asks for.

No second name can come in the place of such a class, so it stays.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterable, Iterator

from .modules import Refusal
from .project import Module
from .shapes import classes
from .shapes.interpreter import Interpreter
from .shapes.scopes import Environment, ModuleValue
from .shapes.values import Class, External, Function, Partial, Value

_PLAIN_PACKAGES = frozenset((*sys.stdlib_module_names, "flax", "haiku"))
_HELP = "make the model by its class, or rewrite the class and that code by hand"


def found_by_name(
    interp: Interpreter, modules: Collection[Module], own: Iterable[Class]
) -> dict[ast.AST, Refusal]:
    """The module classes, of `own`, that stay because nobody can say where they are made."""
    own = list(own)
    found: dict[ast.AST, Refusal] = {}
    for cls in own:
        for decorator in cls.node.decorator_list:
            if not _hands_back(interp, decorator, cls.environment.parent or cls.environment):
                shown = ast.unparse(
                    decorator.func if isinstance(decorator, ast.Call) else decorator
                )
                message = f"class `{cls.name}` is handed to `{shown}`, which may keep it for others"
                found[cls.node] = Refusal(cls, cls.node, "NX104", message, _HELP)
    for module in modules:
        for cls, line in _asked_for(interp, module):
            if not _is_inner(cls, own):
                message = f"class `{cls.name}` may be asked for by a name (line {line} of {module.path.name})"
                found.setdefault(cls.node, Refusal(cls, cls.node, "NX104", message, _HELP))
    return found


def _hands_back(interp: Interpreter, decorator: ast.expr, env: Environment) -> bool:
    """Whether a decorator does nothing with a class but to return it, as far as modules are concerned."""
    head = decorator.func if isinstance(decorator, ast.Call) else decorator
    named = interp.peek_name(head, env)
    if isinstance(named, External):
        return interp.transparent(named.name) or named.name.split(".")[0] in _PLAIN_PACKAGES
    value = interp.peek(decorator, env)
    return isinstance(value, Function) and _returns_it(value.node)


def _returns_it(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> bool:
    """Whether a function only sets or reads attributes of its argument, and returns it."""
    names = [a.arg for a in function.args.args]
    if len(names) != 1 or isinstance(function, ast.Lambda):
        return False
    nodes = list(ast.walk(function))
    looked_at = {n.value for n in nodes if isinstance(n, ast.Attribute | ast.Return)}
    reads = {n for n in nodes if isinstance(n, ast.Name) and n.id == names[0]}
    return reads <= looked_at


def _asked_for(interp: Interpreter, module: Module) -> Iterator[tuple[Class, int]]:
    """The module classes that `getattr(models, name)` may mean, with the line where it says so."""
    if "getattr(" not in module.source.text:
        return
    env = interp.environment_of(module)
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=ast.Name(id="getattr"), args=[owner, key, *_]):
                holder = interp.peek_name(owner, env)
            case _:
                continue
        if isinstance(holder, ModuleValue) and holder.module is not None:
            pattern = _pattern(key)
            for name, value in interp.environment_of(holder.module).names.items():
                cls = _class_behind(value)
                if cls is not None and pattern.fullmatch(name):
                    yield cls, node.lineno


def _pattern(key: ast.expr) -> re.Pattern[str]:
    """What an expression may be as a text."""
    match key:
        case ast.Constant(value=str(text)):
            return re.compile(re.escape(text))
        case ast.JoinedStr(values=parts):
            return re.compile("".join(_pattern(part).pattern for part in parts))
    return re.compile(".*")


def _class_behind(value: Value) -> Class | None:
    while isinstance(value, Partial):
        value = value.function
    if isinstance(value, Class) and classes.framework(value) is not None:
        return value
    return None


def _is_inner(cls: Class, own: Iterable[Class]) -> bool:
    """Whether other module classes speak of a class: it is a part of models, which no name asks for."""
    return any(
        getattr(node, "id", getattr(node, "attr", None)) == cls.name
        for other in own
        if other.node is not cls.node and cls.name in other.module.source.text
        for node in ast.walk(other.node)
        if isinstance(node, ast.Name | ast.Attribute)
    )
