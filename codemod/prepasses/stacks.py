"""Layer stacks over functions, written as decorated functions first.

    stack = hk.experimental.layer_stack(3)          @hk.experimental.layer_stack(3)
    x = stack(lambda h: Block()(h))(x)              def stack(h):
                                                        return Block()(h)

                                                    x = stack(x)

The two mean the same; a function with a name of its own can be given the layers as an argument.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ..edits import Edits
from ..emit.file_names import FileNames
from ..model.sites import statement_of
from ..project import Project
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.values import Class
from ..source import Source
from .prepared import Draft, Leave, Prepared, class_by_class

_STACKS = ("haiku.experimental.layer_stack", "haiku.layer_stack")


@dataclass(frozen=True)
class Stack:
    """One stack: what makes it, the call that gives it a function, and the statement that runs it."""

    maker: ast.Call
    held: ast.Assign | None  # the statement that gives the maker a name
    wrapping: ast.Call
    function: ast.Lambda | ast.FunctionDef
    statement: ast.stmt


def prepare(project: Project, rules: Rulebook, leave: Leave) -> Prepared:
    """Writes the stacks of a project's module classes, but for those named in `leave`."""
    return class_by_class(project, rules, leave, _may_have, _prepare_class)


def _may_have(source: Source) -> bool:
    return "haiku" in source.text and "layer_stack" in source.text


def _prepare_class(draft: Draft, cls: Class) -> bool:
    if classes.framework(cls) != "haiku":
        return False
    methods = [n for n in cls.node.body if isinstance(n, ast.FunctionDef)]
    found = [stack for m in methods for stack in _stacks(m, draft.names, draft.source)]
    for stack in found:
        _write(stack, draft.edits)
    return bool(found)


def _stacks(method: ast.FunctionDef, names: FileNames, source: Source) -> Iterator[Stack]:
    """The stacks of a method that are given a function of one argument and run at once."""
    for node in ast.walk(method):
        if not isinstance(node, ast.Call) or names.qualified(node.func) not in _STACKS:
            continue
        held, wrapping = _wrapping(node, method, source)
        if wrapping is None or len(wrapping.args) != 1 or wrapping.keywords:
            continue
        run = source.parents[wrapping]
        function = _function(wrapping.args[0], method)
        if not (isinstance(run, ast.Call) and run.func is wrapping) or function is None:
            continue
        statement = statement_of(run, source.parents)
        if isinstance(statement, ast.Assign | ast.Return | ast.Expr) and _takes_one(function):
            yield Stack(node, held, wrapping, function, statement)


def _wrapping(
    maker: ast.Call, method: ast.FunctionDef, source: Source
) -> tuple[ast.Assign | None, ast.Call | None]:
    """The call that gives a stack its function, and the statement that names the stack before, if one does."""
    above = source.parents[maker]
    match above:
        case ast.Call(func=func) if func is maker:
            return None, above
        case ast.Assign(targets=[ast.Name(id=name)]):
            read = _reads(name, method)
            user = source.parents[read] if read is not None else None
            if isinstance(user, ast.Call) and user.func is read:
                if source.parents[above] is source.parents[statement_of(user, source.parents)]:
                    return above, user
    return None, None


def _reads(name: str, method: ast.FunctionDef) -> ast.Name | None:
    """The only place that reads a variable which is set once."""
    named = [n for n in ast.walk(method) if isinstance(n, ast.Name) and n.id == name]
    reads = [n for n in named if isinstance(n.ctx, ast.Load)]
    return reads[0] if len(named) == 2 and len(reads) == 1 else None


def _function(given: ast.expr, method: ast.FunctionDef) -> ast.Lambda | ast.FunctionDef | None:
    """The function that a stack is given: a lambda, or one of the method that nothing else reads."""
    if isinstance(given, ast.Lambda):
        return given
    if not isinstance(given, ast.Name):
        return None
    named = [n for n in ast.walk(method) if isinstance(n, ast.Name) and n.id == given.id]
    defined = [n for n in ast.walk(method) if isinstance(n, ast.FunctionDef) and n.name == given.id]
    plain = len(defined) == 1 and not defined[0].decorator_list
    return defined[0] if plain and named == [given] else None


def _takes_one(function: ast.Lambda | ast.FunctionDef) -> bool:
    spec = function.args
    others = [*spec.posonlyargs, *spec.kwonlyargs, spec.vararg, spec.kwarg, *spec.defaults]
    return len(spec.args) == 1 and not any(others)


def _write(stack: Stack, edits: Edits) -> None:
    source = edits.source
    decorator = f"@{source.segment(stack.maker)}\n"
    if isinstance(stack.function, ast.FunctionDef):
        name = stack.function.name
        edits.insert_before(stack.function, decorator, below_comments=True)
    else:
        name = _name(stack, source)
        body = source.segment(stack.function.body)
        body = f"({body})" if "\n" in body else body
        argument = stack.function.args.args[0].arg
        text = f"{decorator}def {name}({argument}):\n{source.indent_unit}return {body}\n\n"
        edits.insert_before(stack.held or stack.statement, text, below_comments=True)
    edits.replace(stack.wrapping, name)
    if stack.held is not None:
        edits.delete_statement(stack.held)


def _name(stack: Stack, source: Source) -> str:
    """What the function of a stack is called that had no name: as the stack was, if that had one."""
    match stack.held:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
    method: ast.AST = stack.statement
    while not isinstance(source.parents[method], ast.ClassDef):
        method = source.parents[method]
    taken = {n.id for n in ast.walk(method) if isinstance(n, ast.Name)}
    return "layer" if "layer" not in taken else "stacked_layer"
