"""Functions that hand back a function that makes layers, as modules of their own.

`def torso(width): def net(x): return hk.Linear(width)(x); return net` says the same as a module class whose constructor
takes `width`: it is first written as one, in the text. Where what it hands back is called once, at once or in turn, the
class takes its place. Code that does more with it goes on calling the function, which then makes and calls the module.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from ..edits import Edits
from ..emit import imports
from ..project import Module, Project
from ..rulebook import Rulebook
from ..shapes import frameworks
from ..shapes.interpreter import Interpreter
from ..signatures import is_unpacked
from . import borrowed
from .closure import Closure, closure_of
from .closure_uses import Use, Uses, goes_by_names
from .closure_writer import Writer
from .maker import calls_in
from .maker_lookup import Lookup
from .prepared import Leave, Prepared, is_python


def prepare(project: Project, rules: Rulebook, leave: Leave, limit: int = 100) -> Prepared:
    """Writes classes for the functions of a project that hand back functions, but for those named in `leave`."""
    prepared = Prepared(project.copy())
    modules = [m for m in project.modules.values() if m.rewritable]
    if not any("haiku" in module.source.text for module in modules):
        return prepared
    interp = Interpreter(project, rules, definitions_only=True)
    frameworks.install(interp)
    lookup = Lookup(interp, modules)
    found = _found(lookup, modules, leave)
    if not found:
        return prepared
    edits = {module: Edits(module.source) for module in modules}
    writer = Writer(interp, edits, found, limit)
    prepared.made = writer.write()
    prepared.kept = {(c.module.path, c.node.name) for c in found.values() if c.kept}
    for module in modules:
        if edits[module].touched:
            text = edits[module].apply()
            if not is_python(text):
                return Prepared(project.copy())
            prepared.put(module, imports.tidy(text, module.source.text, ()))
    return prepared


def _found(
    lookup: Lookup, modules: Sequence[Module], leave: Leave
) -> Mapping[ast.AST | None, Closure]:
    """The functions that can be written so, each with its uses."""
    candidates: dict[ast.AST | None, Closure] = {
        node: closure
        for module in modules
        for node in module.tree.body
        if isinstance(node, ast.FunctionDef) and (closure := closure_of(node, module)) is not None
    }
    making = _making(lookup, candidates)
    found: dict[ast.AST | None, Closure] = {
        node: closure
        for node, closure in candidates.items()
        if node in making and (closure.module.path, closure.node.name) not in leave
    }
    while True:
        for closure in found.values():
            closure.uses = []
        for use in Uses(lookup, found).of(modules):
            found[use.target].uses.append(use)
        bad = [c for c in found.values() if not _is_fit(c, lookup, making, found)]
        if not bad:
            break
        for closure in bad:
            del found[closure.node]
    _keep(lookup, found)
    return found


def _keep(lookup: Lookup, found: dict[ast.AST | None, Closure]) -> None:
    """Marks the functions that stay beside their classes as they are, and leaves out those that nothing else uses.

    Code that goes by the names of variables needs the ones that the function gives them.
    """
    project = lookup.interp.project
    pending = [c for c in found.values() if goes_by_names(c, lookup, project)]
    while pending:
        closure = pending.pop()
        closure.kept = True
        called = (found.get(node) for node in _named(lookup, closure))
        pending += [c for c in called if c is not None and not c.kept]
    while True:
        bad = [c for c in found.values() if c.kept and not any(u.once for u in c.uses)]
        for closure in bad:
            del found[closure.node]
            for other in found.values():
                other.uses = [
                    dataclasses.replace(u, once=u.once and u.scope is not closure.node)
                    for u in other.uses
                ]
        if not bad:
            return


def _making(lookup: Lookup, candidates: Mapping[ast.AST | None, Closure]) -> set[ast.AST | None]:
    """The candidates whose inner functions make layers, themselves or through each other."""
    making: set[ast.AST | None] = set()
    while True:
        fresh = {
            node
            for node, closure in candidates.items()
            if node not in making
            and (
                _makes(lookup, closure)
                or any(target in making for target in _named(lookup, closure))
            )
        }
        if not fresh:
            return making
        making |= fresh


def _makes(lookup: Lookup, closure: Closure) -> bool:
    """Whether the inner function makes layers of Haiku itself, and more than one module that it calls."""
    kinds = {
        kind
        for call in calls_in(closure.inner)
        if (kind := lookup.kind(call, closure.module)) is not None
    }
    return kinds == {"haiku"} and not _only_makes(closure, lookup)


def _only_makes(closure: Closure, lookup: Lookup) -> bool:
    """Whether all that the inner function does is to make one module and to call it."""
    body = [s for s in closure.inner.body if not isinstance(s, ast.Expr)]
    match body:
        case [ast.Return(value=ast.Call(func=ast.Call() as made))]:
            return lookup.kind(made, closure.module) is not None
        case [
            ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as made),
            ast.Return(value=ast.Call(func=ast.Name(id=called))),
        ]:
            return name == called and lookup.kind(made, closure.module) is not None
    return False


def _named(lookup: Lookup, closure: Closure) -> Iterator[ast.AST | None]:
    """The functions that a closure speaks of."""
    for node in ast.walk(closure.node):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield lookup.target(node, closure.module)


def _is_fit(
    closure: Closure,
    lookup: Lookup,
    making: set[ast.AST | None],
    found: Mapping[ast.AST | None, Closure],
) -> bool:
    if any(node in making and node not in found for node in _named(lookup, closure)):
        return False  # one that stays would make its layers in code outside of the class
    if any(use.call is not None and is_unpacked(use.call) for use in closure.uses):
        return False
    wanted = borrowed.names(closure.node, lookup.names[closure.module].qualified)
    return wanted is not None and (not wanted or _has_its_own(closure, wanted, lookup, found))


def _has_its_own(
    closure: Closure,
    wanted: frozenset[str],
    lookup: Lookup,
    found: Mapping[ast.AST | None, Closure],
) -> bool:
    """Whether parameters that an inner function makes for its caller are the same where it is a module.

    They are if no module has it called twice, nor asks for a parameter of that name itself.
    """
    if not all((use.once or use.root) and not use.repeated for use in closure.uses):
        return False
    inside = [use for use in closure.uses if not use.root]
    scopes = [use.scope for use in inside]
    if len(set(scopes)) < len(scopes):
        return False
    if not all(use.scope in found or _is_transformed(use, lookup) for use in inside):
        return False
    for other in found.values():
        asked = borrowed.names(other.node, lookup.names[other.module].qualified)
        shared = {use.scope for use in other.uses} & set(scopes)
        if other is not closure and shared and (asked is None or asked & wanted):
            return False
    for use in inside:
        asked = borrowed.names(use.scope, lookup.names[use.module].qualified)
        if asked is None or asked & wanted:
            return False
    return True


def _is_transformed(use: Use, lookup: Lookup) -> bool:
    """Whether a use stands in a function that a transform is given: its parameters are at the top."""
    scope = use.scope
    return isinstance(scope, ast.FunctionDef) and lookup.is_transformed(scope, use.module)
