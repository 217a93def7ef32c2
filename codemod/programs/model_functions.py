"""Functions that programs have Linen run on a model: `model.apply(variables, x, method=features)`, `nn.apply(features, model)`."""

from __future__ import annotations

import ast
from collections.abc import Collection

from ..project import Module


def handed(call: ast.Call) -> ast.expr | None:
    """The expression of the function that a call runs on the model, instead of a method."""
    for keyword in call.keywords:
        if keyword.arg == "method":
            return keyword.value
    if isinstance(call.func, ast.Call) and call.func.args:
        return call.func.args[0]
    return None


def runs_methods_alone(
    function: ast.FunctionDef | ast.Lambda, module: Module, methods: Collection[str]
) -> bool:
    """Whether a function only calls its first argument, or its public methods."""
    first = function.args.args[0].arg if function.args.args else ""
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id == first:
            above = module.source.parents.get(node)
            if isinstance(above, ast.Attribute):
                if above.attr not in methods or above.attr.startswith("_"):
                    return False
                node, above = above, module.source.parents.get(above)
            if not isinstance(above, ast.Call) or above.func is not node:
                return False
    return True
