"""Where `init` was called, the module is made."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from ..chains import stored_names
from ..shapes import classes
from ..shapes.named import meant
from ..shapes.values import External, Function, Object, Partial, Value
from . import drawn, graphdefs
from .ground import Stay
from .haiku import maker_call
from .keys import Keys
from .kinds import (
    Net,
    Transformed,
)
from .modes import Making
from .roles import MODEL


class Makings(Keys):
    """Writes the statements that make modules."""

    def _construct(self, node: ast.Assign, net: Net) -> None:
        """The statement that kept what `init` returned makes the module."""
        indent = self.source.line_indent(self.source.span(node)[0])
        lines = self._making_lines(node, net)
        first = self._first_call(net, node, lines)
        if first is not None:
            self._insert_above(first, lines)
            self._delete(node)
            return
        self.edits.replace(node, f"\n{indent}".join(lines))
        self._forget(node)

    def _making_lines(self, node: ast.stmt, net: Net) -> list[str]:
        """The lines that make the module of a net, at a statement that calls `init`."""
        name = self.object_name(net, MODEL, node)
        lines, text = self._constructor(net, lambda e: self._plain(e))
        indent = self.source.line_indent(self.source.span(node)[0])
        lines.append(self.construction.statement(name, text, indent))
        first = self._first_run(net, name)
        self.makings.append(Making(node, name, "eval" if f"{name}.eval()" in first else None))
        return [*lines, *first]

    def _construct_before(self, node: ast.stmt, net: Net) -> None:
        """The module of a net is made before a statement that hands on what its `init` returns."""
        lines = self._making_lines(node, net)
        first = self._first_call(net, node, lines)
        self._insert_above(first or node, lines)
        self.made_before.add(net)

    def _insert_above(self, node: ast.stmt, lines: Sequence[str]) -> None:
        """Lines before a statement; those that a line was broken into are indented already."""
        indent = self.source.line_indent(self.source.span(node)[0])
        self.edits.insert_before(node, "\n".join(lines).replace(f"\n{indent}", "\n") + "\n")

    def _first_call(self, net: Net, node: ast.stmt, lines: Sequence[str]) -> ast.stmt | None:
        """The statement before `init` that calls the model already, as it did without parameters."""
        if not net.early:
            return None
        block = next(
            body
            for _, body in ast.iter_fields(self.parents[node])
            if isinstance(body, list) and node in body
        )
        callers = [self._statement_of(call) for call in net.early]
        if not all(caller in block for caller in callers):
            raise Stay(
                node, "the model is called where it is not made", "make it before its first call"
            )
        first = min(callers, key=block.index)
        if block.index(first) > block.index(node):
            return None
        between = block[block.index(first) : block.index(node)]
        bound = {name for statement in between for name in stored_names(statement)}
        read = ast.walk(ast.parse("\n".join(lines)))
        if any(isinstance(n, ast.Name) and n.id in bound for n in read):
            raise Stay(
                node, "the model is called before its sample is made", "make the sample first"
            )
        return first

    def _first_run(self, net: Net, name: str) -> list[str]:
        """Linen's `init` runs the model once: state that the run changes must be changed here too."""
        model = self.model_of(net)
        if net.framework == "haiku":
            return self._first_averages(net, name)
        if model is None or not (model.writes_at_init or self._is_given_unshaped(net.module)):
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

    def _is_given_unshaped(self, value: Value | None) -> bool:
        """Whether a module is given a layer's class that has a form of its own where it is handed on: only a call
        makes the variables of that."""
        match value:
            case Object(arguments=given) | Partial(kwargs=given) if given:
                return any(self._is_given_unshaped(each) for each in given.values())
            case External(name=name):
                rule = self.interp.rules.layer(name)
                return rule is not None and rule.handed is not None
        return isinstance(value, Partial) and self._is_given_unshaped(value.function)

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

    def _constructor(
        self, net: Net, text: Callable[[ast.expr], str], surplus: Sequence[ast.expr] = ()
    ) -> tuple[list[str], str]:
        """The call that makes a net's module, and the lines that go before it."""
        maker = self._maker(net)
        assert net.module is not None
        arguments = self._call_arguments(net, surplus)
        key = self.construction.rngs(net.key, text, self.stream_keys.get(net), self._draws(net))
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
        made = self.construction.write(net, net.module, maker, arguments, text, key)
        first = self._drawn(net, made, text)
        if first:
            made = self.construction.write(net, net.module, maker, arguments, text, key)
        return [*first, *lines], made

    def _drawn(self, net: Net, made: str, text: Callable[[ast.expr], str]) -> list[str]:
        """Lines that draw a sample once, as `init` did; from then on its name stands for it."""
        again = bool(self._first_run(net, ""))
        lines: list[str] = []
        for sample in drawn.samples(net.init):
            uses = made.count(text(sample)) + again
            if uses == 0 and drawn.moves_on(sample):
                lines.append(text(sample))
            elif uses > 1 and drawn.differs(sample, self.names.qualified):
                if isinstance(sample, ast.Starred):
                    raise Stay(sample, "the sample is drawn anew here", "give it a name of its own")
                name = graphdefs.free("sample", graphdefs.names_in(self._enclosing(net.init)))
                lines.append(f"{name} = {text(sample)}")
                self.names.instead[sample] = name
        return lines

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
            return self._transform_call(net, net.model) or made[0]
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
                function = meant(self.facts.value(call.func))
                if isinstance(function, Function) and function.node in self.models:
                    return call
        if makers:
            raise Stay(
                net.init,
                "the model is made out of sight",
                "make it where its parameters are initialised",
            )
        return None

    def _transform_call(self, net: Net, model: Transformed) -> ast.Call | None:
        """The call of the function that returns a net's transform, or the function for it, where one does."""
        for call in self.nodes:
            if isinstance(call, ast.Call) and any(
                (v.function if isinstance(v, Transformed) else v) is model.function
                for v in self.facts.values.get(call, [])
            ):
                function = self.facts.value(call.func)
                if isinstance(function, Function) and function.node in self.models:
                    return call
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
