"""Runs Python code on abstract values.

`Interpreter` executes statements and evaluates expressions; what calls and attributes of a value mean is decided in
`calls.py`, what a library function returns in `library.py`. Nothing of the user's is ever executed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..chains import root_name
from ..project import Module, Project
from . import assignment, calls, deciders, forks, importing, joins, loops, named, operators, traced
from .dims import Symbols
from .expressions import EXPRESSIONS
from .facts import Facts, Stack, Used, VariableMade
from .scopes import Environment, Frame, OutOfBudget, OutOfPatience, Trouble
from .values import (
    NONE,
    UNKNOWN,
    Behaviour,
    Bound,
    Class,
    Constant,
    External,
    Function,
    Items,
    LayerObject,
    Object,
    Partial,
    Repeated,
    Table,
    Unknown,
    Value,
    Variable,
)

if TYPE_CHECKING:
    from ..rulebook import Rulebook

MAX_STEPS = 400_000
MAX_TOP_LEVEL = 100_000  # of a file: what a script does at its top is less than half of that
MAX_UNROLLED = 16


Handler = Callable[
    ["Interpreter", "ast.Call | None", Sequence[Value], "Mapping[str, Value]"], "Value | None"
]


_DEFINITIONS = (
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Try,
)


def _defines(statement: ast.stmt) -> bool:
    """Whether a statement imports or defines something, or gives it one more name: `conv = layers.conv`."""
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return isinstance(statement.value, ast.Name | ast.Attribute)
    return isinstance(statement, _DEFINITIONS)


class Interpreter:
    """Abstract execution of the modules of a project."""

    def __init__(self, project: Project, rules: Rulebook, definitions_only: bool = False) -> None:
        """With `definitions_only`, nothing of a module runs but its imports, functions, classes and their other names."""
        self.project = project
        self.rules = rules
        self.definitions_only = definitions_only
        self.symbols = Symbols()
        self.facts = Facts()
        self.globals: dict[Module, Environment] = {}
        self.configured: dict[
            str, bool
        ] = {}  # attributes of configurations, and whether they are sizes
        self.frames: list[Frame] = []
        self.stack: Stack = ()
        self.recording = True
        self.exact = False  # whether each turn of a loop of known length is run, whatever it makes
        self.asked_outputs: set[ast.AST] = set()  # classes that have to tell what they return
        self.silent_outputs: set[ast.AST] = set()  # classes that were asked, and cannot
        self.troubles: list[Trouble] = []
        self.handlers: dict[str, Handler] = {}
        self.observers: list[Callable[[Object, str, Sequence[Value], dict[str, Value]], None]] = []
        self.root: object = None  # the class or function being interpreted for its own sake
        self.most_troubles: int | None = None  # how many end an interpretation
        self.guesses_ranks = False  # whether nothing tells the ranks of some of its inputs
        self.root_object: Object | None = None
        # Called before an expression statement; returns what is to be done with its value.
        self.before_discard: Callable[[], Callable[[ast.stmt, Value], None]] | None = None
        # Called before a loop is tried; returns what forgets the try, when its turns are run one by one.
        self.before_trial: Callable[[], Callable[[], None]] | None = None
        self.creations = 0  # how many layers, modules and variables were made so far
        self.creations_of: dict[Object | None, int] = {}  # the same, by whose code made them
        self.max_unrolled = MAX_UNROLLED
        self.stacked: dict[ast.AST, ast.expr] = {}  # functions of layer stacks, and how many layers
        self.lifted: dict[ast.AST, Behaviour] = {}  # constructor calls of lifted classes
        self.read_outside: dict[ast.AST, set[str]] = {}  # attributes read off modules, by class
        self.enclosed: dict[ast.AST, list[Used | VariableMade]] = {}  # what ran in `hk.remat(f)`
        self.choices: named.Choices | None = None  # what code asks for by names, where that is read
        self.traced: traced.Traced | None = None  # what runs of the originals showed
        self.derived: dict[ast.AST, Behaviour] = {}  # the same where the class is made apart
        # The classes that lifted transforms were given, with whether what they return is known.
        self.lift_targets: dict[ast.AST, list[tuple[list[Class], bool]]] = {}
        self.inherited: Behaviour | None = None  # `super()` of the refined layer that runs
        self.has_ranks = False  # whether a branch decided the rank of an array anywhere
        self.forks: dict[
            ast.AST, ast.AST
        ] = {}  # what decides the ranks that a statement is run for
        self.passed_by: dict[ast.AST, bool] = {}  # tests that the last turn of a loop alone decides
        self._steps = 0
        self._budget = MAX_STEPS
        self.spent = 0  # steps of all interpretations so far
        self._journals: list[dict[int, tuple[Any, Any]]] = []

    # ---- modules -----------------------------------------------------------------------------------

    def environment_of(self, module: Module) -> Environment:
        """The global names of a module, after its top-level code ran."""
        if module not in self.globals:
            environment = Environment(module, node=module.tree)
            environment.names["__name__"] = Constant("__main__")
            self.globals[module] = environment
            with (
                self.fresh(self.facts if module.rewritable else Facts(), MAX_TOP_LEVEL),
                self.patient(None),  # a file is read once, for all who import it
            ):
                self.frames.append(Frame(module.tree, environment))
                try:
                    self._run_top_level(module, environment)
                finally:
                    self.frames.pop()
        return self.globals[module]

    def _run_top_level(self, module: Module, environment: Environment) -> None:
        """Runs a file; what it defines below code that takes too many steps is there all the same."""
        followed = not self.definitions_only
        for statement in module.tree.body:
            if not followed and not _defines(statement):
                continue
            try:
                if self.execute([statement], environment):
                    return
            except OutOfBudget:
                self.trouble(statement, "the program takes too many steps to follow")
                followed, self._steps = False, 0

    def peek(self, node: ast.expr, env: Environment) -> Value:
        """What an expression means, without recording that it was asked."""
        saved, self.recording = self.recording, False
        try:
            with self.fresh(self.facts):
                return self.evaluate(node, env)
        except OutOfBudget:
            return UNKNOWN
        finally:
            self.recording = saved

    def peek_name(self, node: ast.expr, env: Environment) -> Value | None:
        """What a name, with attributes behind it, means; None for other expressions and for what `self` holds."""
        return None if root_name(node) in (None, "self") else self.peek(node, env)

    @contextmanager
    def fresh(self, facts: Facts, steps: int = MAX_STEPS) -> Iterator[Facts]:
        """Interprets with other facts, an empty call stack and a budget of `steps`; adds what was used to `spent`."""
        saved = (self.facts, self.stack, self._steps, self._budget, self._journals)
        self.facts, self.stack, self._steps, self._journals = facts, (), 0, []
        self._budget = steps
        try:
            yield facts
        finally:
            self.spent += self._steps
            self.facts, self.stack, self._steps, self._budget, self._journals = saved

    def count_creation(self) -> None:
        """Notes that the code that runs makes a layer, a module or a variable."""
        running = self.frames[-1].self_value if self.frames else None
        owner = running if isinstance(running, Object) else None
        self.creations += 1
        self.creations_of[owner] = self.creations_of.get(owner, 0) + 1

    def trouble(self, node: ast.AST, why: str, weight: int = 1) -> None:
        """Notes what speaks against what is assumed of the inputs; raises OutOfPatience where that is enough."""
        self.troubles.append(Trouble(node, why, weight))
        if self.most_troubles is not None and self.doubts() >= self.most_troubles:
            raise OutOfPatience

    def doubts(self) -> int:
        """How much speaks against what is assumed."""
        return sum(trouble.weight for trouble in self.troubles)

    @contextmanager
    def patient(self, most: int | None) -> Iterator[None]:
        """Gives up on code that meets as many troubles as `most`, None for never."""
        saved, self.most_troubles = self.most_troubles, most
        try:
            yield
        finally:
            self.most_troubles = saved

    # ---- statements ---------------------------------------------------------------------------------

    def execute(self, body: Sequence[ast.stmt], env: Environment) -> str | None:
        """Runs statements; returns how control always leaves them ('return', 'raise', 'break', 'continue') or None."""
        for statement in body:
            self._steps += 1
            if self._steps > self._budget:
                raise OutOfBudget
            leaving = self.execute_one(statement, env)
            if leaving:
                return leaving
        return None

    def execute_one(self, statement: ast.stmt, env: Environment) -> str | None:
        """One statement; what goes wrong in it is a trouble of that statement, and the program goes on."""
        method = getattr(self, f"_do_{type(statement).__name__}", None)
        if self.has_ranks and isinstance(statement, forks.LEAVES):
            decided = forks.deciding(statement, env)
            if decided is not None:
                return forks.run(self, statement, decided, env)
        depth = len(self.frames), len(self._journals)
        try:
            leaving: str | None = method(statement, env) if method else None
        except OutOfBudget:
            raise
        except Exception as error:  # user code may do anything; it is then unknown what it did
            self.trouble(statement, f"cannot be followed: {type(error).__name__}: {error}")
            del self.frames[depth[0] :]
            del self._journals[depth[1] :]
            return None
        return leaving

    def _do_Expr(self, node: ast.Expr, env: Environment) -> None:
        restore = self.before_discard() if self.before_discard is not None else None
        value = self.evaluate(node.value, env)
        if restore is not None:
            restore(node, value)

    def _do_Assign(self, node: ast.Assign, env: Environment) -> None:
        thrown = self.before_discard is not None and _throws_away(node.targets[0])
        restore = self.before_discard() if thrown and self.before_discard is not None else None
        before = self.peek(node.targets[0], env) if _adds_to(node) else None
        value = self.evaluate(node.value, env)
        operators.doubt_growth(self, node, before, value)
        if restore is not None and isinstance(value, Items):
            restore(node, value.items[-1])
        if self.traced is not None:
            value = traced.assigned(self, node, node.targets[0], value)
            self.record(node.value, value)
        for target in node.targets:
            self.assign(target, value, env)

    def _do_AnnAssign(self, node: ast.AnnAssign, env: Environment) -> None:
        if node.value is not None:
            self.assign(node.target, self.evaluate(node.value, env), env)

    def _do_AugAssign(self, node: ast.AugAssign, env: Environment) -> None:
        load = _as_load(node.target)
        left = self.evaluate(load, env)
        right = self.evaluate(node.value, env)
        if isinstance(left, Items) and isinstance(node.op, ast.Add) and left.kind == "list":
            self.extend(left, right)
            return
        result = operators.binary(self, node, node.op, left, right)
        operators.doubt_growth(self, node, left, result)
        self.assign(node.target, result, env)

    def _do_Return(self, node: ast.Return, env: Environment) -> str:
        value = self.evaluate(node.value, env) if node.value else NONE
        self.frames[-1].returns.append(value)
        return "return"

    def _do_Raise(self, node: ast.Raise, env: Environment) -> str:
        return "raise"

    def _do_Break(self, node: ast.Break, env: Environment) -> str:
        return "break"

    def _do_Continue(self, node: ast.Continue, env: Environment) -> str:
        return "continue"

    def _do_Assert(self, node: ast.Assert, env: Environment) -> None:
        truth = self.truth(self.evaluate(node.test, env))
        if truth is None:
            operators.assume(self, node.test, env, True)
        elif not truth:
            self.trouble(node, "an assertion fails")

    def _do_FunctionDef(self, node: ast.FunctionDef, env: Environment) -> None:
        owner = None
        value: Value = Function(node, env, owner)
        self.record(node, value)
        for decorator in reversed(node.decorator_list):
            value = self.decorate(decorator, value, env)
        self.bind(node.name, value, env)

    _do_AsyncFunctionDef = _do_FunctionDef

    def decorate(self, decorator: ast.expr, value: Value, env: Environment) -> Value:
        with_decorator = self.evaluate(decorator, env)
        if isinstance(with_decorator, External) and self.transparent(with_decorator.name):
            return value
        if isinstance(with_decorator, Unknown):
            return value
        return self.call(with_decorator, [value], {}, None)

    @staticmethod
    def transparent(name: str) -> bool:
        """Decorators that leave what they decorate as it is, for our purposes."""
        return name in {
            "flax.linen.compact",
            "flax.linen.nowrap",
            "haiku.transparent",
            "property",
            "functools.wraps",
            "abc.abstractmethod",
            "typing.no_type_check",
        } or name.startswith(("jaxtyping", "typeguard", "beartype", "chex.assert", "gin."))

    def _do_ClassDef(self, node: ast.ClassDef, env: Environment) -> None:
        inner = Environment(env.module, env, node=node)
        cls = Class(node, inner, [self._base(base, env) for base in node.bases])
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                cls.members[statement.name] = Function(
                    statement, env if env.node is not node else inner, cls
                )
                inner.names[statement.name] = cls.members[statement.name]
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                if statement.value is not None:
                    inner.names[statement.target.id] = self.evaluate(statement.value, inner)
            elif isinstance(statement, ast.Assign | ast.ClassDef):
                self.execute([statement], inner)
        for name, value in inner.names.items():
            cls.members.setdefault(name, value)
        self.bind(node.name, cls, env)
        for decorator in reversed(node.decorator_list if self.choices is not None else []):
            # A function of the tree may put it into a table.
            register = self.evaluate(decorator, env)
            if isinstance(register, Function):
                self.call(register, [cls], {}, None)

    def _base(self, node: ast.expr, env: Environment) -> Value:
        """A base class; `Base[T]` of a generic one is the class itself."""
        if isinstance(node, ast.Subscript):
            generic = self.evaluate(node.value, env)
            if isinstance(generic, Class | External):
                return generic
        return self.evaluate(node, env)

    def _do_If(self, node: ast.If, env: Environment) -> str | None:
        test = self.side_taken(node, env)
        if test is not None:
            left = self.execute(node.body if test else node.orelse, env)
            if left == "raise":
                self.trouble(node, "what is assumed of the inputs is refused here")
            return left
        returns = self.frames[-1].returns if self.frames else []
        start = middle = len(returns)
        decided, straight = deciders.of(node, env)

        def side(holds: bool) -> str | None:
            nonlocal middle
            middle = len(returns)  # as the second side leaves it
            return self._assuming(node.test, env, holds, node.body if holds else node.orelse)

        sides = (lambda: side(straight)), (lambda: side(not straight))
        leaving = self.branch(decided, env, *sides, own_names=decided is node)
        if not self.frames:
            return leaving
        frame = self.frames[-1]
        one, two = returns[start:middle], returns[middle:]
        name = "result" if decided is node else ""
        if leaving is not None and len(one) == len(two) == 1:
            # what the ways of a branch return is one value, which the branch decides
            returns[start:] = [joins.join(self, decided, name, one[0], two[0])]
        elif len(one) + len(two) == 1 and leaving is None:
            body = getattr(frame.function, "body", [])
            if isinstance(body, list) and node in body:
                frame.early[start] = (decided, bool(one), name)
        return leaving

    def side_taken(self, node: ast.If | ast.IfExp, env: Environment) -> bool | None:
        """Which side of a branch runs, as far as is known; notes the sides that may."""
        test = self.truth(self.evaluate(node.test, env))
        if test is None:
            test = operators.settled(self, node.test, env)
        if test is None:
            test = self.passed_by.get(node)
        self.facts.conditions[node].update((True, False) if test is None else (test,))
        return test

    def _assuming(
        self, test: ast.expr, env: Environment, holds: bool, body: Sequence[ast.stmt]
    ) -> str | None:
        operators.assume(self, test, env, holds)
        return self.execute(body, env)

    def branch(
        self,
        node: ast.AST,
        env: Environment,
        first: Callable[[], str | None],
        second: Callable[[], str | None],
        own_names: bool = True,
    ) -> str | None:
        """Takes both ways from the same state and joins what they leave.

        Without `own_names`, the statement is one of another function, which has no such locals.
        """
        bound = self.symbols.snapshot()
        before = dict(env.names)
        self._journals.append({})
        left_exit = first()
        left_names, left_bound = dict(env.names), self.symbols.snapshot()
        left_states = self._undo()
        env.names.clear()
        env.names.update(before)
        self.symbols.restore(bound)
        self._journals.append({})
        right_exit = second()
        right_names, right_bound = dict(env.names), self.symbols.snapshot()
        right_states = self._undo()
        if left_exit and right_exit:
            self._redo(left_states)
            return left_exit if left_exit == right_exit else "return"
        if left_exit or right_exit:
            names, states = (right_names, right_states) if left_exit else (left_names, left_states)
            raised = (left_exit or right_exit) == "raise"
            if raised:
                self.symbols.restore(right_bound if left_exit else left_bound)
            else:
                self.symbols.restore(bound)
            env.names.clear()
            env.names.update(names)
            self._redo(states)
            return None
        self.symbols.restore(bound)
        env.names.clear()
        for name in {**left_names, **right_names}:
            held = name if own_names else ""
            env.names[name] = joins.join(
                self, node, held, left_names.get(name), right_names.get(name)
            )
        self._redo_joined(node, left_states, right_states)
        return None

    def _do_For(self, node: ast.For, env: Environment) -> str | None:
        return loops.run(self, node, env)

    _do_AsyncFor = _do_For

    def _do_While(self, node: ast.While, env: Environment) -> str | None:
        return loops.run(self, node, env)

    def _do_With(self, node: ast.With, env: Environment) -> str | None:
        for item in node.items:
            value = self.evaluate(item.context_expr, env)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, value, env)
        return self.execute(node.body, env)

    _do_AsyncWith = _do_With

    def _do_Try(self, node: ast.Try, env: Environment) -> str | None:
        leaving = self.execute(node.body, env)
        for handler in node.handlers:
            if any(isinstance(s, ast.Import | ast.ImportFrom) for s in node.body):
                continue  # the imports are taken to succeed
            saved = dict(env.names)
            self.branch(handler, env, lambda: None, lambda h=handler: self.execute(h.body, env))  # type: ignore[misc]
            for name, value in saved.items():
                env.names.setdefault(name, value)
        if not leaving:
            leaving = self.execute(node.orelse, env)
        return self.execute(node.finalbody, env) or leaving

    def _do_Match(self, node: ast.Match, env: Environment) -> str | None:
        self.evaluate(node.subject, env)
        leaving: str | None = None
        for case in node.cases:
            for name in ast.walk(case.pattern):
                if isinstance(name, ast.MatchAs | ast.MatchStar) and name.name:
                    env.names[name.name] = UNKNOWN
            leaving = self.branch(case, env, lambda: None, lambda c=case: self.execute(c.body, env))  # type: ignore[misc]
        return leaving

    def _do_Delete(self, node: ast.Delete, env: Environment) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                env.names.pop(target.id, None)

    def _do_Global(self, node: ast.Global, env: Environment) -> None:
        top = self.globals[env.module]
        for name in node.names:
            env.names[name] = top.names.get(name, UNKNOWN)

    def _do_Import(self, node: ast.Import, env: Environment) -> None:
        importing.import_modules(self, node, env)

    def _do_ImportFrom(self, node: ast.ImportFrom, env: Environment) -> None:
        importing.import_names(self, node, env)

    # ---- names -----------------------------------------------------------------------------------------

    def bind(self, name: str, value: Value, env: Environment) -> None:
        env.names[name] = value

    def assign(self, target: ast.expr, value: Value, env: Environment) -> None:
        """Gives a target a value, in whatever way the target is written."""
        assignment.assign(self, target, value, env)

    def known_items(self, value: Value, count: int | None = None) -> list[Value] | None:
        """The items of an iterable, where their number is known (or must be `count`)."""
        return operators.items_of(self, value, count)

    # ---- mutation, undone and joined at branches -----------------------------------------------------------

    def mutating(self, container: Value) -> None:
        """To be called before a list, dict or object changes, so that a branch can take it back."""
        if self._journals:
            self._journals[-1].setdefault(id(container), (container, _state(container)))

    def born(self, made: Object) -> None:
        """To be called for an object that was just made: a branch takes nothing back of what it made itself."""
        if self._journals:
            self._journals[-1][id(made)] = made, _BORN

    def extend(self, target: Items, value: Value) -> None:
        self.mutating(target)
        items = self.known_items(value)
        if items is not None:
            target.items.extend(items)
            return
        item = operators.element(self, value)
        target.items.append(item)
        target.open = target.open or not operators.may_be_layer(item)

    def _undo(self) -> dict[int, tuple[Any, Any]]:
        """Takes back what the last branch changed; returns the changed states."""
        journal = self._journals.pop()
        after = {}
        for key, (container, state) in journal.items():
            if state is not _BORN:
                after[key] = container, _state(container)
                _set_state(container, state)
            elif isinstance(container, Object):
                self.born(container)  # within the branch around this one, too
        return after

    def _redo(self, states: Mapping[int, tuple[Any, Any]]) -> None:
        for container, state in states.values():
            self.mutating(container)
            _set_state(container, state)

    def _redo_joined(
        self, node: ast.AST, left: dict[int, tuple[Any, Any]], right: dict[int, tuple[Any, Any]]
    ) -> None:
        for key in {**left, **right}:
            container = (left.get(key) or right[key])[0]
            self.mutating(container)
            current = _state(container)
            one = left[key][1] if key in left else current
            two = right[key][1] if key in right else current
            _set_state(container, joins.join_states(self, node, one, two))

    # ---- expressions -------------------------------------------------------------------------------------

    def evaluate(self, node: ast.expr, env: Environment) -> Value:
        """What an expression is; recorded in the facts."""
        self._steps += 1
        if self._steps > self._budget:
            raise OutOfBudget
        evaluate = EXPRESSIONS.get(type(node))
        value = evaluate(self, node, env) if evaluate is not None else UNKNOWN
        self.record(node, value)
        return value

    def record(self, node: ast.AST, value: Value) -> None:
        if self.recording:
            values = self.facts.values[node]
            if not values or values[-1] is not value:
                values.append(value)

    def arguments(self, node: ast.Call, env: Environment) -> tuple[list[Value], dict[str, Value]]:
        args: list[Value] = []
        kwargs: dict[str, Value] = {}
        for arg in node.args:
            if isinstance(arg, ast.Starred):
                value = self.evaluate(arg.value, env)
                items = self.known_items(value)
                args.extend(
                    items if items is not None else [Repeated(operators.element(self, value))]
                )
            else:
                args.append(self.evaluate(arg, env))
        for keyword in node.keywords:
            value = self.evaluate(keyword.value, env)
            if keyword.arg is not None:
                kwargs[keyword.arg] = value
            elif isinstance(value, Table):
                kwargs.update(
                    {key: item for key, item in value.items.items() if isinstance(key, str)}
                )
        return args, kwargs

    def call(
        self, function: Value, args: list[Value], kwargs: dict[str, Value], node: ast.Call | None
    ) -> Value:
        return calls.call(self, function, args, kwargs, node)

    # ---- truth --------------------------------------------------------------------------------------------

    def truth(self, value: Value) -> bool | None:
        """Whether a value is true, where that is certain."""
        match value:
            case Constant(value=known):
                return bool(known)
            case Items(items=items) | Table(items=items):
                return bool(items)
            case Function() | Class() | External() | Bound() | Partial() | LayerObject() | Object():
                return True
        return None


def _adds_to(node: ast.Assign) -> bool:
    """Whether a statement is `x = x + ...`."""
    match node:
        case ast.Assign(
            targets=[ast.Name(id=target)],
            value=ast.BinOp(left=ast.Name(id=name), op=ast.Add() | ast.Sub()),
        ):
            return target == name
    return False


def _throws_away(target: ast.expr) -> bool:
    """Whether the last of what is assigned, the new state say, gets a name that says that nobody reads it."""
    match target:
        case ast.Tuple(elts=[*_, ast.Name(id="_")]):
            return True
    return False


def _as_load(target: ast.expr) -> ast.expr:
    """The target of an augmented assignment as an expression that reads it."""
    match target:
        case ast.Name(id=name):
            new: ast.expr = ast.Name(id=name, ctx=ast.Load())
        case ast.Attribute(value=value, attr=attr):
            new = ast.Attribute(value=value, attr=attr, ctx=ast.Load())
        case ast.Subscript(value=value, slice=index):
            new = ast.Subscript(value=value, slice=index, ctx=ast.Load())
        case _:
            return target
    return ast.copy_location(new, target)


_BORN = object()  # in the place of a state: there was none before


def _state(container: Value) -> Any:
    match container:
        case Items(items=items):
            return list(items)
        case Table(items=items):
            return dict(items)
        case Object(attributes=attributes):
            return dict(attributes)
        case Variable(value=value):
            return value
    raise TypeError(f"not a container: {container}")


def _set_state(container: Value, state: Any) -> None:
    match container:
        case Items():
            container.items = list(state)
        case Table():
            container.items = dict(state)
        case Object():
            container.attributes = dict(state)
        case Variable():
            container.value = state
