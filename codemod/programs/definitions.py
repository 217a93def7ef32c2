"""The unbound models of a program that keeps its trees: what each is made into, and who speaks of it."""

from __future__ import annotations

import ast

from ..chains import bound_names
from ..shapes.values import LayerObject, Object
from . import graphdefs
from .construction import only_of_parameters
from .graphdefs import Definition
from .ground import Stay
from .kinds import Applied, Net, Transformed, Tree
from .stateful import ProgramRewriter

_TRAIN, _EVAL = "train", "eval"


class Definitions(ProgramRewriter):
    """Finds the definitions of models, plans them, and writes references to them."""

    uses: dict[ast.AST, list[Applied]]
    fresh: set[tuple[ast.AST, str]]
    anchors: set[ast.stmt]
    broken: set[ast.Call]
    lined: set[tuple[ast.stmt, str]]
    unbound: dict[ast.stmt, set[int]]
    ahead: list[tuple[ast.stmt, str]]
    definitions: dict[ast.AST, Definition]
    site_of_value: dict[ast.AST, Definition]

    def _define(self) -> dict[ast.AST, Definition]:
        found: dict[ast.AST, Definition] = {}
        for net in [*self.nets, *[a.net for uses in self.uses.values() for a in uses]]:
            site = graphdefs.site_of(net.model)
            net.module = self._module_of(net)
            made = self._maker_in_sight(net, site) if site is not None else None
            if made is None or site is None or net not in self.nets:
                raise Stay(
                    net.init,
                    "the model is made in another file",
                    "make it where its parameters are initialised",
                )
            model = self.model_of(net)
            if model is not None and model.sows:
                raise Stay(
                    net.init,
                    "a model that sows, in a program that keeps its parameters as trees",
                    "merge the model by hand, and call it through `nnx.capture`",
                )
            definition = found.get(site)
            if definition is None:
                whole = graphdefs.outermost(made, self.facts.values, self.parents)
                self._refuse_two_targets(whole, net)
                definition = found[site] = Definition(whole, net.model)
            if net not in definition.nets:
                definition.nets.append(net)
        self.site_of_value = found
        for node in self.nodes:
            if isinstance(node, ast.expr) and not isinstance(getattr(node, "ctx", None), ast.Store):
                definition = self._definition_at(node)
                if definition is not None and not self._is_making(node, definition):
                    definition.references.append(node)
        graphdefs.name_definitions(found.values(), self.module.tree, self.parents)
        return found

    def _maker_in_sight(self, net: Net, site: ast.AST) -> ast.AST | None:
        """The expression of this program that makes a model: the call of a factory, where one does."""
        if site in self.inside or not isinstance(site, ast.Call):
            return site if site in self.inside else None
        call = self._factory_call(net, site)
        others = (
            node
            for node in self.nodes
            if isinstance(node, ast.Call)
            and node is not call
            and any(graphdefs.site_of(v) is site for v in self.facts.values.get(node, ()))
            and any(graphdefs.site_of(v) is not site for v in self.facts.values.get(node.func, ()))
        )
        for other in others:
            raise Stay(other, "one function makes several models here", "make one, under a name")
        return call

    def _definition_at(self, node: ast.AST) -> Definition | None:
        """The definition of the unbound model that an expression is."""
        for value in self.facts.values.get(node, []):
            if isinstance(value, Object | LayerObject | Transformed):
                definition = self.site_of_value.get(graphdefs.site_of(value))  # type: ignore[arg-type]
                if definition is not None:
                    return definition
        return None

    def _is_making(self, node: ast.AST, definition: Definition) -> bool:
        """Whether an expression is, or is part of, the one that makes the model."""
        current: ast.AST | None = node
        while current is not None:
            if current is definition.site:
                return True
            current = self.parents.get(current)
        return False

    def _plan(self, definition: Definition) -> None:
        """Decides where the graphdef is made and which trees it is split from."""
        holds = self.holds(definition.nets[0])
        self._plan_collections(definition, holds)
        definition.flat = definition.framework == "haiku" or (
            not definition.collections and not self._looked_into(definition)
        )
        definition.at_init = self._all_behind_init(definition)
        definition.mode = self._common_mode(definition)

    def _plan_collections(self, definition: Definition, holds: set[str]) -> None:
        model = self.model_of(definition.nets[0])
        if definition.with_state:
            definition.collections = ["state"]
            return
        known = {"BatchStat": "batch_stats"}
        if model is not None:
            known.update(
                {text.removeprefix("nnx."): name for name, text in model.collections.items()}
            )
        definition.collections = [known[kind] for kind in sorted(holds) if kind in known]
        unnamed = [kind for kind in holds if kind not in known]
        if unnamed and not definition.collections:
            definition.draws_alone = unnamed == ["RngState"]
            kind = graphdefs.RNG_STATE if definition.draws_alone else graphdefs.REST
            definition.closed = definition.state_names[kind]

    def _looked_into(self, definition: Definition) -> bool:
        """Whether the program takes a whole dict of collections apart, or puts one together under a name."""
        for node in self.nodes:
            match node:
                case ast.Subscript(value=inner) | ast.Attribute(value=inner):
                    above = self.parents[node]
                    if self._is_whole(inner, definition) and not isinstance(inner, ast.Call):
                        return True
                    if (
                        isinstance(above, ast.expr)
                        and self._is_whole(inner, definition)
                        and inner not in self._inits(definition)
                    ):
                        return True
        return False

    def _inits(self, definition: Definition) -> list[ast.AST]:
        return [net.init for net in definition.nets]

    def _is_whole(self, node: ast.AST, definition: Definition) -> bool:
        value = self.facts.value(node)
        return (
            isinstance(value, Tree)
            and value.collections == {"*"}
            and not value.path
            and value.net in definition.nets
        )

    def _all_behind_init(self, definition: Definition) -> bool:
        """Whether the graphdef may come from the split at `init`: nothing needs it before or outside."""
        init = definition.nets[0].init
        if any(net.init is not init for net in definition.nets) or not graphdefs.is_statement_level(
            init, self.parents
        ):
            return False
        if not (isinstance(init.func, ast.Attribute) and init.func.value in definition.references):
            return False
        scope, statement = graphdefs.scope_of(init, self.parents), self._statement_of(init)
        if isinstance(self.parents[statement], ast.For | ast.While) or isinstance(
            scope, ast.Lambda
        ):
            return False
        if isinstance(init.func.value, ast.Attribute):
            return graphdefs.scope_of(definition.site, self.parents) is scope
        if isinstance(init.func.value, ast.Name) and self._parameter(init.func.value) is not None:
            return False
        for node in definition.references:
            if node is init.func.value or node in ast.walk(statement):
                continue
            if (
                scope not in graphdefs.scopes_of(node, self.parents)
                and self._parameter(node) is None
            ):
                return False
            if graphdefs.scope_of(node, self.parents) is scope and node.lineno < statement.lineno:
                return False
        return True

    def _common_mode(self, definition: Definition) -> str | None:
        modes = {
            self._mode_of(node, applied)
            for node, found in self.uses.items()
            if isinstance(node, ast.Call)
            for applied in found
            if applied.net in definition.nets
        }
        mode = next(iter(modes)) if len(modes) == 1 else None
        return mode if isinstance(mode, str) else None

    def _mode_of(self, node: ast.Call, applied: Applied) -> str | ast.expr | None:
        """The mode that a call needs: 'train', 'eval', the expression of a flag, or None where it has none."""
        model = self.model_of(applied.net)
        modes = model.modes.get(applied.method, {}) if model is not None else {}
        for flag, when_true in modes.items():
            expression = self._flag_expression(node, applied, self._call_names(applied), flag)
            value = self._flag_value(node, expression)
            if expression is None and model is not None:
                value = model.mode_defaults.get(applied.method, {}).get(flag)
            if value is None:
                if expression is None:
                    raise Stay(
                        node,
                        f"whether `{flag}` is true is not known here",
                        "call `model.train()` or `model.eval()` by hand",
                    )
                return expression if when_true == _TRAIN else ast.UnaryOp(ast.Not(), expression)
            return when_true if value else {_TRAIN: _EVAL, _EVAL: _TRAIN}[when_true]
        return None

    def _flat(self, net: Net) -> bool:
        definition = self.site_of_value.get(graphdefs.site_of(net.model))  # type: ignore[arg-type]
        return definition is not None and definition.flat

    def _definition(self, net: Net) -> Definition:
        site = graphdefs.site_of(net.model)
        assert site is not None
        return self.definitions[site]

    def _definitions_at(self, node: ast.AST) -> list[Definition]:
        """Every definition whose model an expression or parameter may be."""
        found: dict[int, Definition] = {}
        for value in self.facts.values.get(node, []):
            if isinstance(value, Object | LayerObject | Transformed):
                definition = self.site_of_value.get(graphdefs.site_of(value))  # type: ignore[arg-type]
                if definition is not None:
                    found[id(definition)] = definition
        return list(found.values())

    def _parameter(self, node: ast.expr) -> ast.arg | None:
        """The parameter that a name stands for."""
        if isinstance(node, ast.Name):
            for scope in graphdefs.scopes_of(node, self.parents):
                if not isinstance(scope, ast.Module):
                    for parameter in ast.walk(scope.args):  # type: ignore[attr-defined]
                        if isinstance(parameter, ast.arg) and parameter.arg == node.id:
                            return parameter
        return None

    def _parameter_name(self, parameter: ast.arg) -> str:
        """What a parameter that received the model is called."""
        names = {definition.name for definition in self._definitions_at(parameter)}
        return names.pop() if len(names) == 1 else "graphdef"

    def _reference_text(self, node: ast.expr, definition: Definition) -> str:
        """The graphdef as an expression that stood for the model writes it."""
        match node:
            case ast.Attribute(value=owner):
                return f"{self.edits.render(owner)}.{definition.name}"
            case ast.Name():
                parameter = self._parameter(node)
                if parameter is not None:
                    return self._parameter_name(parameter)
                if not graphdefs.is_variable(node, definition, self.parents):
                    return node.id  # another variable that the graphdef was handed to
                return definition.name
        raise Stay(node, "the model is made where it is applied", "give it a name of its own")

    def _closed_texts(self, node: ast.expr, definition: Definition) -> list[str]:
        """The state that the program does not know of, as an expression that stood for the model writes it."""
        if definition.closed is None:
            return []
        if isinstance(node, ast.Attribute):
            return [f"{self.edits.render(node.value)}.{definition.closed}"]
        return [definition.closed]

    def _where_made(self, definition: Definition, name: str) -> str:
        """The graphdef or its state as the place where they are made writes them."""
        match self.parents.get(definition.site):
            case ast.Assign(targets=[ast.Attribute(value=owner)]):
                return f"{self.source.segment(owner)}.{name}"
        return name

    def _in_reach(self, node: ast.AST, definition: Definition) -> str | None:
        """What leads to the graphdef and its state from another place: "", or "self."; None where nothing does."""
        scopes = list(graphdefs.scopes_of(node, self.parents))
        made = graphdefs.scope_of(definition.site, self.parents)
        match self.parents.get(definition.site):
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=owner))]):
                cls = self.parents.get(made)
                methods = [scope for scope in scopes if self.parents.get(scope) is cls]
                if not isinstance(cls, ast.ClassDef) or not methods:
                    return None
                name, within = owner, scopes[: scopes.index(methods[0])]
                if not (graphdefs.is_first_parameter(name, made, methods[0])):
                    return None
            case ast.Assign(targets=[ast.Name()]) if made in scopes[1:] and not definition.at_init:
                name, within, owner = definition.name, scopes[: scopes.index(made)], ""
            case _:
                return None
        if any(name in bound_names(scope) for scope in within):
            return None
        return f"{owner}." if owner else ""

    def _streams(self, net: Net) -> set[str]:
        """The named streams that `init` got keys for."""
        if isinstance(net.key, ast.Dict) and not (self._draws(net) and only_of_parameters(net.key)):
            return {str(k.value) for k in net.key.keys if isinstance(k, ast.Constant)}
        return set()

    def _key(self, net: Net) -> str:
        return self.construction.rngs(net.key, self._plain, draws=self._draws(net))

    def _fresh(self, name: str, node: ast.AST) -> str:
        """A name that the function around a node does not use."""
        scope = graphdefs.scope_of(node, self.parents)
        taken = {n.id for n in ast.walk(scope) if isinstance(n, ast.Name)}
        taken |= {known for place, known in self.fresh if place is scope}
        candidate = name if name not in taken else graphdefs.free(f"initial_{name}", taken)
        self.fresh.add((scope, candidate))
        return candidate

    def _construction_lines(self, net: Net, definition: Definition) -> list[str]:
        indent = self.source.line_indent(self.source.span(self._statement_of(net.init))[0])
        lines, made = self._constructor(net, self._plain)
        lines.append(self.construction.statement(definition.module_name, made, indent))
        if definition.mode == _EVAL:
            lines.append(f"{definition.module_name}.eval()")
        return [line.replace("\n" + indent, "\n") for line in lines]

    def _replace_statement(self, statement: ast.stmt, lines: list[str], last: str) -> None:
        if lines:
            self.edits.insert_before(statement, "\n".join(lines), below_comments=True)
        self.edits.replace(statement, last)
        self._forget(statement)
