"""What `setup`, or a constructor of Haiku's, computes of variables: it runs again with each call, one of NNX does not.

The value would be that of the first parameters for good, and no gradient would go through it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping

from ..ancestry import lineage
from ..chains import CONSTRUCTORS, constructs, is_own, last_name
from ..model.sites import Site, walk_own
from ..shapes.facts import Facts
from .transport import CannotMove

_VARIABLES = ("param", "variable", "state")
_STATIC = ("shape", "ndim", "dtype", "size")
_OF_ANY = ("len", "isinstance", "type", "partial")
_HOLDING = (ast.Tuple, ast.List, ast.Dict, ast.Starred, ast.IfExp)


def refuse_computed_once(
    functions: Iterable[ast.FunctionDef],
    sites: Collection[Site],
    facts: Facts,
    parents: Mapping[ast.AST, ast.AST],
) -> None:
    """Raises CannotMove where one of these computes something of a variable, or of what a layer returns."""
    runs = {use.call for uses in facts.uses_of.values() for use in uses if use.method == "__call__"}
    functions = list(functions)
    making = {site.node for site in sites if site.variables}  # what these are given is for `init`
    live = set(_variables(sites))
    live |= set(_other_names(functions, live))
    computing: dict[str, ast.AST] = {}  # by method: one of the nodes that do
    before = -1
    while before != len(computing):  # until no more methods are found that call one
        before = len(computing)
        for function in functions:
            for node in walk_own(function):
                called = (
                    node.func.attr if isinstance(node, ast.Call) and is_own(node.func) else None
                )
                computes = _read(node) in live and not _is_held(node, facts, parents)
                computes = computes and not making.intersection(lineage(node, parents))
                if node in runs or computes or called in computing:
                    computing.setdefault(function.name, node)
    for name in CONSTRUCTORS.values():
        if name in computing:
            raise CannotMove(
                computing[name],
                f"`{ast.unparse(computing[name])}` is computed with here, anew for each call of the module",
                "compute this in the methods that need it",
            )


def _variables(sites: Collection[Site]) -> Iterator[str]:
    """The attributes that hold variables: `self.w`."""
    for site in sites:
        if any(v.kind in _VARIABLES for v in site.variables):
            match site.statement:
                case ast.Assign(targets=targets, value=value) if value is site.node:
                    yield from (ast.unparse(target) for target in targets if is_own(target))


def _other_names(functions: Iterable[ast.FunctionDef], live: Collection[str]) -> Iterator[str]:
    """The locals of constructors that are no more than another name for a variable."""
    for function in functions:
        for node in walk_own(function) if constructs(function) else ():
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if _read(value) in live:
                    yield name


def _read(node: ast.AST) -> str | None:
    named = is_own(node) or isinstance(node, ast.Name)
    return ast.unparse(node) if named and isinstance(node.ctx, ast.Load) else None  # type: ignore[attr-defined]  # names and attributes have one


def _is_held(node: ast.AST, facts: Facts, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether a variable is only kept, handed to a module that is made, or asked for what never changes."""
    above = parents[node]
    while isinstance(above, _HOLDING) or (
        isinstance(above, ast.Attribute) and above.attr == "value"
    ):
        node, above = above, parents[above]
    if isinstance(above, ast.keyword):
        above = parents[above]
    match above:
        case ast.Attribute(attr=attr):
            return attr in _STATIC
        case ast.Assign() | ast.AnnAssign():
            return not isinstance(node, ast.Attribute) or node.attr != "value"
        case ast.Compare(ops=ops):
            return all(isinstance(op, ast.Is | ast.IsNot) for op in ops)
        case ast.Call(func=func):
            return above in facts.made or last_name(func) in _OF_ANY
    return False
