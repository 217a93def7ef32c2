"""Layers of a list that a run may leave out: they have no parameters in Linen and Haiku, and would have some in NNX."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ..shapes.facts import Facts
from ..shapes.values import Constant, Repeated, Size
from .list_orders import has_layers, is_layer
from .transport import CannotMove

_ADVICE = "make only the layers that run"


def refuse_left_out(functions: Iterable[ast.FunctionDef], facts: Facts) -> None:
    """Raises CannotMove where a run may leave out a layer of a list."""
    functions = list(functions)
    _refuse_parts(functions, facts)
    _refuse_unfinished(functions, facts)
    _refuse_picked(functions, facts)


# ---- parts ---------------------------------------------------------------------------------------------


@dataclass
class _Reads:
    """How the functions of a class read one list of layers."""

    parts: dict[str, ast.Subscript] = field(default_factory=dict)  # by the text of the slice
    otherwise: bool = False  # as a whole, or one by one
    rebound: bool = False  # what is read as a whole is one of its parts


def _refuse_parts(functions: Iterable[ast.FunctionDef], facts: Facts) -> None:
    """For lists of which one part is read, and nothing of the rest."""
    for reads in _list_reads(functions, facts).values():
        if len(reads.parts) == 1 and (reads.rebound or not reads.otherwise):
            (part,) = reads.parts.values()
            raise CannotMove(
                part,
                f"`{ast.unparse(part)}` leaves out layers, which have no parameters where nothing runs them",
                "make only the layers that run",
            )


def _list_reads(functions: Iterable[ast.FunctionDef], facts: Facts) -> dict[str, _Reads]:
    """By the text of each list: locals are told apart by their functions."""
    found: dict[str, _Reads] = {}
    for function in functions:
        parents = {
            child: node for node in ast.walk(function) for child in ast.iter_child_nodes(node)
        }
        for node in ast.walk(function):
            if not isinstance(node, ast.Name | ast.Attribute):
                continue
            if not isinstance(node.ctx, ast.Load) or not has_layers(facts.value(node)):
                continue
            local = isinstance(node, ast.Name)
            key = f"{function.name if local else ''}:{ast.unparse(node)}"
            _note(found.setdefault(key, _Reads()), node, parents)
    return found


def _note(reads: _Reads, node: ast.expr, parents: Mapping[ast.AST, ast.AST]) -> None:
    above = parents.get(node)
    match above:
        case ast.Subscript(slice=ast.Slice() as part) if _leaves_out(part):
            reads.parts.setdefault(ast.unparse(part), above)
            match parents.get(above):
                case ast.Assign(targets=[target]) if ast.unparse(target) == ast.unparse(node):
                    reads.rebound = True
        case ast.Attribute() | ast.Call(func=ast.Name(id="len")):
            pass
        case _:
            reads.otherwise = True


def _leaves_out(part: ast.Slice) -> bool:
    if part.lower is not None or part.upper is not None:
        return True
    return part.step is not None and ast.unparse(part.step) not in ("1", "-1", "None")


# ---- loops ---------------------------------------------------------------------------------------------


def _refuse_unfinished(functions: Iterable[ast.FunctionDef], facts: Facts) -> None:
    """For loops that run layers and may end before their last turn, or leave a turn before its last layer."""
    for function in functions:
        for loop in ast.walk(function):
            if not isinstance(loop, ast.For):
                continue
            calls = [
                node
                for node in ast.walk(loop)
                if isinstance(node, ast.Call) and _runs_layer(node, facts)
            ]
            for leave in _leaving(loop.body):
                after = not isinstance(leave, ast.Continue)
                if any(after or call.lineno > leave.lineno for call in calls):
                    raise CannotMove(
                        leave,
                        "the loop may end before all of its layers run, and those have no parameters then",
                        _ADVICE,
                    )


def _runs_layer(node: ast.Call, facts: Facts) -> bool:
    called = facts.value(node.func)
    return called is not None and is_layer(called)


def _leaving(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that leave a loop or one of its turns, other than by an exception."""
    for statement in body:
        match statement:
            case ast.Break() | ast.Continue() | ast.Return():
                yield statement
            case ast.For() | ast.While():
                inner = _leaving(statement.body)
                yield from (one for one in inner if isinstance(one, ast.Return))
            case ast.If() | ast.Try() | ast.With():
                for block in ("body", "orelse", "finalbody"):
                    yield from _leaving(getattr(statement, block, []))


# ---- indices -------------------------------------------------------------------------------------------


def _refuse_picked(functions: Iterable[ast.FunctionDef], facts: Facts) -> None:
    """For lists of layers of which an index picks one, or as many as a loop counts, which are not all."""
    for function in functions:
        counted = _counted(function)
        for node in ast.walk(function):
            if not (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)):
                continue
            held = facts.value(node.value)
            if isinstance(node.slice, ast.Slice) or not has_layers(held):
                continue
            if _picks(node.slice, counted, facts) or _falls_short(node, held, counted, facts):
                raise CannotMove(
                    node,
                    f"`{ast.unparse(node)}` may leave out layers, which have no parameters where nothing runs them",
                    _ADVICE,
                )


def _counted(function: ast.FunctionDef) -> dict[str, ast.expr]:
    """What loops go through, by the names that they set."""
    found = {}
    for node in ast.walk(function):
        if isinstance(node, ast.For | ast.comprehension):
            names = [one.id for one in ast.walk(node.target) if isinstance(one, ast.Name)]
            found.update(dict.fromkeys(names, node.iter))
    return found


def _picks(index: ast.expr, counted: Mapping[str, ast.expr], facts: Facts) -> bool:
    """Whether an index is neither counted nor known: a field, say."""
    names = [one.id for one in ast.walk(index) if isinstance(one, ast.Name)]
    fields = [one for one in ast.walk(index) if isinstance(one, ast.Attribute)]
    if not fields or any(name in counted for name in names):
        return False
    return isinstance(facts.value(index), Size)


def _falls_short(
    node: ast.Subscript, held: object, counted: Mapping[str, ast.expr], facts: Facts
) -> bool:
    """Whether the index of a list runs to a number that is another one than that of the list's layers."""
    if not (isinstance(node.slice, ast.Name) and isinstance(held, Repeated)):
        return False
    match counted.get(node.slice.id):
        case ast.Call(func=ast.Name(id="range"), args=[end]):
            known = facts.value(end)
        case _:
            return False
    if held.count is None or not isinstance(known, Size | Constant):
        return False
    return bool(held.count != (known.dim if isinstance(known, Size) else known.value))
