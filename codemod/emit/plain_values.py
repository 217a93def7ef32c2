"""Attributes that a constructor gives a layer or a parameter in one case, and something plain in another.

NNX decides by the first value whether an attribute holds data: one that starts as None and gets a layer later has to be
declared with `nnx.data`. A parameter is read as `self.scale[...]`, which no number understands.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..ancestry import lineage
from ..chains import constructs, is_own
from ..model.sites import Site
from ..shapes import classes
from ..shapes.facts import Facts
from ..shapes.values import Array, LayerObject, Object
from .transport import CannotMove

Parents = Mapping[ast.AST, ast.AST]


def starts(
    functions: Iterable[ast.FunctionDef], sites: Sequence[Site], facts: Facts, parents: Parents
) -> set[ast.stmt]:
    """The statements that give an attribute None, or a number, before another gives it data.

    Raises CannotMove where an attribute holds a parameter or something plain that cannot be told apart when it is read.
    """
    made: Mapping[ast.AST, Site] = {site.node: site for site in sites}
    found: set[ast.stmt] = set()
    for function in functions:
        if constructs(function):
            for assigned in _assigned(function).values():
                _refuse_mixed(assigned, made)
                found |= _starting(assigned, made, facts, parents)
    return found


def missing_arm(site: Site) -> str | None:
    """The attribute that a statement gives a parameter in one arm of a choice, and None in the other."""
    match site.statement:
        case ast.Assign(targets=[target], value=ast.IfExp(body=body, orelse=orelse)) if (
            is_own(target) and site.variable is not None and site.node in (body, orelse)
        ):
            other = orelse if site.node is body else body
            return target.attr if is_none(other) else None
    return None


def arms_of(value: ast.expr) -> Iterator[ast.expr]:
    """What an expression may be: the arms of a choice, or itself."""
    if isinstance(value, ast.IfExp):
        yield from arms_of(value.body)
        yield from arms_of(value.orelse)
    else:
        yield value


def _assigned(function: ast.FunctionDef) -> Mapping[str, list[ast.Assign]]:
    """The statements that give each attribute a value."""
    found: dict[str, list[ast.Assign]] = defaultdict(list)
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[target]) if is_own(target):
                found[target.attr].append(node)
    return found


def _refuse_mixed(assigned: Sequence[ast.Assign], made: Mapping[ast.AST, Site]) -> None:
    arms = [(statement, arm) for statement in assigned for arm in arms_of(statement.value)]
    held = [arm for _, arm in arms if _is_variable(arm, made)]
    for statement, arm in arms if held else ():
        number = isinstance(arm, ast.Constant) and arm.value is not None
        if number or isinstance(arm, ast.Lambda):
            raise CannotMove(
                statement,
                f"`{ast.unparse(statement.targets[0])}` holds a parameter in one case, and `{ast.unparse(arm)}` in another",
                "make it None where there is no parameter, and test for that where it is read",
            )


def _starting(
    assigned: Sequence[ast.Assign], made: Mapping[ast.AST, Site], facts: Facts, parents: Parents
) -> set[ast.stmt]:
    found: set[ast.stmt] = set()
    for statement in assigned:
        later = [
            other
            for other in assigned
            if other.lineno > statement.lineno
            and not _exclude(statement, other, parents)
            and any(_is_data(arm, made, facts) for arm in arms_of(other.value))
        ]
        if later and isinstance(statement.value, ast.Constant):
            found.add(statement)
        elif later and isinstance(statement.value, ast.Lambda):
            raise CannotMove(
                statement,
                f"`{ast.unparse(statement.targets[0])}` holds a function before it holds a layer",
                "set it in an `else` of what makes the layer",
            )
    return found


def _exclude(one: ast.stmt, two: ast.stmt, parents: Parents) -> bool:
    """Whether two statements stand on two sides of one `if`."""
    sides = {id(node): inner for inner, node in _around(one, parents)}
    return any(
        id(node) in sides and (sides[id(node)] in node.body) != (inner in node.body)
        for inner, node in _around(two, parents)
    )


def _around(statement: ast.stmt, parents: Parents) -> Iterator[tuple[ast.AST, ast.If]]:
    """The `if` statements around a statement, each with its part that the statement stands in."""
    inner: ast.AST = statement
    for node in lineage(statement, parents):
        if isinstance(node, ast.If) and node is not statement:
            yield inner, node
        inner = node


def _is_variable(arm: ast.expr, made: Mapping[ast.AST, Site]) -> bool:
    site = made.get(arm)
    return site is not None and site.variable is not None and site.variable.kind != "rng"


def _is_data(arm: ast.expr, made: Mapping[ast.AST, Site], facts: Facts) -> bool:
    """Whether an expression makes layers, parameters or arrays."""
    if any(node in made for node in ast.walk(arm)):
        return True
    value = facts.value(arm)
    if isinstance(value, Object):
        return classes.framework(value.cls) is not None
    return isinstance(value, Array | LayerObject)


def is_none(node: ast.expr) -> bool:
    """Whether an expression is `None`."""
    return isinstance(node, ast.Constant) and node.value is None
