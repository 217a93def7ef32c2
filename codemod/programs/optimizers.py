"""Optimisers: their making, their updates, and gradient descent by hand."""

from __future__ import annotations

import ast

from ..shapes import classes
from ..shapes.values import Class
from .given import GivenModels
from .ground import Stay
from .kinds import (
    Gradients,
    Net,
    OptState,
    TrainState,
    Transformation,
    Tree,
    Updates,
)
from .roles import MODEL, OPTIMIZER, net_of


class Optimizers(GivenModels):
    """What takes the place of optimiser states, train states and updates."""

    def _effect(self, node: ast.stmt, value: ast.expr) -> str | None:
        """The statement that takes the place of an optimiser's or a train state's making or update."""
        found = self.facts.value(value)
        net = net_of(found)
        if net is None or not isinstance(value, ast.Call):
            return None
        if (
            isinstance(found, OptState)
            and isinstance(value.func, ast.Attribute)
            and value.func.attr == "init"
        ):
            return self._new_optimizer(node, net, value.func.value)
        if isinstance(found, TrainState) and isinstance(value.func, ast.Attribute):
            if value.func.attr == "create":
                tx = next((k.value for k in value.keywords if k.arg == "tx"), None)
                return None if tx is None else self._new_optimizer(node, net, tx)
            if value.func.attr == "apply_gradients":
                grads = next((k.value for k in value.keywords if k.arg == "grads"), None)
                return None if grads is None else self._update(node, net, self.edits.render(grads))
        if isinstance(found, Tree) and self.names.qualified(value.func) == "optax.apply_updates":
            return self._update(node, net, self._gradient_text(value.args[1]))
        return None

    def _new_optimizer(self, node: ast.stmt, net: Net, tx: ast.expr) -> str:
        name = self._optimizer_variable(net, tx)
        text = self.edits.render(tx)
        if isinstance(tx, ast.Name) and self._is_inlined(tx):
            made = self._transformation(tx.id)
            if made is not None:
                text = self.source.segment(made)
                name = tx.id
        self.optimizer_names[net] = name
        wrt = self.names.target("flax.nnx.Param")
        call = f"{self.names.target('flax.nnx.Optimizer')}({self.object_name(net, MODEL, node)}, {text}, wrt={wrt})"
        return self.construction.statement(
            name, call, self.source.line_indent(self.source.span(node)[0])
        )

    def _optimizer_variable(self, net: Net, tx: ast.expr) -> str:
        return "optimizer"

    def _transformation(self, name: str) -> ast.expr | None:
        for node in self.nodes:
            match node:
                case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                    if isinstance(self.facts.value(value), Transformation):
                        return value
        return None

    def _update(self, node: ast.stmt, net: Net, grads: str) -> str:
        optimizer, model = (
            self.object_name(net, OPTIMIZER, node),
            self.object_name(net, MODEL, node),
        )
        return f"{optimizer}.update({model}, {grads})"

    def _gradient_text(self, updates: ast.expr) -> str:
        """The gradients behind the updates that are applied."""
        if isinstance(updates, ast.Name):
            for node in self.nodes:
                match node:
                    case ast.Assign(
                        targets=[ast.Tuple(elts=[ast.Name(id=name), *_])],
                        value=ast.Call(args=[grads, *_]),
                    ) if name == updates.id and self._same_function(node, updates):
                        if isinstance(self.facts.value(node.targets[0].elts[0]), Updates):  # type: ignore[attr-defined]
                            return self.source.segment(grads)
        raise Stay(
            updates,
            "the updates that are applied come from elsewhere",
            "call `optimizer.update(model, grads)` by hand",
        )

    def _is_inlined(self, target: ast.expr) -> bool:
        """An optax transformation called like the optimiser that takes its place hands its name on."""
        return (
            isinstance(target, ast.Name)
            and target.id in ("optimizer", "opt")
            and self._feeds_only(target.id)
        )

    def _feeds_only(self, name: str) -> bool:
        for node in self.nodes:
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                if isinstance(self.facts.value(node), Transformation):
                    above = self.parents[node]
                    if isinstance(above, ast.Attribute) and above.attr in ("init", "update"):
                        continue
                    if isinstance(above, ast.keyword) and above.arg == "tx":
                        continue
                    if self._is_dropped(node):
                        continue
                    return False
        return True

    def _is_dropped(self, name: ast.Name) -> bool:
        """Whether a name is given to functions whose parameter for it goes."""
        item: ast.AST = name
        if isinstance(self.parents[item], ast.keyword):
            item = self.parents[item]
        call = self.parents[item]
        if not isinstance(call, ast.Call):
            return False
        roles = [self.roles.functions.get(callee) for callee in self.roles.callees(call)]
        return bool(roles) and all(
            role is not None
            and any(
                given is item and role.replaced.get(parameter) == []
                for given, parameter in self._bound_to(call, role)
            )
            for role in roles
        )

    def _is_tree_update(self, value: ast.expr) -> bool:
        """`jax.tree.map(lambda p, g: ..., params, grads)`."""
        if not isinstance(value, ast.Call) or self.names.qualified(value.func) != "jax.tree.map":
            return False
        kinds = [self.facts.value(arg) for arg in value.args[1:]]
        return any(isinstance(k, Tree) for k in kinds) and any(
            isinstance(k, Gradients | Updates) for k in kinds
        )

    def _tree_update(self, node: ast.Assign, value: ast.Call) -> None:
        net = net_of(self.facts.value(value))
        assert net is not None
        model = self.object_name(net, MODEL, node)
        param = self.names.target("flax.nnx.Param")
        nnx = self.names.target("flax.nnx")
        name = node.targets[0].id if isinstance(node.targets[0], ast.Name) else "params"
        for arg in value.args[1:]:
            if isinstance(self.facts.value(arg), Tree):
                if self.source.segment(arg) != "params" or name != "params":
                    self.edits.replace(arg, "params")
                self.gone.add(arg)
        if name != "params":
            self.edits.replace(node.targets[0], "params")
        if self._enclosing(node) not in self.splitting:
            self.edits.insert_before(
                node, f"params = {nnx}.state({model}, {param})\n", below_comments=True
            )
        self.edits.insert_after(node, f"{nnx}.update({model}, params)\n")
        self.gone.add(node.targets[0])
        self.tree_updates.add(node)

    def _effects_within(self, node: ast.stmt, value: ast.expr) -> list[str]:
        """Updates that stand inside a returned tuple happen before it."""
        found = []
        for item in value.elts if isinstance(value, ast.Tuple) else []:
            effect = self._effect(node, item)
            if effect is not None:
                found.append(effect)
        return found

    def _train_state_class(self, node: ast.ClassDef) -> None:
        """A TrainState subclass that only adds fields goes with the train states."""

        value = self.facts.value(node) or self.interp.environment_of(self.module).names.get(
            node.name
        )
        if not isinstance(value, Class):
            return
        if "flax.training.train_state.TrainState" not in classes.external_bases(value):
            return
        if all(isinstance(s, ast.AnnAssign | ast.Pass | ast.Expr) for s in node.body):
            self._delete(node)
