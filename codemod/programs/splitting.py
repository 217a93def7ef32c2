"""`init` makes a module and splits it into the trees that the program keeps."""

from __future__ import annotations

import ast

from . import graphdefs
from .definitions import Definitions
from .graphdefs import Definition
from .ground import Stay
from .kinds import TransformedInit, Tree


class SplitInits(Definitions):
    """Rewrites the calls of `init`."""

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
        graphdef = self._where_made(definition, definition.name)
        targets = self._targets(statement, whole, definition)
        if targets is not None:
            first = graphdef if definition.at_init else "_"
            closed = self._closed_at(init, definition)
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
        closed = self._closed_at(init, definition)
        first = self._where_made(definition, definition.name) if definition.at_init else "_"
        left = ", ".join([first, *names, *closed])
        lines = [*lines, f"{left} = {nnx}.split({made}, {param}{', ...' if rest else ''})"]
        self.ahead.append((self._statement_of(init), "\n".join(lines)))
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

    def _closed_at(self, init: ast.Call, definition: Definition) -> list[str]:
        """The state that the program does not know of, as a call of `init` writes it."""
        if isinstance(init.func, ast.Attribute):
            return self._closed_texts(init.func.value, definition)
        return [definition.closed] if definition.closed else []

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
