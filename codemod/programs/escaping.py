"""Models that leave a file, and calls in it of models that nobody in sight hands over: the two may be one.

A function that is never called may be called by a notebook, with what another function of the file has returned. Where
the one is rewritten and the other cannot be followed, they would no longer fit each other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from ..chains import root_name
from ..shapes.facts import Facts
from ..shapes.values import Items, Table, Unknown, Value
from .certainty import is_tree
from .ground import Stay
from .kinds import Transformed, is_model

_OF_MODELS = ("apply", "apply_fn", "apply_gradients")


def check(
    program: Iterable[ast.AST],
    file: Iterable[ast.AST],
    facts: Facts,
    parents: Mapping[ast.AST, ast.AST],
) -> None:
    """Raises Stay where the nodes of a program return a model, and those of its file call one that nobody gives."""
    for node in file:
        if isinstance(node, ast.Attribute) and _is_given_by_nobody(node, facts, parents):
            break
    else:
        return
    for returned in program:
        if isinstance(returned, ast.Return) and returned.value is not None:
            if _holds_model(facts.value(returned.value)):
                raise Stay(
                    returned,
                    f"what is returned here may be what `{ast.unparse(node)}` gets, in a function that nothing calls",
                    "rewrite both by hand, or have the code around them in the tree",
                )


def _is_given_by_nobody(
    node: ast.Attribute, facts: Facts, parents: Mapping[ast.AST, ast.AST]
) -> bool:
    """Whether this calls what only a model or a train state has, on a parameter that no call in sight fills."""
    if node.attr not in _OF_MODELS or not _is_unknown(facts.value(node)):
        return False
    above = parents.get(node)
    if not isinstance(above, ast.Call) or above.func is not node:
        return False
    root, scope = root_name(node), parents.get(node)
    while scope is not None:
        if isinstance(scope, ast.FunctionDef | ast.Lambda):
            for parameter in ast.walk(scope.args):
                if isinstance(parameter, ast.arg) and parameter.arg == root:
                    return _is_unknown(facts.value(parameter)) or root == "self"
        scope = parents.get(scope)
    return False


def _is_unknown(value: Value | None) -> bool:
    return value is None or isinstance(value, Unknown)


def _holds_model(value: Value | None) -> bool:
    match value:
        case Items(items=items):
            return any(map(_holds_model, items))
        case Table(items=table):
            return any(map(_holds_model, table.values()))
    return is_model(value) or is_tree(value) or isinstance(value, Transformed)
