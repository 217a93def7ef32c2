"""Assignments and returns without what is absorbed."""

from __future__ import annotations

import ast

from ..shapes.values import Function, Value
from .ground import Stay
from .kinds import (
    GradOf,
    Net,
    TrainState,
    Transformation,
    Transformed,
    TransformedApply,
    Updates,
    is_model,
)
from .linen import BoundModel
from .modes import Making
from .optimizers import Optimizers
from .roles import MODEL, OPTIMIZER, absorbed, is_key, net_of


class Statements(Optimizers):
    """Rewrites statements: what they keep, and what takes the place of the rest."""

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=[target], value=value):
                self._assign(node, target, value)
            case ast.Return(value=value) if value is not None:
                self._return(node, value)
            case ast.Expr(value=value):
                self._expression_statement(node, value)
            case ast.ClassDef():
                self._train_state_class(node)
            case ast.FunctionDef() if self._is_transform_definition(node):
                self._delete(node)

    def _is_transform_definition(self, node: ast.FunctionDef) -> bool:
        if node not in self.explorer.transformed or not any(
            self._is_net_function(n, node) for n in self.net_names
        ):
            return False
        reads = [
            n
            for n in self.nodes
            if isinstance(n, ast.Name) and n.id == node.name and isinstance(n.ctx, ast.Load)
        ]
        return all(
            self._feeds_transform(read) or isinstance(self.facts.value(read), Transformed)
            for read in reads
        )

    def _feeds_transform(self, read: ast.Name) -> bool:
        above = self.parents[read]
        return isinstance(above, ast.Call) and isinstance(self.facts.value(above), Transformed)

    @staticmethod
    def _is_net_function(net: Net, node: ast.AST) -> bool:
        functions = [net.model.function] if isinstance(net.model, Transformed) else []
        return any(
            isinstance(function, Function) and function.node is node
            for function in [*functions, *net.sharing]
        )

    def _assign(self, node: ast.Assign, target: ast.expr, value: ast.expr) -> None:
        found = self.facts.value(value)
        if isinstance(value, ast.Tuple):
            self._refuse_updates_within(value)
        if node in self.explorer.discarded and isinstance(value, ast.Call):
            self._on_clones(value)
        if self._makes_model(value):
            self._delete(node)
            return
        if isinstance(found, Transformation) and self._is_inlined(target):
            self._delete(node)
            return
        if isinstance(found, BoundModel | TransformedApply):
            self._delete(node)
            return
        init = self._init_within(value)
        if init is not None and init not in self.explorer.applied:
            self._initialise(node, init)
            return
        if init is not None:
            self._initialise_and_call(node, init)
        if isinstance(value, ast.Call) and self._is_tree_update(value):
            self._tree_update(node, value)
            return
        if isinstance(value, ast.Call) and self._from_creator(node, target, value):
            return
        left = self._kept_target(target)
        if left is not None and left == self.source.segment(target) and absorbed(found) is None:
            return
        effect = self._effect(node, value)
        if effect is not None:
            self._make_before(node, value)
            self.edits.replace(node, effect)
            self._forget(node)
            return
        if left is None:
            callees = self.roles.callees(value) if isinstance(value, ast.Call) else []
            if not callees:
                self._delete(node)
            elif not all(map(self._only_initialises, callees)):
                self._only_call(node, target, value)
            return
        if left != self.source.segment(target):
            self.edits.replace(target, left)
            self.gone.add(target)
            if isinstance(value, ast.Tuple):
                self._shorten(value)

    def _from_creator(self, node: ast.Assign, target: ast.expr, value: ast.Call) -> bool:
        """`state = create(...)` of a function that makes the model: `model, optimizer = create(...)`."""
        callees = [f for f in self.roles.callees(value) if f in self.roles.functions]
        if (
            not callees
            or self._is_wrapping(value)
            or isinstance(self.facts.value(value.func), GradOf)
        ):
            return False
        received = set(self.roles.functions[callees[0]].receives)
        items = target.elts if isinstance(target, ast.Tuple) else [target]
        texts: list[str] = []
        created = False
        for item in items:
            objects, net = self._absorbed_in(self.facts.value(item))
            if objects is None or net is None:
                texts.append(self.source.segment(item))
                continue
            for kind in (MODEL, OPTIMIZER):
                if kind in objects and kind not in received:
                    created = True
                    name = self.object_name(net, kind, node)
                    if name not in texts:
                        texts.append(name)
                    if kind == MODEL:
                        self.makings.append(Making(node, name))
        if created:
            self.edits.replace(target, ", ".join(texts))
            self.gone.add(target)
        return created

    def _absorbed_in(self, found: Value | None) -> tuple[frozenset[str] | None, Net | None]:
        """The objects that take a value's place, and the network that they are of."""
        if is_model(found):
            net = next((net for net in self.net_names if net.model is found), None)
            if net is not None:
                return frozenset((MODEL,)), net
        return absorbed(found), net_of(found)

    def _shorten(self, value: ast.Tuple) -> None:
        for item in value.elts:
            if absorbed(self.facts.value(item)) is not None:
                self.edits.remove_item(value, item)
                self.gone.add(item)

    def _makes_model(self, value: ast.expr) -> bool:
        """Whether an assignment only makes what the NNX module takes the place of: the unbound model, a transform."""
        if isinstance(value, ast.Name | ast.Attribute):
            return False
        found = self.facts.value(value)
        if isinstance(found, Function) and isinstance(value, ast.Call):
            return self._makes_function(value, found)
        if isinstance(found, Transformed):
            return any(
                isinstance(n.model, Transformed)
                and any(f is found.function for f in (n.model.function, *n.sharing))
                for n in self.net_names
            )
        return any(found is net.model for net in self.net_names) and is_model(found)

    def _makes_function(self, call: ast.Call, function: Function) -> bool:
        """Whether a call makes the function of a transform, which is all that its name is for."""
        above = self.parents[call]
        if not isinstance(above, ast.Assign) or not isinstance(above.targets[0], ast.Name):
            return False
        maker = self.facts.value(call.func)
        made = isinstance(maker, Function) and maker.node in self.models
        name = above.targets[0].id
        reads = [
            n
            for n in self.nodes
            if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)
        ]
        nets = any(getattr(n.model, "function", None) is function for n in self.net_names)
        return made and nets and bool(reads) and all(map(self._feeds_transform, reads))

    def _only_call(self, node: ast.Assign, target: ast.expr, value: ast.expr) -> None:
        """A call of which only absorbed values are kept stands alone."""
        start, end = self.source.span(node)[0], self.source.span(value)[0]
        self.edits.delete((start, end))
        self.gone.add(target)

    def _kept_target(self, target: ast.expr) -> str | None:
        """The text of an assignment's target without what is absorbed; None where nothing stays."""
        if isinstance(target, ast.Tuple | ast.List):
            parts = [self._kept_target(item) for item in target.elts]
            if all(is_key(self.facts.value(item)) for item in target.elts) and any(parts):
                return ", ".join(part or "_" for part in parts)
            kept = [part for part in parts if part is not None]
            if all(
                part == self.source.segment(item)
                for part, item in zip(parts, target.elts, strict=True)
            ):
                return self.source.segment(target)
            if not kept:
                return None
            nested = isinstance(self.parents[target], ast.Tuple)
            if len(kept) == 1:
                within = kept[0].startswith("(") and not nested
                return kept[0][1:-1] if within else kept[0]
            text = ", ".join(kept)
            return f"({text})" if nested else text
        if isinstance(target, ast.Name | ast.Attribute | ast.Starred):
            value = self.facts.value(target)
            if (
                absorbed(value) is not None
                or isinstance(value, Updates)
                or self._is_dead_key(target)
            ):
                return None
        return self.source.segment(target)

    def _make_before(self, node: ast.stmt, value: ast.expr) -> None:
        """Makes the model whose `init` a train state, or an optimiser's state, is made of."""
        calls = {inner for inner in ast.walk(value) if isinstance(inner, ast.Call)}
        for net in self.nets:
            if net.init in calls and not self._gives_back(node, net.init):
                self._construct_before(node, net)

    def _initialise_and_call(self, node: ast.Assign, init: ast.Call) -> None:
        """`y, variables = model.init_with_output(key, x)` makes the model first, and then calls it."""
        net = next(net for net in self.nets if net.init is init)
        changing = self.holds(net) - {"RngState", "Intermediate"}
        starred = any(isinstance(n, ast.Starred) for n in ast.walk(node.targets[0]))
        if changing or starred or self._gives_back(node, init):
            raise Stay(
                init,
                "`init_with_output` of a model with state, or of one that is given",
                "make the model first, and call it on a copy: `init` leaves the state as it was",
            )
        self._construct_before(node, net)
        self._output_alone(init)

    def _output_alone(self, node: ast.Call) -> None:
        """The pair of output and state that `apply` returned is the output alone: its use must say which it wants."""
        match self.parents[node]:
            case ast.Assign(targets=[ast.Tuple(elts=[_, _])]):
                return
            case ast.Subscript(slice=ast.Constant(value=0)) as taken:
                self.edits.delete((self.source.span(node)[1], self.source.span(taken)[1]))
                return
        raise Stay(
            node,
            "the output and the state of this call are not told apart here",
            "unpack them: `output, state = ...`",
        )

    def _return(self, node: ast.Return, value: ast.expr) -> None:
        self._refuse_updates_within(value)
        init = self._init_within(value)
        if init is not None and self._gives_back(node, init):
            return
        if isinstance(self.facts.value(value), TrainState):
            self._make_before(node, value)
        made = self._made_here(node, value)
        if made is not None:
            self.edits.replace(value, made)
            self.gone.add(value)
            return
        text = self._kept_value(value)
        if text == self.source.segment(value):
            return
        if text is None:
            if isinstance(value, ast.Call) and self.roles.callees(value):
                return
            effect = self._effect(node, value)
            if effect is not None:
                self.edits.replace(node, effect)
                self._forget(node)
                return
            effects = self._effects_within(node, value)
            if effects:
                indent = self.source.line_indent(self.source.span(node)[0])
                self.edits.replace(node, f"\n{indent}".join(effects))
                self._forget(node)
                return
            self._delete(node)
            return
        effects = self._effects_within(node, value)
        if effects:
            self.edits.insert_before(node, "\n".join(effects) + "\n")
        self._keep_within(value)

    def _refuse_updates_within(self, value: ast.expr) -> None:
        """Raises Stay where parameters are made of others by hand on the way out."""
        for inner in ast.walk(value):
            if isinstance(inner, ast.expr) and self._is_tree_update(inner):
                raise Stay(
                    inner,
                    "parameters are updated by hand where they are returned",
                    "give the new parameters a name first",
                )

    def _made_here(self, node: ast.Return, value: ast.expr) -> str | None:
        """What a function returns that makes a model or an optimiser itself; None where it only passes them through."""
        items = value.elts if isinstance(value, ast.Tuple) else [value]
        role = self.roles.functions.get(self._enclosing(node))
        received = set(role.receives) if role is not None else set()
        texts: list[str] = []
        created = False
        for item in items:
            objects, net = self._absorbed_in(self.facts.value(item))
            if objects is None or net is None:
                texts.append(self.edits.render(item))
                continue
            for kind in (MODEL, OPTIMIZER):
                if kind in objects and kind not in received:
                    created = True
                    text = self._made_object(node, net, kind, item)
                    if text not in texts:
                        texts.append(text)
        return ", ".join(texts) if created else None

    def _made_object(self, node: ast.Return, net: Net, kind: str, item: ast.expr) -> str:
        name = self.object_name(net, kind, node)
        within = any(inner is net.init for inner in ast.walk(item))
        if kind == MODEL and within and net not in self.made_before:
            raise Stay(node, "the model is made where it is returned", "give it a name of its own")
        if kind == OPTIMIZER and isinstance(item, ast.Call):
            effect = self._effect(node, item)
            if effect is not None:
                return effect.partition(" = ")[2]
        return name

    def _kept_value(self, value: ast.expr) -> str | None:
        if isinstance(value, ast.Tuple):
            parts = [self._kept_value(item) for item in value.elts]
            if all(
                part == self.source.segment(item)
                for part, item in zip(parts, value.elts, strict=True)
            ):
                return self.source.segment(value)
            kept = [part for part in parts if part is not None]
            if not kept:
                return None
            return kept[0] if len(kept) == 1 else f"({', '.join(kept)})"
        found = self.facts.value(value)
        if absorbed(found) is not None or isinstance(found, Updates) or self._is_dead_key(value):
            return None
        return self.source.segment(value)

    def _keep_within(self, value: ast.expr) -> None:
        """Removes the absorbed items of a returned tuple; a lone remaining one is returned bare."""
        if not isinstance(value, ast.Tuple):
            return
        kept = [item for item in value.elts if self._kept_value(item) is not None]
        gone = [item for item in value.elts if item not in kept]
        for item in kept:
            self._keep_within(item)
        if len(kept) == 1:
            self.edits.replace(value, self.edits.render(kept[0]))
            self.gone.update(gone)
            return
        for item in gone:
            self.edits.remove_item(value, item)
            self.gone.add(item)

    def _expression_statement(self, node: ast.Expr, value: ast.expr) -> None:
        if node in self.explorer.discarded and isinstance(value, ast.Call):
            self._on_clones(value)
        if isinstance(value, ast.Call) and any(net.init is value for net in self.nets):
            self._delete(node)

    def _on_clones(self, call: ast.Call) -> None:
        """A call whose successors are thrown away works on copies."""
        self.cloned.add(call)
