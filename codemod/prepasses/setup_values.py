"""What the statements of a `setup` hold: parameters, what is computed of these, and the rest."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import TypeGuard

from ..chains import is_own, last_name
from ..source import Source
from .prepared import spare_name

_STATIC = ("shape", "ndim", "dtype", "size")
_OF_ANY = ("len", "isinstance", "type")
_HOLDING = (ast.Tuple, ast.List, ast.Dict, ast.Starred, ast.keyword)
_INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_MAKING = ("param", "variable", "make_rng")


class NotPlain(Exception):
    """A `setup` whose statements cannot be told apart."""


def key(node: ast.AST) -> str | None:
    """What a local or an attribute of `self` is known by here."""
    if is_own(node):
        return f"self.{node.attr}"
    return node.id if isinstance(node, ast.Name) else None


def keys_stored(statement: ast.stmt) -> list[str]:
    """The locals and attributes that a statement sets."""
    found = (n for n in _walk(statement) if isinstance(getattr(n, "ctx", None), ast.Store))
    return [each for n in found if (each := key(n)) is not None]


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a tree, but for `self` itself."""
    return (n for n in ast.walk(node) if not (isinstance(n, ast.Name) and n.id == "self"))


def _flat(block: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a block and of its branches, without the tests."""
    for statement in block:
        if isinstance(statement, ast.If):
            yield from _flat([*statement.body, *statement.orelse])
        else:
            yield statement


class SetupValues:
    """The statements of a `setup`, by what they set. Raises NotPlain where that is not clear.

    `instead` is what some nodes are to be in the new text: parameters with a local name become attributes.
    """

    def __init__(self, setup: ast.FunctionDef, cls: ast.ClassDef) -> None:
        self.setup = setup
        self.cls = cls
        self.statements = list(_flat(setup.body))
        self.parents = {child: n for n in ast.walk(setup) for child in ast.iter_child_nodes(n)}
        self.instead: dict[ast.AST, str] = {}
        self.within: dict[ast.stmt, list[ast.Call]] = {}  # parameters made in a larger expression
        self.parameters: dict[str, list[ast.stmt]] = {}
        self._find_parameters()
        self.computing = self._computing()
        self.derived = {name for s in self.computing for name in keys_stored(s)}
        self._refuse_mixed()
        self._name_parameters()

    # ---- what is asked -----------------------------------------------------------------------------

    def attributes(self) -> list[str]:
        """The attributes that are computed of parameters, in order."""
        stored = (name for s in self.statements if s in self.computing for name in keys_stored(s))
        return [n.removeprefix("self.") for n in dict.fromkeys(stored) if n.startswith("self.")]

    def groups(self) -> list[list[str]]:
        """These attributes, with those that the same statements set side by side."""
        groups: list[list[str]] = []
        for statement in self.statements:
            if statement not in self.computing:
                continue
            names = [n[5:] for n in keys_stored(statement) if n.startswith("self.")]
            met = [g for g in groups if set(g) & set(names)]
            joined = list(dict.fromkeys([*(n for g in met for n in g), *names]))
            if joined:
                groups = [g for g in groups if g not in met] + [joined]
        return groups

    def needed(self, group: list[str]) -> set[ast.stmt]:
        """The statements that compute some attributes, with all whose locals these read."""
        targets = {f"self.{each}" for each in group}
        found = {s for s in self.computing if targets & set(keys_stored(s))}
        while True:
            reads = {n for s in found for n in self._locals_read(s)}
            if any(reads & _changed_in_place(s) for s in self.statements):
                raise NotPlain
            more = {s for s in self.statements if reads & set(keys_stored(s))} - found
            more = {s for s in more if s not in self._of_parameters()}
            if not more:
                return found
            for statement in more:
                self._refuse_making(statement)
            found |= more

    def kept(self) -> set[ast.stmt]:
        """The statements that stay in `setup`: not what computes, and no local that is read no more."""
        kept = {
            s
            for s in self.statements
            if s not in self.computing and not (isinstance(s, ast.Raise) and self._goes_along(s))
        }
        while True:
            read = {n for s in kept for n in self._locals_read(s)}
            gone = {
                s
                for s in kept
                if isinstance(s, ast.Assign)
                and all(isinstance(t, ast.Name) and t not in self.instead for t in s.targets)
                and not set(keys_stored(s)) & read
                and not self._makes(s)
                and any(set(keys_stored(s)) & self._locals_read(c) for c in self.computing)
            }
            if not gone:
                return kept
            kept -= gone

    def hoisted(self, source: Source) -> dict[ast.stmt, str]:
        """By statement that computes: the parameters that are made in it, as statements of their own."""
        return {
            statement: "\n".join(f"{self.instead[call]} = {source.segment(call)}" for call in calls)
            for statement, calls in self.within.items()
        }

    def spare(self, name: str) -> str:
        """A name for a local."""
        names = {n.id for n in ast.walk(self.setup) if isinstance(n, ast.Name)}
        return spare_name(name, names)

    # ---- parameters ------------------------------------------------------------------------------------

    def _find_parameters(self) -> None:
        for statement in self.statements:
            for call in ast.walk(statement):
                if not _is_parameter(call):
                    continue
                if isinstance(statement, ast.Assign) and statement.value is call:
                    if len(statement.targets) != 1 or key(statement.targets[0]) is None:
                        raise NotPlain
                    name = str(key(statement.targets[0]))
                    self.parameters.setdefault(name, []).append(statement)
                elif not isinstance(statement, ast.Assign) or self._is_inner(call, statement):
                    raise NotPlain
                else:
                    self.within.setdefault(statement, []).append(call)

    def _is_inner(self, node: ast.AST, statement: ast.AST) -> bool:
        """Whether a node stands in a function, a comprehension or a choice within a statement."""
        inner = (*_INNER, ast.comprehension, ast.ListComp, ast.DictComp, ast.IfExp, ast.BoolOp)
        while (node := self.parents[node]) is not statement:
            if isinstance(node, inner) or (isinstance(node, ast.Call) and _is_parameter(node)):
                return True
        return False

    def _of_parameters(self) -> set[ast.stmt]:
        return {s for made in self.parameters.values() for s in made}

    def _name_parameters(self) -> None:
        """Gives an attribute to each parameter that has a local name, or none, and of which something is computed."""
        for name, made in self.parameters.items():
            nodes = [n for n in _walk(self.setup) if key(n) == name]
            if name in self.derived:
                nodes = self._before_changed(name, nodes)
            elif name.startswith("self."):
                continue
            if not any(self._statement(n) in self.computing for n in nodes):
                continue
            called = {_parameter_name(s) for s in made}
            if len(called) > 1 or any(self._is_inner(n, self.setup) for n in nodes):
                raise NotPlain
            attribute = self._attribute(called.pop() or name.removeprefix("self."))
            self.instead.update((node, attribute) for node in nodes)
        for calls in self.within.values():
            for call in calls:
                self.instead[call] = self._attribute(_name_given(call) or "parameter")

    def _before_changed(self, name: str, nodes: list[ast.AST]) -> list[ast.AST]:
        """The nodes that stand for a parameter, whose name something computed of it gets later."""
        stored = [s for s in self.statements if name in keys_stored(s)]
        first = next(s for s in stored if s in self.computing)
        plain = all(s in self.setup.body for s in stored) and stored[0] in self.parameters[name]
        if not plain or len(self.parameters[name]) > 1:
            raise NotPlain
        target = getattr(first, "targets", [None])[0]
        whole = set(_walk(first)) - set(_walk(target))
        return [n for n in nodes if self._statement(n).lineno < first.lineno or n in whole]  # type: ignore[attr-defined]  # statements have lines

    def _attribute(self, name: str) -> str:
        own = f"self.{name}"
        if own in self.derived:
            name = f"{name}_param"
        elif all(_parameter_name(s) == name for s in self.parameters.get(own, [])) and all(
            own not in keys_stored(s) for s in self.statements if s not in self._of_parameters()
        ):
            taken = self._defined() | {n for n in self._owned() if own not in self.parameters}
            if name not in taken:
                return own
        names = self._defined() | self._owned()
        names |= {text.removeprefix("self.") for text in self.instead.values()}
        return f"self.{spare_name(name, names)}"

    def _owned(self) -> set[str]:
        return {n.attr for n in ast.walk(self.cls) if is_own(n)}

    def _defined(self) -> set[str]:
        """The fields and methods of the class."""
        found = {s.name for s in self.cls.body if isinstance(s, ast.FunctionDef)}
        fields = (s.target for s in self.cls.body if isinstance(s, ast.AnnAssign))
        return found | {t.id for t in fields if isinstance(t, ast.Name)}

    # ---- what is computed ----------------------------------------------------------------------------

    def _computing(self) -> set[ast.stmt]:
        """The statements that compute something of parameters, or hold what another has computed."""
        live = self._holding_parameters()
        found = set(self.within)
        derived = {name for s in found for name in keys_stored(s)}
        methods = self._methods_that_read(live)
        while True:
            more = {
                s
                for s in self.statements
                if s not in found and s not in self._of_parameters()
                if derived & set(keys_stored(s))
                or any(
                    key(n) in derived
                    or (key(n) in live and self._computes(n))
                    or (isinstance(n, ast.Call) and is_own(n.func) and n.func.attr in methods)
                    for n in _walk(s)
                    if not isinstance(getattr(n, "ctx", None), ast.Store)
                )
            }
            if not more:
                return found
            found |= more
            derived |= {name for s in more for name in keys_stored(s)}
            methods = self._methods_that_read(live | derived)

    def _holding_parameters(self) -> set[str]:
        """The names of parameters, and of locals that are no more than another name for one."""
        found = set(self.parameters)
        before = -1
        while before != len(found):
            before = len(found)
            for statement in self.statements:
                match statement:
                    case ast.Assign(targets=[ast.Name(id=name)], value=value) if (
                        key(value) in found
                    ):
                        found.add(name)
        return found

    def _methods_that_read(self, live: set[str]) -> set[str]:
        """The methods of the class that read parameters, or what is computed of them."""
        functions = {s.name: s for s in self.cls.body if isinstance(s, ast.FunctionDef)}
        functions.pop("setup", None)
        found: set[str] = set()
        before = -1
        while before != len(found):
            before = len(found)
            found |= {
                name
                for name, function in functions.items()
                if any(
                    is_own(n) and (f"self.{n.attr}" in live or n.attr in found)
                    for n in ast.walk(function)
                )
            }
        return found

    def _computes(self, node: ast.AST) -> bool:
        """Whether more is done with a parameter than to hold it, to hand it on, or to ask for what never changes."""
        above = self.parents[node]
        while isinstance(above, _HOLDING):
            above = self.parents[above]
        match above:
            case ast.Attribute(attr=attr):
                return attr not in _STATIC
            case ast.Assign() | ast.AnnAssign():
                return False
            case ast.Compare(ops=ops):
                return not all(isinstance(op, ast.Is | ast.IsNot) for op in ops)
            case ast.Call(func=func) if func is not node:
                name = last_name(func) or ""
                makes = name[:1].isupper() or (is_own(func) and name in _MAKING)
                return not makes and name not in _OF_ANY
        return True

    def _statement(self, node: ast.AST) -> ast.AST:
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    # ---- what is refused -----------------------------------------------------------------------------------

    def _refuse_mixed(self) -> None:
        """Raises NotPlain where what is computed goes elsewhere than into locals and attributes of its own."""
        for statement in self.computing:
            match statement:
                case ast.Assign(targets=[target]):
                    names = target.elts if isinstance(target, ast.Tuple) else [target]
                    if any(key(name) is None for name in names):
                        raise NotPlain
                case _:
                    raise NotPlain
            self._refuse_making(statement)
        tests = [n.test for n in ast.walk(self.setup) if isinstance(n, ast.If)]
        if any(key(n) in self.derived | set(self.parameters) for t in tests for n in _walk(t)):
            raise NotPlain

    def _refuse_making(self, statement: ast.stmt) -> None:
        """Raises NotPlain for what cannot be done anew: layers that are made or called, variables, keys."""
        calls = [n for n in ast.walk(statement) if isinstance(n, ast.Call)]
        allowed = self.within.get(statement, [])
        if any(self._is_making(call) for call in calls if call not in allowed):
            raise NotPlain
        if isinstance(statement, ast.AugAssign | ast.For | ast.While | ast.With | ast.Try):
            raise NotPlain

    def _makes(self, statement: ast.stmt) -> bool:
        return any(self._is_making(n) for n in ast.walk(statement) if isinstance(n, ast.Call))

    def _is_making(self, call: ast.Call) -> bool:
        name = last_name(call.func) or ""
        if is_own(call.func):
            return name in _MAKING or name not in self._defined()
        return name[:1].isupper() or not name

    def _goes_along(self, statement: ast.stmt) -> bool:
        """Whether what raises stands under tests that decide on what is computed."""
        above = self.parents[statement]
        while above is not self.setup:
            if any(node in self.computing for node in ast.walk(above)):
                return True
            above = self.parents[above]
        return False

    def _locals_read(self, statement: ast.stmt) -> set[str]:
        """The locals that a statement reads, and those that the tests around it do."""
        trees: list[ast.AST] = [statement]
        above = self.parents[statement]
        while above is not self.setup:
            if isinstance(above, ast.If):
                trees.append(above.test)
            above = self.parents[above]
        names = (n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Name))
        return {n.id for n in names if isinstance(n.ctx, ast.Load) and n not in self.instead}


def _changed_in_place(statement: ast.stmt) -> set[str]:
    """The locals whose values a statement changes: `sizes.append(3)`, `sizes[0] = 3`."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
            return {name} - {"self"}
        case ast.Assign(targets=targets):
            inner = [n for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
            return {n.id for n in inner if isinstance(n.ctx, ast.Load)} - {"self"}
    return set()


def _is_parameter(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and is_own(node.func) and node.func.attr == "param"


def _name_given(call: ast.Call) -> str | None:
    match call.args:
        case [ast.Constant(value=str(name)), *_] if name.isidentifier():
            return name
    return None


def _parameter_name(statement: ast.stmt) -> str | None:
    assert isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)
    return _name_given(statement.value)
