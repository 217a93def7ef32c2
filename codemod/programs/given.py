"""Functions that initialise a model that they are given: their callers make the module."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TypeGuard

from ..signatures import written_arguments
from . import drawn
from .ground import FunctionNode, Stay
from .kinds import Net, is_model
from .making import Makings
from .modes import Making
from .roles import FunctionRole, absorbed


class GivenModels(Makings):
    """Writes the statements that make modules for functions which initialised them."""

    def _receiver(self, node: ast.AST) -> FunctionRole | None:
        return self.roles.functions.get(self._enclosing(node))

    def _initialise(self, node: ast.Assign, init: ast.Call) -> None:
        """A statement that keeps what `init` returned makes the module, or leaves that to its function's callers."""
        net = next(net for net in self.nets if net.init is init)
        if not self._gives_back(node, init):
            self._construct(node, net)

    def _gives_back(self, node: ast.stmt, init: ast.Call) -> bool:
        """Leaves it to the callers of a function to make the model that they give it, where they do."""
        net = next(net for net in self.nets if net.init is init)
        role = self._receiver(node)
        if role is None or not self._given_model(role, net):
            return False
        self._construct_at_callers(role, net, node)
        return True

    def _given_model(self, role: FunctionRole, net: Net) -> bool:
        """Whether the enclosing function was handed the unbound model."""
        for parameter in [*role.node.args.args, *role.node.args.kwonlyargs]:
            if any(v is net.model for v in self.facts.values.get(parameter, [])) and is_model(
                net.model
            ):
                return True
        return False

    def _find_moved_parameters(self) -> None:
        """What functions that initialise a given model take for that alone: it goes to where their callers make it."""
        for net in self.nets:
            role = self._receiver(net.init)
            if role is None or not self._given_model(role, net):
                continue
            within = set(ast.walk(self._statement_of(net.init)))
            for name in role.parameters:
                reads = [n for n in ast.walk(role.node) if _reads(n, name)]
                if name not in role.replaced and reads and within.issuperset(reads):
                    role.replaced[name] = []

    def _only_initialises(self, function: ast.AST) -> bool:
        """Whether a function does nothing but initialise the model that it is given: its calls make the module."""
        role = self.roles.functions.get(function)
        if role is None or not isinstance(function, ast.FunctionDef):
            return False
        body = function.body[1:] if ast.get_docstring(function) is not None else function.body
        nets = [net for net in self.nets if self._enclosing(net.init) is function]
        if len({net.init for net in nets}) != 1 or not self._given_model(role, nets[0]):
            return False
        match body:
            case [*first, ast.Return(value=value)] if value is not None:
                calls = [n for n in ast.walk(value) if isinstance(n, ast.Call)]
                inits = [
                    s for s in first if isinstance(s, ast.Assign) and self._init_within(s.value)
                ]
                own = self._init_within(value) is not None or not calls
                return own and inits == first and absorbed(self.facts.value(value)) is not None
        return False

    def _construct_at_callers(self, role: FunctionRole, net: Net, node: ast.stmt) -> None:
        """A function that initialises the model that it is given: its callers make the module."""
        if isinstance(role.node, ast.FunctionDef) and self._only_initialises(role.node):
            self._refuse_other_uses(role.node)
            self._delete(role.node)
        else:
            self._delete(node)
        for call in self.nodes:
            if isinstance(call, ast.Call) and role.node in self.roles.callees(call):
                for arg in [*call.args, *[k.value for k in call.keywords]]:
                    found = self.facts.value(arg)
                    for other in self.explorer.nets.values():
                        if other.init is net.init and found is other.model:
                            self._replace_made(arg, other, role, call)

    def _refuse_other_uses(self, function: ast.FunctionDef) -> None:
        """Raises Stay where a function that goes is more than called by statements that keep its result."""
        name = function.name
        for node in self.nodes:
            if not isinstance(node, ast.Name) or node.id != name:
                continue
            call = self.parents[node]
            kept = isinstance(call, ast.Call) and call.func is node
            statement = self.parents.get(call)
            if not kept or not isinstance(statement, ast.Assign) or statement.value is not call:
                raise Stay(
                    node,
                    f"`{name}` only initialises a model, and is used within an expression",
                    "give what it returns a name first",
                )

    def _replace_made(self, arg: ast.expr, net: Net, role: FunctionRole, call: ast.Call) -> None:
        given = written_arguments(role.parameters, call)
        spec = role.node.args
        if spec.vararg is not None:
            surplus = call.args[len([*spec.posonlyargs, *spec.args]) :]
        else:
            surplus = []

        def text(node: ast.expr) -> str:
            if isinstance(node, ast.Name) and node.id in given:
                if role.replaced.get(node.id) != [] and drawn.moves_on(given[node.id]):
                    raise Stay(node, "a key is drawn here for more than the model", "name it first")
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
            self._make_named(arg, definition, call, lines, made)
            return
        if lines or self._only_initialises(role.node):
            raise Stay(arg, "a model of several modules is made here", "give it a name of its own")
        self.edits.replace(arg, made)
        self.gone.add(arg)

    def _make_named(
        self, name: ast.Name, definition: ast.Assign, call: ast.Call, before: list[str], made: str
    ) -> None:
        """Makes a model where the unbound one was made; later, where what it needs is not there yet."""
        place: ast.stmt = definition
        needed = [ast.parse(line) for line in [*before, made]]
        initialises = all(map(self._only_initialises, self.roles.callees(call)))
        if initialises or self._bound_later(needed, definition):
            place = self._statement_of(call)
            self._refuse_between(name, definition, place)
        indent = self.source.line_indent(self.source.span(place)[0])
        self.makings.append(Making(place, name.id))
        lines = [*before, self.construction.statement(name.id, made, indent)]
        if place is definition or initialises:
            self.edits.replace(place, f"\n{indent}".join(lines))
            self._forget(place)
        else:
            self.edits.insert_before(place, "\n".join(lines), below_comments=True)
        if place is not definition:
            self._delete(definition)

    def _bound_later(self, code: Sequence[ast.AST], place: ast.stmt) -> bool:
        """Whether code reads a local that is not bound yet at some place."""
        scope = self._enclosing(place)
        own = [n for n in self.nodes if isinstance(n, ast.Name) and self._enclosing(n) is scope]
        stored = [n for n in own if not isinstance(n.ctx, ast.Load)]
        early = {n.id for n in stored if n.lineno < place.lineno}
        if isinstance(scope, FunctionNode):
            early |= {a.arg for a in ast.walk(scope.args) if isinstance(a, ast.arg)}
        read = {n.id for part in code for n in ast.walk(part) if isinstance(n, ast.Name)}
        return bool(read & {n.id for n in stored} - early)

    def _refuse_between(self, name: ast.Name, definition: ast.stmt, place: ast.stmt) -> None:
        """Raises Stay where an unbound model is spoken of before the place where its module is made."""
        reads = any(
            _reads(n, name.id)
            and self._enclosing(n) is self._enclosing(place)
            and definition.lineno < n.lineno < place.lineno
            for n in self.nodes
        )
        if reads or self.parents[definition] is not self.parents[place]:
            raise Stay(name, "the model is used before its sample is made", "make the sample first")

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


def _reads(node: ast.AST, name: str) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
