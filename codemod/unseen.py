"""Functions around a module class that no reading of it entered, and that may make layers all the same."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from .rule import Declined
from .shapes import classes
from .shapes.interpreter import Interpreter
from .shapes.scopes import Environment
from .shapes.values import Class, External, Function

_BOXES = ("flax.linen.with_partitioning", "flax.linen.with_logical_partitioning")
_MADE_BY_METHODS = ("get_parameter", "get_state", "create_parameter")


def check(interp: Interpreter, cls: Class, entered: Collection[ast.AST]) -> None:
    """Raises Declined where a class hands on a function that makes layers to code that was not followed."""
    environment = cls.around
    for function in _functions(interp, cls.node, environment, set(entered)):
        for node in ast.walk(function.node):
            if isinstance(node, ast.Call) and _makes(interp, node, function.environment):
                raise Declined(
                    f"`{cls.name}` makes layers in code outside of its own class (line {node.lineno})",
                    "make them in the class, or give that code a module of its own",
                )


def check_boxes(interp: Interpreter, cls: Class) -> None:
    """Raises Declined where a class calls a function that hands on what boxes parameters in Linen: NNX has no boxes."""
    pending: list[tuple[ast.AST, Environment]] = [(cls.node, cls.around)]
    seen: set[ast.AST] = {cls.node}
    while pending:
        tree, environment = pending.pop()
        called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Name | ast.Attribute):
                continue
            value = interp.peek_name(node, environment)
            if isinstance(value, External) and value.name in _BOXES and node not in called:
                raise Declined(
                    f"`{cls.name}` calls code that hands on `{ast.unparse(node)}`, whose boxes nnx does not have",
                    "call `nnx.with_partitioning` there, in an `if`",
                )
            if isinstance(value, Function) and node in called and value.node not in seen:
                seen.add(value.node)
                pending.append((value.node, value.environment))


def _functions(
    interp: Interpreter, tree: ast.AST, environment: Environment, seen: set[ast.AST]
) -> Iterator[Function]:
    """The functions of the project that a tree names, and those that they name, which were not seen yet."""
    inside = list(ast.walk(tree))
    bound = {node.arg for node in inside if isinstance(node, ast.arg)}
    names = [node for node in inside if isinstance(node, ast.Name)]
    bound |= {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    for node in names:
        if node.id in bound:
            continue
        value = interp.peek(node, environment)
        if isinstance(value, Function) and value.node not in seen:
            seen.add(value.node)
            yield value
            yield from _functions(interp, value.node, value.environment, seen)


def _makes(interp: Interpreter, call: ast.Call, environment: Environment) -> bool:
    """Whether a call makes a layer, a module or a variable."""
    value = interp.peek_name(call.func, environment)
    if isinstance(value, Class):
        return classes.framework(value) is not None
    if not isinstance(value, External) or not interp.rules.is_framework(value.name):
        return False
    name = value.name.rsplit(".", 1)[-1]
    return interp.rules.layer(value.name) is not None or name in _MADE_BY_METHODS
