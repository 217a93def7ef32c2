"""Recurrent cells that a Linen module makes for their first carry alone, written as the zeros that it is.

`nn.GRUCell(width).initialize_carry(key, shape)` makes a cell that never runs, which in NNX would want the width of an
input. Its carry is zeros, whatever the key: that is what is written in its place, in the text, before anything else. A
cell that is called too stays, and so does one with a `carry_init` of its own.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from ..edits import Edits
from ..emit import layout
from ..emit.file_names import FileNames
from ..project import Project
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.values import Class
from ..source import Source
from .prepared import Draft, Leave, Prepared, class_by_class

_STATES = {"LSTMCell": 2, "OptimizedLSTMCell": 2, "GRUCell": 1, "MGUCell": 1, "SimpleCell": 1}
_CELLS = {f"flax.linen.{name}": states for name, states in _STATES.items()}
_PLAIN_KEYS = (ast.Name, ast.Attribute, ast.Constant, ast.expr_context)
_UNSPLIT = (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.Tuple)  # need no brackets


def prepare(project: Project, rules: Rulebook, leave: Leave, limit: int) -> Prepared:
    """Writes the first carries in the module classes of a project, but for those named in `leave`."""
    write = functools.partial(_prepare_class, limit=limit)
    return class_by_class(project, rules, leave, _may_have, write)


def _may_have(source: Source) -> bool:
    return "flax" in source.text and "initialize_carry" in source.text


def _prepare_class(draft: Draft, cls: Class, limit: int) -> bool:
    if classes.framework(cls) != "linen":
        return False
    found = list(_first_carries(cls.node, draft.source, draft.names))
    for each in found:
        _write(each, draft.edits, draft.names, limit)
    return bool(found)


@dataclass(frozen=True)
class _FirstCarry:
    """A cell that is made for its first carry: its constructor, the calls that ask for it, and what goes with it."""

    cell: ast.Call
    calls: tuple[ast.Call, ...]
    binding: ast.Assign | None  # the statement that gives the cell a name


def _first_carries(cls: ast.ClassDef, source: Source, names: FileNames) -> Iterator[_FirstCarry]:
    for function in (n for n in ast.walk(cls) if isinstance(n, ast.FunctionDef)):
        for node in _own(function):
            if not isinstance(node, ast.Call) or names.qualified(node.func) not in _CELLS:
                continue
            if _features(node) is None:
                continue
            found = _asked(node, function, source, names)
            if found is not None:
                yield found


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions with a name within it."""
    pending: list[ast.AST] = list(ast.iter_child_nodes(function))
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            pending += ast.iter_child_nodes(node)


def _asked(
    cell: ast.Call, function: ast.FunctionDef, source: Source, names: FileNames
) -> _FirstCarry | None:
    """The first carries that are asked of a cell, None where it is used otherwise."""
    above = source.parents[cell]
    binding: ast.Assign | None = None
    readers: list[ast.AST] = [cell]
    match above:
        case ast.Assign(targets=[ast.Name(id=name)]) if above in function.body:
            binding = above
            mentions = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == name]
            readers = [n for n in mentions if n is not above.targets[0]]
            if any(not isinstance(n.ctx, ast.Load) for n in mentions if n in readers):
                return None
            if name in {arg.arg for arg in ast.walk(function.args) if isinstance(arg, ast.arg)}:
                return None
            if _changes_between(cell, above, function):
                return None
    calls = [_initialize_carry(reader, source, names) for reader in readers]
    if not calls or any(call is None for call in calls):
        return None
    return _FirstCarry(cell, tuple(call for call in calls if call is not None), binding)


def _changes_between(cell: ast.Call, binding: ast.Assign, function: ast.FunctionDef) -> bool:
    """Whether a name that the cell is made with means something else further down."""
    read = {n.id for n in ast.walk(cell) if isinstance(n, ast.Name)}
    return any(
        isinstance(n, ast.Name)
        and n.id in read
        and not isinstance(n.ctx, ast.Load)
        and n.lineno >= binding.lineno
        for n in ast.walk(function)
    )


def _initialize_carry(node: ast.AST, source: Source, names: FileNames) -> ast.Call | None:
    """`node.initialize_carry(key, shape)`, where the key costs nothing."""
    attribute = source.parents[node]
    call = source.parents.get(attribute)
    if (
        not isinstance(attribute, ast.Attribute)
        or attribute.attr != "initialize_carry"
        or not isinstance(call, ast.Call)
        or call.func is not attribute
        or len(call.args) != 2
        or call.keywords
        or any(isinstance(a, ast.Starred) for a in call.args)
    ):
        return None
    key = call.args[0]
    if isinstance(key, ast.Call):
        known = (names.qualified(key.func) or "").startswith("jax.random.")
        parts = [*key.args, *[k.value for k in key.keywords]] if known else [key]
    else:
        parts = [key]
    plain = all(isinstance(n, _PLAIN_KEYS) for part in parts for n in ast.walk(part))
    return call if plain else None


def _features(cell: ast.Call) -> ast.expr | None:
    """The width of a cell's carry; None where more than the width may decide on the carry."""
    given = {k.arg: k.value for k in cell.keywords}
    if len(cell.args) > 1 or None in given or "carry_init" in given:
        return None
    if cell.args:
        return None if isinstance(cell.args[0], ast.Starred) else cell.args[0]
    return given.get("features")


def _write(found: _FirstCarry, edits: Edits, names: FileNames, limit: int) -> None:
    source = edits.source
    states = _CELLS[names.qualified(found.cell.func) or ""]
    features = _features(found.cell)
    assert features is not None
    dtype = next((k.value for k in found.cell.keywords if k.arg == "param_dtype"), None)
    rest = "" if dtype is None else f", {source.segment(dtype)}"
    for call in found.calls:
        shape = _shape(source, call.args[1], source.segment(features))
        zeros = f"{names.target('jax.numpy.zeros')}({shape}{rest})"
        edits.replace(call, zeros if states == 1 else _pair(source, call, zeros, limit))
    if found.binding is not None:
        edits.delete_statement(found.binding)


def _shape(source: Source, given: ast.expr, features: str) -> str:
    """The shape of a carry: that of an input, with the width of the carry."""
    if isinstance(given, ast.Tuple) and given.elts and not isinstance(given.elts[-1], ast.Starred):
        batch = [source.segment(each) for each in given.elts[:-1]]
        return f"({', '.join([*batch, features])}{'' if batch else ','})"
    text = source.segment(given)
    simple = isinstance(given, _UNSPLIT)
    return f"(*{text if simple else f'({text})'}[:-1], {features})"


def _pair(source: Source, call: ast.Call, zeros: str, limit: int) -> str:
    start, _ = source.span(call)
    indent = source.line_indent(start)
    prefix = source.text[source.line_start(start) + len(indent) : start]
    text = layout.call(
        "", [zeros, zeros], indent=indent, unit=source.hanging_indent, limit=limit, prefix=prefix
    )
    return text.removeprefix(prefix)
