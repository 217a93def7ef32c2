"""The functional rung: parameters stay trees, and the module is put together where it is called.

What was an unbound model (a Linen module, a Haiku transform) becomes its graphdef: `init` makes the module and splits
it, `apply` merges the graphdef with the trees that it is given and calls the result. Gradients, compilation,
optimisers and whatever else the program does with its trees stay as they are.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ..chains import bound_names
from ..emit import layout
from ..model.trees import locate
from ..shapes.values import Object
from . import drawn, graphdefs
from .graphdefs import Definition
from .ground import Stay
from .kinds import DICT_METHODS, Net, Tree, TreeMethod
from .merging import MergedCalls

_TREES_AS_TYPES = ("haiku.Params", "haiku.State", "haiku.MutableParams", "haiku.MutableState")
_TRAIN, _EVAL = "train", "eval"


class FunctionalRewriter(MergedCalls):
    """Rewrites the programs of one module, keeping their trees. Raises Stay where they cannot follow."""

    def run(self) -> None:
        """Records all edits of the module's programs."""
        self.nets = [net for net in self.explorer.nets.values() if net.init in self.inside]
        self.uses = {n: found for n, found in self.explorer.applied.items() if n in self.inside}
        if not self.nets and not self.uses:
            self._refuse_reads_of_others()
            return
        for node, _ in self.explorer.unknown:
            if node in self.inside:
                raise Stay(
                    node,
                    "the parameters given here do not come from an `init` in sight",
                    "merge them with `nnx.merge` by hand",
                )
        for net in self.nets:
            if net.sharing:
                raise Stay(
                    net.init,
                    "several transforms share these parameters",
                    "make one module, and call its methods",
                )
        for node in self.explorer.bound:
            if node in self.inside:
                raise Stay(node, "a bound model", "merge the module with `nnx.merge` and use that")
        self.fresh: set[tuple[ast.AST, str]] = set()
        self.anchors: set[ast.stmt] = set()
        self.broken: set[ast.Call] = set()
        self.lined: set[tuple[ast.stmt, str]] = set()
        self.unbound: dict[ast.stmt, set[int]] = {}
        self.ahead: list[
            tuple[ast.stmt, str]
        ] = []  # splits that statements need, behind the makers
        self._check_reached()
        self._refuse_reads_elsewhere()
        self.definitions = self._define()
        for net in self.nets:
            if net.init in self.uses:
                raise Stay(
                    net.init,
                    "`init_with_output` in a program that keeps its parameters as trees",
                    "make the model first, and call it",
                )
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
        for statement, lines in self.ahead:
            self.edits.insert_before(statement, lines, below_comments=True)
        self._annotations()
        self._break_long_lines()

    def _depth(self, node: ast.AST) -> int:
        count = 0
        while node in self.parents:
            node, count = self.parents[node], count + 1
        return count

    def _check_trees(self) -> None:
        """Trees that are taken apart like dicts of arrays have no counterpart, for their paths are others."""
        for node in self.nodes:
            value = self.facts.value(node)
            if isinstance(value, TreeMethod) and not (
                value.tree.collections == {"*"} and not self._flat(value.tree.net)
            ):
                if value.name in DICT_METHODS:
                    raise Stay(
                        node,
                        f"`{self.source.segment(node)}` looks into a tree of parameters as a dict",
                        "go through the tree with `jax.tree.map`, or use the attributes of the module",
                    )

    def _refuse_reads_of_others(self) -> None:
        """Code that looks into the variables of a model of another file would have to know their new paths."""
        for net, reads in self.explorer.tree_reads.items():
            for node in reads if self._is_rewritten(net) else ():
                if node in self.inside:
                    raise Stay(
                        node,
                        "the variables of a model of another file are read here, by their old names",
                        "make the model in this file, or read them off it by hand",
                    )

    def _is_rewritten(self, net: Net) -> bool:
        return isinstance(net.model, Object) and net.model.cls.node in self.models

    def _refuse_reads_elsewhere(self) -> None:
        for net in self.nets:
            self._refuse_methods_elsewhere(net)
            for node in self.explorer.tree_reads.get(net, ()):
                if node not in self.parents and self._is_rewritten(net):
                    raise Stay(
                        net.init,
                        "these variables are read by their old names in another file",
                        "hand the model on, and read its attributes there",
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

    def _rewrite(self, node: ast.expr) -> None:
        if isinstance(node, ast.Call) and node in self.uses:
            self._merge_call(node)
        elif isinstance(node, ast.Call) and any(net.init is node for net in self.nets):
            self._split_init(node)
        elif isinstance(self.facts.value(node), Tree):
            self._read(node, self.facts.value(node))  # type: ignore[arg-type]
        elif isinstance(node, ast.Attribute | ast.Name):
            self._method_as_value(node)

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
        anchor = self._behind_samples(definition, anchor, text)
        if anchor is statement:
            above, below = self._gaps(statement)
            self.edits.insert_before(statement, f"{above}{text}{below}")
            self.edits.replace(statement, made)
            self._forget(statement)
            return
        above, below = self._gaps(anchor)
        blank = "" if anchor in self.anchors else above or "\n"
        end = "\n" if isinstance(self.parents[anchor], ast.Module) else "\n\n"
        self.anchors.add(anchor)
        self.edits.insert_before(anchor, f"{blank}{text}{below}{made}{end}")
        self._delete(statement)

    def _gaps(self, statement: ast.stmt) -> tuple[str, str]:
        """The line ends above and below a function that is defined before a statement, as PEP 8 has them."""
        wanted = 2 if isinstance(self.parents[statement], ast.Module) else 1
        before = self.source.text[: self.source.line_start(self.source.span(statement)[0])]
        blank = before[len(before.rstrip()) :].count("\n") - 1
        return "\n" * max(wanted - blank, 0) if wanted == 2 else "", "\n" * (wanted + 1)

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
        name = self._where_made(definition, definition.name)
        if definition.closed:
            closed = self._where_made(definition, definition.closed)
            return f"{name}, _, {closed} = {nnx}.split({sample}, {self.names.target('flax.nnx.Param')}, ...)"
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

    def _behind_samples(self, definition: Definition, anchor: ast.stmt, text: str) -> ast.stmt:
        """A later statement, where the sizes of the model are those of a sample that is not there yet at the first."""
        scope = graphdefs.scope_of(anchor, self.parents)
        read = {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
        late = [
            node
            for node in ast.walk(scope)
            if isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Store)
            and node.id in read
            and graphdefs.scope_of(node, self.parents) is scope
            and node.lineno >= anchor.lineno
            and not self._bound_above(node, anchor)
        ]
        if not late:
            return anchor
        body: list[ast.stmt] = getattr(scope, "body", [])
        after = [s for s in body if s.lineno > max(n.lineno for n in late)]
        if anchor not in body or not after:
            raise Stay(late[-1], "the sample is made behind the model", "make the sample first")
        self._refuse_uses(definition, body[body.index(anchor) : body.index(after[0])])
        return after[0]

    def _bound_above(self, name: ast.Name, anchor: ast.stmt) -> bool:
        """Whether a name has a value before a statement, too."""
        scope = graphdefs.scope_of(anchor, self.parents)
        given = getattr(scope, "args", None)
        if given is not None and name.id in {
            a.arg for a in ast.walk(given) if isinstance(a, ast.arg)
        }:
            return True
        return any(
            isinstance(node, ast.Name)
            and node.id == name.id
            and isinstance(node.ctx, ast.Store)
            and node.lineno < anchor.lineno
            and graphdefs.scope_of(node, self.parents) is scope
            for node in ast.walk(scope)
        )

    def _refuse_uses(self, definition: Definition, statements: Sequence[ast.stmt]) -> None:
        """Raises Stay where statements use a model, or call a function that does."""
        users: set[str] = set()
        for statement in statements:
            using = any(self._contains(statement, node) for node in definition.references)
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                users |= {statement.name} if using else set()
                continue
            names = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
            if using or names & users:
                raise Stay(
                    statement, "the model is used before its sample is made", "make it first"
                )

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
            if not any(used & graphdefs.names_in(s) & bound_names(s) for s in between):
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
            if any(drawn.moves_on(sample) for sample in drawn.samples(net.init)):
                raise Stay(net.init, "the sample is drawn here", "give it a name of its own before")
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
            if line is None or _call_of(text) is None:
                continue
            self.broken.add(call)
            self.edits.replace(call, self._broken_call(line, text))
            return True
        return False

    def _broken_call(self, line: str, text: str) -> str:
        indent = line[: len(line) - len(line.lstrip())]
        before, _, after = line.strip().partition(text)
        # What the call has now: arguments that it lost or got are not those of the old one.
        now = _call_of(text)
        assert now is not None
        parts = [now.func, *now.args, *now.keywords]
        head, *items = [ast.get_source_segment(text, part) or "" for part in parts]
        new = layout.call(
            head,
            items,
            indent=indent,
            unit=self.source.hanging_indent,
            limit=self.limit,
            prefix=before,
            suffix=after,
        )
        return new.removeprefix(before).removesuffix(after)

    def _annotations(self) -> None:
        for node in self.nodes:
            if isinstance(node, ast.Attribute | ast.Name):
                qualified = self.names.qualified(node)
                state = qualified in _TREES_AS_TYPES
                # That of a parameter may have gone with it.
                if (state or qualified == "haiku.Transformed") and self.edits.keeps(node):
                    name = "flax.nnx.State" if state else "flax.nnx.GraphDef"
                    self.edits.replace(node, self.names.target(name))


def _call_of(text: str) -> ast.Call | None:
    """The call that a text is, where it gives anything."""
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
    return node if isinstance(node, ast.Call) and (node.args or node.keywords) else None
