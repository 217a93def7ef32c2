"""Variables of Linen that a call makes, where it is asked to: caches that `has_variable` asks for.

A method that makes variables, and is only called where the class has asked whether they are there, or has been told to
make them, is no slice of the constructor: without being asked to, the module never has them. The constructor sets their
attributes to None, and the method makes them.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..chains import is_own
from ..edits import Edits
from ..model.sites import Site
from .transport import CannotMove
from .variables import KNOWN_COLLECTIONS

COLLECTION = "cache"  # those that a bridge hands over


def find(
    sites: Sequence[Site], functions: Sequence[ast.FunctionDef], parents: Mapping[ast.AST, ast.AST]
) -> list[Site]:
    """The sites of such variables."""
    found: list[Site] = []
    for function in functions:
        own = [s for s in sites if s.function is function and _is_candidate(s, parents)]
        names = {site.variable.name for site in own if site.variable is not None}
        calls = [node for each in functions for node in ast.walk(each) if _calls(node, function)]
        if own and calls and all(_asks_first(call, names, parents) for call in calls):
            found += own
    return found


def _is_candidate(site: Site, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """`local = self.variable("cache", name, init, ...)`, as a statement of its method."""
    made = site.variable
    return (
        made is not None
        and made.kind == "variable"
        and made.collection == COLLECTION
        and site.alias is not None
        and not site.loops
        and parents.get(site.statement) is site.function
        and len(site.node.args) > 2
        and not site.node.keywords
    )


def _calls(node: ast.AST, function: ast.FunctionDef) -> bool:
    return isinstance(node, ast.Attribute) and is_own(node) and node.attr == function.name


def _asks_first(
    call: ast.AST, names: Collection[str | None], parents: Mapping[ast.AST, ast.AST]
) -> bool:
    """Whether a method is only called under a test whether one of some variables is there."""
    below, above = call, parents.get(call)
    while above is not None and not isinstance(above, ast.FunctionDef):
        if isinstance(above, ast.If) and any(below is each for each in above.body):
            tests = above.test.values if isinstance(above.test, ast.BoolOp) else [above.test]
            nodes = [node for test in tests for node in ast.walk(test)]
            if any(asked in names for node in nodes if (asked := _asked(node)) is not None):
                return not any(isinstance(node, ast.Not) for node in nodes)
        below, above = above, parents.get(above)
    return False


def _asked(node: ast.AST) -> str | None:
    """The name of the variable that `self.has_variable("cache", name)` asks for."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="self"), attr="has_variable"),
            args=[ast.Constant(value=collection), ast.Constant(value=str(name))],
        ) if collection == COLLECTION:
            return name
    return None


@dataclass(frozen=True)
class CallMade:
    """Records the edits of a class's methods that make, ask for or read such variables."""

    edits: Edits
    sites: Sequence[Site]
    parents: Mapping[ast.AST, ast.AST]

    def attributes(self) -> list[str]:
        """What the constructor sets to None."""
        return [site.attribute for site in self.sites]

    def names(self) -> set[str]:
        """What the source calls them."""
        return {s.variable.name for s in self.sites if s.variable is not None and s.variable.name}

    def run(self, function: ast.FunctionDef) -> None:
        """Edits one method."""
        attributes = {s.variable.name: s.attribute for s in self.sites if s.variable is not None}
        for node in ast.walk(function):
            name = _asked(node)
            if name in attributes:
                self.edits.replace(node, f"self.{attributes[name]} is not None")
            name = _read(node)
            if name in attributes:
                self.edits.replace(node, f"self.{attributes[name]}[...]")
        for site in self.sites:
            if site.function is function:
                self._make(function, site)

    def _make(self, function: ast.FunctionDef, site: Site) -> None:
        assert site.variable is not None
        text = f"self.{site.attribute}"
        source = self.edits.source
        indent = source.line_indent(source.span(site.statement)[0])
        kind = KNOWN_COLLECTIONS[COLLECTION]
        self.edits.replace(
            site.statement,
            f"if {text} is None:\n{indent}{source.indent_unit}{text} = {kind}({self._first(site)})",
        )
        for node in _reads_of(function, site):
            above = self.parents[node]
            if not isinstance(above, ast.Attribute) or above.attr != "value":
                raise CannotMove(
                    node, "a variable that a call makes is handed on", "hand its value on"
                )
            self.edits.replace(above, f"{text}[...]")

    def _first(self, site: Site) -> str:
        """The text of a first value."""
        init, *given = site.node.args[2:]
        if isinstance(init, ast.Lambda) and not init.args.args and not given:
            return self.edits.render(init.body)
        head = self.edits.render(init)
        rest = ", ".join(self.edits.render(arg) for arg in given)
        return f"({head})({rest})" if isinstance(init, ast.Lambda) else f"{head}({rest})"


def _reads_of(function: ast.FunctionDef, site: Site) -> Iterator[ast.Name]:
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id == site.alias:
            if isinstance(node.ctx, ast.Load):
                yield node
            elif node.lineno != site.statement.lineno:
                raise CannotMove(node, "a name that holds a variable is given another value", "")


def _read(node: ast.AST) -> str | None:
    """The name of the variable that `self.variables["cache"][name]` reads."""
    match node:
        case ast.Subscript(
            value=ast.Subscript(
                value=ast.Attribute(value=ast.Name(id="self"), attr="variables"),
                slice=ast.Constant(value=collection),
            ),
            slice=ast.Constant(value=str(name)),
        ) if collection == COLLECTION:
            return name
    return None
