"""Variables that a class reads by their Linen paths: `self.encoder.variables["params"]["embed"]["embedding"]`.

They are those of another module, or its own: `self.variables["params"]["codebook"]`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

from ..chains import is_own
from ..edits import Edits
from ..model.module import ModuleModel
from ..model.trees import locate
from ..shapes import classes
from ..shapes.facts import Facts
from ..shapes.values import LayerObject, Object, Value
from .brackets import bracketed
from .own_kernels import product
from .transport import CannotMove


def read_variables(
    function: ast.FunctionDef,
    own: ModuleModel,
    edits: Edits,
    facts: Facts,
    models: Mapping[ast.AST, ModuleModel],
    parents: Mapping[ast.AST, ast.AST],
    target: Callable[[str], str],
) -> None:
    """Has a method read the attributes that took the place of such variables, and compute what a dense layer does with
    a kernel that it is given; what else Linen's modules do declines."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Attribute):
            continue
        if is_own(node):
            whole, path = _own_read(node, parents)
            place = _of_model(own, path)
            if place is not None:
                edits.replace(whole, f"self.{place}[...]")
            continue
        if node.attr not in _OF_LINEN:
            continue
        value = facts.value(node.value)
        if not _is_module(value):
            continue
        call = parents.get(node)
        if node.attr == "apply" and isinstance(call, ast.Call) and call.func is node:
            computed = product(call, facts, edits, target, parents)
            if computed is not None:
                edits.replace(call, bracketed(computed, call, parents.get(call)))
                continue
        if node.attr != "variables":
            raise CannotMove(
                node,
                f"`{node.attr}` of a module runs it with variables that it is given",
                "write what it computes by hand",
            )
        whole, path = path_read(node, parents)
        place = _target(value, path, models)
        if place is None:
            raise CannotMove(
                node, "variables of a module that are read as a tree", "read its attributes by hand"
            )
        edits.replace(whole, f"{edits.render(node.value)}.{place}[...]")


_OF_LINEN = ("variables", "apply", "init", "init_with_output", "bind")


def _is_module(value: Value | None) -> bool:
    return isinstance(value, LayerObject) or (
        isinstance(value, Object) and classes.framework(value.cls) is not None
    )


def _own_read(
    node: ast.Attribute, parents: Mapping[ast.AST, ast.AST]
) -> tuple[ast.expr, list[str]]:
    """What reads a variable of the class's own, and its path; no path where nothing does."""
    match parents.get(node):
        case (
            ast.Call(
                func=called,
                args=[ast.Constant(value=str(collection)), ast.Constant(value=str(name))],
                keywords=[],
            ) as call
        ) if called is node and node.attr == "get_variable":
            return call, [collection, name]
    return path_read(node, parents) if node.attr == "variables" else (node, [])


def path_read(node: ast.expr, parents: Mapping[ast.AST, ast.AST]) -> tuple[ast.expr, list[str]]:
    """What a chain of subscripts reads, and its keys."""
    path: list[str] = []
    while True:
        match parents.get(node):
            case ast.Subscript(slice=ast.Constant(value=str() as key)) as above if (
                above.value is node
            ):
                node = above
                path.append(key)
            case _:
                return node, path


def _target(
    value: Value | None, path: list[str], models: Mapping[ast.AST, ModuleModel]
) -> str | None:
    """The attribute path of a parameter; None for another variable, or one that is laid out anew."""
    if not path or path[0] != "params":
        return None
    if isinstance(value, LayerObject):
        found = locate(value.rule, "linen", path[1:])
        plain = [v for v in value.rule.variables if v.source == "/".join(path[1:])]
        return found if plain and not plain[0].layout else None
    model = models.get(value.cls.node) if isinstance(value, Object) else None
    return _of_model(model, path) if model is not None else None


def _of_model(model: ModuleModel, path: list[str]) -> str | None:
    found = locate(model, "linen", path[1:]) if path[:1] == ["params"] else None
    if found is None:
        return None
    layouts = {v.layout for v in model.variables if ".".join(v.target).replace("/", ".") == found}
    return found if layouts == {""} else None
