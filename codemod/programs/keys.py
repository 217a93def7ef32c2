"""Random keys that only fed what draws from streams of its own now."""

from __future__ import annotations

import ast

from ..shapes.values import Value
from .ground import FunctionNode
from .kinds import (
    Net,
)
from .roles import FunctionRole, absorbed, is_key
from .splits import Splits


class Keys(Splits):
    """Finds the keys that go, and those that seed a stream."""

    def _find_dead_parameters(self) -> None:
        """Random keys that only `apply` draws from: the module has streams of its own."""
        live: set[tuple[ast.AST, str]] = set()
        candidates: set[tuple[ast.AST, str]] = set()
        for node in self.nodes:
            if isinstance(node, ast.arg) and is_key(self.facts.value(node)):
                candidates.add((self._function_of(node), node.arg))
            elif (
                isinstance(node, ast.Name)
                and isinstance(node.ctx, ast.Store)
                and is_key(self.facts.value(node))
            ):
                candidates.add((self._enclosing(node), node.id))
        changed = True
        while changed:
            changed = False
            for node in self.nodes:
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                    binding = self._binding(node, candidates)
                    if (
                        binding is not None
                        and binding not in live
                        and self._key_is_used(node, live)
                    ):
                        live.add(binding)
                        changed = True
        self.dead_keys = candidates - live
        for net in self.nets:
            self._find_stream_key(net)
        for function, name in self.dead_keys:
            role = self.roles.functions.get(function)
            if role is not None and name in role.parameters and name not in role.replaced:
                role.replaced[name] = []

    def _find_stream_key(self, net: Net) -> None:
        """A key beside that of `init`, which only fed dropout, seeds the model's dropout stream."""
        model = self.model_of(net)
        scope = self._enclosing(net.init)
        if model is None or "dropout" not in model.streams or isinstance(net.key, ast.Dict):
            return
        bound = [
            name
            for function, name in self.dead_keys
            if function is scope
            and self._bound_before(scope, name, net.init)
            and not self._rebound(scope, name)
        ]
        if len(bound) == 1:
            self.stream_keys[net] = bound[0]
            self.dead_keys.discard((scope, bound[0]))

    def _bound_before(self, scope: ast.AST, name: str, node: ast.AST) -> bool:
        line = getattr(node, "lineno", 0)
        return any(
            isinstance(n, ast.Name)
            and n.id == name
            and isinstance(n.ctx, ast.Store)
            and n.lineno < line
            for n in self.nodes
            if isinstance(n, ast.Name) and self._enclosing(n) is scope
        )

    def _rebound(self, scope: ast.AST, name: str) -> bool:
        stores = [
            n
            for n in self.nodes
            if isinstance(n, ast.Name)
            and n.id == name
            and isinstance(n.ctx, ast.Store)
            and self._enclosing(n) is scope
        ]
        return len(stores) > 1

    def _binding(
        self, node: ast.Name, candidates: set[tuple[ast.AST, str]]
    ) -> tuple[ast.AST, str] | None:
        scope: ast.AST = self._enclosing(node)
        while True:
            if (scope, node.id) in candidates:
                return scope, node.id
            if isinstance(scope, ast.Module):
                return None
            scope = self._enclosing(scope)

    def _key_is_used(self, node: ast.Name, live: set[tuple[ast.AST, str]]) -> bool:
        """Whether a read of a key does more than feed `apply` or other keys that are not used."""
        below: ast.AST = node
        above = self.parents[node]
        while True:
            if isinstance(above, ast.Call) and any(net.init is above for net in self.nets):
                return True
            if isinstance(above, ast.Call) and above in self.explorer.applied:
                applied = self.explorer.applied[above][-1]
                if below in above.args[: applied.rest_args]:
                    return False
                return not (isinstance(below, ast.keyword) and below.arg in ("rngs", "rng"))
            if isinstance(above, ast.Call) and self.roles.callees(above):
                return self._parameter_lives(above, below, live)
            if isinstance(above, ast.Assign):
                names = [n for t in above.targets for n in ast.walk(t) if isinstance(n, ast.Name)]
                keys = [n for n in names if is_key(self.facts.value(n))]
                if len(keys) != len(names) or not keys:
                    return not all(
                        is_key(self.facts.value(n)) or absorbed(self.facts.value(n)) is not None
                        for n in names
                    )
                return any((self._enclosing(n), n.id) in live for n in keys)
            if isinstance(above, ast.Return):
                return True
            if isinstance(above, ast.stmt):
                return True
            below, above = above, self.parents[above]

    def _parameter_lives(
        self, call: ast.Call, item: ast.AST, live: set[tuple[ast.AST, str]]
    ) -> bool:
        for function in self.roles.callees(call):
            role = self.roles.functions.get(function)
            if role is None:
                return True
            for bound, parameter in self._bound_to(call, role):
                if bound is item:
                    return (function, parameter) in live or not is_key(
                        self._parameter_value(function, parameter)
                    )
        return True

    def _parameter_value(self, function: FunctionNode, name: str) -> Value | None:
        for parameter in [
            *function.args.posonlyargs,
            *function.args.args,
            *function.args.kwonlyargs,
        ]:
            if parameter.arg == name:
                return self.facts.value(parameter)
        return None

    def _is_dead_key(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and (self._enclosing(node), node.id) in self.dead_keys

    @staticmethod
    def _bound_to(node: ast.Call, role: FunctionRole) -> list[tuple[ast.expr | ast.keyword, str]]:
        pairs: list[tuple[ast.expr | ast.keyword, str]] = list(
            zip(node.args, role.parameters, strict=False)
        )
        pairs += [(k, k.arg) for k in node.keywords if k.arg is not None]
        return pairs
