"""`jnp.zeros` and `jnp.ones` as initialisers.

Haiku calls an initialiser with (shape, dtype), as these functions are called; NNX gives it a key first. Where one of them
stands for an initialiser (`b_init or jnp.zeros`), it becomes the initialiser of NNX.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from ..chains import last_name, names_initializer
from ..shapes import classes
from ..shapes.values import Class
from ..signatures import parameters

_VARIABLES = ("get_parameter", "get_state")


def is_initializer(node: ast.expr, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether a function that fills an array stands where an initialiser is expected, and is not called there."""
    child: ast.AST = node
    above = parents.get(node)
    while isinstance(above, ast.BoolOp | ast.IfExp):
        if isinstance(above, ast.IfExp) and child is above.test:
            return False
        child, above = above, parents.get(above)
    match above:
        case ast.keyword(arg=str(name)):
            call = parents.get(above)
            makes = isinstance(call, ast.Call) and last_name(call.func) in _VARIABLES
            return names_initializer(name) and not makes
        case ast.Assign(targets=[target]) | ast.AnnAssign(target=target):
            return names_initializer(last_name(target) or "") and not _is_called(target, parents)
        case ast.arguments():
            return names_initializer(_parameter(above, child))
    return False


def takes_initializer(cls: Class, place: int) -> bool:
    """Whether an argument of a Haiku module's constructor is an initialiser."""
    found = classes.method(cls, "__init__")
    if found is None or classes.framework(cls) != "haiku":
        return False
    names = [a.arg for a in found.node.args.args[1:]]
    return place < len(names) and names_initializer(names[place])


def _parameter(spec: ast.arguments, default: ast.AST) -> str:
    """The parameter that a default belongs to."""
    return next((p.name for p in parameters(spec) if p.default is default), "")


def _is_called(target: ast.expr, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether the class, or the file, calls what is assigned: then with what the source's function takes."""
    scope: ast.AST = target
    while scope in parents and not isinstance(scope, ast.ClassDef):
        scope = parents[scope]
    text = ast.unparse(target)
    return any(isinstance(n, ast.Call) and ast.unparse(n.func) == text for n in ast.walk(scope))
