"""Rewrites a subclass of one of Linen's layers into a subclass of its counterpart.

Two kinds are known. A `__call__` of its own, around the layer's, stays as it is. A `param` that changes what the layer reads
becomes a `__call__` that runs a clone of the layer with the changed parameter.
"""

from __future__ import annotations

import ast

from ..edits import Edits
from ..model.module import AddedParameter, ModuleModel, VariablePath
from ..rule import Layer, To
from ..shapes.values import Class
from .construct import target_signature
from .file_names import FileNames
from .transport import CannotMove, splice

_HELP = "write the class for nnx by hand, on top of the layer's counterpart"


def rewrite_refinement(cls: Class, rule: Layer, edits: Edits, names: FileNames) -> ModuleModel:
    """Records the edits; raises CannotMove where the class does something else than the kinds that are known."""
    if rule.helper or rule.inline or rule.stated or not rule.sizes:
        raise _unknown(cls, rule)
    base = names.target(rule.target)
    methods: list[ast.FunctionDef] = []
    for statement in cls.node.body:
        if isinstance(statement, ast.FunctionDef):
            methods.append(statement)
        elif not _is_text(statement):
            raise _unknown(cls, rule)
    match methods:
        case []:
            pass
        case [method] if method.name == "__call__":
            _check_call(cls, rule, method)
            for decorator in method.decorator_list:
                edits.remove_item(method, decorator)
        case [method] if method.name == "param":
            edits.replace(method, _as_call(cls, rule, method, base, edits, names))
        case _:
            raise _unknown(cls, rule)
    edits.replace(cls.node.bases[0], base)
    return _model(cls, rule)


def _unknown(cls: Class, rule: Layer) -> CannotMove:
    return CannotMove(
        cls.node, f"`{cls.name}` changes `{rule.source.removeprefix('flax.linen.')}`", _HELP
    )


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def _model(cls: Class, rule: Layer) -> ModuleModel:
    model = ModuleModel(cls, "linen", cls.name, cls.name, rewritten=True, refines=rule.source)
    inputs = rule.inputs[0] if rule.inputs else "inputs"
    model.added = [AddedParameter(name, f"{inputs}.shape[-1]") for name in rule.sizes]
    model.holds = set(rule.holds)
    model.variables = [
        VariablePath(v.collection, (v.source,), (v.target.replace("/", "."),), v.layout)
        for v in rule.variables
    ]
    return model


# ---- a call of its own -------------------------------------------------------------------------------


def _check_call(cls: Class, rule: Layer, method: ast.FunctionDef) -> None:
    """The method may call the layer's with one input, and read the arguments that keep their names."""
    known = set(target_signature(rule.target))
    supers = 0
    for node in ast.walk(method):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=name)):
                supers += 1
                if name != "__call__" or len(node.args) != 1 or node.keywords:
                    raise _unknown(cls, rule)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                argument = rule.arguments.get(name, To(name))
                same = isinstance(argument, To) and argument.name == name
                if name not in known or not same or not isinstance(node.ctx, ast.Load):
                    raise _unknown(cls, rule)
    if not supers or any(ast.unparse(d).split(".")[-1] != "compact" for d in method.decorator_list):
        raise _unknown(cls, rule)


# ---- a changed parameter -----------------------------------------------------------------------------


def _as_call(
    cls: Class, rule: Layer, method: ast.FunctionDef, base: str, edits: Edits, names: FileNames
) -> str:
    """`param` that changes one parameter, as a `__call__` of a clone whose parameter is changed."""
    local, which, value = _changed(cls, rule, method)
    target = next((v.target for v in rule.variables if v.source == which), None)
    if target is None or "/" in target:
        raise _unknown(cls, rule)
    source = edits.source
    start, end = source.span(value)
    read = f"layer.{target}[...]"
    pieces = []
    for node in ast.walk(value):
        if isinstance(node, ast.Name) and node.id == local:
            pieces.append((*source.span(node), read))
        elif isinstance(node, ast.Name) and node.id in ("self", *_parameters(method)):
            raise _unknown(cls, rule)
    inputs = rule.inputs[0]
    unit, indent = source.indent_unit, source.line_indent(source.span(method)[0])
    lines = [
        f"def __call__(self, {inputs}):",
        f"{indent}{unit}layer = nnx.clone(self)",
        f"{indent}{unit}{read} = {splice(source.text, start, end, pieces)}",
        f"{indent}{unit}return {base}.__call__(layer, {inputs})",
    ]
    names.target("flax.nnx.clone")
    return "\n".join(lines)


def _parameters(method: ast.FunctionDef) -> list[str]:
    spec = method.args
    found = [a.arg for a in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]]
    return found + [a.arg for a in (spec.vararg, spec.kwarg) if a is not None]


def _changed(cls: Class, rule: Layer, method: ast.FunctionDef) -> tuple[str, str, ast.expr]:
    """The local, the parameter's name and its new value, of a method in the one form that is known."""
    body = [statement for statement in method.body if not _is_text(statement)]
    match body:
        case [
            ast.Assign(
                targets=[ast.Name(id=local)],
                value=ast.Call(
                    func=ast.Attribute(
                        value=ast.Call(func=ast.Name(id="super"), args=[]), attr="param"
                    ),
                    args=[ast.Name(id=first), *_],
                ),
            ),
            ast.If(
                test=ast.Compare(
                    left=ast.Name(id=tested),
                    ops=[ast.Eq()],
                    comparators=[ast.Constant(value=which)],
                ),
                body=[ast.Assign(targets=[ast.Name(id=changed)], value=value)],
                orelse=[],
            ),
            ast.Return(value=ast.Name(id=returned)),
        ] if (
            local == changed == returned
            and first == tested == _parameters(method)[1]
            and isinstance(which, str)
        ):
            return local, which, value
    raise _unknown(cls, rule)
