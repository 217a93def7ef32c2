"""The functional rung: parameters stay trees, and the module is put together where it is called.

What was an unbound model (a Linen module, a Haiku transform) becomes its graphdef: `init` makes the module and splits
it, `apply` merges the graphdef with the trees that it is given and calls the result. Gradients, compilation,
optimisers and whatever else the program does with its trees stay as they are.
"""

from __future__ import annotations

import ast

from ..emit import layout
from ..shapes.values import LayerObject, Object, Table
from . import graphdefs
from .graphdefs import Definition
from .kinds import Applied, Net, Transformed, TransformedInit, Tree, TreeMethod
from .stateful import ProgramRewriter, Stay
from .trees import locate

_FRAMEWORK_ARGUMENTS = (
    "rngs",
    "mutable",
    "method",
    "variables",
    "params",
    "state",
    "rng",
    "capture_intermediates",
)
_TREES_AS_TYPES = ("haiku.Params", "haiku.State", "haiku.MutableParams", "haiku.MutableState")
_TRAIN, _EVAL = "train", "eval"


class FunctionalRewriter(ProgramRewriter):
    """Rewrites the programs of one module, keeping their trees. Raises Stay where they cannot follow."""

    def run(self) -> None:
        """Records all edits of the module's programs."""
        self.nets = [net for net in self.explorer.nets.values() if net.init in self.inside]
        self.uses = {n: found for n, found in self.explorer.applied.items() if n in self.inside}
        if not self.nets and not self.uses:
            return
        for node, _ in self.explorer.unknown:
            if node in self.inside:
                raise Stay(
                    node,
                    "the parameters given here do not come from an `init` in sight",
                    "merge them with `nnx.merge` by hand",
                )
        for node in self.explorer.bound:
            if node in self.inside:
                raise Stay(node, "a bound model", "merge the module with `nnx.merge` and use that")
        self.fresh: set[tuple[ast.AST, str]] = set()
        self.anchors: set[ast.stmt] = set()
        self.broken: set[ast.Call] = set()
        self.unbound: dict[ast.stmt, set[int]] = {}
        self._check_reached()
        self.definitions = self._define()
        for definition in self.definitions.values():
            self._plan(definition)
        self._check_agreement()
        self._check_trees()
        order = sorted(
            (n for n in self.nodes if isinstance(n, ast.expr)), key=self._depth, reverse=True
        )
        for node in order:
            self._rewrite(node)
        for definition in self.definitions.values():
            self._make(definition)
            self._references(definition)
            self._forget_function(definition)
        self._annotations()
        self._break_long_lines()

    def _depth(self, node: ast.AST) -> int:
        count = 0
        while node in self.parents:
            node, count = self.parents[node], count + 1
        return count

    # ---- which models there are ---------------------------------------------------------------------------

    def _define(self) -> dict[ast.AST, Definition]:
        found: dict[ast.AST, Definition] = {}
        for net in [*self.nets, *[a.net for uses in self.uses.values() for a in uses]]:
            site = graphdefs.site_of(net.model)
            if site is None or site not in self.inside or net not in self.nets:
                raise Stay(
                    net.init,
                    "the model is made in another file",
                    "make it where its parameters are initialised",
                )
            net.module = self._module_of(net)
            model = self.model_of(net)
            if model is not None and model.sows:
                raise Stay(
                    net.init,
                    "a model that sows, in a program that keeps its parameters as trees",
                    "merge the model by hand, and call it through `nnx.capture`",
                )
            definition = found.get(site)
            if definition is None:
                whole = graphdefs.outermost(site, self.facts.values, self.parents)
                definition = found[site] = Definition(whole, net.model)
            if net not in definition.nets:
                definition.nets.append(net)
        self.site_of_value = found
        for node in self.nodes:
            if isinstance(node, ast.expr) and not isinstance(getattr(node, "ctx", None), ast.Store):
                definition = self._definition_at(node)
                if definition is not None and not self._is_making(node, definition):
                    definition.references.append(node)
        graphdefs.name_definitions(
            found.values(), graphdefs.names_in(self.module.tree), self.parents
        )
        return found

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
            definition.closed = "rng_state" if unnamed == ["RngState"] else "rest"

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

    # ---- modes --------------------------------------------------------------------------------------------

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

    # ---- what cannot stay a tree ----------------------------------------------------------------------------

    def _check_trees(self) -> None:
        """Trees that are taken apart like dicts of arrays have no counterpart, for their paths are others."""
        for node in self.nodes:
            value = self.facts.value(node)
            if isinstance(value, TreeMethod) and not (
                value.tree.collections == {"*"} and not self._flat(value.tree.net)
            ):
                if value.name not in ("copy", "unfreeze"):
                    raise Stay(
                        node,
                        f"`{self.source.segment(node)}` looks into a tree of parameters as a dict",
                        "go through the tree with `jax.tree.map`, or use the attributes of the module",
                    )

    def _check_reached(self) -> None:
        """Every `apply` and `init` of a model must have been followed."""
        for node in self.nodes:
            if (
                isinstance(node, ast.Attribute)
                and node.attr in ("apply", "init")
                and node not in self.facts.values
            ):
                raise Stay(
                    node,
                    f"`{self.source.segment(node)}` stands in code that could not be followed",
                    "rewrite this part by hand",
                )

    def _flat(self, net: Net) -> bool:
        definition = self.site_of_value.get(graphdefs.site_of(net.model))  # type: ignore[arg-type]
        return definition is not None and definition.flat

    # ---- expressions ------------------------------------------------------------------------------------------

    def _rewrite(self, node: ast.expr) -> None:
        if isinstance(node, ast.Call) and node in self.uses:
            self._merge_call(node)
        elif isinstance(node, ast.Call) and any(net.init is node for net in self.nets):
            self._split_init(node)
        elif isinstance(self.facts.value(node), Tree):
            self._read(node, self.facts.value(node))  # type: ignore[arg-type]
        elif isinstance(node, ast.Attribute | ast.Name):
            self._method_as_value(node)

    # ---- init -------------------------------------------------------------------------------------------------

    def _split_init(self, init: ast.Call) -> None:
        net = next(net for net in self.nets if net.init is init)
        definition = self._definition(net)
        if isinstance(self.facts.value(init.func), TransformedInit) and not isinstance(
            init.func, ast.Attribute
        ):
            raise Stay(init, "`init` goes under another name", "call it on the model")
        whole = self._indexed(init, definition)
        statement = self._statement_of(init)
        nnx, param = self.names.target("flax.nnx"), self.names.target("flax.nnx.Param")
        rest = bool(definition.collections or definition.closed)
        made = (
            definition.module_name
            if definition.at_init
            else f"{definition.maker}({self._key(net)})"
        )
        filters = f"{made}, {param}" + (", ..." if rest else "")
        lines = self._construction_lines(net, definition) if definition.at_init else []
        graphdef = self._graphdef_text(definition, init)
        targets = self._targets(statement, whole, definition)
        if targets is not None:
            first = graphdef if definition.at_init else "_"
            closed = [definition.closed or "_"] if definition.closed else []
            if not definition.at_init and not rest:
                self._replace_statement(
                    statement, lines, f"{targets[0]} = {nnx}.state({made}, {param})"
                )
                return
            left = ", ".join([first, *targets, *closed])
            self._replace_statement(statement, lines, f"{left} = {nnx}.split({filters})")
            return
        self._split_within(init, whole, definition, made, lines)

    def _split_within(
        self, init: ast.Call, whole: ast.expr, definition: Definition, made: str, lines: list[str]
    ) -> None:
        """An `init` that is part of a larger expression."""
        nnx, param = self.names.target("flax.nnx"), self.names.target("flax.nnx.Param")
        rest = bool(definition.collections or definition.closed)
        if not definition.at_init and not definition.collections:
            tree = f"{nnx}.state({made}, {param})"
            self.edits.replace(
                whole, tree if definition.flat or whole is not init else f"{{'params': {tree}}}"
            )
            return
        if not graphdefs.is_statement_level(init, self.parents):
            if definition.with_state:
                self.edits.replace(init, f"{nnx}.split({made}, {param}, ...)[1:]")
                return
            raise Stay(
                init,
                "the state of this model is made inside an expression",
                "call `init` in a statement of its own",
            )
        names = [self._fresh(name, init) for name in ("params", *definition.collections)]
        closed = [definition.closed] if definition.closed else []
        first = self._graphdef_text(definition, init) if definition.at_init else "_"
        left = ", ".join([first, *names, *closed])
        lines = [*lines, f"{left} = {nnx}.split({made}, {param}{', ...' if rest else ''})"]
        self.edits.insert_before(self._statement_of(init), "\n".join(lines), below_comments=True)
        if definition.with_state:
            self.edits.replace(whole, f"({', '.join(names)})")
        elif definition.flat or whole is not init:
            self.edits.replace(whole, names[0])
        else:
            keys = ["params", *definition.collections]
            self.edits.replace(
                whole,
                "{" + ", ".join(f"'{k}': {n}" for k, n in zip(keys, names, strict=True)) + "}",
            )

    def _indexed(self, init: ast.Call, definition: Definition) -> ast.expr:
        """`init(...)['params']` where that is what is wanted, else the call itself."""
        above = self.parents[init]
        if (
            isinstance(above, ast.Subscript)
            and above.value is init
            and definition.framework == "linen"
        ):
            value = self.facts.value(above)
            if isinstance(value, Tree) and value.collections == {"params"}:
                self.gone.add(above)
                return above
            raise Stay(
                above,
                "only a part of what `init` returns is kept",
                "keep the whole and take the part from it",
            )
        return init

    def _targets(
        self, statement: ast.stmt, whole: ast.expr, definition: Definition
    ) -> list[str] | None:
        """The left-hand sides that take the trees directly, None where the statement is of another form."""
        if (
            not isinstance(statement, ast.Assign)
            or statement.value is not whole
            or len(statement.targets) != 1
        ):
            return None
        target = statement.targets[0]
        if definition.with_state:
            if isinstance(target, ast.Tuple) and len(target.elts) == 2:
                return [self.edits.render(e) for e in target.elts]
            return None
        if definition.flat or isinstance(whole, ast.Subscript):
            text = self.edits.render(target)
            return [text, *["_"] * len(definition.collections)]
        return self._parts(statement, target, definition)

    def _parts(
        self, statement: ast.stmt, target: ast.expr, definition: Definition
    ) -> list[str] | None:
        """The variables of the collections, where `variables` is only taken apart into them."""
        if not isinstance(target, ast.Name):
            return None
        scope = graphdefs.scope_of(statement, self.parents)
        uses = [
            n
            for n in ast.walk(scope)
            if isinstance(n, ast.Name) and n.id == target.id and n is not target
        ]
        names: dict[str, str] = {}
        done: dict[ast.stmt, int] = {}
        for use in uses:
            found = self._taken(use)
            if (
                found is None
                or found[0] in names
                or self.parents[found[2]] is not self.parents[statement]
            ):
                return None
            names[found[0]] = found[1]
            done[found[2]] = done.get(found[2], 0) + 1
        if "params" not in names or not set(names) <= {"params", *definition.collections}:
            return None
        for part, count in done.items():
            assert isinstance(part, ast.Assign)
            if count != (len(part.value.elts) if isinstance(part.value, ast.Tuple) else 1):
                return None
        for part in done:
            self._delete(part)
        return [names.get(name, "_") for name in ("params", *definition.collections)]

    def _taken(self, use: ast.Name) -> tuple[str, str, ast.stmt] | None:
        """The collection, the variable and the statement of `params = variables['params']`."""
        match above := self.parents[use]:
            case ast.Subscript(slice=ast.Constant(value=str() as key)):
                pass
            case _:
                return None
        match outer := self.parents[above]:
            case ast.Assign(targets=[ast.Name(id=name)]):
                return key, name, outer
            case ast.Tuple(elts=right):
                match statement := self.parents[outer]:
                    case ast.Assign(targets=[ast.Tuple(elts=left)]) if len(left) == len(right):
                        taker = left[right.index(above)]
                        return (key, taker.id, statement) if isinstance(taker, ast.Name) else None
        return None

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

    def _key(self, net: Net) -> str:
        return self.construction.rngs(net.key, self._plain)

    def _fresh(self, name: str, node: ast.AST) -> str:
        """A name that the function around a node does not use."""
        scope = graphdefs.scope_of(node, self.parents)
        taken = {n.id for n in ast.walk(scope) if isinstance(n, ast.Name)}
        taken |= {known for place, known in self.fresh if place is scope}
        candidate = name if name not in taken else graphdefs.free(f"initial_{name}", taken)
        self.fresh.add((scope, candidate))
        return candidate

    # ---- apply --------------------------------------------------------------------------------------------------

    def _merge_call(self, node: ast.Call) -> None:
        applied = self.uses[node][-1]
        definition = self._definition(applied.net)
        if not self._names_model(node.func):
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
        trees = self._trees(node, definition, applied)
        closed = [definition.closed] if definition.closed else []
        assert isinstance(node.func, ast.Attribute)
        graphdef = self._reference_text(node.func.value, definition)
        args = [graphdef, *trees, *closed, *(["copy=True"] if copies else [])]
        return f"{self.names.target('flax.nnx.merge')}({', '.join(args)})"

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
            framework = keyword.arg in _FRAMEWORK_ARGUMENTS and keyword.arg not in names
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

    def _streams(self, net: Net) -> set[str]:
        """The named streams that `init` got keys for."""
        if isinstance(net.key, ast.Dict):
            return {str(k.value) for k in net.key.keys if isinstance(k, ast.Constant)}
        return set()

    # ---- state that a call returns ----------------------------------------------------------------------------

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

    # ---- reads by path -------------------------------------------------------------------------------------------

    def _read(self, node: ast.expr, tree: Tree) -> None:
        if (
            self._is_gone(node)
            or isinstance(getattr(node, "ctx", None), ast.Store)
            or tree.net not in self.nets
        ):
            return
        above = self.parents[node]
        if (
            isinstance(above, ast.Subscript)
            and above.value is node
            and isinstance(self.facts.value(above), Tree)
        ):
            return
        if (
            isinstance(node, ast.Subscript)
            and not tree.path
            and self._flat(tree.net)
            and self._is_whole(node.value, self._definition(tree.net))
        ):
            self.edits.replace(node, self.edits.render(node.value))
            return
        if not tree.path or not isinstance(node, ast.Subscript):
            return
        base: ast.expr = node
        while (
            isinstance(base, ast.Subscript)
            and isinstance(inner := self.facts.value(base), Tree)
            and inner.path
        ):
            base = base.value
        found = self.model_of(tree.net) or getattr(tree.net.module, "rule", None)
        text = (
            locate(found, tree.net.framework, tree.path, self._root_name(tree.net))
            if found is not None
            else None
        )
        if text is None:
            raise Stay(
                node,
                f"`{self.source.segment(node)}` is read by a path that the rewrite does not know",
                "read the attribute of the module instead",
            )
        bare = isinstance(above, ast.Attribute) and above.attr in ("shape", "ndim", "size", "dtype")
        self.edits.replace(node, f"{self.edits.render(base)}.{text}" + ("" if bare else "[...]"))

    # ---- methods handed on ---------------------------------------------------------------------------------------

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
        if node.attr == "init":
            raise Stay(
                node, "`init` is handed on as a value", "hand on a function that makes the module"
            )
        if definition.collections or definition.closed:
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
        merged = (
            f"{self.names.target('flax.nnx.merge')}({graphdef}, {tree})({', '.join(parameters)})"
        )
        self.edits.replace(node, f"lambda {', '.join([*leading, *parameters])}: {merged}")

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
        if applied.with_updates or any(k.arg in _FRAMEWORK_ARGUMENTS for k in node.keywords):
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

    # ---- the graphdef and its references ----------------------------------------------------------------------

    def _definition(self, net: Net) -> Definition:
        site = graphdefs.site_of(net.model)
        assert site is not None
        return self.definitions[site]

    def _make(self, definition: Definition) -> None:
        """Where the model was made: nothing, or its graphdef."""
        statement = (
            definition.site
            if isinstance(definition.site, ast.FunctionDef)
            else self._statement_of(definition.site)
        )
        alone = isinstance(statement, ast.Assign) and statement.value is definition.site
        if definition.at_init:
            if isinstance(statement, ast.FunctionDef) or alone:
                self._delete(statement)
            else:
                self._unbind(statement, definition.site)
            return
        if not (alone or isinstance(statement, ast.FunctionDef)):
            raise Stay(
                definition.site,
                "the model is made inside an expression",
                "give it a name of its own",
            )
        anchor = self._anchor(definition, statement)
        text = "\n".join(self._maker_lines(definition, anchor))
        made = self._graphdef_line(definition)
        if anchor is statement:
            self.edits.insert_before(statement, f"{text}\n\n")
            self.edits.replace(statement, made)
            self._forget(statement)
            return
        blank = "" if anchor in self.anchors else "\n"
        self.anchors.add(anchor)
        self.edits.insert_before(anchor, f"{blank}{text}\n\n{made}\n\n")
        self._delete(statement)

    def _forget_function(self, definition: Definition) -> None:
        """A transformed function goes with its transform, where nothing else calls it."""
        function = getattr(getattr(definition.model, "function", None), "node", None)
        if (
            not isinstance(function, ast.FunctionDef)
            or function is definition.site
            or function not in self.inside
        ):
            return
        for node in self.nodes:
            if (
                isinstance(node, ast.Name)
                and node.id == function.name
                and not self._is_making(node, definition)
            ):
                if any(
                    getattr(v, "node", None) is function for v in self.facts.values.get(node, [])
                ):
                    return
        if function not in self.gone:
            self._delete(function)

    def _graphdef_line(self, definition: Definition) -> str:
        nnx = self.names.target("flax.nnx")
        sample = f"{definition.maker}({self._sample_key(definition)})"
        if definition.closed:
            param = self.names.target("flax.nnx.Param")
            return (
                f"{definition.name}, _, {definition.closed} = {nnx}.split({sample}, {param}, ...)"
            )
        name = self._graphdef_text(definition, definition.site)
        return f"{name} = {nnx}.graphdef({nnx}.eval_shape(lambda: {sample}))"

    def _anchor(self, definition: Definition, statement: ast.stmt) -> ast.stmt:
        """The statement before which the graphdef is made: in a function the first that needs it, with its samples made."""
        scope = graphdefs.scope_of(definition.site, self.parents)
        if not isinstance(scope, ast.FunctionDef) or statement not in scope.body:
            return statement
        own = [s for s in scope.body if s is not statement]
        for candidate in (
            own[own.index(following) :] if (following := self._next(scope, statement)) else []
        ):
            if any(self._contains(candidate, node) for node in definition.references):
                return candidate
        return statement

    @staticmethod
    def _next(scope: ast.FunctionDef, statement: ast.stmt) -> ast.stmt | None:
        place = scope.body.index(statement) + 1
        return scope.body[place] if place < len(scope.body) else None

    def _contains(self, outer: ast.AST, node: ast.AST) -> bool:
        current: ast.AST | None = node
        while current is not None and current is not outer:
            current = self.parents.get(current)
        return current is outer

    def _visible(self, net: Net, anchor: ast.stmt) -> dict[str, ast.expr]:
        """The inputs that `init` got, as far as their names mean the same where the graphdef is made."""
        scope = graphdefs.scope_of(anchor, self.parents)
        found: dict[str, ast.expr] = {}
        for name, expression in self._call_arguments(net, ()).items():
            inner = list(graphdefs.scopes_of(expression, self.parents))
            if scope not in inner:
                continue
            between = inner[: inner.index(scope)]
            used = {n.id for n in ast.walk(expression) if isinstance(n, ast.Name)}
            if not any(used & graphdefs.names_in(s) & _bound_by(s) for s in between):
                found[name] = expression
        return found

    def _unbind(self, statement: ast.stmt, site: ast.AST) -> None:
        """Takes one of several bindings out of `a, b = A(), B()`."""
        match statement:
            case ast.Assign(
                targets=[ast.Tuple(elts=left) as targets], value=ast.Tuple(elts=right) as values
            ) if site in right and len(left) == len(right):
                gone = self.unbound.setdefault(statement, set())
                gone.add(right.index(site))
                if len(gone) == len(right):
                    self._delete(statement)
                    return
                stay = [i for i in range(len(right)) if i not in gone]
                if len(stay) == 1:
                    self.edits.replace(targets, self.edits.render(left[stay[0]]))
                    self.edits.replace(values, self.edits.render(right[stay[0]]))
                    return
                self.edits.remove_item(targets, left[right.index(site)])
                self.edits.remove_item(values, site)
            case _:
                raise Stay(
                    site, "the model is made inside an expression", "give it a name of its own"
                )

    def _maker_lines(self, definition: Definition, anchor: ast.stmt) -> list[str]:
        """`def make_model(rngs): ...`, with every size known where the graphdef is made."""
        unit = self.source.indent_unit
        scope = graphdefs.scope_of(anchor, self.parents)
        factory = isinstance(scope, ast.FunctionDef) and any(
            isinstance(a, ast.arg) for a in ast.walk(scope.args)
        )
        texts = set()
        for net in definition.nets:
            maker = self._maker(net)
            if self.construction.named(maker):
                raise Stay(
                    maker, "a module that is handed to the model has a name", "make it in the call"
                )
            visible = self._visible(net, anchor)
            model = self.model_of(net)
            if factory and model is not None and model.added and not visible:
                raise Stay(
                    definition.site,
                    "the sizes of the model depend on who calls this function",
                    "make a sample input beside the model",
                )
            assert net.module is not None
            texts.add(self.construction.write(net, net.module, maker, visible, self._plain, "rngs"))
        if len(texts) != 1:
            raise Stay(
                definition.site,
                "the model is initialised with inputs of several sizes",
                "make a module for each",
            )
        (call,) = texts
        head = f"def {definition.maker}(rngs: {self.names.target('flax.nnx.Rngs')}):"
        if definition.mode != _EVAL:
            return [head, f"{unit}return {call}"]
        name = definition.module_name
        return [head, f"{unit}{name} = {call}", f"{unit}{name}.eval()", f"{unit}return {name}"]

    def _sample_key(self, definition: Definition) -> str:
        rngs = self.names.target("flax.nnx.Rngs")
        streams = sorted(self._streams(definition.nets[0]))
        return f"{rngs}({', '.join(f'{s}=0' for s in streams) or '0'})"

    def _graphdef_text(self, definition: Definition, node: ast.AST) -> str:
        """The graphdef as the place where it is made writes it."""
        match self.parents.get(definition.site):
            case ast.Assign(targets=[ast.Attribute(value=owner)]):
                return f"{self.source.segment(owner)}.{definition.name}"
        return definition.name

    def _parameter_name(self, parameter: ast.arg) -> str:
        """What a parameter that received the model is called."""
        names = {definition.name for definition in self._definitions_at(parameter)}
        return names.pop() if len(names) == 1 else "graphdef"

    def _definitions_at(self, node: ast.AST) -> list[Definition]:
        """Every definition whose model an expression or parameter may be."""
        found: dict[int, Definition] = {}
        for value in self.facts.values.get(node, []):
            if isinstance(value, Object | LayerObject | Transformed):
                definition = self.site_of_value.get(graphdefs.site_of(value))  # type: ignore[arg-type]
                if definition is not None:
                    found[id(definition)] = definition
        return list(found.values())

    def _rename_static(self, parameter: ast.arg) -> None:
        """`static_argnames` of the compiled function follow the parameter's new name."""
        function = self._function_of(parameter)
        makers = list(getattr(function, "decorator_list", []))
        makers += [
            node
            for node in self.nodes
            if isinstance(node, ast.Call)
            and node.args
            and any(
                getattr(v, "node", None) is function
                for v in self.facts.values.get(node.args[0], [])
            )
        ]
        for maker in makers:
            for keyword in ast.walk(maker):
                if isinstance(keyword, ast.keyword) and keyword.arg in (
                    "static_argnames",
                    "donate_argnames",
                ):
                    self._rename_constants(keyword.value, parameter)

    def _rename_constants(self, names: ast.expr, parameter: ast.arg) -> None:
        for constant in ast.walk(names):
            if isinstance(constant, ast.Constant) and constant.value == parameter.arg:
                old = self.source.segment(constant)
                self.edits.replace(
                    constant, old.replace(parameter.arg, self._parameter_name(parameter))
                )

    def _function_of(self, parameter: ast.arg) -> ast.AST:
        current = self.parents[parameter]
        while isinstance(current, ast.arguments):
            current = self.parents[current]
        return current

    def _check_agreement(self) -> None:
        """Models that reach one parameter must be handled alike."""
        for node in self.nodes:
            found = self._definitions_at(node) if isinstance(node, ast.arg) else []
            if (
                len({(d.flat, tuple(d.collections), d.closed, d.mode, d.framework) for d in found})
                > 1
            ):
                raise Stay(
                    node,
                    "models of different kinds are handed to one function",
                    "hand on functions that call them",
                )

    def _references(self, definition: Definition) -> None:
        for parameter in [n for n in self.nodes if isinstance(n, ast.arg)]:
            if self._definition_at(parameter) is definition:
                self.edits.replace(parameter, self._parameter_name(parameter))
                self._rename_static(parameter)
        for node in definition.references:
            above = self.parents[node]
            if isinstance(above, ast.Attribute):
                continue
            if node in self.gone:
                continue
            if isinstance(above, ast.keyword) and above.arg is not None:
                self.edits.replace(
                    above,
                    f"{self._keyword(above, definition)}={self._reference_text(node, definition)}",
                )
                continue
            self.edits.replace(node, self._reference_text(node, definition))

    def _keyword(self, keyword: ast.keyword, definition: Definition) -> str:
        call = self.parents[keyword]
        assert isinstance(call, ast.Call) and keyword.arg is not None
        for callee in self.roles.callees(call):
            for parameter in ast.walk(callee.args):
                if isinstance(parameter, ast.arg) and parameter.arg == keyword.arg:
                    return (
                        self._parameter_name(parameter)
                        if self._definitions_at(parameter)
                        else keyword.arg
                    )
        return keyword.arg

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

    def _parameter(self, node: ast.expr) -> ast.arg | None:
        """The parameter that a name stands for."""
        if isinstance(node, ast.Name):
            for scope in graphdefs.scopes_of(node, self.parents):
                if not isinstance(scope, ast.Module):
                    for parameter in ast.walk(scope.args):  # type: ignore[attr-defined]
                        if isinstance(parameter, ast.arg) and parameter.arg == node.id:
                            return parameter
        return None

    # ---- lines that became too long -------------------------------------------------------------------------

    def _break_long_lines(self) -> None:
        for node in self.nodes:
            if isinstance(
                node, ast.Assign | ast.Return | ast.Expr | ast.AugAssign
            ) and not self._is_gone(node):
                while self._break_line(node):
                    pass

    def _break_line(self, statement: ast.stmt) -> bool:
        """Breaks the first call of a statement that makes a line too long; whether there was one."""
        indent = self.source.line_indent(self.source.span(statement)[0])
        new = indent + self.edits.render(statement)
        if new.strip() == self.source.segment(statement) or all(
            len(line) <= self.limit for line in new.split("\n")
        ):
            return False
        for call in ast.walk(statement):
            if (
                not isinstance(call, ast.Call)
                or call.lineno != call.end_lineno
                or call in self.broken
            ):
                continue
            text = self.edits.render(call)
            line = next((x for x in new.split("\n") if text in x and len(x) > self.limit), None)
            if line is None or not (call.args or call.keywords):
                continue
            self.broken.add(call)
            self.edits.replace(call, self._broken_call(call, line, text))
            return True
        return False

    def _broken_call(self, call: ast.Call, line: str, text: str) -> str:
        indent = line[: len(line) - len(line.lstrip())]
        before, _, after = line.strip().partition(text)
        items = [self.edits.render(item) for item in [*call.args, *call.keywords]]
        new = layout.call(
            self.edits.render(call.func),
            [item for item in items if item.strip()],
            indent=indent,
            unit=self.source.indent_unit,
            limit=self.limit,
            prefix=before,
            suffix=after,
        )
        return new.removeprefix(before).removesuffix(after)

    # ---- annotations ---------------------------------------------------------------------------------------------

    def _annotations(self) -> None:
        for node in self.nodes:
            if isinstance(node, ast.Attribute | ast.Name):
                qualified = self.names.qualified(node)
                if qualified in _TREES_AS_TYPES:
                    self.edits.replace(node, self.names.target("flax.nnx.State"))
                elif qualified == "haiku.Transformed":
                    self.edits.replace(node, self.names.target("flax.nnx.GraphDef"))


def _bound_by(scope: ast.AST) -> set[str]:
    """The names that a function binds."""
    found = {a.arg for a in ast.walk(scope) if isinstance(a, ast.arg)}
    return found | {
        n.id for n in ast.walk(scope) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
