"""The stateful form: `model` and `optimizer` take the place of parameters, optimiser states and train states.

The edits follow from what each expression was when the program ran abstractly: a tree of parameters goes, a call that
got it gets the model, a function that returned its successor returns it no longer.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ..model.module import ModuleModel
from ..model.trees import STATE_TYPES, locate
from ..shapes import classes
from ..shapes.values import Class, Object
from . import graphdefs, sowing
from .calls import Calls
from .compiled import Parameters, is_about_arguments, renumbered
from .ground import FunctionNode, Stay
from .kinds import (
    Applied,
    GradOf,
    Net,
    OptState,
    TrainState,
    Tree,
)
from .linen import BoundModel, BoundPart
from .modes import placed, torn
from .roles import MODEL, OPTIMIZER, FunctionRole, absorbed

_BINDING = frozenset(("init", "init_with_output", "lazy_init", "apply", "bind", "clone"))


class ProgramRewriter(Calls):
    """Rewrites the programs of one module. Raises Stay where they cannot follow."""

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
        self._find_moved_parameters()
        for node in self.nodes:
            if isinstance(node, FunctionNode):
                self._function(node)
        for statement in [n for n in self.nodes if isinstance(n, ast.stmt)]:
            if not self._is_gone(statement):
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

    def _prepare(self, uses: Sequence[Applied]) -> None:
        for node, _ in self.explorer.unknown:
            if node in self.inside:
                raise Stay(
                    node,
                    "the parameters given to `apply` do not come from an `init` in sight",
                    "pass the model itself, or merge it with `nnx.merge` by hand",
                )
        for use in uses:
            if use.node in self.explorer.mixed:
                raise Stay(
                    use.node,
                    "some of the variables given to `apply` do not come from an `init` in sight",
                    "pass the model itself, or merge it with `nnx.merge` by hand",
                )
        own = {a.net for a in uses} | set(self.nets)
        for net, reads in self.explorer.tree_reads.items():
            if net not in own and any(read in self.inside for read in reads):
                self._module_of(net)
        for net in own:
            self._check(net)
            site = graphdefs.site_of(net.model)
            self._refuse_methods_elsewhere(net)
            if site is not None:
                whole = graphdefs.outermost(site, self.facts.values, self.parents)
                self._refuse_two_targets(whole, net)
            net.module = self._module_of(net)
            self.net_names[net] = self._name_of(net)
            net.early += [each for each in self._asked_unbound(net) if each not in net.early]
        self._refuse_one_name_for_two()
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

    def _refuse_methods_elsewhere(self, net: Net) -> None:
        """`model.apply`, kept in another file to be called later, would be that of a module."""
        site = graphdefs.site_of(net.model)
        for node in self.explorer.methods_read.get(site, ()) if site is not None else ():
            if node not in self.parents and isinstance(node.ctx, ast.Load):
                raise Stay(
                    net.init,
                    f"`{ast.unparse(node)}` of this model is read in another file",
                    "hand the model on, and call it there",
                )

    def _asked_unbound(self, net: Net) -> list[ast.expr]:
        """What is asked of an unbound model, `cell.first_carry(shape)`, before `init` in its function."""
        if net.framework != "linen" or net.init not in self.inside:
            return []
        return [
            node
            for node in self.nodes
            if isinstance(node, ast.Attribute)
            and node.attr not in _BINDING
            and self.facts.value(node.value) is net.model
            and self._enclosing(node) is self._enclosing(net.init)
            and node.lineno < net.init.lineno
        ]

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
                self._bound_call(node, self.model_of(found.net), "__call__")
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

    def _bound_part(self, node: ast.expr, part: BoundPart) -> None:
        above = self.parents[node]
        if isinstance(above, ast.Attribute):
            return
        model = self.model_of(part.net)
        if isinstance(above, ast.Call) and above.func is node:
            *within, method = part.path
            text = self._bound_function(node, model, within, method)
            self.edits.replace(node, f"{self.object_name(part.net, MODEL, node)}.{text}")
            self.gone.add(node)
            return
        path = [p for p in part.path if p != "value"]
        place = locate(model, "linen", path) if model is not None else None
        if place is None:
            raise Stay(
                node, "a part of a bound model that is not a variable", "use the model itself"
            )
        self.edits.replace(node, f"{self.object_name(part.net, MODEL, node)}.{place}[...]")
        self.gone.add(node)

    def _bound_function(
        self, node: ast.expr, model: ModuleModel | None, within: list[str], method: str
    ) -> str:
        """The method of a bound model, or the submodule, that is called here, as the module has it."""
        attributes: list[str] = []
        for name in within:
            child = model.children.get(name) if model is not None else None
            attributes.append(model.attributes.get(name, "") if model is not None else "")
            model = child
        if model is not None and method in model.children:
            attributes.append(model.attributes[method])
            self._bound_call(node, model.children[method], "__call__")
        else:
            self._bound_call(node, model, method)
            attributes.append(method)
        if "" in attributes or any("{" in attribute for attribute in attributes):
            raise Stay(node, "a part of a bound model that is not known", "use the model itself")
        return ".".join(attributes)

    def _bound_call(self, node: ast.expr, model: ModuleModel | None, method: str) -> None:
        """A bound model is called as the module is where nothing but its arguments tells what it does."""
        above = self.parents[node]
        if not (isinstance(above, ast.Call) and above.func is node):
            return
        cls = model.cls if model is not None else None
        known = isinstance(cls, Class) and classes.method(cls, method) is not None
        if model is None or not known or any(model.modes.values()):
            raise Stay(node, "a bound model is called", "call the model itself, in its mode")
        if model.holds or (model.sows and method not in model.quiet):
            raise Stay(node, "a bound model that holds state is called", "call the model itself")

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

    def _compilers(self) -> None:
        """jax.jit of a function that receives a module is nnx.jit."""
        for function, role in self.roles.functions.items():
            if not role.receives or not isinstance(function, ast.FunctionDef):
                continue
            for decorator in function.decorator_list:
                self._compiler(decorator, role)
        for node in self.nodes:
            if isinstance(node, ast.Call) and self.names.qualified(node.func) == "jax.jit":
                roles = [self.roles.functions.get(f) for f in self._wrapped(node)]
                receiving = [role for role in roles if role is not None and role.receives]
                if receiving:
                    self._special_arguments(node, node.keywords, receiving[0])
                    self._compiler(node.func, receiving[0])

    def _wrapped(self, node: ast.Call) -> list[FunctionNode]:
        value = self.facts.value(node.args[0]) if node.args else None
        return (
            [f for f in self._functions_in(value) if isinstance(f, FunctionNode)]
            if value is not None
            else []
        )

    def _compiler(self, decorator: ast.expr, role: FunctionRole) -> None:
        jit = self.names.target("flax.nnx.jit")
        if self.names.qualified(decorator) == "jax.jit":
            self.edits.replace(decorator, jit)
            self.gone.add(decorator)
            return
        match decorator:
            case ast.Call(func=func, args=[inner], keywords=keywords) if (
                self.names.qualified(inner) == "jax.jit"
            ):
                texts = self._special_arguments(decorator, keywords, role)
                is_partial = self.names.qualified(func) == "functools.partial"
                if is_partial and all(texts.get(k, "") is None for k in keywords):
                    self.edits.replace(decorator, jit)
                    self.gone.add(decorator)
                else:
                    self.edits.replace(inner, jit)
                    self.gone.add(inner)

    def _special_arguments(
        self, call: ast.Call, keywords: Sequence[ast.keyword], role: FunctionRole
    ) -> dict[ast.keyword, str | None]:
        """Has `static_argnums=` and its like count the arguments that there are now."""
        split = self._splits(role.node)
        instead = {
            name: ["params", "rest"]
            if split is not None and objects == [MODEL]
            else [role.names[each] for each in objects]
            for name, objects in role.replaced.items()
        }
        instead.update({n: [] for function, n in self.dead_flags if function is role.node})
        parameters = Parameters(role.node, instead)
        texts = {k: renumbered(k, parameters) for k in keywords if is_about_arguments(k)}
        for keyword, text in texts.items():
            if text is None:
                self.edits.remove_item(call, keyword)
            elif text != ast.unparse(keyword.value):
                self.edits.replace(keyword.value, text)
        return texts

    def _modes(self) -> None:
        both = torn(self.demands, self.parents)
        if both is not None:
            raise Stay(
                both,
                "one statement calls the model in both modes",
                "make two statements of it",
            )
        for demand in placed(self.demands, self.makings, self.parents):
            self.edits.insert_before(
                demand.statement, f"{demand.model}.{demand.mode}()\n", below_comments=True
            )

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


def _loaded(tree: ast.AST) -> set[str]:
    """The names that a tree reads."""
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
