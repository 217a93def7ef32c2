"""Which parameters of a function that makes layers its module's constructor needs."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from ..model.symbolic import FLAGS
from ..project import Module
from ..shapes.values import External
from . import borrowed
from .maker import (
    CONSTRUCTORS,
    Maker,
    calls_in,
    given_to,
    makes_on_self,
    names_read,
    names_written,
    takes_no_data,
)
from .maker_lookup import Lookup


class FieldFinder:
    """Sorts the parameters of functions into fields of modules and arguments of calls."""

    def __init__(self, lookup: Lookup, found: Mapping[ast.AST | None, Maker]) -> None:
        self.lookup = lookup
        self.found = found

    def sort_all(self) -> None:
        """Sorts until none gets more fields: what one hands to a field of another is one of its own."""
        before = -1
        while before != (count := sum(len(maker.fields) for maker in self.found.values())):
            before = count
            for maker in self.found.values():
                self.sort(maker)

    def sort(self, maker: Maker) -> None:
        """Which parameters the constructor needs: those that reach a constructor, a loop or a test."""
        static: set[str] = set()
        settled = {p.arg for p in maker.parameters if self._is_settled(maker, p)}
        calls_makers = any(
            self.lookup.target(call.func, maker.module) in self.found
            for call in calls_in(maker.node)
        )
        qualified = self.lookup.names[maker.module].qualified
        asked = set(borrowed.parameter_calls(maker.node, qualified))
        if (
            not calls_makers
            and not asked
            and not self.lookup.makes_layers(maker.node, maker.module)
        ):
            maker.fields = []
            return
        for node in ast.walk(maker.node):
            match node:
                case ast.Call() if self.lookup.kind(node, maker.module) or makes_on_self(
                    node, maker.node
                ):
                    static |= names_read([node.func, *self._configuration(node, maker.module)])
                case ast.Call() if node in asked:
                    static |= names_read(borrowed.shape_arguments(node))
                case ast.Call() if self.lookup.target(node.func, maker.module) in self.found:
                    static |= names_read(self._handed_to_fields(node, maker.module))
                case ast.For(iter=iterable):
                    static |= names_read([iterable])
                case ast.If(test=test) | ast.IfExp(test=test):
                    making = self.lookup.makes_layers(node, maker.module)
                    static |= names_read([test]) if making else names_read([test]) & settled
        data = {p.arg for p in maker.parameters if self._is_data(maker, p)}
        if maker.returned:
            data = set()
        if maker.returned or takes_no_data(maker):
            static |= {p.arg for p in maker.parameters}
        changed = True
        while changed:  # a local that a constructor needs needs what it is computed from
            before = len(static)
            for node in ast.walk(maker.node):
                if isinstance(node, ast.Assign) and names_written(node) & static:
                    static |= names_read([node.value]) - data
            changed = len(static) != before
        maker.fields = [
            p
            for p in maker.parameters
            if p.arg in static and p.arg not in data and p.arg not in ("self", "module", "name")
        ]

    def _handed_to_fields(self, call: ast.Call, module: Module) -> Iterator[ast.expr]:
        """What a call of a maker gives its fields."""
        called = self.found[self.lookup.target(call.func, module)]
        given = (given_to(called, call, field) for field in called.fields)
        yield from (value for value in given if value is not None)

    def _is_settled(self, maker: Maker, parameter: ast.arg) -> bool:
        """Whether no call gives a parameter what only its own caller knows."""
        for module, call in maker.calls:
            given = given_to(maker, call, parameter)
            scope: ast.AST | None = call
            while scope is not None and not isinstance(scope, ast.FunctionDef):
                scope = module.source.parents.get(scope)
            if given is not None and scope is not None and scope.name not in CONSTRUCTORS:
                known = {a.arg for a in ast.walk(scope.args) if isinstance(a, ast.arg)} - {"self"}
                if (
                    names_read([given]) & known
                    and self.lookup.method_around(call, module) is not None
                ):
                    return False
        return True

    def _configuration(self, call: ast.Call, module: Module) -> list[ast.expr]:
        """The arguments of a constructor; of a layer that is made and applied in one call, those but its inputs."""
        value = self.lookup.value(call.func, module)
        rule = self.lookup.interp.rules.layer(value.name) if isinstance(value, External) else None
        inputs = rule.inputs if rule is not None and rule.inline else ()
        names = rule.signature if rule is not None else ()
        by_place = [arg for name, arg in zip(names, call.args, strict=False) if name not in inputs]
        placed = by_place if inputs else call.args
        return [*placed, *[k.value for k in call.keywords if k.arg not in inputs]]

    @staticmethod
    def _is_data(maker: Maker, parameter: ast.arg) -> bool:
        """Whether a parameter is certainly no field: a flag, or what a layer is applied to."""
        if parameter.arg in FLAGS:
            return True
        if parameter.annotation is not None:
            text = ast.unparse(parameter.annotation)
            if any(word in text for word in ("Array", "ndarray", "Tensor")):
                return True
        for node in ast.walk(maker.node):
            match node:
                case ast.Call(func=ast.Call(), args=args) if any(
                    isinstance(a, ast.Name) and a.id == parameter.arg for a in args
                ):
                    return True
                case ast.Attribute(value=ast.Name(id=name), attr="shape" | "ndim" | "dtype") if (
                    name == parameter.arg
                ):
                    return True
                case ast.Subscript(value=ast.Name(id=name), slice=ast.Slice() | ast.Tuple()) if (
                    name == parameter.arg
                ):
                    return True
        return False
