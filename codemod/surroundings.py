"""The code around module classes: which of it still runs in the source framework.

Functions that Haiku's `transform` runs, and what they call, keep Haiku's names: an initialiser, a loop or a state of
NNX would mean something else there. The other way round, a rewritten class must not call what only works inside a
module of the source framework.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from .chains import root_name
from .edits import Edits
from .emit.bridges import is_bridge
from .emit.file_names import FileNames, is_shadowed
from .programs.kinds import Transformed
from .project import Module
from .rule import Declined
from .shapes.interpreter import Interpreter
from .shapes.scopes import Environment
from .shapes.values import Class, External, Function, Value
from .strangers import strangers

# Haiku names that mean the same in a transform and out of it, so that a rewritten class may call what uses them.
_NEUTRAL = frozenset(
    f"haiku.{name}"
    for name in (
        "PRNGSequence one_hot multinomial max_pool avg_pool Params State MutableParams MutableState SupportsCall "
        "Initializer BatchApply expand_apply static_unroll LSTMState Flatten Reshape"
    ).split()
)
_NEUTRAL_PACKAGES = ("haiku.typing.", "haiku.data_structures.")


@dataclass(eq=False)
class Unit:
    """One statement at the top of a file: a function, a class that is no module, or code that runs on import."""

    module: Module
    node: ast.stmt
    bound: list[ast.expr] = field(default_factory=list)  # names that mean something else in NNX
    certain: list[ast.expr] = field(default_factory=list)  # those of them that no rule renames
    # nodes of the functions and classes it speaks of
    mentions: set[ast.AST] = field(default_factory=set)
    reads: set[tuple[Module, str]] = field(default_factory=set)  # variables at the top of a file


class Surroundings:
    """All units of a project and what they speak of. Nothing in here depends on what becomes of the classes."""

    def __init__(self, interp: Interpreter, modules: Iterable[Module], own: Collection[ast.AST]):
        """`own` are the module classes: their statements are not units."""
        self.interp = interp
        self.own = own
        self.units: list[Unit] = []
        self.of_node: dict[ast.AST, Unit] = {}
        self.of_variable: dict[tuple[Module, str], list[Unit]] = {}
        self._read: dict[ast.stmt, Unit] = {}
        for module in modules:
            for statement in module.tree.body:
                if statement not in own and not isinstance(statement, ast.Import | ast.ImportFrom):
                    self._add(self.read(module, statement))

    def read(self, module: Module, node: ast.stmt) -> Unit:
        """What a statement speaks of; a class of the project's has the same form."""
        if node in self._read:
            return self._read[node]
        unit = self._read[node] = Unit(module, node)
        env = self.interp.environment_of(module)
        pending: list[ast.AST] = [node]
        while pending:
            current = pending.pop()
            if current in self.own and current is not node:
                continue
            chain = isinstance(current, ast.Attribute) and root_name(current) is not None
            if chain or isinstance(current, ast.Name):
                assert isinstance(current, ast.expr)
                if not is_shadowed(current, module.source.parents):
                    self._note(unit, current, self._meaning(current, env))
                continue
            pending += ast.iter_child_nodes(current)
        return unit

    def _meaning(self, node: ast.expr, env: Environment) -> Value | None:
        return self.interp.peek(node, env) if root_name(node) in env.names else None

    def _note(self, unit: Unit, node: ast.expr, value: object) -> None:
        root = root_name(node)
        if isinstance(value, External):
            name = self.interp.rules.canonical(value.name)
            if _is_haikus_own(name) and not unit.module.source.is_annotation(node):
                unit.bound.append(node)
                if self.interp.rules.call(name) is None and self.interp.rules.rename(name) is None:
                    unit.certain.append(node)
        elif isinstance(value, Transformed) and isinstance(value.function, Function):
            unit.mentions.add(value.function.node)
        elif isinstance(value, Function | Class):
            unit.mentions.add(value.node)
        if root is not None:
            unit.reads.add((unit.module, root))

    def _add(self, unit: Unit) -> None:
        self.units.append(unit)
        self.of_node[unit.node] = unit
        if isinstance(unit.node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = {unit.node.name}
        else:
            nodes = (n for n in ast.walk(unit.node) if isinstance(n, ast.Name))
            names = {n.id for n in nodes if isinstance(n.ctx, ast.Store)}
        for name in names:
            self.of_variable.setdefault((unit.module, name), []).append(unit)

    def next(self, unit: Unit) -> Iterator[Unit]:
        """The units that a unit speaks of."""
        for node in unit.mentions:
            if node in self.of_node:
                yield self.of_node[node]
        for variable in unit.reads:
            yield from self.of_variable.get(variable, ())

    def run_by_source(
        self, edits_of: Callable[[Module], Edits], stay: Collection[ast.AST]
    ) -> set[Unit]:
        """The units that belong to code which stays in Haiku: they hold it, call it, or are called by it.

        `stay` are the module classes that are not rewritten.
        """
        seeds = {
            unit
            for unit in self.units
            if unit.mentions & set(stay)
            or any(edits_of(unit.module).keeps(n) for n in unit.certain)
        }
        above = closure(seeds, self._users())
        called = {
            each
            for node in stay
            if isinstance(node, ast.stmt) and (module := self.interp.project.home(node)) is not None
            for each in self.next(self.read(module, node))
        }
        return closure(above | called, lambda unit: self.next(unit))

    def _users(self) -> Callable[[Unit], Iterable[Unit]]:
        users: dict[Unit, list[Unit]] = {}
        for unit in self.units:
            for other in self.next(unit):
                users.setdefault(other, []).append(unit)
        return lambda unit: users.get(unit, ())

    def stranded(
        self,
        cls: Class,
        source_units: Collection[Unit],
        edits_of: Callable[[Module], Edits],
        stay: Collection[ast.AST],
    ) -> Unit | None:
        """A unit that a rewritten class reaches and that only works in the source framework."""
        start = self.read(cls.module, cls.node)
        for unit in closure(set(self.next(start)), self.next):
            if unit in source_units and (unit.bound or unit.mentions & set(stay)):
                return unit
            edits = edits_of(unit.module)
            if any(edits.keeps(node) and not self.is_written(unit, node) for node in unit.bound):
                return unit
            env = self.interp.environment_of(unit.module)
            if any(strangers(unit.node, functools.partial(self._meaning, env=env))):
                return unit
            if self._runs_bridges(unit, edits):
                return unit
        return None

    def is_written(self, unit: Unit, name: ast.expr) -> bool:
        """Whether a rule writes what a unit does with a name of Haiku's: a call may be one that it declines."""
        module = unit.module
        env = self.interp.environment_of(module)
        names = FileNames(module, env, self.interp.rules, self.interp.facts.value)
        above = module.source.parents.get(name)
        whole = above if isinstance(above, ast.Call) and above.func is name else name
        try:
            return names.rewrite(whole) is not None or names.rewrite(name) is not None
        except Declined:
            return False

    @staticmethod
    def name(unit: Unit) -> str:
        """How a message speaks of a unit."""
        if isinstance(unit.node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return f"`{unit.node.name}`"
        return f"line {unit.node.lineno} of {unit.module.path.name}"

    @staticmethod
    def _runs_bridges(unit: Unit, edits: Edits) -> bool:
        try:
            tree = ast.parse(edits.render(unit.node))
        except SyntaxError:
            return False
        return any(is_bridge(node) for node in ast.walk(tree))


def closure(start: Collection[Unit], next_of: Callable[[Unit], Iterable[Unit]]) -> set[Unit]:
    """All units that some lead to, themselves among them."""
    found = set(start)
    pending = list(start)
    while pending:
        for unit in next_of(pending.pop()):
            if unit not in found:
                found.add(unit)
                pending.append(unit)
    return found


def _is_haikus_own(name: str) -> bool:
    """Whether what a qualified name stands for means something in Haiku code that it does not mean in NNX."""
    return name.startswith("haiku.") and not (
        name in _NEUTRAL or name.startswith(_NEUTRAL_PACKAGES)
    )
