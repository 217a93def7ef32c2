"""Why functions that make layers stay functions, in words for the user."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ..ancestry import functions_around
from ..project import Module
from .maker import Maker, place_name
from .prepared import Leave


def of_syntax(node: ast.FunctionDef) -> str:
    """Why a function is none that can be a module, whatever calls it."""
    if node.decorator_list:
        return f"`{node.name}` is decorated with `{ast.unparse(node.decorator_list[0])}`"
    return f"`{node.name}` takes any arguments"


def of_uses(maker: Maker) -> str:
    """Why a function that is used for more than to be called cannot be a module."""
    name = maker.node.name
    if maker.node.decorator_list:
        return of_syntax(maker.node)
    if maker.handed:
        return _handed(name, *maker.handed[0])
    return f"`{name}` is called by code that stays"


def of_no_calls(maker: Maker, calls: Sequence[tuple[Module, ast.Call]], leave: Leave) -> str:
    """Why a function that nothing calls from where layers are made cannot be a module."""
    name = maker.node.name
    if maker.handed:
        return _handed(name, *maker.handed[0])
    for module, call in calls:
        for around in functions_around(call, module.source.parents):
            if (module.path, place_name(around, module)) in leave:
                return f"`{around.name}`, which calls `{name}`, stays"
    if calls:
        return f"what calls `{name}` is no module and is given to no transform in sight"
    return f"nothing in sight calls `{name}`"


def _handed(name: str, module: Module, node: ast.expr) -> str:
    """What code does with a function that it does not call."""
    above = module.source.parents[node]
    if isinstance(above, ast.keyword):
        above = module.source.parents[above]
    match above:
        case ast.Call(func=func):
            return (
                f"`{name}` is given to `{_written(func, module)}`, which may call it more than once"
            )
        case ast.Return():
            return f"`{name}` is handed back to code that may call it more than once"
        case ast.List() | ast.Tuple() | ast.Dict() | ast.Set():
            return f"`{name}` is put away to be called later"
        case ast.Attribute():
            return f"an attribute of `{name}` is read"
    return f"`{name}` gets another name"


def _written(node: ast.expr, module: Module) -> str:
    return " ".join(module.source.segment(node).split())
