"""Functions that return Haiku's transform of one module, or the function for it: they return the module instead.

    def make_network(config):
        def forward(x):
            return Network(config)(x)
        return hk.transform(forward)

In NNX such a function returns the module itself, and so does one that returns `forward`, if that is transformed.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ..edits import Edits
from ..emit import layout
from ..emit.file_names import FileNames
from ..model.sites import walk_own
from ..project import Module
from ..shapes.interpreter import Interpreter
from ..shapes.values import Function
from .haiku import maker_call, only_makes
from .kinds import Transformed


@dataclass(frozen=True)
class Behind:
    """What a function that returns a transform makes, and what of it goes."""

    maker: ast.Call
    result: ast.expr  # what it returns
    gone: tuple[ast.stmt, ...]


def behind(
    interp: Interpreter, module: Module, node: ast.FunctionDef, run: Collection[ast.AST]
) -> Behind | None:
    """The module behind the transform, or the function, that a function returns; None where it does anything else.

    `run` are the functions whose transforms programs initialise.
    """
    returned = [n for n in walk_own(node) if isinstance(n, ast.Return)]
    if len(returned) != 1 or returned[0] is not node.body[-1] or returned[0].value is None:
        return None
    result = returned[0].value
    found = interp.facts.value(result)
    if isinstance(found, Function) and found.node in run:
        found = Transformed(found, None)
    if not isinstance(found, Transformed) or found.entries:
        return None
    function = found.function
    if not isinstance(function, Function) or function.node not in set(ast.walk(node)):
        return None
    made = maker_call(function, found)
    gone = _gone(interp, node, function.node)
    if made is None or gone is None or not only_makes(interp, function, found):
        return None
    if not _alone(module, node, [*gone, returned[0]]):
        return None
    return Behind(made[0], result, gone)


def _gone(
    interp: Interpreter, node: ast.FunctionDef, function: ast.AST
) -> tuple[ast.stmt, ...] | None:
    """The statements of a function's body that only prepare the transform."""
    found: list[ast.stmt] = []
    for statement in node.body:
        match statement:
            case ast.FunctionDef() if statement is function:
                found.append(statement)
            case ast.Assign(targets=[ast.Name()], value=value) if isinstance(
                interp.facts.value(value), Transformed
            ):
                found.append(statement)
    if isinstance(function, ast.FunctionDef) and function not in found:
        return None
    return tuple(found)


def _alone(module: Module, node: ast.FunctionDef, preparing: Sequence[ast.stmt]) -> bool:
    """Whether nothing but the statements that prepare a transform reads what they bind."""
    bound = {s.name for s in preparing if isinstance(s, ast.FunctionDef)}
    bound |= {
        t.id
        for s in preparing
        if isinstance(s, ast.Assign)
        for t in s.targets
        if isinstance(t, ast.Name)
    }
    inside = {inner for s in preparing for inner in ast.walk(s)}
    return not any(
        isinstance(n, ast.Name) and n.id in bound and n not in inside for n in ast.walk(node)
    )


def only_called(name: str, modules: Iterable[Module]) -> bool:
    """Whether nothing but calls and imports speaks of a function by its name."""
    return not any(
        (isinstance(node, ast.Name) and node.id == name)
        or (isinstance(node, ast.Attribute) and node.attr == name)
        for module in modules
        if name in module.source.text
        for node in ast.walk(module.tree)
        if not _is_called(node, module)
    )


def _is_called(node: ast.AST, module: Module) -> bool:
    above = module.source.parents.get(node)
    return isinstance(above, ast.Call) and above.func is node


def write(
    found: Behind,
    node: ast.FunctionDef,
    arguments: Iterable[str],
    edits: Edits,
    names: FileNames,
    limit: int,
) -> None:
    """The function returns the module, made with `arguments`."""
    source = edits.source
    made = f"{names.text(found.maker.func)}({', '.join(arguments)})"
    indent = source.line_indent(source.span(found.result)[0])
    text = layout.expression(
        made, indent=indent, unit=source.hanging_indent, limit=limit, prefix="return "
    )
    edits.replace(found.result, text.removeprefix("return "))
    for statement in found.gone:
        edits.delete_statement(statement, with_comments=True)
    if node.returns is not None:
        edits.replace(node.returns, names.text(found.maker.func))
