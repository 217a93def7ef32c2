"""Loss functions whose model is split, for it holds more than parameters."""

from __future__ import annotations

import ast

from ..shapes.values import Function, Partial, Value
from .ground import FunctionNode
from .kinds import GradOf, Net
from .nets import NetNames
from .roles import net_of

MERGED = "model"  # the local name of a model in a loss function that is given it split


class Splits(NetNames):
    """Gradients, and the models that are split for them."""

    def _splits(self, function: FunctionNode) -> Net | None:
        """The net of a loss function that must take split parameters: its model holds more than Params."""
        for gradient in self._gradients():
            if function in self._functions_in(gradient.function):
                net = self._gradient_net(gradient)
                if net is not None and self.holds(net) and isinstance(function, ast.FunctionDef):
                    return net
        return None

    def _gradients(self) -> list[GradOf]:
        found = []
        for node in self.nodes:
            value = self.facts.value(node) if isinstance(node, ast.Call) else None
            if isinstance(value, GradOf):
                found.append(value)
        return found

    @staticmethod
    def _functions_in(value: Value) -> list[ast.AST]:
        while isinstance(value, Partial):
            value = value.function
        return [value.node] if isinstance(value, Function) else []

    def _gradient_net(self, gradient: GradOf) -> Net | None:
        for node in self.nodes:
            if isinstance(node, ast.Call) and any(
                v is gradient for v in self.facts.values.get(node.func, [])
            ):
                for at in gradient.argnums:
                    if at < len(node.args):
                        return net_of(self.facts.value(node.args[at]))
        return None

    def _in_split(self, node: ast.AST) -> bool:
        return self._split_function(node) is not None

    def _split_function(self, node: ast.AST) -> FunctionNode | None:
        current: ast.AST | None = node
        while current is not None:
            if isinstance(current, ast.FunctionDef) and self._splits(current) is not None:
                return current
            current = self.parents.get(current)
        return None

    def _is_compiled(self, function: FunctionNode) -> bool:
        """Whether a function is compiled, differentiated, or stands in one that is."""
        if isinstance(function, ast.Lambda) or function in self.explorer.jitted:
            return True
        if any(function in self._functions_in(g.function) for g in self._gradients()):
            return True
        outer = self._enclosing(function)
        return isinstance(outer, FunctionNode) and self._is_compiled(outer)
