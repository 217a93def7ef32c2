"""The stateful form: `model` and `optimizer` take the place of parameters, optimiser states and train states.

The edits follow from what each expression was when the program ran abstractly: a tree of parameters goes, a call that
got it gets the model, a function that returned its successor returns it no longer.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence

from ..edits import Edits
from ..emit.file_names import FileNames
from ..model.module import ModuleModel
from ..project import Module
from ..rule import Declined
from ..shapes import classes
from ..shapes.values import Constant, Function, LayerObject, Object, Partial, Value
from . import graphdefs, sowing
from .construction import Construction
from .explore import Explorer
from .haiku import maker_call, module_of
from .kinds import (
    Applied,
    Gradients,
    GradOf,
    Net,
    OptState,
    TrainState,
    Transformation,
    Transformed,
    TransformedApply,
    Tree,
    Updates,
    is_model,
)
from .linen import BoundModel, BoundPart
from .modes import Demand, Making, placed
from .roles import MODEL, OPTIMIZER, FunctionRole, Roles, absorbed, is_key, net_of
from .trees import STATE_TYPES, locate

FunctionNode = ast.FunctionDef | ast.Lambda


class Stay(Declined):
    """A program that cannot become stateful with certainty."""

    def __init__(self, node: ast.AST, message: str, help: str) -> None:
        super().__init__(message, help)
        self.node = node


class ProgramRewriter:
    """Rewrites the programs of one module. Raises Stay where they cannot follow."""

    def __init__(
        self,
        explorer: Explorer,
        module: Module,
        edits: Edits,
        names: FileNames,
        models: Mapping[ast.AST, ModuleModel],
        limit: int,
    ) -> None:
        self.explorer = explorer
        self.interp = explorer.interp
        self.facts = explorer.interp.facts
        self.module = module
        self.source = module.source
        self.parents = module.source.parents
        self.edits = edits
        self.names = names
        self.models = models
        self.limit = limit
        self.roles = Roles(explorer, self.parents)
        self.construction = Construction(self.interp, names, models, limit)
        self.gone: set[ast.AST] = set()
        self.demands: list[Demand] = []
        self.makings: list[Making] = []
        self.splits: list[tuple[ast.FunctionDef, str]] = []
        self.split: dict[ast.AST, Net] = {}  # functions whose model is split for its gradients
        self.net_names: dict[Net, str] = {}
        self.constructed: set[tuple[ast.AST, str]] = set()
        self.optimizer_names: dict[Net, str] = {}
        self.cloned: set[ast.Call] = set()
        self.stream_keys: dict[Net, str] = {}
        self.dead_keys: set[tuple[ast.AST, str]] = set()
        self.tree_updates: set[ast.AST] = set()
        self.splitting: set[ast.AST] = set()  # functions that split their model
        self.dead_flags: set[tuple[ast.AST, str]] = set()
        self.nodes = [node for node in ast.walk(module.tree) if not self._in_module_class(node)]
        self.inside = set(self.nodes)

    # ---- the whole ------------------------------------------------------------------------------------

    def run(self) -> None:
        """Records all edits of the module's programs."""
        self.nets = [net for net in self.explorer.nets.values() if net.init in self.inside]
        uses = [
            a for node, found in self.explorer.applied.items() if node in self.inside for a in found
        ]
        if not self.nets and not uses and not self._handles_states():
            return
        self._prepare(uses)
        self._find_dead_parameters()
        for node in self.nodes:
            if isinstance(node, FunctionNode):
                self._function(node)
        for statement in [n for n in self.nodes if isinstance(n, ast.stmt)]:
            if statement not in self.gone:
                self._statement(statement)
        for node in self.nodes:
            if isinstance(node, ast.expr) and not self._is_gone(node):
                self._expression(node)
        self._compilers()
        self._modes()
        for function, line in self.splits:
            self.edits.insert_before(function, line)
        self._dead_code()
        self._close_up()

    def _handles_states(self) -> bool:
        return any(
            isinstance(self.facts.value(node), Tree | TrainState | OptState)
            for node in self.nodes
            if isinstance(node, ast.arg | ast.Name)
        )

    def _in_module_class(self, node: ast.AST) -> bool:
        current: ast.AST | None = node
        while current is not None:
            if current in self.models or (
                isinstance(current, ast.ClassDef) and self._is_module_class(current)
            ):
                return True
            current = self.parents.get(current)
        return False

    def _is_module_class(self, node: ast.ClassDef) -> bool:
        from ..shapes.values import Class

        value = self.interp.environment_of(self.module).names.get(node.name)
        return (
            isinstance(value, Class) and value.node is node and classes.framework(value) is not None
        )

    # ---- nets, their names and modules ------------------------------------------------------------------

    def _prepare(self, uses: Sequence[Applied]) -> None:
        for node, _ in self.explorer.unknown:
            if node in self.inside:
                raise Stay(
                    node,
                    "the parameters given to `apply` do not come from an `init` in sight",
                    "pass the model itself, or merge it with `nnx.merge` by hand",
                )
        for net in {a.net for a in uses} | set(self.nets):
            self._check(net)
            net.module = self._module_of(net)
            self.net_names[net] = self._name_of(net)
        for node in self.nodes:
            if isinstance(node, FunctionNode):
                self.roles.add(node)
        for role in self.roles.functions.values():
            role.names.setdefault(MODEL, self._name_in(role.node))
            role.names.setdefault(OPTIMIZER, self._optimizer_name())
        for node in self.nodes:
            if isinstance(node, ast.Call) and isinstance(self.facts.value(node.func), GradOf):
                if any(self._splits(function) is not None for function in self.roles.callees(node)):
                    self.splitting.add(self._enclosing(node))

    def _check(self, net: Net) -> None:
        if net.stale:
            raise Stay(
                net.stale[0],
                "parameters are read here after their successor was made",
                "keep the old ones with `nnx.clone(model)`, or thread the state with `nnx.split` and `nnx.merge`",
            )
        if net.escaped:
            node, why = net.escaped[0]
            raise Stay(node, why, "write the new values into the model with `nnx.update`")

    def _module_of(self, net: Net) -> Object | LayerObject:
        """The module object whose class the net's model is."""
        if isinstance(net.model, Object | LayerObject):
            found: Object | LayerObject | None = net.model
        else:
            found = None
            if isinstance(net.model, Transformed) and isinstance(net.model.function, Function):
                made = maker_call(net.model.function, net.model)
                if made is not None:
                    found = module_of(self.interp, net.model.function, made[0])
        if isinstance(found, Object) and found.cls.node not in self.models:
            raise Stay(
                net.init, f"`{found.cls.name}` stays as it is", "it has a diagnostic of its own"
            )
        if found is None:
            raise Stay(
                net.init,
                "what this transform makes is not one module that it calls",
                "make one module in the transformed function and call it",
            )
        return found

    def model_of(self, net: Net) -> ModuleModel | None:
        return self.models.get(net.module.cls.node) if isinstance(net.module, Object) else None

    def holds(self, net: Net) -> set[str]:
        """What the net's model holds besides Params."""
        model = self.model_of(net)
        if model is not None:
            return model.holds
        return set(net.module.rule.holds) if isinstance(net.module, LayerObject) else set()

    def _name_of(self, net: Net) -> str:
        """The variable that holds the original's model."""
        for node in self.nodes:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if self._is_model_of(
                    value, net
                ):
                    return name
                case ast.FunctionDef(name=name, decorator_list=decorators) if decorators:
                    if isinstance(net.model, Transformed) and net.model.function is not None:
                        if (
                            isinstance(net.model.function, Function)
                            and net.model.function.node is node
                        ):
                            return name
        return "model"

    def _is_model_of(self, value: ast.expr, net: Net) -> bool:
        found = self.facts.values.get(value, [])
        if isinstance(net.model, Transformed):
            return any(
                isinstance(v, Transformed) and v.function is net.model.function for v in found
            )
        return any(v is net.model for v in found)

    def _name_in(self, function: FunctionNode) -> str:
        """What a function calls the model that it receives."""
        for parameter in [*function.args.args, *function.args.kwonlyargs]:
            net = net_of(self.facts.value(parameter))
            if net is not None and net in self.net_names and self._at_home(net, function):
                return self.net_names[net]
        return "model"

    def _at_home(self, net: Net, node: ast.AST) -> bool:
        """Whether a node stands in the scope where the net's model is made."""
        if net.init not in self.inside:
            return False
        home = self._enclosing(net.init)
        current: ast.AST | None = node
        while current is not None:
            if current is home:
                return True
            current = self.parents.get(current)
        return False

    def _optimizer_name(self) -> str:
        return "optimizer"

    def object_name(self, net: Net, kind: str, node: ast.AST) -> str:
        """The name of a net's model or optimiser at a node."""
        current: ast.AST | None = node
        while current is not None:
            role = self.roles.functions.get(current)
            if role is not None and kind in role.receives and self._serves(role, net):
                return role.names[kind]
            current = self.parents.get(current)
        if kind == MODEL:
            return self.net_names.get(net, "model") if self._at_home(net, node) else "model"
        return self.optimizer_names.get(net, "optimizer")

    def _serves(self, role: FunctionRole, net: Net) -> bool:
        """Whether the objects that a function receives may be those of the net."""
        nets = []
        for name in role.parameters:
            for parameter in [
                *role.node.args.args,
                *role.node.args.kwonlyargs,
                *role.node.args.posonlyargs,
            ]:
                if parameter.arg == name and role.replaced.get(name):
                    for value in self.facts.values.get(parameter, []):
                        found = net_of(value)
                        if found is not None:
                            nets.append(found)
                        elif is_model(value) or isinstance(value, Transformed):
                            return True
        return net in nets or not nets

    # ---- functions ----------------------------------------------------------------------------------------

    def _function(self, node: FunctionNode) -> None:
        """A function's parameters: what is absorbed goes, the objects come."""
        role = self.roles.functions[node]
        spec = node.args
        split = self._splits(node)
        for parameter in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]:
            objects = role.replaced.get(parameter.arg)
            if objects is None:
                continue
            if split is not None and objects == [MODEL]:
                self.edits.replace(parameter, "params, rest")
            elif objects:
                names = ", ".join(role.names[o] for o in objects)
                if names != parameter.arg or parameter.annotation is not None:
                    self.edits.replace(parameter, names)
            else:
                self.edits.remove_item(node, parameter)
            self.gone.add(parameter)

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

    # ---- statements ----------------------------------------------------------------------------------------

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
        return (
            isinstance(net.model, Transformed)
            and isinstance(net.model.function, Function)
            and net.model.function.node is node
        )

    def _assign(self, node: ast.Assign, target: ast.expr, value: ast.expr) -> None:
        found = self.facts.value(value)
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
        if init is not None:
            self._construct(node, target, init)
            return
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
            self.edits.replace(node, effect)
            self._forget(node)
            return
        if left is None:
            if isinstance(value, ast.Call) and self.roles.callees(value):
                self._only_call(node, target, value)
                return
            self._delete(node)
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
            found = self.facts.value(item)
            objects = absorbed(found)
            net = net_of(found)
            if is_model(found) and any(found is n.model for n in self.net_names):
                objects, net = (
                    frozenset((MODEL,)),
                    next(n for n in self.net_names if n.model is found),
                )
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
        if isinstance(found, Transformed):
            return any(
                isinstance(n.model, Transformed) and n.model.function is found.function
                for n in self.net_names
            )
        return any(found is net.model for net in self.net_names) and is_model(found)

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
                    return False
        return True

    def _init_within(self, value: ast.expr) -> ast.Call | None:
        """The init call that a value comes from."""
        current = value
        while isinstance(current, ast.Subscript | ast.Attribute):
            current = current.value
        if (
            isinstance(current, ast.Call)
            and isinstance(current.func, ast.Attribute)
            and current.func.attr in ("pop", "unfreeze")
        ):
            return self._init_within(current.func.value)
        if (
            isinstance(current, ast.Call)
            and current.args
            and self.names.qualified(current.func)
            in (
                "flax.core.unfreeze",
                "flax.core.freeze",
            )
        ):
            return self._init_within(current.args[0])
        if isinstance(current, ast.Call) and any(net.init is current for net in self.nets):
            return current
        return None

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

    def _same_function(self, one: ast.AST, two: ast.AST) -> bool:
        return self._enclosing(one) is self._enclosing(two)

    def _enclosing(self, node: ast.AST) -> ast.AST:
        current = self.parents[node]
        while not isinstance(current, ast.FunctionDef | ast.Lambda | ast.Module):
            current = self.parents[current]
        return current

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

    def _only_call(self, node: ast.Assign, target: ast.expr, value: ast.Call) -> None:
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

    def _return(self, node: ast.Return, value: ast.expr) -> None:
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
            self._delete(node)
            return
        effects = self._effects_within(node, value)
        if effects:
            self.edits.insert_before(node, "\n".join(effects) + "\n")
        self._keep_within(value)

    def _made_here(self, node: ast.Return, value: ast.expr) -> str | None:
        """What a function returns that makes a model or an optimiser itself; None where it only passes them through."""
        items = value.elts if isinstance(value, ast.Tuple) else [value]
        role = self.roles.functions.get(self._enclosing(node))
        received = set(role.receives) if role is not None else set()
        texts: list[str] = []
        created = False
        for item in items:
            found = self.facts.value(item)
            objects = absorbed(found)
            net = net_of(found)
            if (
                is_model(found)
                and not isinstance(found, Tree)
                and any(found is n.model for n in self.net_names)
            ):
                objects, net = (
                    frozenset((MODEL,)),
                    next(n for n in self.net_names if n.model is found),
                )
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
        if kind == OPTIMIZER and isinstance(item, ast.Call):
            effect = self._effect(node, item)
            if effect is not None:
                return effect.partition(" = ")[2]
        return name

    def _effects_within(self, node: ast.stmt, value: ast.expr) -> list[str]:
        """Updates that stand inside a returned tuple happen before it."""
        found = []
        for item in value.elts if isinstance(value, ast.Tuple) else []:
            effect = self._effect(node, item)
            if effect is not None:
                found.append(effect)
        return found

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

    def _train_state_class(self, node: ast.ClassDef) -> None:
        """A TrainState subclass that only adds fields goes with the train states."""
        from ..shapes.values import Class

        value = self.facts.value(node) or self.interp.environment_of(self.module).names.get(
            node.name
        )
        if not isinstance(value, Class):
            return
        if "flax.training.train_state.TrainState" not in classes.external_bases(value):
            return
        if all(isinstance(s, ast.AnnAssign | ast.Pass | ast.Expr) for s in node.body):
            self._delete(node)

    # ---- construction --------------------------------------------------------------------------------------

    def _construct(self, node: ast.Assign, target: ast.expr, init: ast.Call) -> None:
        """The statement that kept what `init` returned makes the module."""
        net = next(net for net in self.nets if net.init is init)
        name = self.object_name(net, MODEL, node)
        role = self._receiver(node)
        if role is not None and self._given_model(role, net):
            self._construct_at_callers(role, net, node)
            return
        indent = self.source.line_indent(self.source.span(node)[0])
        lines, text = self._constructor(net, lambda e: self._plain(e))
        self.makings.append(Making(node, name))
        lines.append(self.construction.statement(name, text, indent))
        lines += self._first_run(net, name)
        self.edits.replace(node, f"\n{indent}".join(lines))
        self._forget(node)

    def _first_run(self, net: Net, name: str) -> list[str]:
        """Linen's `init` runs the model once: state that the run changes must be changed here too."""
        model = self.model_of(net)
        if net.framework == "haiku":
            return self._first_averages(net, name)
        if model is None or not model.writes_at_init:
            return []
        args = [self._plain(a) for a in net.init.args[1:]]
        modes = model.modes.get("__call__", {})
        args += [
            f"{k.arg}={self._plain(k.value)}"
            for k in net.init.keywords
            if k.arg not in (*modes, "method", "mutable")
        ]
        lines = [f"{name}.eval()"] if "BatchStat" in model.holds else []
        return [*lines, f"{name}({', '.join(args)})  # `init` ran the model once, too"]

    def _first_averages(self, net: Net, name: str) -> list[str]:
        """Haiku's `init` keeps the averages of its sample: they show where evaluation comes before training."""
        if "BatchStat" not in self.holds(net) or not self._evaluates_first(net):
            return []
        self.names.helpers.add("initialise_averages")
        args = [self._plain(a) for a in net.init.args[1:]]
        model = self.model_of(net)
        modes = model.modes.get("__call__", {}) if model is not None else {}
        args += [f"{k.arg}={self._plain(k.value)}" for k in net.init.keywords if k.arg not in modes]
        return [f"initialise_averages({', '.join([name, *args])})"]

    def _evaluates_first(self, net: Net) -> bool:
        """Whether the first call that is not thrown away leaves the state alone."""
        calls = sorted(
            (
                node
                for node, found in self.explorer.applied.items()
                if found[-1].net is net and node in self.inside
            ),
            key=lambda node: node.lineno,  # type: ignore[attr-defined]
        )
        kept = [
            node
            for node in calls
            if isinstance(self._enclosing(node), ast.Module) or not self._only_discarded(node)
        ]
        return bool(kept) and self._drops_updates(kept[0])

    def _only_discarded(self, node: ast.AST) -> bool:
        function = self._outermost(node)
        calls = [
            c for c in self.nodes if isinstance(c, ast.Call) and function in self.roles.callees(c)
        ]
        return bool(calls) and all(self.parents[c] in self.explorer.discarded for c in calls)

    def _outermost(self, node: ast.AST) -> ast.AST:
        current = self._enclosing(node)
        while not isinstance(current, ast.Module) and not isinstance(
            self._enclosing(current), ast.Module
        ):
            current = self._enclosing(current)
        return current

    def _drops_updates(self, node: ast.AST) -> bool:
        match self.parents[node]:
            case ast.Assign(targets=[ast.Tuple(elts=[_, ast.Name(id=name)])]):
                return name.startswith("_")
        return False

    def _receiver(self, node: ast.AST) -> FunctionRole | None:
        return self.roles.functions.get(self._enclosing(node))

    def _given_model(self, role: FunctionRole, net: Net) -> bool:
        """Whether the enclosing function was handed the unbound model."""
        for parameter in [*role.node.args.args, *role.node.args.kwonlyargs]:
            if any(v is net.model for v in self.facts.values.get(parameter, [])) and is_model(
                net.model
            ):
                return True
        return False

    def _construct_at_callers(self, role: FunctionRole, net: Net, node: ast.Assign) -> None:
        """A function that initialises the model that it is given: its callers make the module."""
        self._delete(node)
        for call in self.nodes:
            if isinstance(call, ast.Call) and role.node in self.roles.callees(call):
                for arg in [*call.args, *[k.value for k in call.keywords]]:
                    found = self.facts.value(arg)
                    for other in self.explorer.nets.values():
                        if other.init is net.init and found is other.model:
                            self._replace_made(arg, other, role, call)

    def _replace_made(self, arg: ast.expr, net: Net, role: FunctionRole, call: ast.Call) -> None:
        given: dict[str, ast.expr] = dict(zip(role.parameters, call.args, strict=False))
        given.update({k.arg: k.value for k in call.keywords if k.arg is not None})
        spec = role.node.args
        if spec.vararg is not None:
            surplus = call.args[len([*spec.posonlyargs, *spec.args]) :]
        else:
            surplus = []

        def text(node: ast.expr) -> str:
            if isinstance(node, ast.Name) and node.id in given:
                return self._plain(given[node.id])
            return self._plain(node)

        maker = self._maker(net)
        lines, made = self._constructor(net, text, surplus)
        if isinstance(arg, ast.Name):
            definition = next(
                (n for n in self.nodes if isinstance(n, ast.Assign) and n.value is maker), None
            )
            if definition is None:
                raise Stay(
                    arg, "the model is made elsewhere", "make it where a sample input is at hand"
                )
            indent = self.source.line_indent(self.source.span(definition)[0])
            self.makings.append(Making(definition, arg.id))
            lines.append(self.construction.statement(arg.id, made, indent))
            self.edits.replace(definition, f"\n{indent}".join(lines))
            self._forget(definition)
            return
        if lines:
            raise Stay(arg, "a model of several modules is made here", "give it a name of its own")
        self.edits.replace(arg, made)
        self.gone.add(arg)

    def _constructor(
        self, net: Net, text: Callable[[ast.expr], str], surplus: Sequence[ast.expr] = ()
    ) -> tuple[list[str], str]:
        """The call that makes a net's module, and the lines that go before it."""
        maker = self._maker(net)
        assert net.module is not None
        arguments = self._call_arguments(net, surplus)
        key = self.construction.rngs(net.key, text, self.stream_keys.get(net))
        lines: list[str] = []
        named = self.construction.named(maker)
        if named or self.construction.held(maker):  # modules that draw from the same streams
            taken = graphdefs.names_in(self._enclosing(net.init))
            name = graphdefs.free("rngs", taken)
            lines, key = [f"{name} = {key}"], name
        for each in named:
            statement, inner = self._named_maker(each)
            made = self.construction.write_held(net, arguments, inner, text, key)
            lines.append(self.construction.statement(self.source.segment(each), made, ""))
            self._delete(statement)
        return lines, self.construction.write(net, net.module, maker, arguments, text, key)

    def _named_maker(self, name: ast.Name | ast.Attribute) -> tuple[ast.stmt, ast.Call]:
        """The statement that makes a module which another one is given under a name, and nobody else."""
        if isinstance(name, ast.Name):
            same = [n for n in self.nodes if isinstance(n, ast.Name) and n.id == name.id]
            reads = [n for n in same if isinstance(n.ctx, ast.Load)]
            makers = [self.parents[n] for n in same if not isinstance(n.ctx, ast.Load)]
            match makers:
                case [ast.Assign(targets=[ast.Name()], value=ast.Call() as call) as statement] if (
                    reads == [name]
                ):
                    return statement, call
        raise Stay(
            name,
            "a module that is handed to the model has other uses too",
            "make it where the model is made, or give it its sizes by hand",
        )

    def _maker(self, net: Net) -> ast.Call:
        if isinstance(net.model, Transformed) and isinstance(net.model.function, Function):
            made = maker_call(net.model.function, net.model)
            assert made is not None
            return made[0]
        site = getattr(net.module, "site", None)
        if site is None:
            raise Stay(
                net.init,
                "the model is made out of sight",
                "make it where its parameters are initialised",
            )
        assert isinstance(site, ast.Call)
        return self._factory_call(net, site) or site

    def _factory_call(self, net: Net, site: ast.Call) -> ast.Call | None:
        """The call of the factory that makes a net's module, where one does."""
        makers = [
            node
            for node in self.models
            if isinstance(node, ast.FunctionDef) and any(n is site for n in ast.walk(node))
        ]
        for call in self.nodes:
            if isinstance(call, ast.Call) and any(
                v is net.module for v in self.facts.values.get(call, [])
            ):
                function = self.facts.value(call.func)
                if isinstance(function, Function) and function.node in self.models:
                    return call
        if makers:
            raise Stay(
                net.init,
                "the model is made out of sight",
                "make it where its parameters are initialised",
            )
        return None

    def _call_arguments(self, net: Net, surplus: Sequence[ast.expr]) -> dict[str, ast.expr]:
        """The expressions of the inputs that `init` got, by the parameter names of the module's call."""
        args = list(net.init.args[1:])
        if args and isinstance(args[0], ast.Starred):
            args = list(surplus)
        names: list[str] = []
        if isinstance(net.module, Object):
            method = classes.method(net.module.cls, "__call__")
            names = [a.arg for a in method.node.args.args][1:] if method is not None else []
        if isinstance(net.model, Transformed) and isinstance(net.model.function, Function):
            made = maker_call(net.model.function, net.model)
            if made is not None and made[1] is not None:
                inner = [a.arg for a in net.model.function.node.args.args]
                given = dict(zip(inner, args, strict=False))
                given.update({k.arg: k.value for k in net.init.keywords if k.arg})
                found = {
                    n: given[a.id]
                    for n, a in zip(names, made[1].args, strict=False)
                    if isinstance(a, ast.Name) and a.id in given
                }
                found.update(
                    {
                        k.arg: given[k.value.id]
                        for k in made[1].keywords
                        if k.arg and isinstance(k.value, ast.Name) and k.value.id in given
                    }
                )
                return found
        found = dict(zip(names, args, strict=False))
        found.update({k.arg: k.value for k in net.init.keywords if k.arg is not None})
        return found

    def _plain(self, node: ast.expr) -> str:
        return self.names.text(node)

    # ---- expressions ---------------------------------------------------------------------------------------

    def _expression(self, node: ast.expr) -> None:
        if node in self.explorer.applied:
            self._apply(node)  # type: ignore[arg-type]
            return
        sown = sowing.read(node, self.facts, self.parents, self.names)
        if sown is not None:
            self.edits.replace(node, sown)
            self.gone.add(node)
            return
        found = self.facts.value(node)
        match found:
            case BoundPart():
                self._bound_part(node, found)
            case BoundModel() if isinstance(node, ast.Name):
                self.edits.replace(node, self.object_name(found.net, MODEL, node))
                self.gone.add(node)
            case Tree() if isinstance(
                node, ast.Name | ast.Attribute | ast.Subscript
            ) and isinstance(node.ctx, ast.Load):
                self._tree(node, found)
        if isinstance(node, ast.Call) and not self._is_gone(node):
            self._call(node)
        if isinstance(node, ast.Attribute) and isinstance(self.facts.value(node.value), TrainState):
            self._state_attribute(node)

    def _apply(self, node: ast.Call) -> None:
        """`model.apply({...}, x)` is `model(x)`."""
        applied = self.explorer.applied[node][-1]
        net = applied.net
        keeps = sowing.kept(self.facts, node)
        if applied.with_updates and not keeps:
            self._output_alone(node)
        if any(keyword.arg == "capture_intermediates" for keyword in node.keywords):
            raise Stay(
                node,
                "`capture_intermediates` of Linen",
                "sow the values, and call the model through `nnx.capture`",
            )
        name = self.object_name(net, MODEL, node)
        if self._in_split(node):
            name = self._split_name(node, net)
        model = self.model_of(net)
        # Haiku's `apply` returns the state in evaluation, too, where nothing changes it.
        stateful = self.holds(net) - {"RngState", "Intermediate"}
        if node in self.cloned and stateful and net.framework == "linen":
            name = f"{self.names.target('flax.nnx.clone')}({name})"
        modes = model.modes.get(applied.method, {}) if model is not None else {}
        self._demand(node, applied, modes)
        suffix = "" if applied.method == "__call__" else f".{applied.method}"
        called = f"{name}{suffix}"
        if model is not None and model.sows:
            called = sowing.captured(called, self.names)
            if not keeps:
                self.edits.insert(self.source.span(node)[1], "[0]")
        elif keeps:
            raise Stay(node, "nothing that is known is sown here", "ask for the output alone")
        self.edits.replace(node.func, called)
        self.gone.add(node.func)
        names = self._call_names(applied)
        for place, arg in enumerate(node.args):
            inner = place - applied.rest_args
            if inner < 0 or (inner < len(names) and names[inner] in modes):
                self.edits.remove_item(node, arg)
                self.gone.add(arg)
        for keyword in node.keywords:
            if keyword.arg in modes or keyword.arg in (
                "rngs",
                "mutable",
                "method",
                "variables",
                "params",
                "state",
                "rng",
            ):
                if keyword.arg in names and keyword.arg not in modes:
                    continue
                self.edits.remove_item(node, keyword)
                self.gone.add(keyword)

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

    def _call_names(self, applied: Applied) -> list[str]:
        module = applied.net.module
        if isinstance(module, Object):
            method = classes.method(module.cls, applied.method)
            return [a.arg for a in method.node.args.args][1:] if method is not None else []
        return list(module.rule.inputs) if isinstance(module, LayerObject) else []

    def _demand(self, node: ast.Call, applied: Applied, modes: Mapping[str, str]) -> None:
        """Notes in which mode the model must be for this call."""
        if not modes:
            return
        names = self._call_names(applied)
        model = self.model_of(applied.net)
        for flag, when_true in modes.items():
            expression = self._flag_expression(node, applied, names, flag)
            value = self._flag_value(node, expression)
            if expression is None:
                default = (
                    model.mode_defaults.get(applied.method, {}).get(flag)
                    if model is not None
                    else None
                )
                value = default
            if (
                value is None
                and isinstance(expression, ast.Name)
                and self._is_parameter(expression)
            ):
                self._demand_by_callers(node, applied.net, expression, when_true)
                return
            if value is None:
                raise Stay(
                    node,
                    f"whether `{flag}` is true is not known here",
                    "call `model.train()` or `model.eval()` by hand",
                )
            mode = when_true if value else {"train": "eval", "eval": "train"}[when_true]
            self._add_demands(node, applied.net, mode, frozenset())
            return

    def _flag_expression(
        self, node: ast.Call, applied: Applied, names: Sequence[str], flag: str
    ) -> ast.expr | None:
        for keyword in node.keywords:
            if keyword.arg == flag:
                return keyword.value
        if flag in names:
            place = names.index(flag) + applied.rest_args
            if place < len(node.args):
                return node.args[place]
        return None

    def _flag_value(self, node: ast.Call, expression: ast.expr | None) -> bool | None:
        if expression is None or (
            isinstance(expression, ast.Name) and self._is_parameter(expression)
        ):
            return None
        values = {v.value for v in self.facts.values.get(expression, []) if isinstance(v, Constant)}
        return bool(values.pop()) if len(values) == 1 else None

    def _is_parameter(self, name: ast.Name) -> bool:
        function = self._enclosing(name)
        return isinstance(function, FunctionNode) and name.id in {
            a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)
        }

    def _demand_by_callers(self, node: ast.AST, net: Net, flag: ast.Name, when_true: str) -> None:
        """A function that hands its flag on: its callers say the mode."""
        function = self._enclosing(flag)
        assert isinstance(function, FunctionNode)
        self._drop_flag(function, flag.id)
        parameters = [a.arg for a in function.args.args]
        for call in self.nodes:
            if not isinstance(call, ast.Call) or function not in self.roles.callees(call):
                continue
            given: dict[str, ast.expr] = dict(zip(parameters, call.args, strict=False))
            given.update({k.arg: k.value for k in call.keywords if k.arg is not None})
            expression = given.get(flag.id)
            value = self._flag_value(call, expression)
            if expression is None:
                value = self._default(function, flag.id)
            if value is None:
                raise Stay(
                    call,
                    f"whether `{flag.id}` is true is not known here",
                    "call `model.train()` or `model.eval()` by hand",
                )
            mode = when_true if value else {"train": "eval", "eval": "train"}[when_true]
            self._add_demands(call, net, mode, frozenset())

    @staticmethod
    def _default(function: FunctionNode, name: str) -> bool | None:
        spec = function.args
        pairs = zip(spec.args[len(spec.args) - len(spec.defaults) :], spec.defaults, strict=True)
        for parameter, default in pairs:
            if parameter.arg == name and isinstance(default, ast.Constant):
                return bool(default.value)
        return None

    def _drop_flag(self, function: FunctionNode, name: str) -> None:
        """A flag that is only handed on goes from a function and from its calls."""
        if (function, name) in self.dead_flags:
            return
        self.dead_flags.add((function, name))
        for parameter in function.args.args:
            if parameter.arg == name and parameter not in self.gone:
                self.edits.remove_item(function, parameter)
                self.gone.add(parameter)
        parameters = [a.arg for a in function.args.args]
        for call in self.nodes:
            if isinstance(call, ast.Call) and function in self.roles.callees(call):
                for place, arg in enumerate(call.args):
                    if (
                        place < len(parameters)
                        and parameters[place] == name
                        and arg not in self.gone
                    ):
                        self.edits.remove_item(call, arg)
                        self.gone.add(arg)
                for keyword in call.keywords:
                    if keyword.arg == name and keyword not in self.gone:
                        self.edits.remove_item(call, keyword)
                        self.gone.add(keyword)

    def _add_demands(self, node: ast.AST, net: Net, mode: str, seen: frozenset[ast.AST]) -> None:
        """Moves a demand out of compiled and differentiated functions to the statements that call them."""
        function = self._enclosing(node)
        if isinstance(function, ast.FunctionDef) and self._splits(function) is not None:
            if function not in seen:  # the graphdef has the mode of the moment of the split
                self._add_demands(function, net, mode, seen | {function})
                return
        if (
            isinstance(function, FunctionNode)
            and function not in seen
            and self._is_compiled(function)
        ):
            calls = [c for c in self.nodes if isinstance(c, ast.Call) and self._runs(c, function)]
            for call in calls:
                self._add_demands(call, net, mode, seen | {function})
            if calls:
                return
        statement = self._statement_of(node)
        self.demands.append(Demand(statement, self.object_name(net, MODEL, statement), mode))

    def _runs(self, call: ast.Call, function: FunctionNode) -> bool:
        return function in self.roles.callees(call) and not self._is_wrapping(call)

    def _is_wrapping(self, call: ast.Call) -> bool:
        return isinstance(self.facts.value(call), GradOf)

    def _is_compiled(self, function: FunctionNode) -> bool:
        """Whether a function is compiled, differentiated, or stands in one that is."""
        if isinstance(function, ast.Lambda) or function in self.explorer.jitted:
            return True
        if any(function in self._functions_in(g.function) for g in self._gradients()):
            return True
        outer = self._enclosing(function)
        return isinstance(outer, FunctionNode) and self._is_compiled(outer)

    def _statement_of(self, node: ast.AST) -> ast.stmt:
        current = node
        while not isinstance(current, ast.stmt):
            current = self.parents[current]
        return current

    def _bound_part(self, node: ast.expr, part: BoundPart) -> None:
        above = self.parents[node]
        if isinstance(above, ast.Attribute):
            return
        path = [p for p in part.path if p != "value"]
        model = self.model_of(part.net)
        text = locate(model, "linen", path) if model is not None else None
        if text is None:
            raise Stay(
                node, "a part of a bound model that is not a variable", "use the model itself"
            )
        self.edits.replace(node, f"{self.object_name(part.net, MODEL, node)}.{text}[...]")
        self.gone.add(node)

    def _tree(self, node: ast.expr, tree: Tree) -> None:
        """A tree that is read: a variable of the model, or its state."""
        above = self.parents[node]
        if (
            isinstance(above, ast.Subscript)
            and above.value is node
            and isinstance(self.facts.value(above), Tree)
        ):
            return
        if self._vanishes(node, above):
            return
        name = self.object_name(tree.net, MODEL, node)
        nnx = self.names.target("flax.nnx")
        if tree.path:
            self.edits.replace(node, self._variable(node, tree, name))
        else:
            self.edits.replace(node, f"{nnx}.state({name}, {self._state_type(tree)})")
        self.gone.add(node)

    def _vanishes(self, node: ast.expr, above: ast.AST) -> bool:
        """Whether a tree stands where nothing is left of it: an absorbed argument, a dict for `apply`."""
        if isinstance(above, ast.Assign | ast.Return) or isinstance(
            getattr(node, "ctx", None), ast.Store
        ):
            return isinstance(above, ast.Assign) and above in self.gone
        if isinstance(above, ast.keyword):
            above = self.parents[above]
        if isinstance(above, ast.Call) and node is not above.func:
            return bool(self.roles.callees(above)) or self._is_gone(above)
        return (
            isinstance(above, ast.Dict | ast.Tuple)
            and absorbed(self.facts.value(above)) is not None
        )

    def _variable(self, node: ast.expr, tree: Tree, name: str) -> str:
        model = self.model_of(tree.net)
        found: ModuleModel | object = (
            model if model is not None else getattr(tree.net.module, "rule", None)
        )
        root = self._root_name(tree.net)
        text = locate(found, tree.net.framework, tree.path, root) if found is not None else None  # type: ignore[arg-type]
        if text is None:
            raise Stay(
                node,
                f"`{self.source.segment(node)}` is read by a path that the rewrite does not know",
                "read the attribute of the model instead",
            )
        above = self.parents[node]
        bare = isinstance(above, ast.Attribute) and above.attr in ("shape", "ndim", "size", "dtype")
        return f"{name}.{text}" + ("" if bare else "[...]")

    def _root_name(self, net: Net) -> str:
        from ..emit.names import haiku_name

        if isinstance(net.module, Object):
            return haiku_name(net.module.cls.name)
        return ""

    def _state_type(self, tree: Tree) -> str:
        kinds = set(tree.collections)
        model = self.model_of(tree.net)
        if kinds == {"*"}:
            if self.holds(tree.net) <= {"RngState"}:
                kinds = {"params"}
            else:
                return "..."
        kind = next(iter(kinds))
        known = STATE_TYPES.get(kind) or (
            model.collections.get(kind) if model is not None else None
        )
        if known is None:
            return f"{self.names.target('flax.nnx')}.Not({self.names.target('flax.nnx.Param')})"
        return self.names.target(f"flax.{known}") if known.startswith("nnx.") else known

    def _state_attribute(self, node: ast.Attribute) -> None:
        if self._is_gone(node):
            return
        state = self.facts.value(node.value)
        assert isinstance(state, TrainState)
        if node.attr == "step":
            self.edits.replace(node, f"{self.object_name(state.net, OPTIMIZER, node)}.step[...]")
            self.gone.add(node)

    # ---- calls of the user's functions ---------------------------------------------------------------------

    def _call(self, node: ast.Call) -> None:
        callees = [f for f in self.roles.callees(node) if f in self.roles.functions]
        if not callees or self._is_wrapping(node):
            return
        role = self.roles.functions[callees[0]]
        split = self._splits(callees[0])
        gradient = isinstance(self.facts.value(node.func), GradOf)
        bound = self._bound_to(node, role)
        objects_done: set[str] = set()
        for item, parameter in bound:
            objects = role.replaced.get(parameter)
            if objects is None or item in self.gone:
                continue
            value = item.value if isinstance(item, ast.keyword) else item
            if not objects:
                self.edits.remove_item(node, item)
                self.gone.add(item)
                continue
            net = net_of(self.facts.value(value))
            if net is None:
                continue
            texts = [self._object_text(node, net, o) for o in objects]
            objects_done.update(objects)
            if split is not None and objects == [MODEL]:
                texts = (
                    ["params, rest"]
                    if gradient
                    else [f"*nnx.split({texts[0]}, nnx.Param, ...)[1:]"]
                )
            prefix = f"{role.names[objects[0]]}=" if isinstance(item, ast.keyword) else ""
            self.edits.replace(item, prefix + ", ".join(texts))
            self.gone.add(item)
        if gradient:
            self._gradient(node, callees[0], split)

    def _object_text(self, node: ast.Call, net: Net, kind: str) -> str:
        name = self.object_name(net, kind, node)
        if kind == MODEL and self._in_split(node):
            name = self._split_name(node, net)
        if node in self.cloned:
            return f"{self.names.target('flax.nnx.clone')}({name})"
        return name

    @staticmethod
    def _bound_to(node: ast.Call, role: FunctionRole) -> list[tuple[ast.expr | ast.keyword, str]]:
        pairs: list[tuple[ast.expr | ast.keyword, str]] = list(
            zip(node.args, role.parameters, strict=False)
        )
        pairs += [(k, k.arg) for k in node.keywords if k.arg is not None]
        return pairs

    # ---- gradients -------------------------------------------------------------------------------------------

    def _gradient(self, node: ast.Call, function: FunctionNode, split: Net | None) -> None:
        """`jax.grad(loss_fn)(params)` is `nnx.grad(loss_fn)(model)`, on split parameters where the model holds state."""
        made = self.facts.value(node.func)
        maker = made.node if isinstance(made, GradOf) else None
        if not isinstance(maker, ast.Call) or maker not in self.inside:
            raise Stay(node, "a gradient that is made out of sight", "make it where it is called")
        if split is not None and isinstance(function, ast.FunctionDef):
            self._split_around(node, function, split)
        qualified = self.names.qualified(maker.func)
        if qualified not in ("jax.grad", "jax.value_and_grad") or maker.func in self.gone:
            return
        self.edits.replace(maker.func, self.names.target(qualified.replace("jax.", "flax.nnx.")))
        self.gone.add(maker.func)
        for keyword in maker.keywords:
            if keyword.arg == "has_aux" and self._aux_gone(function):
                self.edits.remove_item(maker, keyword)
                self.gone.add(keyword)
            if keyword.arg == "argnums":
                raise Stay(
                    maker,
                    "gradients with `argnums`",
                    "differentiate with regard to the model alone",
                )

    def _aux_gone(self, function: FunctionNode) -> bool:
        for inner in ast.walk(function):
            if (
                isinstance(inner, ast.Return)
                and isinstance(inner.value, ast.Tuple)
                and self._enclosing(inner) is function
            ):
                return self._kept_value(inner.value.elts[-1]) is None
        return False

    def _split_around(self, node: ast.Call, function: ast.FunctionDef, net: Net) -> None:
        """Splits the model before the loss function and merges it within."""
        outer = self._enclosing(node)
        if self._enclosing(function) is not outer:
            raise Stay(
                node,
                "the loss function of a model with state stands elsewhere",
                "move it beside the gradient",
            )
        nnx, param = self.names.target("flax.nnx"), self.names.target("flax.nnx.Param")
        if outer not in self.split:
            self.split[outer] = net
            name = self.object_name(net, MODEL, self.parents[function])
            gap = "\n\n\n" if isinstance(outer, ast.Module) else "\n\n"
            self.splits.append(
                (function, f"graphdef, params, rest = {nnx}.split({name}, {param}, ...){gap}")
            )
        first = next(
            s
            for s in function.body
            if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
        )
        self.edits.insert_before(first, f"model = {nnx}.merge(graphdef, params, rest)\n")

    def _in_split(self, node: ast.AST) -> bool:
        return self._split_function(node) is not None

    def _split_function(self, node: ast.AST) -> FunctionNode | None:
        current: ast.AST | None = node
        while current is not None:
            if isinstance(current, ast.FunctionDef) and self._splits(current) is not None:
                return current
            current = self.parents.get(current)
        return None

    def _split_name(self, node: ast.AST, net: Net) -> str:
        return "model"

    # ---- compilers, modes, dead code ---------------------------------------------------------------------------

    def _compilers(self) -> None:
        """jax.jit of a function that receives a module is nnx.jit."""
        for function, role in self.roles.functions.items():
            if not role.receives or not isinstance(function, ast.FunctionDef):
                continue
            for decorator in function.decorator_list:
                self._compiler(decorator)
        for node in self.nodes:
            if isinstance(node, ast.Call) and self.names.qualified(node.func) == "jax.jit":
                if any(
                    self.roles.functions[f].receives
                    for f in self._wrapped(node)
                    if f in self.roles.functions
                ):
                    self._compiler(node.func)

    def _wrapped(self, node: ast.Call) -> list[FunctionNode]:
        value = self.facts.value(node.args[0]) if node.args else None
        return (
            [f for f in self._functions_in(value) if isinstance(f, FunctionNode)]
            if value is not None
            else []
        )

    def _compiler(self, decorator: ast.expr) -> None:
        jit = self.names.target("flax.nnx.jit")
        if self.names.qualified(decorator) == "jax.jit":
            self.edits.replace(decorator, jit)
            self.gone.add(decorator)
            return
        match decorator:
            case ast.Call(func=func, args=[inner], keywords=keywords) if (
                self.names.qualified(inner) == "jax.jit"
            ):
                if self.names.qualified(func) == "functools.partial" and self._only_static(
                    keywords
                ):
                    self.edits.replace(decorator, jit)
                    self.gone.add(decorator)
                else:
                    self.edits.replace(inner, jit)
                    self.gone.add(inner)

    @staticmethod
    def _only_static(keywords: Sequence[ast.keyword]) -> bool:
        return all(
            k.arg in ("static_argnums", "static_argnames", "donate_argnums") for k in keywords
        )

    def _modes(self) -> None:
        for demand in placed(self.demands, self.makings, self.parents):
            self.edits.insert_before(
                demand.statement, f"{demand.model}.{demand.mode}()\n", below_comments=True
            )

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

    def _function_of(self, node: ast.arg) -> ast.AST:
        return self.parents[self.parents[node]]

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
            if isinstance(above, ast.Call) and above in self.explorer.applied:
                applied = self.explorer.applied[above][-1]
                if below in above.args[: applied.rest_args]:
                    return False
                return not (isinstance(below, ast.keyword) and below.arg in ("rngs", "rng"))
            if isinstance(above, ast.Call) and any(net.init is above for net in self.nets):
                return True
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

    def _dead_code(self) -> None:
        """Samples and keys that fed only what is gone go, too."""
        before = _loaded(self.module.tree)
        while True:
            after = _loaded(ast.parse(self.edits.apply()))
            dead = [
                node
                for node in self.nodes
                if isinstance(node, ast.Assign)
                and not self._is_gone(node)
                and self._is_dead(node, before, after)
            ]
            if not dead:
                return
            for node in dead:
                self._delete(node)

    def _is_dead(self, node: ast.Assign, before: set[str], after: set[str]) -> bool:
        """Whether an assignment binds only names that were read, and no longer are, and does nothing else."""
        names = [n for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)]
        if (
            node in self.tree_updates
            or not names
            or any(not isinstance(n.ctx, ast.Store) for n in names)
        ):
            return False
        if any(
            isinstance(n, ast.Attribute | ast.Subscript) for t in node.targets for n in ast.walk(t)
        ):
            return False
        bound = {n.id for n in names} - {"_"}
        return (
            bool(bound) and bound <= before and not bound & after and not self._may_act(node.value)
        )

    def _may_act(self, value: ast.expr) -> bool:
        return any(self.roles.callees(n) for n in ast.walk(value) if isinstance(n, ast.Call))

    def _close_up(self) -> None:
        """Calls that lost arguments and now fit on one line stand on one line."""
        for node in reversed(self.nodes):
            if (
                isinstance(node, ast.Call)
                and node in self.explorer.applied
                and not self._is_gone(node)
            ):
                text = self.edits.render(node)
                short = (
                    " ".join(text.split()).replace("( ", "(").replace(" )", ")").replace(",)", ")")
                )
                column = self.source.location(self.source.span(node)[0])[1]
                if (
                    "\n" in text
                    and "#" not in text
                    and "'" not in text
                    and column + len(short) <= self.limit
                ):
                    self.edits.replace(node, short)

    def _delete(self, node: ast.stmt) -> None:
        self.edits.delete_statement(node)
        self._forget(node)

    def _forget(self, node: ast.AST) -> None:
        self.gone.add(node)

    def _is_gone(self, node: ast.AST) -> bool:
        current: ast.AST | None = node
        while current is not None and not isinstance(current, ast.Module):
            if current in self.gone:
                return True
            current = self.parents.get(current)
        return False


def _loaded(tree: ast.AST) -> set[str]:
    """The names that a tree reads."""
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
