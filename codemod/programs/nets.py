"""The models of a program: their modules, what they hold, and under which name each stands where."""

from __future__ import annotations

import ast

from ..emit.constructors import default_name
from ..emit.names import haiku_name
from ..model.module import ModuleModel
from ..shapes.values import Function, LayerObject, Object
from . import graphdefs
from .ground import FunctionNode, ProgramGround, Stay
from .haiku import maker_call, module_of, only_makes
from .kinds import (
    Net,
    Transformed,
    is_model,
)
from .roles import MODEL, FunctionRole, net_of


class NetNames(ProgramGround):
    """Finds the module of each net, and the names of its model and optimiser."""

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

    def _refuse_two_targets(self, made: ast.AST | None, net: Net) -> None:
        """Raises Stay where one statement gives an unbound model two names, `self.model = model = Net()`."""
        above = self.parents.get(made) if made is not None else None
        if isinstance(above, ast.Assign) and len(above.targets) > 1:
            raise Stay(
                net.init, "the model is given two names at once", "give it them one after the other"
            )

    def _module_of(self, net: Net) -> Object | LayerObject:
        """The module object whose class the net's model is."""
        if isinstance(net.model, Object | LayerObject):
            found: Object | LayerObject | None = net.model
        else:
            found = None
            if isinstance(net.model, Transformed) and isinstance(net.model.function, Function):
                made = maker_call(net.model.function, net.model)
                if made is not None and only_makes(self.interp, net.model.function, net.model):
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

    def _draws(self, net: Net) -> bool:
        """Whether the net's model has random streams of its own."""
        return "RngState" in self.holds(net)

    def _refuse_one_name_for_two(self) -> None:
        """Raises Stay where two models of a scope would stand under one name, which the original did not give both."""
        named: dict[tuple[ast.AST, str], Net] = {}
        for net, name in self.net_names.items():
            first = named.setdefault((self._enclosing(net.init), name), net)
            if first.init is net.init:
                continue  # a function that is given one model and another
            if not (self._given_name(first) and self._given_name(net)):
                raise Stay(
                    net.init,
                    f"two models of this program would both be called `{name}`",
                    "give each a variable of its own where it is made",
                )

    def _name_of(self, net: Net) -> str:
        """The variable that holds the original's model; where several transforms make it, it is called as its class."""
        if net.sharing and isinstance(net.module, Object):
            name = default_name(net.module.cls) or haiku_name(net.module.cls.name)
            if not any(isinstance(n, ast.Name) and n.id == name for n in self.nodes):
                return name
        return self._given_name(net) or graphdefs.model_name(self.module.tree)

    def _given_name(self, net: Net) -> str | None:
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
        return None

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
        return graphdefs.model_name(self.module.tree)

    def _home(self, net: Net) -> ast.AST:
        """The function that makes a net's model: where it is initialised, but for a function that is given it."""
        function, site = self._enclosing(net.init), graphdefs.site_of(net.model)
        given = isinstance(function, FunctionNode) and any(
            value is net.model
            for parameter in ast.walk(function.args)
            for value in self.facts.values.get(parameter, [])
        )
        return self._enclosing(site) if given and site in self.inside else function

    def _at_home(self, net: Net, node: ast.AST) -> bool:
        """Whether a node stands in the scope where the net's model is made."""
        if net.init not in self.inside:
            return False
        home = self._home(net)
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
            unnamed = graphdefs.model_name(self.module.tree)
            return self.net_names.get(net, unnamed) if self._at_home(net, node) else unnamed
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
