"""Sizes that depend on what a module is made with, for one call of its constructor: `x.shape[-self.axes:]` as `x.shape[-1:]`."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping

from ..chains import is_own
from ..model.module import AddedParameter
from ..shapes.chosen import defaults
from ..shapes.values import Class

_PLAIN = (ast.Constant, ast.Attribute, ast.Name, ast.UnaryOp, ast.USub, ast.Load)


def for_call(added: AddedParameter, cls: Class, call: ast.Call, at_once: bool) -> AddedParameter:
    """The parameter with the fields in its source replaced by what a call gives; as it is where that is not plain.

    What is called `at_once` may be given names: they mean the same by then.
    """
    if "self." not in added.source or added.rows:
        return added
    bound = _Bound(_given(cls, call), at_once)
    tree = bound.visit(ast.parse(added.source, mode="eval").body)
    return dataclasses.replace(added, source=ast.unparse(tree)) if bound.whole else added


def _given(cls: Class, call: ast.Call) -> dict[str, ast.expr]:
    """What a call gives a module's constructor, by parameter, defaults filled in."""
    from ..shapes import classes

    initialiser = classes.method(cls, "__init__")
    found = defaults(cls)
    if initialiser is not None:
        names = [a.arg for a in initialiser.node.args.args[1:]]
        found.update(zip(names, call.args, strict=False))
    found.update({k.arg: k.value for k in call.keywords if k.arg is not None})
    return found


class _Bound(ast.NodeTransformer):
    """Replaces fields; `whole` says whether all were known."""

    def __init__(self, given: Mapping[str, ast.expr], names: bool) -> None:
        self.given = given
        self.names = names
        self.whole = True

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if not is_own(node):
            self.generic_visit(node)
            return node
        found = self.given.get(node.attr)
        plain = found is not None and all(isinstance(n, _PLAIN) for n in ast.walk(found))
        if found is None or not plain or (isinstance(found, ast.Name) and not self.names):
            self.whole = False
            return node
        return found

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        self.generic_visit(node)
        names = any(isinstance(n, ast.Name | ast.Call | ast.Attribute) for n in ast.walk(node.test))
        if names:
            return node
        test = compile(ast.Expression(node.test), "<size>", "eval")
        return node.body if eval(test, {"__builtins__": {}}) else node.orelse
