"""The text of a size that a branch decides, or that is the size of what a module returns."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

from ..chains import constructs, last_name, stored_names
from ..model.filled import Filled
from ..model.sites import Site
from ..model.study import Study
from ..shapes.dims import Choice, Dim, Origin, Output
from ..shapes.interpreter import Interpreter
from ..shapes.values import Object
from . import inheritance
from .names import singular
from .tested_names import Branch, as_tested
from .transport import CannotMove, Scope, Transport, scope_of


@dataclass
class Choices:
    """Writes the chosen sizes of one class with the transport of the draft at hand."""

    interp: Interpreter
    study: Study
    sites: Sequence[Site]
    functions: Sequence[ast.FunctionDef]
    base: inheritance.Base | None
    fills: Sequence[Filled]
    constructing: Callable[[], Sequence[ast.FunctionDef]]
    parents: Mapping[ast.AST, ast.AST]
    transport: Transport = field(init=False)  # the one that asks for the sizes
    _choosing: set[str] = field(default_factory=set, init=False)

    def text(self, origin: Origin, name: str) -> str | None:
        """The text of a symbol, None where its origin is of another kind or cannot be asked."""
        if isinstance(origin, Output):
            return self._told(origin)
        if not isinstance(origin, Choice) or name not in self.study.facts.choices:
            return None
        node = origin.node
        for fill in self.fills:
            if fill.statement is node:
                return fill.parameter
        function = next(
            (f for f in self.functions if any(inner is node for inner in ast.walk(f))), None
        )
        if not _is_choice(node) or function is None or name in self._choosing:
            return None
        local = self._local(node, function)
        if local is not None:
            return local
        self._choosing.add(name)  # the test may ask for the very size that it decides
        try:
            return self._chosen(node, function, origin.name, *self.study.facts.choices[name])
        finally:
            self._choosing.discard(name)

    def _local(self, node: ast.AST, function: ast.FunctionDef) -> str | None:
        """The local of the constructor that gets such a size, once and in no block."""
        statement = self.parents.get(node)
        moves = statement in self.transport.needs.statements and not isinstance(node, ast.Call)
        here = constructs(function) or moves
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]) if here and statement in function.body:
                stored = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == name]
                if sum(isinstance(n.ctx, ast.Store) for n in stored) == 1:
                    self.transport.needs.statements[statement] = None
                    return self.transport.renamed.get(name, name)
        return None

    def _told(self, origin: Output) -> str | None:
        """`self.tower.out_features`, of a module that tells what it returns."""
        if inheritance.is_super_call(origin.site):
            return self._told_by_base(origin.site)
        site = next((s for s in self.sites if s.node is origin.site), None)
        if site is None or not self._ask(site):
            return None
        if site.built is not None:
            last = site.built.last(site)
            return f"{last}.out_features" if last is not None else None
        local = singular(site.attribute).lstrip("_") if site.loops else site.text
        return f"{local}.out_features"

    def _chosen(
        self,
        node: ast.If | ast.IfExp | ast.BoolOp | ast.Call,
        function: ast.FunctionDef,
        name: str,
        left: Dim,
        right: Dim,
    ) -> str:
        scope = scope_of(function)
        if function.name == "__init__":  # its parameters are those of the new constructor
            scope = Scope(function, set(), {}, {})
        kept = self._kept_on_self(node, function)
        if kept is not None:
            return kept
        if isinstance(node, ast.BoolOp):
            first = self.transport.expression(node.values[0], scope)
            return f"({first} or {self.transport.size(right, node)})"
        if isinstance(node, ast.Call):  # nn.merge_param
            first = self.transport.expression(node.args[1], scope)
            return f"({self.transport.size(right, node)} if {first} is None else {first})"
        asked = self._test_of(node, function)
        if isinstance(asked, ast.UnaryOp) and isinstance(asked.op, ast.Not):
            asked, left, right = asked.operand, right, left
        branch = Branch(node, function, self.parents)
        if branch.changed(asked, scope):
            holder = self._holder(branch, name)
            if holder is not None:
                return self.transport.expression(holder, scope)
        test = as_tested(self.transport, branch, asked, scope)
        one = self.transport.size(left, _end(node, node.body))
        other = self.transport.size(right, _end(node, node.orelse))
        if test in (f"{one} == {other}", f"{other} == {one}"):
            return other
        return f"({one} if {test} else {other})"

    def _holder(self, branch: Branch, name: str) -> ast.Name | None:
        """Where a local is read that holds a size from a branch on, in all that the constructor runs."""
        constructing = list(self.constructing())
        if constructing[:1] != [branch.function]:
            return None
        if any(name in stored_names(other) for other in constructing[1:]):
            return None
        return branch.holder(name, self.sites)

    def _kept_on_self(self, node: ast.AST, function: ast.FunctionDef) -> str | None:
        """`self.width`, where the source's constructor keeps a choice there."""
        match self.parents.get(node):
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)]) if (
                function.name == "__init__" and not isinstance(node, ast.If)
            ):
                self.transport.needs.kept_fields.add(name)
                return f"self.{name}"
        return None

    def _test_of(self, node: ast.If | ast.IfExp, function: ast.FunctionDef) -> ast.expr:
        """The test of a branch; what a local stands for, in a method whose statements do not begin the constructor."""
        assigned = scope_of(function).assignments
        match node.test:
            case ast.Name(id=name) if function not in list(self.constructing())[:1]:
                found = assigned.get(name, [])
                if len(found) == 1 and isinstance(found[0], ast.Assign):
                    return found[0].value
        return node.test

    def _ask(self, site: Site) -> bool:
        """Whether what a site makes tells its size; its class is asked to, from the next attempt on."""
        return self._ask_classes(
            {m.value.cls.node for m in site.made if isinstance(m.value, Object)}
        )

    def _told_by_base(self, call: ast.Call) -> str:
        """The size of what `super().__call__(...)` returns: the base's constructor has set it."""
        base = self.base
        if base is not None and inheritance.tells(self.study, base):
            if self._ask_classes({base.cls.node}):
                return "self.out_features"
        raise CannotMove(
            call,
            "only layers of a base class know the size of what this returns",
            "keep the size in an attribute of the base class",
        )

    def _ask_classes(self, asked: set[ast.ClassDef]) -> bool:
        self.interp.asked_outputs |= asked
        return not asked & self.interp.silent_outputs


def _end(node: ast.If | ast.IfExp, side: ast.expr | list[ast.stmt]) -> ast.AST:
    """Where one side of a choice ends."""
    if isinstance(side, list):
        return side[-1] if side else node
    return side


def _is_choice(node: ast.AST) -> TypeGuard[ast.If | ast.IfExp | ast.BoolOp | ast.Call]:
    """Whether a node chooses between two sizes in a way that has a text."""
    match node:
        case ast.If() | ast.IfExp():
            return True
        case ast.BoolOp(op=ast.Or(), values=[_, _]):
            return True
        case ast.Call(func=func, args=[_, _, _]):
            return last_name(func) == "merge_param"
    return False
