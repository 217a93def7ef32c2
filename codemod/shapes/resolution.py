"""Replaces the symbols that turned out to be equal to something throughout recorded facts."""

from __future__ import annotations

import dataclasses

from .dims import Symbols
from .facts import Facts, RunningSize
from .values import Array, Constant, Either, Items, Repeated, Size, Table, Value, Variable, from_dim


def resolve_value(symbols: Symbols, value: Value) -> Value:
    """A value with every size resolved."""
    match value:
        case Size(dim=dim):
            return from_dim(symbols.resolve(dim))
        case Array(shape=None, dtype=dtype, optional=optional, last=last) if last is not None:
            return Array(None, dtype, optional, symbols.resolve(last))
        case Array(shape=shape, dtype=dtype, optional=optional) if shape is not None:
            return Array(tuple(symbols.resolve(dim) for dim in shape), dtype, optional)
        case Items(items=items):
            return dataclasses.replace(
                value, items=[resolve_value(symbols, item) for item in items]
            )
        case Table(items=table):
            return Table({key: resolve_value(symbols, item) for key, item in table.items()})
        case Repeated(item=item):
            return dataclasses.replace(value, item=resolve_value(symbols, item))
        case Either(values=values):
            return Either(tuple(resolve_value(symbols, option) for option in values))
        case Variable(site=site, value=inner):
            return Variable(site, resolve_value(symbols, inner))
        case Constant():
            return value
    return value


def resolve_facts(symbols: Symbols, facts: Facts) -> None:
    """Resolves, in place, all sizes in the facts."""
    for node, values in facts.values.items():
        facts.values[node] = [resolve_value(symbols, value) for value in values]
    for table in (facts.used, facts.uses_of):
        for node, uses in table.items():
            table[node] = [
                dataclasses.replace(
                    use,
                    args=tuple(resolve_value(symbols, arg) for arg in use.args),
                    kwargs={key: resolve_value(symbols, arg) for key, arg in use.kwargs.items()},
                    result=resolve_value(symbols, use.result),
                )
                for use in uses
            ]
    for node, made in facts.variables.items():
        facts.variables[node] = [
            dataclasses.replace(
                m,
                arguments={key: resolve_value(symbols, arg) for key, arg in m.arguments.items()},
                result=resolve_value(symbols, m.result),
            )
            for m in made
        ]
    for name, running in facts.running.items():
        facts.running[name] = RunningSize(
            running.loop,
            running.name,
            running.axis,
            symbols.resolve(running.initial),
            symbols.resolve(running.update),
        )
    for name, (left, right) in facts.choices.items():
        facts.choices[name] = (symbols.resolve(left), symbols.resolve(right))
