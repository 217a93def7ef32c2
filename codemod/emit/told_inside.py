"""A size that the arguments of a call do not show, and the layer inside that is given it does.

A module may be called with an array here and with a dict of arrays there, which it joins before its first layer.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from ..model.module import AddedParameter
from ..model.sites import Site
from ..shapes import classes
from ..shapes.binding import bind_signature
from ..shapes.calls import call_method
from ..shapes.dims import Dim, InputAxis, Origin, names, same
from ..shapes.facts import Facts, Used
from ..shapes.interpreter import Interpreter
from ..shapes.scopes import OutOfBudget
from ..shapes.values import Array, Items, LayerObject, Object, Table, Value

STEPS = 40_000


def with_layers(
    interp: Interpreter,
    facts: Facts,
    sites: Sequence[Site],
    needed: Mapping[str, Origin],
    added: Sequence[AddedParameter],
) -> list[AddedParameter]:
    """New parameters, each with the layer that has it for its input's last axis; `needed` are their symbols."""
    symbols = {
        f"{origin.path}.shape[-1]": symbol
        for symbol, origin in needed.items()
        if type(origin) is InputAxis and origin.axis in (-1, origin.rank - 1)
    }
    return [
        dataclasses.replace(each, layer=_layer_of(interp, facts, sites, symbols[each.source]))
        if each.source in symbols and each.method == "__call__"
        else each
        for each in added
    ]


def _layer_of(
    interp: Interpreter, facts: Facts, sites: Sequence[Site], symbol: str
) -> ast.Call | None:
    wanted = interp.symbols.resolve(interp.symbols.symbol(symbol))
    for site in sites:
        use = site.uses[0] if site.uses else None
        if use is not None and isinstance(use.target, LayerObject):
            dim = _first_size(interp, facts, use)
            if dim is not None and same(dim, wanted):
                return site.node
    return None


def told_inside(interp: Interpreter, added: AddedParameter, use: Used) -> Dim | None:
    """The size that the layer of a parameter is given in one call of its module."""
    if added.layer is None or not isinstance(use.target, Object) or not _is_container(added, use):
        return None
    root = Object(use.target.cls)
    root.attributes, root.arguments = dict(use.target.attributes), dict(use.target.arguments)
    saved = (interp.root, interp.root_object, interp.troubles, interp.recording, interp.observers)
    bound = interp.symbols.snapshot()
    interp.root, interp.root_object, interp.troubles = root, root, []
    interp.recording, interp.observers = True, []
    try:
        with interp.fresh(Facts(), STEPS) as facts:
            call_method(interp, root, use.method, list(use.args), dict(use.kwargs), None)
            uses = facts.uses_of.get(added.layer)
            dim = _first_size(interp, facts, uses[0]) if uses else None
    except OutOfBudget:
        dim = None
    finally:
        interp.symbols.restore(bound)
        interp.root, interp.root_object, interp.troubles = saved[:3]
        interp.recording, interp.observers = saved[3:]
    known = {name for value in [*use.args, *use.kwargs.values()] for name in _symbols(value)}
    return dim if dim is not None and names(dim) <= known else None


def _is_container(added: AddedParameter, use: Used) -> bool:
    """Whether a call gives a collection for the array of which a parameter is the last axis."""
    assert isinstance(use.target, Object)
    function = classes.method(use.target.cls, use.method)
    places = [a.arg for a in function.node.args.args][1:] if function is not None else []
    given = bind_signature(places, use.args, use.kwargs)
    value = given.get(added.source.split(".")[0])
    if isinstance(value, Object):
        return classes.framework(value.cls) is None
    return isinstance(value, Table | Items)


def _first_size(interp: Interpreter, facts: Facts, use: Used) -> Dim | None:
    """The last axis of a layer's input; in a loop, that of its first turn."""
    value = use.args[0] if use.args else None
    dim = value.features if isinstance(value, Array) else None
    if dim is None:
        return None
    running = facts.running.get(str(dim))
    return interp.symbols.resolve(dim if running is None else running.initial)


def _symbols(value: Value) -> Iterator[str]:
    """The symbols in the shapes of arrays, however deep."""
    match value:
        case Array(shape=shape) if shape is not None:
            for dim in shape:
                yield from names(dim)
        case Items(items=items):
            for item in items:
                yield from _symbols(item)
        case Table(items=table):
            for item in table.values():
                yield from _symbols(item)
        case Object(attributes=attributes):
            for item in attributes.values():
                yield from _symbols(item)
