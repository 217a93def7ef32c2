"""Calls: `apply` becomes a call of the model, absorbed arguments become the model, flags become modes."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from ..emit.bridges import other_methods
from ..shapes import classes
from ..shapes.values import Class, Constant, Function, LayerObject, Object
from ..signatures import written_arguments
from . import model_functions, sowing
from .certainty import is_compiled_here
from .ground import FunctionNode, Stay
from .kinds import (
    FRAMEWORK_ARGUMENTS,
    FUNCTION,
    Applied,
    GradOf,
    Net,
)
from .modes import Demand
from .roles import MODEL, net_of
from .splits import MERGED
from .statements import Statements


class Calls(Statements):
    """Rewrites the calls of models, of functions that receive them, and of gradients."""

    def _apply(self, node: ast.Call) -> None:
        """`model.apply({...}, x)` is `model(x)`."""
        applied = self.explorer.applied[node][-1]
        net = applied.net
        if net.init is node and net not in self.made_before:
            raise Stay(
                node, "the output of `init_with_output` is used at once", "give it a name first"
            )
        keeps = sowing.kept(self.facts, node)
        if applied.with_updates and not keeps:
            self._output_alone(node)
        if any(keyword.arg == "capture_intermediates" for keyword in node.keywords):
            raise Stay(
                node,
                "`capture_intermediates` of Linen",
                "sow the values, and call the model through `nnx.capture`",
            )
        if applied.method == FUNCTION:
            self._run_function(node, applied)
            return
        name = self.object_name(net, MODEL, node)
        if self._in_split(node):
            name = MERGED
        model = self.model_of(net)
        # Haiku's `apply` returns the state in evaluation, too, where nothing changes it.
        stateful = self.holds(net) - {"RngState", "Intermediate"}
        if node in self.cloned and stateful and net.framework == "linen":
            name = f"{self.names.target('flax.nnx.clone')}({name})"
        modes = model.modes.get(applied.method, {}) if model is not None else {}
        self._demand(node, applied, modes)
        suffix = "" if applied.method == "__call__" else f".{applied.method}"
        called = f"{name}{suffix}"
        if model is not None and model.sows and applied.method not in model.quiet:
            called = sowing.captured(called, self.names)
            if not keeps:
                self.edits.insert(self.source.span(node)[1], "[0]")
        elif keeps:
            raise Stay(node, "nothing that is known is sown here", "ask for the output alone")
        compiled = self._compiled(node, applied) if "." not in called else None
        self.edits.replace(node.func, compiled or called)
        self.gone.add(node.func)
        names = self._call_names(applied)
        for place, arg in enumerate(node.args):
            inner = place - applied.rest_args
            if compiled is not None and place == 0:
                self.edits.replace(arg, called)
                self.gone.add(arg)
                continue
            if inner < 0 or (inner < len(names) and names[inner] in modes):
                self.edits.remove_item(node, arg)
                self.gone.add(arg)
        for keyword in node.keywords:
            framework = keyword.arg in FRAMEWORK_ARGUMENTS and keyword.arg not in names
            if keyword.arg in modes or framework:
                self.edits.remove_item(node, keyword)
                self.gone.add(keyword)

    def _run_function(self, node: ast.Call, applied: Applied) -> None:
        """`nn.apply(f, model)(variables, x)` is `f(model, x)`, where nothing there depends on a mode or a key."""
        net, model = applied.net, self.model_of(applied.net)
        handed = model_functions.handed(node)
        function = self.facts.value(handed) if handed is not None else None
        home = self.interp.project.home(function.node) if isinstance(function, Function) else None
        if (
            not isinstance(handed, ast.Name)
            or not isinstance(function, Function)
            or not isinstance(function.node, ast.FunctionDef)
            or home is None
            or model is None
            or not isinstance(model.cls, Class)
            or applied.with_updates
            or any(model.modes.values())
            or self.holds(net)
            or not model_functions.runs_methods_alone(function.node, home, other_methods(model.cls))
        ):
            self._refuse_function(node, applied)
        assert handed is not None
        called = self.source.segment(handed)
        self.edits.replace(node.func, called)
        self.gone.add(node.func)
        if applied.rest_args:
            self.edits.replace(node.args[0], self._object_text(node, net, MODEL))
            self.gone.add(node.args[0])
        for keyword in node.keywords:
            if keyword.arg in FRAMEWORK_ARGUMENTS:
                self.edits.remove_item(node, keyword)
                self.gone.add(keyword)

    @staticmethod
    def _refuse_function(node: ast.Call, applied: Applied) -> None:
        if applied.method == FUNCTION:
            raise Stay(
                node,
                "`apply` runs a function of the model, and no method",
                "call the function with the model itself",
            )

    def _compiled(self, node: ast.Call, applied: Applied) -> str | None:
        """`nnx.jit(Net.__call__)`, which gets the model first, where `jax.jit(net.apply)` is called at once."""
        if not (
            isinstance(node.func, ast.Call)
            and is_compiled_here(node.func.args[0], self.names, self.parents)
        ):
            return None
        jit = self.names.target("flax.nnx.jit")
        module = applied.net.module
        name = module.cls.name if isinstance(module, Object) else ""
        known = self.interp.environment_of(self.module).names.get(name)
        if (
            not isinstance(module, Object)
            or not isinstance(known, Class)
            or known.node is not module.cls.node
            or not node.args
        ):
            raise Stay(
                node, "the model is compiled where it is called", "give it a name of its own"
            )
        return f"{jit}({name}.{applied.method})"

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
            self._demand_flag(node, applied.net, flag, value, when_true)
            return

    def _demand_flag(
        self, call: ast.Call, net: Net, flag: str, value: bool | None, when_true: str
    ) -> None:
        """The mode that a flag's value asks for at a call."""
        if value is None:
            raise Stay(
                call,
                f"whether `{flag}` is true is not known here",
                "call `model.train()` or `model.eval()` by hand",
            )
        mode = when_true if value else {"train": "eval", "eval": "train"}[when_true]
        self._add_demands(call, net, mode, frozenset())

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

    def _demand_by_callers(self, node: ast.AST, net: Net, flag: ast.Name, when_true: str) -> None:
        """A function that hands its flag on: its callers say the mode."""
        function = self._enclosing(flag)
        assert isinstance(function, FunctionNode)
        self._drop_flag(function, flag.id)
        parameters = [a.arg for a in function.args.args]
        for call in self.nodes:
            if not isinstance(call, ast.Call) or function not in self.roles.callees(call):
                continue
            given = written_arguments(parameters, call)
            expression = given.get(flag.id)
            value = self._flag_value(call, expression)
            if expression is None:
                value = self._default(function, flag.id)
            self._demand_flag(call, net, flag.id, value, when_true)

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
            name = MERGED
        if node in self.cloned:
            return f"{self.names.target('flax.nnx.clone')}({name})"
        return name

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
