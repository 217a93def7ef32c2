"""What `setup`, or a constructor of Haiku's, computes of variables: it runs again with each call, one of NNX does not.

The value would be that of the first parameters for good, and no gradient would go through it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ..ancestry import lineage
from ..chains import CONSTRUCTORS, constructs, is_own, last_name
from ..model.sites import Site, walk_own
from ..shapes import classes
from ..shapes.facts import Facts
from ..shapes.values import Class, Object
from .transport import CannotMove

_VARIABLES = ("param", "variable", "state")
_MAKING = ("param", "variable", "get_parameter", "get_state")
_STATIC = ("shape", "ndim", "dtype", "size")
_OF_ANY = ("len", "isinstance", "type", "partial")
_HOLDING = (ast.Tuple, ast.List, ast.Dict, ast.Starred, ast.IfExp)


def refuse_computed_once(
    cls: Class,
    functions: Iterable[ast.FunctionDef],
    sites: Collection[Site],
    facts: Facts,
    parents: Mapping[ast.AST, ast.AST],
) -> None:
    """Raises CannotMove where one of these computes something of a variable, or of what a layer returns."""
    runs = {use.call for uses in facts.uses_of.values() for use in uses if use.method == "__call__"}
    functions = list(functions)
    making = {site.node for site in sites if site.variables}  # what these are given is for `init`
    live = {*_variables(sites), *(f"self.{name}" for name in _held_by(cls))}
    live |= set(_other_names(functions, live))
    asked = _Asked(cls, facts, parents)
    computing: dict[str, ast.AST] = {}  # by method: one of the nodes that do
    before = -1
    while before != len(computing):  # until no more methods are found that call one
        before = len(computing)
        for function in functions:
            for node in walk_own(function):
                called = (
                    node.func.attr if isinstance(node, ast.Call) and is_own(node.func) else None
                )
                computes = _read(node) in live and not _is_held(node, facts, parents)
                computes = computes and not making.intersection(lineage(node, parents))
                computes = computes or asked.computes(node)
                if node in runs or computes or called in computing:
                    computing.setdefault(function.name, node)
    for name in CONSTRUCTORS.values():
        if name in computing:
            raise CannotMove(
                computing[name],
                f"`{ast.unparse(computing[name])}` is computed with here, anew for each call of the module",
                "compute this in the methods that need it",
            )


def _held_by(cls: Class) -> set[str]:
    """The attributes of a class, its bases' too, that hold variables."""
    found: set[str] = set()
    for node in (node for each in classes.mro(cls) for node in ast.walk(each.node)):
        match node:
            case ast.Assign(targets=targets, value=ast.Call(func=func)) if (
                last_name(func) in _MAKING
            ):
                found |= {target.attr for target in targets if is_own(target)}
    return found


def _computing(cls: Class) -> dict[str, ast.FunctionDef]:
    """The methods and properties of a class, its bases' too, that read variables."""
    functions: dict[str, ast.FunctionDef] = {}
    for each in classes.mro(cls):
        for node in each.node.body:
            if isinstance(node, ast.FunctionDef) and not constructs(node):
                functions.setdefault(node.name, node)
    held = _held_by(cls)
    found: dict[str, ast.FunctionDef] = {}
    before = -1
    while before != len(found):
        before = len(found)
        for name, function in functions.items():
            reads = {n.attr for n in ast.walk(function) if is_own(n)}
            if reads & held or reads & found.keys():
                found[name] = function
    return found


@dataclass
class _Asked:
    """Whether a node reads a property, or calls a method, that computes of variables, of the class or of a part of it."""

    cls: Class
    facts: Facts
    parents: Mapping[ast.AST, ast.AST]
    known: dict[ast.AST, tuple[set[str], dict[str, ast.FunctionDef]]] = field(default_factory=dict)

    def computes(self, node: ast.AST) -> bool:
        if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Load):
            return False
        if is_own(node):
            _, computing = self._of(self.cls)
        elif is_own(node.value) and isinstance(part := self.facts.value(node.value), Object):
            held, computing = self._of(part.cls)
            if node.attr in held:
                return not _is_held(node, self.facts, self.parents)
        else:
            return False
        function = computing.get(node.attr)
        if function is None:
            return False
        above = self.parents[node]
        if classes.has_decorator(function, "property", "cached_property"):
            return not (isinstance(above, ast.Attribute) and above.attr in _STATIC)
        return isinstance(above, ast.Call) and above.func is node

    def _of(self, cls: Class) -> tuple[set[str], dict[str, ast.FunctionDef]]:
        """The variables of a module class, and what computes of them."""
        if cls.node not in self.known:
            module = classes.framework(cls) is not None
            self.known[cls.node] = (_held_by(cls), _computing(cls)) if module else (set(), {})
        return self.known[cls.node]


def _variables(sites: Collection[Site]) -> Iterator[str]:
    """The attributes that hold variables: `self.w`."""
    for site in sites:
        if any(v.kind in _VARIABLES for v in site.variables):
            match site.statement:
                case ast.Assign(targets=targets, value=value) if value is site.node:
                    yield from (ast.unparse(target) for target in targets if is_own(target))


def _other_names(functions: Iterable[ast.FunctionDef], live: Collection[str]) -> Iterator[str]:
    """The locals of constructors that are no more than another name for a variable."""
    for function in functions:
        for node in walk_own(function) if constructs(function) else ():
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if _read(value) in live:
                    yield name


def _read(node: ast.AST) -> str | None:
    named = is_own(node) or isinstance(node, ast.Name)
    return ast.unparse(node) if named and isinstance(node.ctx, ast.Load) else None  # type: ignore[attr-defined]  # names and attributes have one


def _is_held(node: ast.AST, facts: Facts, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether a variable is only kept, handed to a module that is made, or asked for what never changes."""
    above = parents[node]
    while isinstance(above, _HOLDING) or (
        isinstance(above, ast.Attribute) and above.attr == "value"
    ):
        node, above = above, parents[above]
    if isinstance(above, ast.keyword):
        above = parents[above]
    match above:
        case ast.Attribute(attr=attr):
            return attr in _STATIC
        case ast.Assign() | ast.AnnAssign():
            return not isinstance(node, ast.Attribute) or node.attr != "value"
        case ast.Compare(ops=ops):
            return all(isinstance(op, ast.Is | ast.IsNot) for op in ops)
        case ast.Call(func=func):
            return above in facts.made or last_name(func) in _OF_ANY
    return False
