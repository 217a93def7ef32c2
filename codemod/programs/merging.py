"""`apply` merges the graphdef with the trees that it is given, and calls the module."""

from __future__ import annotations

import ast

from ..shapes.values import Table
from . import graphdefs
from .graphdefs import Definition
from .ground import Stay
from .kinds import FRAMEWORK_ARGUMENTS, Applied, Transformed, Tree
from .splitting import SplitInits

_TRAIN, _EVAL = "train", "eval"


class MergedCalls(SplitInits):
    """Rewrites the calls of `apply`, and `apply` as a value."""

    def _merge_call(self, node: ast.Call) -> None:
        applied = self.uses[node][-1]
        definition = self._definition(applied.net)
        self._refuse_function(node, applied)
        if not self._names_model(node.func) and self._in_reach(node, definition) is None:
            self._call_by_value(node, definition, applied)
            return
        mode = self._mode_of(node, applied)
        key = self._stream_key(node, definition, applied)
        updates = applied.with_updates and self._wants_updates(node)
        merged = self._merged(
            node,
            definition,
            applied,
            copies=key is not None or updates or self._mutates(definition, mode),
        )
        plain = (
            mode is None or mode == definition.mode or (mode == _TRAIN and definition.mode is None)
        )
        suffix = "" if applied.method == "__call__" else f".{applied.method}"
        if plain and key is None and not updates:
            self.edits.replace(node.func, f"{merged}{suffix}")
            self._drop_arguments(node, applied)
            if applied.with_updates:
                self._unpack_output_only(node)
            return
        if not graphdefs.is_statement_level(node, self.parents):
            raise Stay(
                node,
                "a call that needs lines of its own stands inside an expression",
                "make it a statement",
            )
        name = self._merged_name(node, definition)
        lines = [f"{name} = {merged}"]
        lines += [] if plain else self._switch(name, mode)
        lines += [] if key is None else [f"{self.names.target('flax.nnx.reseed')}({name}, {key})"]
        statement = self._statement_of(node)
        if (statement, name) in self.lined:
            raise Stay(
                node,
                "two calls that need lines of their own stand in one statement",
                "make two statements of it",
            )
        self.lined.add((statement, name))
        self.edits.insert_before(statement, "\n".join(lines), below_comments=True)
        self.edits.replace(node.func, f"{name}{suffix}")
        self._drop_arguments(node, applied)
        if updates:
            self._write_updates(node, statement, definition, name)
        elif applied.with_updates:
            self._unpack_output_only(node)

    def _names_model(self, function: ast.expr) -> bool:
        return (
            isinstance(function, ast.Attribute)
            and function.attr == "apply"
            and self._definition_at(function.value) is not None
        )

    def _mutates(self, definition: Definition, mode: object) -> bool:
        return (
            bool(definition.collections or definition.closed)
            and mode != _EVAL
            and definition.mode != _EVAL
        )

    def _switch(self, name: str, mode: str | ast.expr | None) -> list[str]:
        if isinstance(mode, str):
            return [f"{name}.{mode}()"]
        assert isinstance(mode, ast.expr)
        train, eval_ = f"{name}.train()", f"{name}.eval()"
        if isinstance(mode, ast.UnaryOp) and not hasattr(mode, "lineno"):
            mode, train, eval_ = mode.operand, eval_, train
        unit = self.source.indent_unit
        return [f"if {self._plain(mode)}:", f"{unit}{train}", "else:", f"{unit}{eval_}"]

    def _merged_name(self, node: ast.Call, definition: Definition) -> str:
        return definition.module_name

    def _merged(
        self, node: ast.Call, definition: Definition, applied: Applied, copies: bool
    ) -> str:
        """`nnx.merge(graphdef, params, ...)` for the trees that a call is given."""
        model = self.model_of(applied.net)
        copies |= model is not None and model.transforms  # these take variables of their own trace
        trees = self._trees(node, definition, applied)
        graphdef, closed = self._made_at(node, definition)
        args = [graphdef, *trees, *closed, *(["copy=True"] if copies else [])]
        return f"{self.names.target('flax.nnx.merge')}({', '.join(args)})"

    def _made_at(self, node: ast.Call, definition: Definition) -> tuple[str, list[str]]:
        """The graphdef, and the state that the program does not know of, as the place of a call writes them."""
        if self._names_model(node.func):
            assert isinstance(node.func, ast.Attribute)
            value = node.func.value
            return self._reference_text(value, definition), self._closed_texts(value, definition)
        owner = self._in_reach(node, definition)
        closed = [f"{owner}{definition.closed}"] if definition.closed else []
        return f"{owner}{definition.name}", closed

    def _trees(self, node: ast.Call, definition: Definition, applied: Applied) -> list[str]:
        given = [self.edits.render(a) for a in node.args[: applied.rest_args]]
        named = {k.arg: k.value for k in node.keywords if k.arg is not None}
        if definition.framework == "haiku":
            params = given[0] if given else self.edits.render(named["params"])
            state = (
                [given[1] if len(given) > 1 else self.edits.render(named["state"])]
                if definition.with_state
                else []
            )
            return [params, *state]
        variables = node.args[0] if given else named["variables"]
        return self._collections_of(variables, definition)

    def _collections_of(self, variables: ast.expr, definition: Definition) -> list[str]:
        wanted = ["params", *definition.collections]
        if isinstance(variables, ast.Dict):
            parts: dict[str, str] = {}
            for key, value in zip(variables.keys, variables.values, strict=True):
                if key is None:
                    text = self.edits.render(value)
                    parts.update(
                        {name: f"{text}['{name}']" for name in wanted if name not in parts}
                    )
                elif isinstance(key, ast.Constant):
                    parts[str(key.value)] = self.edits.render(value)
            missing = [name for name in wanted if name not in parts]
            if missing:
                raise Stay(
                    variables,
                    f"`{missing[0]}` is not given",
                    "give every collection that the model has",
                )
            return [parts[name] for name in wanted]
        text = self.edits.render(variables)
        given = self.facts.value(variables)
        if definition.flat and isinstance(given, Tree):
            return [text]
        if isinstance(variables, ast.Name | ast.Attribute):
            return [f"{text}['{name}']" for name in wanted]
        raise Stay(
            variables,
            "the collections given here are not told apart",
            "give them as `{'params': ..., ...}`",
        )

    def _drop_arguments(self, node: ast.Call, applied: Applied) -> None:
        model = self.model_of(applied.net)
        modes = model.modes.get(applied.method, {}) if model is not None else {}
        names = self._call_names(applied)
        for place, arg in enumerate(node.args):
            inner = place - applied.rest_args
            if inner < 0 or (inner < len(names) and names[inner] in modes):
                self.edits.remove_item(node, arg)
        for keyword in node.keywords:
            framework = keyword.arg in FRAMEWORK_ARGUMENTS and keyword.arg not in names
            if keyword.arg in modes or framework:
                self.edits.remove_item(node, keyword)

    def _stream_key(self, node: ast.Call, definition: Definition, applied: Applied) -> str | None:
        """The arguments of `nnx.reseed` for the key that a call is given; None where nothing is drawn."""
        if "RngState" not in self.holds(applied.net):
            return None
        streams = self._streams(applied.net)
        named = {k.arg: k.value for k in node.keywords if k.arg is not None}
        if definition.framework == "haiku":
            place = 1 + definition.with_state
            key = node.args[place] if place < applied.rest_args else named.get("rng")
            if key is None or (isinstance(key, ast.Constant) and key.value is None):
                return None
            return f"default={self.edits.render(key)}"
        rngs = named.get("rngs")
        if rngs is None:
            return None
        if isinstance(rngs, ast.Name | ast.Attribute) and isinstance(self.facts.value(rngs), Table):
            return f"**{self.edits.render(rngs)}"
        if not isinstance(rngs, ast.Dict) or not all(
            isinstance(k, ast.Constant) for k in rngs.keys
        ):
            raise Stay(
                rngs,
                "the streams of random keys are not told apart",
                "give them as `{'dropout': key}`",
            )
        pairs = [
            (k.value, v)
            for k, v in zip(rngs.keys, rngs.values, strict=True)
            if isinstance(k, ast.Constant)
        ]
        known = [f"{name}={self.edits.render(v)}" for name, v in pairs if name in streams]
        return ", ".join(known) or f"default={self.edits.render(pairs[0][1])}"

    def _wants_updates(self, node: ast.Call) -> bool:
        """Whether anything is done with the second result."""
        match self.parents[node]:
            case ast.Assign(targets=[ast.Tuple(elts=[_, ast.Name(id="_")])]):
                return False
            case ast.Subscript(slice=ast.Constant(value=0)):
                return False
        return True

    def _unpack_output_only(self, node: ast.Call) -> None:
        match self.parents[node]:
            case ast.Assign(targets=[ast.Tuple(elts=[output, _]) as target]):
                self.edits.replace(target, self.edits.render(output))
            case ast.Subscript() as above:
                self.edits.replace(above, self.edits.render(node))

    def _write_updates(
        self, node: ast.Call, statement: ast.stmt, definition: Definition, name: str
    ) -> None:
        after = self._updates(definition, name)
        match statement:
            case ast.Assign(targets=[ast.Tuple(elts=[output, state]) as target], value=value) if (
                value is node
            ):
                left = self.edits.render(state)
                self.edits.replace(target, self.edits.render(output))
                self.edits.insert_after(statement, f"{left} = {after}")
            case _:
                self.edits.replace(node, f"({self.edits.render(node)}, {after})")

    def _updates(self, definition: Definition, name: str) -> str:
        """The state of the module after a call, in the form that the original returned."""
        nnx, param = self.names.target("flax.nnx"), self.names.target("flax.nnx.Param")
        if definition.with_state:
            return f"{nnx}.state({name}, {nnx}.Not({param}))"
        if len(definition.collections) == 1:
            return f"{{'{definition.collections[0]}': {nnx}.state({name}, {nnx}.Not({param}))}}"
        raise Stay(
            definition.nets[0].init,
            "a model with several collections of state",
            "thread them by hand with `nnx.split`",
        )

    def _method_as_value(self, node: ast.Attribute | ast.Name) -> None:
        """`model.apply` that is not called here becomes a function of the trees."""
        above = self.parents[node]
        if not isinstance(node, ast.Attribute) or (
            isinstance(above, ast.Call) and above.func is node
        ):
            return
        definition = self._definition_at(node.value)
        if definition is None or node.attr not in ("apply", "init"):
            return
        if not isinstance(node.ctx, ast.Load):
            raise Stay(
                node,
                f"`{self.source.segment(node)}` is given another function",
                "give that function a name of its own",
            )
        if node.attr == "init":
            raise Stay(
                node, "`init` is handed on as a value", "hand on a function that makes the module"
            )
        if self._needs_no_function(above, definition):
            self.edits.replace(node, "None")
            return
        if not self._is_called_as_value(definition):
            raise Stay(
                node,
                f"`{self.source.segment(node)}` is handed on to code that could not be followed",
                "hand on a function that merges the module",
            )
        at_rest = definition.draws_alone and definition.mode == _EVAL
        if definition.collections or (definition.closed and not at_rest):
            raise Stay(
                node,
                "`apply` of a model with state is handed on as a value",
                "hand on a function that merges the module",
            )
        parameters = self._parameters(definition)
        leading = ["params"] if definition.flat else ["variables"]
        tree = "params" if definition.flat else "variables['params']"
        if isinstance(definition.model, Transformed) and definition.model.apply_rng:
            leading.append("rng")
        graphdef = self._reference_text(node.value, definition)
        trees = ", ".join([graphdef, tree, *self._closed_texts(node.value, definition)])
        model = self.model_of(definition.nets[0])
        trees += ", copy=True" if model is not None and model.transforms else ""
        merged = f"{self.names.target('flax.nnx.merge')}({trees})({', '.join(parameters)})"
        self.edits.replace(node, f"lambda {', '.join([*leading, *parameters])}: {merged}")

    def _is_called_as_value(self, definition: Definition) -> bool:
        """Whether a call is known by which a model runs under another name than `model.apply`."""
        return any(
            use.net in definition.nets and not self._is_method_of(node, definition)
            for node, uses in self.uses.items()
            for use in uses
        )

    def _is_method_of(self, node: ast.AST, definition: Definition) -> bool:
        match node:
            case ast.Call(func=ast.Attribute(value=owner, attr="apply")):
                return self._definition_at(owner) is definition
        return False

    def _needs_no_function(self, above: ast.AST, definition: Definition) -> bool:
        """Whether a train state keeps a function that nothing asks it for any more: the module is merged where it was called."""
        if not (isinstance(above, ast.keyword) and above.arg == "apply_fn"):
            return False
        called = {
            node.func
            for node, uses in self.uses.items()
            if isinstance(node, ast.Call)
            and any(a.net in definition.nets for a in uses)
            and self._in_reach(node, definition) is not None
        }
        read = [
            node
            for module in list(self.interp.project.modules.values())
            if "apply_fn" in module.source.text
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Attribute) and node.attr == "apply_fn"
        ]
        return all(node in called for node in read)

    def _parameters(self, definition: Definition) -> list[str]:
        uses = [a for found in self.uses.values() for a in found if a.net in definition.nets]
        count = max((len(a.args) for a in uses), default=0)
        names = self._call_names(uses[0]) if uses else []
        if any(a.kwargs or a.method != "__call__" for a in uses) or count > len(names):
            raise Stay(
                definition.nets[0].init,
                "`apply` is handed on and called with keywords",
                "hand on a function that merges the module",
            )
        return names[:count]

    def _call_by_value(self, node: ast.Call, definition: Definition, applied: Applied) -> None:
        """A call of an `apply` that was handed on: the arguments are those of the function in its place."""
        if applied.with_updates or any(k.arg in FRAMEWORK_ARGUMENTS for k in node.keywords):
            raise Stay(
                node,
                "an `apply` that was handed on gets more than trees and inputs",
                "call it on the module",
            )
        if self._mode_of(node, applied) not in (None, definition.mode):
            raise Stay(
                node,
                "an `apply` that was handed on is called in several modes",
                "call it on the module",
            )
        if (
            definition.flat
            and definition.framework == "linen"
            and node.args
            and isinstance(node.args[0], ast.Dict)
        ):
            self.edits.replace(node.args[0], self._collections_of(node.args[0], definition)[0])
