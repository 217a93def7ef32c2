"""Keys that a Haiku module draws in its constructor and splits whenever it wants one, written as draws where it does.

Haiku makes modules anew for each run, so that such a key is new in each. A module of NNX is made once and would go
through the same keys: `self.key, key = jax.random.split(self.key)` becomes `_, key =
jax.random.split(hk.next_rng_key())`, in the text, before anything else. Keys that are read in other ways stay.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ..chains import is_own
from ..edits import Edits
from ..emit.file_names import FileNames
from ..project import Project
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.interpreter import Interpreter
from ..shapes.values import Class
from ..source import Source
from .prepared import Draft, Leave, Prepared, class_by_class

_DRAWN = "haiku.next_rng_key"
_SPLIT = "jax.random.split"


def prepare(project: Project, rules: Rulebook, leave: Leave) -> Prepared:
    """Writes the keys that the modules of a project keep as draws, but for the classes named in `leave`."""
    return class_by_class(project, rules, leave, _may_have, _prepare_class)


def _may_have(source: Source) -> bool:
    return "haiku" in source.text and "next_rng_key" in source.text


def _prepare_class(draft: Draft, cls: Class) -> bool:
    if classes.framework(cls) != "haiku":
        return False
    found = list(_kept_keys(cls, draft.names))
    if found:
        read = _read_elsewhere(draft.interp.project) | _read_by_heirs(draft.interp, cls)
        found = [key for key in found if key.name not in read]
    for key in found:
        _write(key, draft.edits)
    return bool(found)


@dataclass(frozen=True)
class _KeptKey:
    """`self.key = hk.next_rng_key()`, and the statements that split it."""

    name: str
    drawn: ast.Assign
    splits: tuple[ast.Assign, ...]


def _read_elsewhere(project: Project) -> set[str]:
    """The attributes that the files of a project read of anything but `self`."""
    return {
        node.attr
        for module in list(project.modules.values())
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and not is_own(node)
    }


def _read_by_heirs(interp: Interpreter, cls: Class) -> set[str]:
    """The attributes that other classes with this base, or its own bases, read of themselves."""
    related = [other for other in classes.family(interp, cls) if other is not cls]
    return {n.attr for other in related for n in ast.walk(other.node) if is_own(n)}


def _kept_keys(cls: Class, names: FileNames) -> Iterator[_KeptKey]:
    methods = [n for n in cls.node.body if isinstance(n, ast.FunctionDef)]
    constructor = next((m for m in methods if m.name == "__init__"), None)
    for statement in constructor.body if constructor is not None else ():
        match statement:
            case ast.Assign(targets=[ast.Attribute(attr=name) as target], value=value) if is_own(
                target
            ) and _is_drawn(value, names):
                splits = _splits(cls.node, target, methods, names)
                if splits is not None:
                    yield _KeptKey(name, statement, splits)


def _is_drawn(value: ast.expr, names: FileNames) -> bool:
    """`hk.next_rng_key()`, perhaps in a class that wraps it."""
    match value:
        case ast.Call(func=function, args=[], keywords=[]):
            return names.qualified(function) == _DRAWN
        case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name[:1].isupper():
            return _is_drawn(inner, names)
    return False


def _splits(
    cls: ast.ClassDef, kept: ast.Attribute, methods: list[ast.FunctionDef], names: FileNames
) -> tuple[ast.Assign, ...] | None:
    """The statements that split a key and keep the first part; None where it is read in other ways."""
    mentions = {n for n in ast.walk(cls) if is_own(n) and n.attr == kept.attr} - {kept}
    found: list[ast.Assign] = []
    for method in methods:
        for node in ast.walk(method):
            own = _halves(node, kept.attr, names) if method.name != "__init__" else set()
            if own and isinstance(node, ast.Assign):
                found.append(node)
                mentions -= own
    return None if mentions else tuple(found)


def _halves(node: ast.AST, name: str, names: FileNames) -> set[ast.Attribute]:
    """The key on both sides of `self.key, other = self.key.split()`."""

    def is_kept(part: ast.AST) -> bool:
        return is_own(part) and part.attr == name

    match node:
        case ast.Assign(
            targets=[ast.Tuple(elts=[ast.Attribute() as left, *others])],
            value=ast.Call(func=function, args=args),
        ) if is_kept(left) and all(isinstance(other, ast.Name) for other in others):
            match function, args:
                case ast.Attribute(value=ast.Attribute() as right, attr="split"), _ if is_kept(
                    right
                ):
                    return {left, right}
                case _, [ast.Attribute() as right, *_] if (
                    is_kept(right) and names.qualified(function) == _SPLIT
                ):
                    return {left, right}
    return set()


def _write(key: _KeptKey, edits: Edits) -> None:
    drawn = edits.source.segment(key.drawn.value)
    for statement in key.splits:
        for node in ast.walk(statement):
            if is_own(node) and node.attr == key.name:
                edits.replace(node, "_" if isinstance(node.ctx, ast.Store) else drawn)
    edits.delete_statement(key.drawn)
