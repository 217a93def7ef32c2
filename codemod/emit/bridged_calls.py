"""How a bridge calls a module whose flags went: `call_as=lambda net, x, train=True: net(x, training=train)`."""

from __future__ import annotations

import ast

from .. import signatures
from ..model.module import ModuleModel
from ..shapes import classes
from ..shapes.values import Class, Function

_OWN = frozenset(("net", "training"))  # names of the text below


def sets_mode(model: ModuleModel) -> bool:
    """Whether a bridge to a class has to set its mode by what a call says."""
    return model.moded and bool(model.modes or model.field_modes)


def call_as(cls: Class, model: ModuleModel) -> str | None:
    """What a bridge is told of calls with a flag; None where it takes more than that."""
    found = classes.method(cls, "__call__")
    flags = model.modes.get("__call__", {})
    if model.field_modes or not isinstance(found, Function):
        return None
    if not isinstance(found.node, ast.FunctionDef) or len(flags) != 1:
        return None
    spec = found.node.args
    own = list(signatures.parameters(spec))[1:]
    defaults = [p.default for p in own if p.default is not None]
    if spec.posonlyargs or spec.vararg or spec.kwarg or _OWN & {p.name for p in own} - {*flags}:
        return None
    if not all(isinstance(each, ast.Constant) for each in defaults):
        return None
    ((flag, mode),) = flags.items()
    training = flag if mode == "train" else f"not {flag}"
    kept = [p for p in own if p.name != flag]
    given = [f"{p.name}={p.name}" if p.keyword_only else p.name for p in kept]
    taken = [_taken(p) for p in own if not p.keyword_only]
    named = [_taken(p) for p in own if p.keyword_only]
    parameters = ", ".join(["net", *taken, *(["*", *named] if named else [])])
    return f"call_as=lambda {parameters}: net({', '.join([*given, f'training={training}'])})"


def _taken(parameter: signatures.Parameter) -> str:
    default = parameter.default
    return parameter.name if default is None else f"{parameter.name}={ast.unparse(default)}"
