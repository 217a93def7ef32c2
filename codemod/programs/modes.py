"""Where `model.train()` and `model.eval()` stand: before the calls, outside of compiled functions and of loops."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Demand:
    """A statement that needs a model in a mode."""

    statement: ast.stmt
    model: str
    mode: str


def placed(demands: Iterable[Demand], parents: Mapping[ast.AST, ast.AST]) -> list[Demand]:
    """The statements before which a switch is written, in order of the text.

    A demand moves out of loops whose other demands agree with it; one that the statement before it in the same block
    has already met is left out.
    """
    unique = list(dict.fromkeys(demands))
    moved = list(dict.fromkeys(_hoisted(d, unique, parents) for d in unique))
    moved.sort(key=lambda d: (d.statement.lineno, d.statement.col_offset))
    result: list[Demand] = []
    last: dict[tuple[str, int], str] = {}
    for demand in moved:
        block = id(_block(demand.statement, parents))
        if last.get((demand.model, block)) != demand.mode:
            result.append(demand)
        last[demand.model, block] = demand.mode
        for key in [k for k in last if k[0] == demand.model and k[1] != block]:
            del last[key]
    return result


def _hoisted(demand: Demand, demands: list[Demand], parents: Mapping[ast.AST, ast.AST]) -> Demand:
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
