"""Programs that ask for their models by names: rewritten once for each model that a name may mean.

What they become counts only if it is the same text every time: whichever model runs then, it is right for that one.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Hashable, Mapping, Sequence

from . import tables
from .findings import Finding
from .finishing import ProjectRewrite
from .settling import Settled
from .shapes import named
from .shapes.interpreter import Interpreter
from .shapes.values import Class, Function, Partial, Table, Value

_BY_NAME = "NX104"
MOST = 12  # models behind one name: programs are rewritten for each

Rewrite = Callable[[named.Choices], tuple[Interpreter, Settled, ProjectRewrite]]
Names = Mapping[ast.AST, Sequence[Hashable]]


def names_asked_for(interp: Interpreter) -> dict[ast.AST, Sequence[Hashable]]:
    """What each place finds that asks for models by a name, after a first reading; no place where one is in doubt."""
    assert interp.choices is not None
    found: dict[ast.AST, Sequence[Hashable]] = {}
    for node, lookup in interp.choices.met.items():
        if not lookup.makes_models:
            continue
        models = lookup.found
        if not models or not all(map(_is_definition, models.values())):
            continue
        if lookup.table is not None and not _is_whole(interp, lookup, lookup.table):
            continue
        found[node] = list(models)
    return found


def _is_whole(interp: Interpreter, lookup: named.Lookup, table: Table) -> bool:
    """Whether a dict has the same entries at the end of all programs as wherever it was read, and no others."""
    same = not lookup.changed and lookup.options.keys() == table.items.keys()
    return same and tables.in_sight(interp, table)


def _is_definition(value: Value) -> bool:
    while isinstance(value, Partial):
        value = value.function
    return isinstance(value, Class | Function)


def for_all(
    names: Names,
    rewrite: Rewrite,
) -> ProjectRewrite | None:
    """The rewrite that is right whatever is asked for; None where there is none."""
    first: ProjectRewrite | None = None
    turns = max(map(len, names.values()))
    for turn in range(turns if turns <= MOST else 0):
        interp, settled, result = rewrite(named.Choices(names, turn))
        if not _all_follow(interp, settled, names):
            return None
        if first is not None and _said(result) != _said(first):
            return None
        first = first or result
    return first


def _all_follow(interp: Interpreter, settled: Settled, names: Names) -> bool:
    """Whether all models that are asked for are rewritten, with the programs that ask."""
    assert interp.choices is not None
    follow = settled.found.models.keys() - set(settled.bridged)
    return names.keys() <= interp.choices.met.keys() and _asked_for(interp) <= follow


def _asked_for(interp: Interpreter) -> set[ast.AST]:
    """The module classes that names may find."""
    assert interp.choices is not None
    return {
        found.node
        for lookup in interp.choices.met.values()
        for found in lookup.definitions()
        if named.module_class(found) is not None
    }


def _said(result: ProjectRewrite) -> list[object]:
    """The texts of all files, and what is said of them."""
    texts: list[object] = [
        (file.module.path, file.new_text, [(f.code, f.message) for f in file.findings])
        for file in result.files
    ]
    return [*texts, result.created]


def followed(names: Names, rewrite: Rewrite) -> ProjectRewrite:
    """The rewrite that is right whatever is asked for; where there is none, programs run what names find in bridges.

    The bridges come first: where a model cannot be rewritten at all, no rewrite is right for all.
    """
    interp, settled, bridged = rewrite(named.Choices(names, bridged=True))
    refusals = settled.found.refusals
    # What stays for want of a bridge may follow still.
    if all(n not in refusals or refusals[n].code == _BY_NAME for n in _asked_for(interp)):
        return for_all(names, rewrite) or bridged
    return bridged


def to_bridge(interp: Interpreter) -> dict[ast.AST, Finding]:
    """The module classes that names find, with the place, where programs are to run them in bridges."""
    found: dict[ast.AST, Finding] = {}
    if interp.choices is None or not interp.choices.bridged:
        return found
    for lookup in interp.choices.met.values():
        for cls in filter(named.module_class, lookup.definitions()):
            name = cls.name if isinstance(cls, Class) else ""
            message = (
                f"`{name}` is one of the models that a name finds, and no one text fits them all"
            )
            help = "make each model by its class, and rewrite this code by hand"
            found.setdefault(cls.node, Finding(lookup.node, _BY_NAME, message, help))
    return found
