"""Fields that a class compares with module classes: `if self.block == Block` shows that the field may hold Block."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator

from ..project import Module
from ..shapes import classes
from ..shapes.interpreter import Interpreter
from ..shapes.values import Class
from .partials import Given
from .symbolic import classes_below

_EQUAL = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot)


def given_by_tests(interp: Interpreter, modules: Iterable[Module]) -> Given:
    """The classes, and their subclasses, that module classes compare their fields with."""
    found: Given = defaultdict(list)
    for module in modules:
        for cls in classes.of_file(interp, module):
            if classes.framework(cls) is None:
                continue
            for field, node in _tests(cls.node):
                other = interp.peek(node, cls.around)
                if isinstance(other, Class) and classes.framework(other) is not None:
                    found[cls.node] += [{field: each} for each in classes_below(interp, other)]
    return found


def _tests(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The attributes of `self` that are compared with names, and these."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare(
                left=ast.Attribute(value=ast.Name(id="self"), attr=field),
                ops=[op],
                comparators=[other],
            ):
                if isinstance(op, _EQUAL):
                    others = [other]
                elif isinstance(op, ast.In | ast.NotIn) and isinstance(other, _DISPLAYS):
                    others = other.elts
                else:
                    continue
            case ast.Call(
                func=ast.Name(id="issubclass"),
                args=[ast.Attribute(value=ast.Name(id="self"), attr=field), other],
            ):
                others = other.elts if isinstance(other, ast.Tuple) else [other]
            case _:
                continue
        yield from ((field, each) for each in others if isinstance(each, ast.Name | ast.Attribute))


_DISPLAYS = (ast.Tuple, ast.List, ast.Set)
