"""Layers that a constructor makes and nothing ever reads, left out.

Linen and Haiku make the variables of a layer when it is called: such a layer has none. One of NNX would have them, and
wants to know the size of an input that there never is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..chains import CONSTRUCTORS, constructs, is_own, last_name
from ..emit.names import haiku_name
from ..project import Project
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.values import Class
from ..source import Source
from .prepared import Draft, Leave, Prepared, class_by_class

# What makes the numbers, initialisers and functions that a layer is given.
_PLAIN = (
    "haiku.initializers.",
    "flax.linen.initializers.",
    "jax.",
    "numpy.",
    "math.",
    "functools.",
)
_ALL_ATTRIBUTES = frozenset(("vars", "__dict__", "getattr", "__getattr__"))


def prepare(project: Project, rules: Rulebook, leave: Leave) -> Prepared:
    """Leaves such layers out of the module classes of a project, but for those named in `leave`."""
    return class_by_class(project, rules, leave, _may_have, _prepare_class)


def _may_have(source: Source) -> bool:
    classes_of_file = (node for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef))
    return any({*map(last_name, _assigned(node))} - _own_reads(node) for node in classes_of_file)


def _assigned(cls: ast.ClassDef) -> Iterator[ast.expr]:
    """The attributes that a class's constructor gives what a call returns."""
    for method in cls.body:
        if isinstance(method, ast.FunctionDef) and constructs(method):
            for statement in method.body:
                if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
                    yield from (target for target in statement.targets if is_own(target))


def _prepare_class(draft: Draft, cls: Class) -> bool:
    framework = classes.framework(cls)
    if framework is None:
        return False
    name = CONSTRUCTORS[framework]
    constructor = next(
        (n for n in cls.node.body if isinstance(n, ast.FunctionDef) and n.name == name), None
    )
    made = list(_made(draft, constructor)) if constructor is not None else []
    if not made:
        return False
    family = list(classes.family(draft.interp, cls))
    read = set().union(*(_own_reads(each.node) for each in family))
    for module in draft.interp.project.neighbourhood(cls.module):
        read |= module.attributes_read | _asked_for(module.tree)
    if _ALL_ATTRIBUTES & read:
        return False
    found = [each for each in made if _attribute(each) not in read]
    if framework == "haiku":
        found = [each for each in found if _names_none_else(each, family)]
    for each in found:
        draft.edits.delete_statement(each, with_comments=True)
    return bool(found)


def _made(draft: Draft, constructor: ast.FunctionDef) -> Iterator[ast.Assign]:
    """The statements that do nothing but put a layer of the library on `self`, each under an attribute of its own."""
    stored = [n.attr for n in ast.walk(constructor) if is_own(n) and isinstance(n.ctx, ast.Store)]
    for statement in constructor.body:
        match statement:
            case ast.Assign(targets=[target], value=ast.Call(func=made) as call) if is_own(target):
                name = draft.names.qualified(made)
                is_layer = name is not None and draft.interp.rules.layer(name) is not None
                once = stored.count(target.attr) == 1
                if is_layer and once and _only_computes(call, draft):
                    yield statement


def _only_computes(call: ast.Call, draft: Draft) -> bool:
    """Whether the arguments of a call change nothing and make no other layer."""
    inner = [node for argument in [*call.args, *call.keywords] for node in ast.walk(argument)]
    return not any(isinstance(n, ast.NamedExpr | ast.Await) for n in inner) and all(
        (draft.names.qualified(node.func) or "").startswith(_PLAIN)
        for node in inner
        if isinstance(node, ast.Call)
    )


def _attribute(statement: ast.Assign) -> str:
    return last_name(statement.targets[0]) or ""


def _own_reads(cls: ast.ClassDef) -> set[str]:
    """The attributes that a class reads of itself, and the names of what may read all of them."""
    reads = {n.attr for n in ast.walk(cls) if is_own(n) and not isinstance(n.ctx, ast.Store)}
    names = {n.id for n in ast.walk(cls) if isinstance(n, ast.Name)}
    return reads | (
        _ALL_ATTRIBUTES & (names | {n.name for n in cls.body if isinstance(n, ast.FunctionDef)})
    )


def _asked_for(tree: ast.AST) -> set[str]:
    """The attributes that a file asks for by a text."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Name(id="getattr" | "hasattr"),
                args=[_, ast.Constant(value=str(name)), *_],
            ):
                found.add(name)
    return found


def _names_none_else(statement: ast.Assign, family: list[Class]) -> bool:
    """Whether no other module is called like a layer: Haiku would number them."""
    calls = [n for cls in family for n in ast.walk(cls.node) if isinstance(n, ast.Call)]
    name = _haiku_name(statement.value)
    return all(call is statement.value or _haiku_name(call) != name for call in calls)


def _haiku_name(call: ast.expr) -> str | None:
    """The name that Haiku begins with for the module that a call makes; None where only running tells."""
    if not isinstance(call, ast.Call):
        return None
    for keyword in call.keywords:
        if keyword.arg == "name":
            match keyword.value:
                case ast.Constant(value=str(name)):
                    return name
            return None
    return haiku_name(last_name(call.func) or "")
