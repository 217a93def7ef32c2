"""Functions that JAX traces on their own, as `jax.vmap` and `hk.scan` have it: they may only read parameters.

In NNX such a function captures the modules that it calls, which may be read there, but not changed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import NoReturn

from ..model.module import ModuleModel
from ..shapes import classes, control_flow, enclosed
from ..shapes.enclosed import Ran
from ..shapes.facts import Used, VariableMade
from ..shapes.interpreter import Interpreter
from ..shapes.values import LayerObject, Object, Value
from .transport import CannotMove

_TRACING = {*enclosed.HANDLERS, *control_flow.HANDLERS}
# What is pointless for functions that call no layers.
_CALLING = ("haiku.remat", "haiku.vmap")


def refuse_changes(
    cls: ast.ClassDef,
    interp: Interpreter,
    models: Mapping[ast.AST, ModuleModel],
    qualified: Callable[[ast.AST], str | None],
) -> None:
    """Raises CannotMove where such a function of a class draws keys or changes a variable, or was not followed."""
    for node in ast.walk(cls):
        if isinstance(node, ast.FunctionDef) and any(
            _changes(each, models) for each in interp.enclosed.get(node, ())
        ):
            _refuse_changing(node, ast.unparse(node.decorator_list[0]))
        enclosing = qualified(node.func) if isinstance(node, ast.Call) else None
        if not isinstance(node, ast.Call) or enclosing not in _TRACING:
            continue
        if enclosing == "haiku.scan" and node.args and _is_module(interp.facts.value(node.args[0])):
            continue  # it becomes nnx.scan
        ran = interp.enclosed.get(node)
        name = ast.unparse(node.func)
        if not ran and enclosing in _CALLING:
            raise CannotMove(
                node,
                f"what `{name}` is given could not be followed",
                "call the layers without it, or with nnx.vmap or nnx.remat by hand",
            )
        if any(_changes(each, models) for each in ran or ()):
            _refuse_changing(node, name)


def _refuse_changing(node: ast.AST, name: str) -> NoReturn:
    raise CannotMove(
        node,
        f"`{name}` is given what draws random keys or keeps averages",
        "hand the module to a function under nnx.vmap, nnx.remat or nnx.scan",
    )


def changes_inside(
    code: ast.AST, interp: Interpreter, models: Mapping[ast.AST, ModuleModel]
) -> bool:
    """Whether some call in a piece of code, `hk.scan(step, ...)` say, encloses what draws keys or changes a variable.

    Classes that stay run in code of their own.
    """
    return any(
        _changes(each, models)
        for node in ast.walk(code)
        if isinstance(node, ast.Call)
        for each in interp.enclosed.get(node, ())
        if not _stays(each, models)
    )


def _stays(ran: Ran, models: Mapping[ast.AST, ModuleModel]) -> bool:
    return (
        isinstance(ran, Used)
        and isinstance(ran.target, Object)
        and ran.target.cls.node not in models
        and classes.framework(ran.target.cls) is not None
    )


def _is_module(value: Value | None) -> bool:
    return isinstance(value, LayerObject | Object)


def _changes(ran: Ran, models: Mapping[ast.AST, ModuleModel]) -> bool:
    if isinstance(ran, VariableMade):
        return ran.kind != "param"
    if isinstance(ran.target, LayerObject):
        return bool(ran.target.rule.holds)
    model = models.get(ran.target.cls.node)
    if model is None:
        return classes.framework(ran.target.cls) is not None
    return bool(model.holds) or model.sows
