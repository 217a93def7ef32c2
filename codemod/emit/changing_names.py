"""Layers and variables whose names a method's arguments tell: each name is another layer, and each call may give another.

A rewrite has one layer for one place. That is right where the method runs once: `__call__` asks for it in one place, and
in no loop.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from ..ancestry import lineage
from ..chains import constructs, stored_names
from ..model.sites import Site
from .agreement import branches
from .transport import CannotMove

_FUNCTIONS = (ast.FunctionDef, ast.Lambda)
_REPEATED = (
    *(ast.For, ast.While, ast.FunctionDef, ast.Lambda),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)


def refuse_changing_names(
    sites: Sequence[Site], cls: ast.ClassDef, parents: Mapping[ast.AST, ast.AST]
) -> None:
    for site in sites:
        name = _name(site)
        method = _method(site.node, cls, parents)
        if name is None or method is None or constructs(method):
            continue
        argument = _argument(name, site.node, method, parents)
        if argument is not None and not runs_once(method, cls, parents):
            raise CannotMove(
                site.node,
                f"`{argument}` is in the name of what is made here, and calls of `{method.name}` may differ in it",
                "make one for each name in the constructor, or give it a module of its own",
            )


def _name(site: Site) -> ast.expr | None:
    """The expression that names what a site makes, where it is no literal."""
    name = site.explicit
    if name is None and site.variable is not None and site.node.args:
        name = site.node.args[0]
    return None if isinstance(name, ast.Constant) else name


def _method(
    node: ast.AST, cls: ast.ClassDef, parents: Mapping[ast.AST, ast.AST]
) -> ast.FunctionDef | None:
    """The method of a class that a node stands in."""
    above = (each for each in lineage(node, parents) if parents.get(each) is cls)
    return next((each for each in above if isinstance(each, ast.FunctionDef)), None)


def _argument(
    name: ast.expr, node: ast.AST, method: ast.FunctionDef, parents: Mapping[ast.AST, ast.AST]
) -> str | None:
    """An argument of the functions around a node that decides a name, if there is one."""
    around = [each for each in lineage(node, parents) if isinstance(each, _FUNCTIONS)]
    own = around[: around.index(method) + 1] if method in around else [method]
    arguments = {a.arg for f in own for a in ast.walk(f.args) if isinstance(a, ast.arg)} - {"self"}
    pending, seen = _read(name), set[str]()
    while pending:
        word = pending.pop()
        if word in arguments:
            return word
        if word not in seen:
            seen.add(word)
            for statement in ast.walk(method):
                if isinstance(statement, ast.Assign | ast.AugAssign) and word in stored_names(
                    statement
                ):
                    pending |= _read(statement.value)
    return None


def _read(expression: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(expression) if isinstance(n, ast.Name)}


def runs_once(
    method: ast.FunctionDef, cls: ast.ClassDef, parents: Mapping[ast.AST, ast.AST]
) -> bool:
    """Whether a run of `__call__` comes to a method once."""
    asked = [
        node
        for node in ast.walk(cls)
        if isinstance(node, ast.Attribute) and node.attr == method.name
    ]
    above = parents.get(asked[0]) if len(asked) == 1 else None
    if not (isinstance(above, ast.Call) and above.func is asked[0]):
        return False
    caller = _method(above, cls, parents)
    within = [each for each in lineage(above, parents) if each is not caller]
    inside = within[: within.index(cls)] if cls in within else within
    if caller is None or caller is method or any(isinstance(each, _REPEATED) for each in inside):
        return False
    return caller.name == "__call__" or runs_once(caller, cls, parents)


def run_apart(
    one: ast.AST, two: ast.AST | None, cls: ast.ClassDef, parents: Mapping[ast.AST, ast.AST]
) -> bool:
    """Whether no run comes to both of two methods: each is called in one place, and these are the sides of one `if`."""
    sides: list[dict[ast.AST, str]] = []
    for method in (one, two):
        calls = [
            node
            for node in ast.walk(cls)
            if isinstance(node, ast.Attribute) and node.attr == getattr(method, "name", "")
        ]
        if len(calls) != 1:
            return False
        sides.append(dict(branches(calls[0], parents)))
    return any(
        isinstance(branch, ast.If) and {side, sides[1].get(branch)} == {"body", "orelse"}
        for branch, side in sides[0].items()
    )
