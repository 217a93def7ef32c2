"""The programs of one module that share nothing: one may follow where another stays.

A program is some of a module's top-level statements; the methods of a class, a test case, say, are statements of their
own. Two statements belong together where parameters flow between them, or where both mention the same module class, or a
function, name or attribute through which models or parameters go.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping

from ..project import Module
from ..shapes import classes
from ..shapes.facts import Facts
from ..shapes.scopes import ModuleValue
from ..shapes.values import External, Items, LayerObject, Object, Table, Unknown, Value
from .explore import Explorer

_PROGRAMS = __name__.rpartition(".")[0]  # the values of programs are defined in this package
# Ties what runs in the scope of the module: new names there are seen by all of it.
_MODULE = object()


def apart(
    explorer: Explorer, module: Module, module_nodes: Collection[ast.AST]
) -> list[list[ast.stmt]]:
    """The programs of a module, in the order in which they begin; `module_nodes` are no part of any."""
    facts = explorer.interp.facts
    met = {node for node, _ in explorer.unknown} | explorer.applied.keys() | explorer.bound.keys()
    nodes_of = {
        statement: list(inside(statement, module_nodes))
        for each in module.tree.body
        if not isinstance(each, ast.Import | ast.ImportFrom) and each not in module_nodes
        for statement in _statements(each, module.tree)
    }
    bearing = {
        statement: nodes
        for statement, nodes in nodes_of.items()
        if any(node in met or _bears(facts.values.get(node, ())) for node in nodes)
    }
    plain = {name for s in nodes_of if s not in bearing for name in _defined(s)}
    environment = explorer.interp.environment_of(module).names
    parents = module.source.parents
    links = {
        statement: _links(statement, nodes, facts, environment, plain, parents)
        | _attributes(statement, bearing, parents.get(statement))
        for statement, nodes in bearing.items()
    }
    return _components(links)


def _statements(statement: ast.stmt, tree: ast.Module) -> list[ast.stmt]:
    """A statement, or the methods of a class that has nothing but methods, and no part in another class of its file."""
    match statement:
        case ast.ClassDef(body=[ast.Expr(value=ast.Constant()), *rest] | rest, name=name):
            if all(map(_is_method, rest)) and not _is_related(name, statement.bases, tree):
                return rest
    return [statement]


def _is_method(node: ast.AST) -> bool:
    """Whether a definition is a method that asks `self` for attributes and hands it to nobody."""
    if not isinstance(node, ast.FunctionDef) or not node.args.args:
        return False
    own = node.args.args[0].arg
    read = {n.value for n in ast.walk(node) if isinstance(n, ast.Attribute)}
    return not any(
        isinstance(n, ast.Name) and n.id == own and n not in read for n in ast.walk(node)
    )


def _is_related(name: str, bases: Iterable[ast.expr], tree: ast.Module) -> bool:
    """Whether a class inherits from one of its file, or is mentioned there."""
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(tree)) or any(
        isinstance(n, ast.Name) and n.id in defined for base in bases for n in ast.walk(base)
    )


def _attributes(
    method: ast.stmt, bearing: Mapping[ast.stmt, Collection[ast.AST]], cls: ast.AST | None
) -> set[object]:
    """The attributes of its own class that a method mentions, and that methods with models define."""
    if not isinstance(cls, ast.ClassDef) or not isinstance(method, ast.FunctionDef):
        return set()
    own = {method.name}
    for other in cls.body:
        stored = [n for n in bearing.get(other, ()) if isinstance(n, ast.Attribute)]
        own |= {n.attr for n in stored if not isinstance(n.ctx, ast.Load)}
        own |= {other.name} if isinstance(other, ast.FunctionDef) and other in bearing else set()
    mentioned = {n.attr for n in bearing[method] if isinstance(n, ast.Attribute) and n.attr in own}
    return {(cls.name, name) for name in mentioned | {method.name}}


def inside(statement: ast.stmt, module_nodes: Collection[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of a statement outside of `module_nodes`."""
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        if node not in module_nodes:
            yield node
            pending += ast.iter_child_nodes(node)


def _bears(values: Iterable[Value]) -> bool:
    """Whether models, parameters or what belongs to them are among some values."""
    for value in values:
        match value:
            case Items(items=items):
                found = _bears(items)
            case Table(items=table):
                found = _bears(table.values())
            case Object(cls=cls):
                found = classes.framework(cls) is not None
            case _:
                found = isinstance(value, LayerObject) or (
                    type(value).__module__.startswith(_PROGRAMS)
                )
        if found:
            return True
    return False


def _nets(values: Iterable[Value]) -> Iterator[int]:
    for value in values:
        match value:
            case Items(items=items):
                yield from _nets(items)
            case Table(items=table):
                yield from _nets(table.values())
            case _ if (net := getattr(value, "net", None)) is not None:
                yield id(net)


def _defined(statement: ast.stmt) -> set[str]:
    """The names that a top-level statement gives to its module."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    }


def _links(
    statement: ast.stmt,
    nodes: Iterable[ast.AST],
    facts: Facts,
    environment: Mapping[str, Value],
    plain: Collection[str],
    parents: Mapping[ast.AST, ast.AST],
) -> set[object]:
    """What ties a statement to others: the nets whose values it has, and names, its own and those that it mentions."""
    found: set[object] = set(_defined(statement))
    if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        found.add(_MODULE)
    for node in nodes:
        found.update(_nets(facts.values.get(node, ())))
        if isinstance(node, ast.Name) and node.id not in plain:
            value = environment.get(node.id)
            if isinstance(value, ModuleValue) and isinstance(above := parents[node], ast.Attribute):
                found.add((node.id, above.attr))
            elif value is not None and not isinstance(value, External | Unknown):
                found.add(node.id)
    return found


def _components(links: Mapping[ast.stmt, set[object]]) -> list[list[ast.stmt]]:
    """Statements grouped by what ties them, directly or through others."""
    groups: list[tuple[list[ast.stmt], set[object]]] = []
    for statement, ties in links.items():
        tied = [group for group in groups if group[1] & ties]
        groups = [group for group in groups if not group[1] & ties]
        members = [s for group in tied for s in group[0]]
        groups.append(([*members, statement], ties.union(*[group[1] for group in tied])))
    return sorted((g for g, _ in groups), key=lambda group: min(s.lineno for s in group))
