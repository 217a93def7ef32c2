"""Where `model.train()` and `model.eval()` stand: before the calls, outside of compiled functions and of loops."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Demand:
    """A statement that needs a model in a mode."""

    statement: ast.stmt
    model: str
    mode: str


@dataclass(frozen=True)
class Making:
    """A statement that makes a new model under a name; `mode` is the one that what is written there leaves it in."""

    statement: ast.stmt
    model: str
    mode: str | None = None


def placed(
    demands: Iterable[Demand], makings: Iterable[Making], parents: Mapping[ast.AST, ast.AST]
) -> list[Demand]:
    """The statements before which a switch is written, in order of the text.

    A demand moves out of loops whose other demands agree with it and that make no new model; one that the statement
    before it in the same block has already met is left out.
    """
    unique = list(dict.fromkeys(demands))
    made = list(makings)
    moved = list(dict.fromkeys(_hoisted(d, unique, made, parents) for d in unique))
    result: list[Demand] = []
    last: dict[tuple[str, int], str] = {}
    events: list[Demand | Making] = [
        *made,
        *moved,
    ]  # a model that a statement needs is made before it
    for demand in sorted(events, key=lambda d: _place(d.statement)):
        if isinstance(demand, Making):
            for key in [k for k in last if k[0] == demand.model]:
                del last[key]  # a new model trains until it is told not to
            if demand.mode is not None:
                last[demand.model, id(_block(demand.statement, parents))] = demand.mode
            continue
        block = id(_block(demand.statement, parents))
        if last.get((demand.model, block)) != demand.mode:
            result.append(demand)
        last[demand.model, block] = demand.mode
        for key in [k for k in last if k[0] == demand.model and k[1] != block]:
            del last[key]
    return result


def torn(demands: Iterable[Demand], parents: Mapping[ast.AST, ast.AST]) -> ast.stmt | None:
    """A statement that needs a model in both modes, so that no switch before it would do."""
    unique = list(dict.fromkeys(demands))
    for one in unique:
        for other in unique:
            if one.model != other.model or one.mode == other.mode:
                continue
            again = isinstance(one.statement, ast.While) and _within(
                other.statement, one.statement, parents
            )
            if one.statement is other.statement or again:
                return one.statement
    return None


def _place(statement: ast.stmt) -> tuple[int, int]:
    return statement.lineno, statement.col_offset


def _hoisted(
    demand: Demand,
    demands: Sequence[Demand],
    makings: Sequence[Making],
    parents: Mapping[ast.AST, ast.AST],
) -> Demand:
    node: ast.AST = demand.statement
    result = demand.statement
    while node in parents:
        node = parents[node]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module | ast.ClassDef):
            break
        if isinstance(node, ast.For | ast.While):
            inside = [
                d
                for d in demands
                if d.model == demand.model and _within(d.statement, node, parents)
            ]
            if any(d.mode != demand.mode for d in inside):
                break
            if any(
                m.model == demand.model and _within(m.statement, node, parents) for m in makings
            ):
                break
            result = node
    return Demand(result, demand.model, demand.mode)


def _within(node: ast.AST, outer: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
    while node in parents:
        if node is outer:
            return True
        node = parents[node]
    return False


def _block(statement: ast.stmt, parents: Mapping[ast.AST, ast.AST]) -> list[ast.stmt] | ast.AST:
    above = parents[statement]
    for name in ("body", "orelse", "finalbody", "handlers"):
        body = getattr(above, name, None)
        if isinstance(body, list) and statement in body:
            return body
    return above
