"""Moves expressions of a method into the constructor.

What a method computes from fields is computed the same way from the constructor's parameters; what it reads off an
input's shape is written as the size that the interpreter found. An expression that needs the data itself cannot move.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Protocol

from ..ancestry import lineage
from ..chains import bound_names
from ..rule import Declined
from ..shapes import dtypes
from ..shapes.dims import Choice, Dim, Expression, Origin, Symbols, Unexplained
from ..shapes.facts import Facts
from ..shapes.operators import presence_asked
from ..shapes.values import Array, Constant, External, Items, ShapePart, Unknown, Value, as_dim
from ..source import Source
from . import turns
from .brackets import bracketed


class Rewriter(Protocol):
    """New text for a name or a call that a rule knows; `text` writes the call's arguments."""

    def __call__(
        self, node: ast.AST, text: Callable[[ast.expr], str] | None = None, /
    ) -> str | None: ...


class CannotMove(Declined):
    """An expression that cannot be computed in the constructor."""

    def __init__(self, node: ast.AST, message: str, help: str, unsized: bool = False) -> None:
        super().__init__(message, help, unsized)
        self.node = node


class NeedsFlags(Declined):
    """A module is called with a flag that is not just its caller's mode: its class has to keep the flag."""

    def __init__(self, cls: ast.AST, name: str) -> None:
        super().__init__(f"`{name}` has to keep its flags", "keep them with --mode-flags keep")
        self.cls = cls


class HandedFlag(CannotMove):
    """A layer made ready with a flag is handed to another module: the class cannot keep its flags."""


# Methods of lists, dictionaries and sets that change them.
_CHANGING = frozenset(
    "append extend insert add update setdefault pop popitem remove discard clear sort reverse".split()
)


@dataclass
class Scope:
    """The names of one method: its parameters, loop variables and what it assigns."""

    function: ast.AST
    parameters: set[str]
    loop_names: dict[str, list[ast.AST]]
    assignments: dict[str, list[ast.stmt]]
    changes: dict[str, list[ast.stmt]] = field(default_factory=dict)  # in place: `sizes.append(3)`


@dataclass
class Needs:
    """What moved code needs in the constructor."""

    statements: dict[ast.stmt, None] = field(default_factory=dict)
    symbols: dict[str, Origin] = field(default_factory=dict)
    sizes: list[Dim] = field(default_factory=list)
    fields: set[str] = field(default_factory=set)
    kept_fields: set[str] = field(default_factory=set)

    def copy(self) -> Needs:
        return Needs(
            dict(self.statements),
            dict(self.symbols),
            list(self.sizes),
            set(self.fields),
            set(self.kept_fields),
        )


@dataclass
class Transport:
    """Writes expressions for the constructor of one class.

    `fields` maps the attribute names that are constructor parameters to the parameters' names; `rewrite` gives the new
    text of nodes that rules change (`nn.relu`); `name_symbol` the text of a symbol.
    """

    source: Source
    facts: Facts
    symbols: Symbols
    fields: Mapping[str, str]
    rewrite: Rewriter
    name_symbol: Callable[[str, Origin], str]
    target: Callable[[str], str] = str
    known: Callable[[ast.expr], bool | None] = lambda test: None
    partial: Callable[[ast.Call, Scope], str | None] = lambda node, scope: None
    needs: Needs = field(default_factory=Needs)
    self_name: str = "self"
    scopes: dict[ast.AST, Scope] = field(default_factory=dict)
    substitutes: dict[ast.AST, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)  # locals that would hide a field
    # tests that decide on attributes
    presence: Mapping[str, ast.expr] = field(default_factory=dict)
    changed: Set[str] = frozenset()  # attributes that methods set to something else
    locals: Set[tuple[ast.AST, str]] = frozenset()  # what holds layers in the constructor, too
    current: Callable[[Dim, ast.AST], Dim] = lambda dim, node: dim  # a size in terms that hold now
    late: Set[str] = frozenset()  # attributes that nothing sets before the module is called
    of_locals: Mapping[str, str] = field(default_factory=dict)  # attributes that hold locals of it

    # ---- sizes ---------------------------------------------------------------------------------

    def size(self, dim: Dim, node: ast.AST) -> str:
        """A size as the constructor writes it."""
        dim = self.current(dim, node)
        for name, origin in self.symbols.origins_of(dim).items():
            if isinstance(origin, Unexplained):
                raise CannotMove(
                    node,
                    f"a size could not be inferred ({origin.why})",
                    "give the size to the constructor by hand, or run with --trace and samples that show it",
                    unsized=True,
                )
            if isinstance(origin, Expression) and not turns.reads(
                origin, node, self.source.parents
            ):
                raise CannotMove(
                    node,
                    f"`{origin.text}` of another loop decides a size here",
                    "make both layers in one loop",
                )
            self.needs.symbols[name] = origin
        self.needs.sizes.append(self.symbols.resolve(dim))
        return self.symbols.render(dim, self.name_symbol)

    # ---- expressions ------------------------------------------------------------------------------

    def expression(self, node: ast.expr, scope: Scope) -> str:
        """The text of an expression in the constructor; raises CannotMove."""
        return self._within(node, scope, frozenset())

    def _within(self, node: ast.expr, scope: Scope, bound: frozenset[str]) -> str:
        start, end = self.source.span(node)
        pieces: list[tuple[int, int, str]] = []
        self._collect(node, scope, pieces, bound)
        return splice(self.source.text, start, end, pieces)

    def can_write(self, node: ast.expr, scope: Scope) -> bool:
        """Whether an expression can be written for the constructor."""
        needs = self.needs.copy()
        try:
            self.expression(node, scope)
        except CannotMove:
            return False
        finally:
            self.needs = needs
        return True

    def is_static(self, node: ast.AST, scope: Scope, seen: frozenset[str] = frozenset()) -> bool:
        """Whether an expression can be computed from fields and constants alone, as it is written."""
        inner = bound_names(node)
        for name in ast.walk(node):
            if (
                isinstance(name, ast.Name)
                and name.id not in inner
                and not self._static_name(name, scope, seen)
            ):
                return False
        return True

    def _static_name(self, name: ast.Name, scope: Scope, seen: frozenset[str]) -> bool:
        if name.id == self.self_name:
            return True
        if name.id in scope.parameters:
            return False
        if name.id in scope.loop_names:
            return not any(
                isinstance(each, ast.Name) and each.id == name.id and each in self.facts.walked
                for loop in scope.loop_names[name.id]
                if isinstance(loop, ast.For)
                for each in ast.walk(loop.target)
            )
        if name.id not in scope.assignments:
            return True
        if name.id in seen:
            return True
        return (
            all(
                self._static_assignment(statement, name.id, scope, seen | {name.id})
                for statement in scope.assignments[name.id]
            )
            and all(
                self.is_static(expression, scope, seen | {name.id})
                for statement in self._changes(name.id, scope)
                for expression in _expressions(statement)
            )
            and not any(self._calls_layers(change) for change in self._changes(name.id, scope))
        )

    def _changes(self, name: str, scope: Scope) -> list[ast.stmt]:
        """The statements that change what a local holds, but for those that put layers in it."""
        changes = scope.changes.get(name, ())
        return [s for s in changes if not self._makes_layers(s) or self._calls_layers(s)]

    def _calls_layers(self, statement: ast.stmt) -> bool:
        """Whether a statement calls a layer that it makes: what the layer returns is no layer."""
        return any(
            isinstance(node, ast.Call) and node.func in self.facts.made
            for node in ast.walk(statement)
        )

    def _static_assignment(
        self, statement: ast.stmt, name: str, scope: Scope, seen: frozenset[str]
    ) -> bool:
        match statement:
            case ast.Assign(value=value) | ast.AugAssign(value=value):
                return not self._makes_layers(value) and self.is_static(value, scope, seen)
            case ast.AnnAssign(value=value) if value is not None:
                return not self._makes_layers(value) and self.is_static(value, scope, seen)
            case ast.FunctionDef():
                return not self._makes_layers(statement) and self.is_static(statement, scope, seen)
        return False

    def _makes_layers(self, node: ast.AST) -> bool:
        return any(
            inner in self.facts.made
            or (inner in self.facts.variables and inner not in self.substitutes)
            for inner in ast.walk(node)
        )

    def _collect(
        self,
        node: ast.AST,
        scope: Scope,
        pieces: list[tuple[int, int, str]],
        bound: frozenset[str],
        parent: ast.AST | None = None,
    ) -> None:
        if isinstance(node, ast.IfExp):
            outcome = self.known(node.test)
            if outcome is not None:
                pieces.append(
                    (
                        *self.source.span(node),
                        self.expression(node.body if outcome else node.orelse, scope),
                    )
                )
                return
        replaced = self._replacement(node, scope, bound)
        if replaced is not None:
            fitted = bracketed(replaced, node, parent)
            pieces.append((*self.source.span(node), fitted))
            return
        if isinstance(node, ast.Call):
            written = self.partial(node, scope) or self.rewrite(
                node, lambda argument: self._within(argument, scope, bound)
            )
            if written is not None:
                pieces.append((*self.source.span(node), written))
                return
        inner = (
            bound | bound_names(node) if isinstance(node, ast.Lambda | _COMPREHENSIONS) else bound
        )
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.expr_context | ast.operator):
                self._collect(child, scope, pieces, inner, node)

    def _replacement(self, node: ast.AST, scope: Scope, bound: frozenset[str]) -> str | None:
        """New text for a node that is replaced whole."""
        if node in self.substitutes:
            return self.substitutes[node]
        if isinstance(node, ast.Attribute) and _is_self(node.value, self.self_name):
            return self._field(node, scope)
        if isinstance(node, ast.Compare) and (decided := self._decided(node, scope)) is not None:
            return decided
        if isinstance(node, ast.Name | ast.Attribute):
            written = self.rewrite(node)
            if written is not None:
                return written
        if isinstance(node, ast.Name):
            if node.id in bound:
                return None
            written = self._name(node, scope)
            hides = node.id in scope.assignments and node.id not in scope.parameters
            return self.renamed.get(node.id) if written is None and hides else written
        if isinstance(node, ast.expr) and not self.is_static(node, scope):
            return None if self._runs_later(node) else self._computed(node, scope)
        return None

    def _runs_later(self, node: ast.expr) -> bool:
        """Whether an expression reads what a lambda around it is given: what it is, no call of the module tells."""
        names = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
        above = self.source.parents.get(node)
        while above is not None and not isinstance(above, ast.stmt):
            if isinstance(above, ast.Lambda):
                given = {arg.arg for arg in ast.walk(above.args) if isinstance(arg, ast.arg)}
                if names & given:
                    return True
            above = self.source.parents.get(above)
        return False

    def _field(self, node: ast.Attribute, scope: Scope) -> str | None:
        parameter = self.fields.get(node.attr)
        if parameter is not None and node.attr in self.changed:
            raise CannotMove(
                node,
                f"`self.{node.attr}` is set to something else when the module is called",
                "give it its value in the constructor, or hold the new one in a local",
            )
        if parameter is not None and not self._is_hidden(parameter, node, scope):
            self.needs.fields.add(parameter)
            return parameter
        if node.attr in self.late:
            return self._from_value(node)
        local = self.of_locals.get(node.attr)
        if local is not None and node.attr not in self.changed and local not in scope.loop_names:
            return local
        self.needs.kept_fields.add(node.attr)
        return None

    def _is_hidden(self, parameter: str, node: ast.expr, scope: Scope) -> bool:
        """Whether a name is no more that of a constructor's parameter: a loop or a local has it by then.

        The constructor of Haiku's class has the same locals, and sets its attributes by them.
        """
        if parameter in scope.loop_names:
            return True
        if parameter in self.renamed or getattr(scope.function, "name", "") == "__init__":
            return False
        return any(
            statement in self.needs.statements
            and (self._share_loop(statement, node) or self._runs_before(statement, node))
            for statement in scope.assignments.get(parameter, ())
        )

    def _runs_before(self, statement: ast.stmt, node: ast.expr) -> bool:
        """Whether a statement stands before a node, and not in another branch of one test."""
        parents = self.source.parents
        branch: ast.AST = statement
        around = {*lineage(node, parents)}
        for above in lineage(statement, parents):
            if isinstance(above, ast.If) and branch in above.body and around & {*above.orelse}:
                return False
            branch = above
        return (statement.end_lineno or 0) < node.lineno

    def _share_loop(self, statement: ast.stmt, node: ast.expr) -> bool:
        parents = self.source.parents
        loops = {a for a in lineage(statement, parents) if isinstance(a, ast.For | ast.While)}
        return any(above in loops for above in lineage(node, parents))

    def _parameter(self, field: str) -> str | None:
        """The parameter that gives a field its value, if that is what methods find there."""
        parameter = self.fields.get(field) if field not in self.changed else None
        if parameter is not None:
            self.needs.fields.add(parameter)
        return parameter

    def _decided(self, node: ast.Compare, scope: Scope) -> str | None:
        """`self.shortcut is not None`, where one test of the constructor decides whether there is a shortcut."""
        match node:
            case ast.Compare(
                left=ast.Attribute(value=owner, attr=name),
                ops=[ast.Is() | ast.IsNot() as op],
                comparators=[ast.Constant(value=None)],
            ) if name in self.presence and _is_self(owner, self.self_name):
                test = self.presence[name]
                if any(n.id in scope.loop_names for n in ast.walk(test) if isinstance(n, ast.Name)):
                    return None
                text = self.expression(test, Scope(scope.function, set(), {}, {}))
                plain = isinstance(test, ast.Name | ast.Attribute | ast.Call)
                if isinstance(op, ast.IsNot):
                    return text if plain else f"({text})"
                return f"(not {text})" if plain else f"(not ({text}))"
        return None

    def _name(self, node: ast.Name, scope: Scope) -> str | None:
        if node.id in scope.parameters and node.id != self.self_name:
            if _is_setting(self.facts.value(node)):
                raise _only_known(self.source.segment(node), node)  # another call may give another
            return self._from_value(node)
        if (scope.function, node.id) in self.locals:
            return None
        if node.id in scope.assignments and node.id not in scope.loop_names:
            if not self._static_name(node, scope, frozenset()):
                return self._from_value(node) if not self._moves(node, scope) else None
            for statement in scope.assignments[node.id]:
                self.require(statement, scope)
        return None

    def _moves(self, node: ast.Name, scope: Scope) -> bool:
        """Whether a local that depends on shapes is better computed again than written as a size."""
        dim = as_dim(self.facts.value(node))
        if dim is not None and not any(
            isinstance(o, Choice) for o in self.symbols.origins_of(dim).values()
        ):
            return False
        statements = scope.assignments[node.id]
        if any(isinstance(s, ast.FunctionDef) or self._makes_layers(s) for s in statements):
            return False
        if dim is not None and all(map(_takes_axes, statements)):
            return False  # the other axes need parameters that no layer asks for
        saved = (dict(self.needs.statements), dict(self.needs.symbols))
        try:
            for statement in statements:
                self.require(statement, scope)
        except CannotMove:
            self.needs.statements, self.needs.symbols = saved
            return False
        return True

    def require(self, statement: ast.stmt, scope: Scope) -> None:
        """A statement of the method is needed in the constructor, and so is what it reads."""
        if statement in self.needs.statements:
            return
        self.needs.statements[statement] = None
        for expression in _expressions(statement):
            self.expression(expression, scope)
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
            for name in ast.walk(statement):
                if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                    for change in self._changes(name.id, scope):
                        self.require(change, scope)
        for test in self._tests_around(statement):
            if self.is_static(test, scope):
                self.expression(test, scope)

    def _tests_around(self, statement: ast.stmt) -> Iterator[ast.expr]:
        """What decides, in its function, whether a statement runs."""
        above = self.source.parents.get(statement)
        while above is not None and not isinstance(above, ast.FunctionDef | ast.ClassDef):
            if isinstance(above, ast.If):
                yield above.test
            above = self.source.parents.get(above)

    def _computed(self, node: ast.expr, scope: Scope) -> str | None:
        """A shape read off the data; None where its parts must be looked at."""
        value = self.facts.value(node)
        dim = as_dim(value)
        if dim is not None and not isinstance(node, ast.IfExp | ast.BinOp | ast.BoolOp):
            return self.size(dim, node)
        if isinstance(value, Items | ShapePart) and isinstance(node, ast.Attribute | ast.Subscript):
            return self._from_value(node)
        if isinstance(node, ast.Compare):
            return self._presence(node) or self._compared_shapes(node)
        if isinstance(node, ast.Call) and (asked := presence_asked(self.facts, node)) is not None:
            return self._is_given(*asked, node)
        if isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
            static_call = isinstance(node, ast.Call) and not self._reads_data(node)
            return None if static_call else self._from_value(node)
        return None

    def _reads_data(self, node: ast.Call) -> bool:
        return (
            any(
                isinstance(self.facts.value(inner), Array)
                for inner in ast.walk(node)
                if isinstance(inner, ast.Name)
                and inner is not node.func
                and not self._asks_for_shape(inner)
            )
            and as_dim(self.facts.value(node)) is None
        )

    def _asks_for_shape(self, name: ast.Name) -> bool:
        """Whether a name is read for `x.shape` and its like alone."""
        above = self.source.parents.get(name)
        return isinstance(above, ast.Attribute) and above.attr in ("shape", "ndim", "dtype")

    def _presence(self, node: ast.Compare) -> str | None:
        """`context is not None` of an optional input asks for its size."""
        match node:
            case ast.Compare(
                left=ast.Name() as name,
                ops=[ast.Is() | ast.IsNot() as op],
                comparators=[ast.Constant(value=None)],
            ):
                return self._is_given(name, isinstance(op, ast.IsNot), node)
        return None

    def _is_given(self, name: ast.Name, given: bool, node: ast.expr) -> str | None:
        """The test whether an optional input is given, or is not, as one of its size."""
        value = self.facts.values.get(name, [None])[0]
        if isinstance(value, Array) and value.optional and value.shape:
            return f"{self.size(value.shape[-1], node)} {'is not' if given else 'is'} None"
        return None

    def _compared_shapes(self, node: ast.Compare) -> str | None:
        """`a.shape != b.shape` as a comparison of the sizes that may differ."""
        from ..shapes.dims import same

        if len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
            return None
        left, right = self.facts.value(node.left), self.facts.value(node.comparators[0])
        if not (
            isinstance(left, Items)
            and isinstance(right, Items)
            and len(left.items) == len(right.items)
        ):
            return None
        tests: list[str] = []
        strides: dict[str, None] = {}
        negated = isinstance(node.ops[0], ast.NotEq)
        sign, word = ("!=", " or ") if negated else ("==", " and ")
        for one, two in zip(left.items, right.items, strict=True):
            a, b = as_dim(one), as_dim(two)
            if a is None or b is None:
                return None
            if same(a, b):
                continue
            stride = self._stride_between(a, b)
            if stride is not None:
                strides.setdefault(stride)
            else:
                tests.append(f"{self.size(a, node)} {sign} {self.size(b, node)}")
        tests += self._unit_strides(list(strides), sign)
        return word.join(tests) or None

    def _stride_between(self, one: Dim, two: Dim) -> str | None:
        """The stride, as the constructor writes it, by which one of two sizes is the other, rounded up."""
        from ..shapes.dims import same

        for whole, part in ((one, two), (two, one)):
            whole, part = self.symbols.resolve(whole), self.symbols.resolve(part)
            for name, origin in self.symbols.origins_of(part).items():
                if not isinstance(origin, Expression | Choice):
                    continue
                symbol = self.symbols.symbol(name)
                if same(part, -(-whole // symbol)):
                    return self.size(symbol, ast.Pass())
        return None

    @staticmethod
    def _unit_strides(strides: list[str], sign: str) -> list[str]:
        """`strides != (1, 1)` for strides of all axes, else a test for each."""
        stems = {text.rsplit("[", 1)[0] for text in strides if text.endswith("]")}
        wanted = [f"{stem}[{i}]" for stem in stems for i in range(len(strides))]
        if len(stems) == 1 and strides == wanted:
            ones = "(1,)" if len(strides) == 1 else f"({', '.join(['1'] * len(strides))})"
            return [f"tuple({stems.pop()}) {sign} {ones}"]
        return [f"{text} {sign} 1" for text in strides]

    def _from_value(self, node: ast.expr) -> str:
        """The text of a value that does not depend on the data."""
        text = self.value_text(self.facts.value(node), node)
        if text is None:
            raise _only_known(self.source.segment(node), node)
        return text

    def value_text(self, value: Value | None, node: ast.AST) -> str | None:
        dim = as_dim(value)
        if dim is not None:
            return self.size(dim, node)
        match value:
            case ShapePart(symbol=symbol):
                return self.size(symbol, node)
            case Constant(value=known) if isinstance(known, int | float | str | bool | None):
                return repr(known)
            case External(name=name) if name.startswith("jax.numpy."):
                return self.target(name)
            case Unknown(text=str(field), why=dtypes.FIELD):
                return self._parameter(field)
            case Items(items=items, kind=kind) if kind in ("tuple", "list"):
                parts = [self.value_text(item, node) for item in items]
                if any(part is None for part in parts):
                    return None
                inner = ", ".join(str(part) for part in parts)
                if kind == "list":
                    return f"[{inner}]"
                return f"({inner},)" if len(parts) == 1 else f"({inner})"
        return None


_COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def _is_self(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _takes_axes(statement: ast.stmt) -> bool:
    """`b, h, w, c = x.shape`."""
    match statement:
        case ast.Assign(targets=[ast.Tuple()], value=ast.Attribute(attr="shape")):
            return True
    return False


def _expressions(statement: ast.stmt) -> list[ast.expr]:
    match statement:
        case ast.Assign(value=value) | ast.AugAssign(value=value):
            return [value]
        case ast.AnnAssign(value=value) if value is not None:
            return [value]
        case ast.Expr(value=ast.Call(args=args, keywords=keywords)):
            return [*args, *(k.value for k in keywords)]
        case ast.FunctionDef():
            return free_reads(statement)
    return []


def changed(statement: ast.AST) -> str | None:
    """The local that a statement changes in place: `sizes.append(3)`, `sizes[0] = 3`."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method))):
            return name if method in _CHANGING else None
        case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name))]):
            return name
        case ast.AugAssign(target=ast.Subscript(value=ast.Name(id=name))):
            return name
    return None


def _is_setting(value: Value | None) -> bool:
    """Whether a value is a number that is no size, or a word: one of many that calls may give."""
    return isinstance(value, Constant) and isinstance(value.value, float | str)


def _only_known(written: str, node: ast.AST) -> CannotMove:
    return CannotMove(
        node,
        f"`{written[:60]}` is only known when the module is called",
        "pass it to the constructor, or make the layer without it",
        unsized=True,
    )


def free_reads(function: ast.FunctionDef) -> list[ast.expr]:
    """What a nested function reads of the scope around it: names, and attributes of `self`."""
    own = {n.arg for n in ast.walk(function) if isinstance(n, ast.arg)} | {
        n.id
        for n in ast.walk(function)
        if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)
    }
    own |= {n.name for n in ast.walk(function) if isinstance(n, ast.FunctionDef)}
    found: list[ast.expr] = []
    pending: list[ast.AST] = [*function.body, *function.args.defaults]
    pending += [default for default in function.args.kw_defaults if default is not None]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Attribute) and _is_self(node.value, "self"):
            found.append(node)
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load) and node.id not in own:
                found.append(node)
        else:
            pending += ast.iter_child_nodes(node)
    return found


def splice(text: str, start: int, end: int, pieces: list[tuple[int, int, str]]) -> str:
    """`text[start:end]` with some of its parts replaced."""
    result: list[str] = []
    at = start
    for left, right, new in sorted(pieces):
        result.append(text[at:left])
        result.append(new)
        at = right
    result.append(text[at:end])
    return "".join(result)


def substituted(source: str, texts: Mapping[str, str]) -> str:
    """An expression with the texts of some names in their places."""
    pieces = [
        (node.col_offset, node.end_col_offset or 0, texts[node.id])
        for node in ast.walk(ast.parse(source, mode="eval").body)
        if isinstance(node, ast.Name) and node.id in texts
    ]
    return splice(source, 0, len(source), pieces)


def scope_of(function: ast.AST, outer: Scope | None = None) -> Scope:
    """The names that a function binds; those of an enclosing function are seen through."""
    from ..model.sites import walk_own

    spec = getattr(function, "args", None)
    parameters: set[str] = set()
    if spec is not None:
        parameters = {a.arg for a in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]}
        parameters |= {a.arg for a in (spec.vararg, spec.kwarg) if a is not None}
    scope = Scope(function, parameters, {}, {})
    for node in walk_own(function):
        _bind(scope, node)
        name = changed(node)
        if name is not None and isinstance(node, ast.stmt):
            scope.changes.setdefault(name, []).append(node)
    if outer is not None:
        scope.parameters |= outer.parameters - scope.assignments.keys() - scope.loop_names.keys()
        for name, statements in outer.assignments.items():
            if name not in scope.parameters:
                scope.assignments.setdefault(name, statements)
        for name, loops in outer.loop_names.items():
            scope.loop_names.setdefault(name, loops)
        for name, changes in outer.changes.items():
            if name not in scope.parameters:
                scope.changes.setdefault(name, changes)
    return scope


def _bind(scope: Scope, node: ast.AST) -> None:
    match node:
        case ast.Assign(targets=targets):
            for target in targets:
                _bind_target(scope, target, node)
        case ast.AnnAssign(value=None):
            pass  # `x: Table` tells a type checker of a value that `x` has already
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            _bind_target(scope, target, node)
        case ast.For(target=target) | ast.AsyncFor(target=target):
            for name in ast.walk(target):
                if isinstance(name, ast.Name):
                    scope.loop_names.setdefault(name.id, []).append(node)
        case ast.With(items=items):
            for item in items:
                if item.optional_vars is not None:
                    _bind_target(scope, item.optional_vars, node)
        case ast.FunctionDef(name=name):
            scope.assignments.setdefault(name, []).append(node)


def _bind_target(scope: Scope, target: ast.AST, statement: ast.stmt) -> None:
    for name in ast.walk(target):
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
            scope.assignments.setdefault(name.id, []).append(statement)
