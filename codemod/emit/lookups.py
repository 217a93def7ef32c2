"""Functions that are looked up by name, `getattr(nn, self.activation)`: NNX has Linen's activations under the same names."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from ..ancestry import lineage
from ..strangers import makers

_SAYS = ("act", "nonlin")


def looks_up_activation(name: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether a name stands for the module that a function on arrays is taken from, not a class of layers."""
    call = parents.get(name)
    if not isinstance(call, ast.Call) or not _is_lookup(call, name):
        return False
    wanted = call.args[1]
    around = list(lineage(call, parents))
    scope = next(n for n in around if isinstance(n, ast.ClassDef | ast.Module))
    match above := parents[call]:
        case ast.Call(func=func, args=[_]) if func is call:
            outer = parents[above]
            return not (isinstance(outer, ast.Call) and outer.func is above)
        case ast.Assign(targets=[ast.Name() | ast.Attribute() as target]):
            held = ast.unparse(target)
            if held in map(ast.unparse, makers(scope)):
                return False
            return _says_activation(held, wanted) or _is_applied(scope, held)
        case ast.Return():
            function = next((n.name for n in around if isinstance(n, ast.FunctionDef)), "")
            return _says_activation(function, wanted)
    return False


def _is_lookup(call: ast.Call, module: ast.AST) -> bool:
    """`getattr(module, wanted)`."""
    named = isinstance(call.func, ast.Name) and call.func.id == "getattr"
    return named and len(call.args) == 2 and call.args[0] is module and not call.keywords


def _says_activation(text: str, wanted: ast.expr) -> bool:
    return any(word in f"{text} {ast.unparse(wanted)}".lower() for word in _SAYS)


def _is_applied(scope: ast.AST, held: str) -> bool:
    """Whether something is called with one argument alone."""
    return any(
        isinstance(node, ast.Call)
        and len(node.args) == 1
        and not node.keywords
        and ast.unparse(node.func) == held
        for node in ast.walk(scope)
    )
