"""Names that the original's framework counts out: what number each site of a module gets.

Linen counts the modules of each class over all that its compact method runs, Haiku those of each method for itself. A
module that is made in one of two branches, or in a loop of unknown length, makes the numbers after it depend on what
there is; they are then expressions over the rewritten module.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..model import paths

Base = str
Key = tuple[str, Base]  # the scope (a method of Haiku's, else "") and what is counted


@dataclass(frozen=True)
class Unit:
    """What one call makes: a module of a name that is counted, or several where it is code without a module of its own.

    `names` says how many of each base; `target` is where it is in the rewrite, `marker` a variable that it has.
    """

    node: ast.AST
    scope: str
    names: Mapping[Base, str | int | None]
    target: str
    marker: str


@dataclass
class Loop:
    events: list[Event]


@dataclass
class Branch:
    then: list[Event]
    orelse: list[Event]


@dataclass
class At:
    """A unit's turn; `node` is its call."""

    node: ast.AST
    unit: Unit


Event = Loop | Branch | At


# ---- in which order ------------------------------------------------------------------------------------


@dataclass
class Order:
    """Reads the turns of units off the code.

    `units` are by the call at which a name is given: the constructor's, or that of code without a module of its own.
    `functions` are those that a call by name, or on self, runs in place.
    """

    units: Mapping[ast.AST, Unit]
    functions: Mapping[str, ast.FunctionDef]
    known: Callable[[ast.expr], bool | None]
    here: set[ast.AST] = field(default_factory=set)
    reached: set[ast.AST] = field(default_factory=set)

    def of(self, function: ast.FunctionDef) -> list[Event]:
        """The events of a function's run."""
        self.reached.add(function)
        self.here.add(function)
        events = self._block(function.body)
        self.here.discard(function)
        return events

    def _block(self, body: Sequence[ast.stmt]) -> list[Event]:
        events: list[Event] = []
        for place, statement in enumerate(body):
            if isinstance(statement, ast.If):
                events += self._walk(statement.test)
                known = self.known(statement.test)
                rest = body[place + 1 :]
                if known is not None:
                    events += self._block(statement.body if known else statement.orelse)
                    continue
                if isinstance(statement.body[-1], ast.Return | ast.Raise | ast.Continue):
                    orelse = self._block([*statement.orelse, *rest])
                    return [*events, Branch(self._block(statement.body), orelse)]
                events.append(Branch(self._block(statement.body), self._block(statement.orelse)))
                continue
            events += self._statement(statement)
        return events

    def _statement(self, statement: ast.stmt) -> list[Event]:
        match statement:
            case ast.For(iter=iterable, body=body, orelse=orelse):
                return [*self._walk(iterable), Loop(self._block(body)), *self._block(orelse)]
            case ast.While(test=test, body=body):
                return [Loop([*self._walk(test), *self._block(body)])]
            case ast.With(items=items, body=body):
                return [e for item in items for e in self._walk(item)] + self._block(body)
            case ast.FunctionDef() if any(
                inner in self.units
                for d in statement.decorator_list
                for inner in ast.walk(statement)
            ):
                return self.of(statement)
            case ast.FunctionDef() | ast.ClassDef():
                return []
        return self._walk(statement)

    def _walk(self, node: ast.AST) -> list[Event]:
        match node:
            case ast.Lambda():
                return []
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return [*self._walk(test), Branch(self._walk(body), self._walk(orelse))]
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                first = node.generators[0].iter
                inner = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
                return [*self._walk(first), Loop([e for part in inner for e in self._walk(part)])]
        events = [e for child in ast.iter_child_nodes(node) for e in self._walk(child)]
        if node in self.units:
            return [*events, At(self.units[node].node, self.units[node])]
        if isinstance(node, ast.Call):
            called = self._called(node.func)
            if called is not None and called not in self.here:
                events += self.of(called)
        return events

    def _called(self, func: ast.expr) -> ast.FunctionDef | None:
        match func:
            case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="self"), attr=name):
                return self.functions.get(name)
        return None


# ---- numbers -------------------------------------------------------------------------------------------


_Tally = dict[str, "str | int | None"]  # what each place of the rewrite adds to a count, by target


@dataclass
class Counter:
    """Counts names in the order of events."""

    tallies: dict[Key, _Tally] = field(default_factory=dict)
    found: dict[tuple[ast.AST, Base], str | None] = field(default_factory=dict)
    starts: dict[tuple[Key, str], str | None] = field(default_factory=dict)

    def run(self, events: Sequence[Event]) -> None:
        """Counts what events make."""
        for event in events:
            match event:
                case At(node=node, unit=unit):
                    self._count(node, unit)
                case Branch(then=then, orelse=orelse):
                    self._branch(then, orelse)
                case Loop(events=inner):
                    self._loop(inner)

    def totals(self, scope: str) -> dict[Base, str | None]:
        """How many names of each base a scope gives out."""
        return {
            base: _sum(tally) for (where, base), tally in self.tallies.items() if where == scope
        }

    def _count(self, node: ast.AST, unit: Unit) -> None:
        for base, number in unit.names.items():
            key = (unit.scope, base)
            tally = self.tallies.setdefault(key, {})
            many = paths.depth(unit.target) > 0
            if (node, base) in self.found:
                self.found[node, base] = None  # made twice
                tally[unit.target] = None
            elif many:
                self._in_list(node, unit, base, number, tally)
            else:
                others = {t: n for t, n in tally.items() if t != unit.target}
                self.found[node, base] = _sum(others) if unit.target in tally else _sum(tally)
                tally[unit.target] = number

    def _in_list(
        self, node: ast.AST, unit: Unit, base: Base, number: str | int | None, tally: _Tally
    ) -> None:
        """A member of a list that no loop makes alone: the list's members are counted on from its first."""
        before = _sum({t: n for t, n in tally.items() if t != unit.target})
        place = ((unit.scope, base), unit.target)
        start = self.starts.setdefault(place, before)
        same = start == before and number == 1
        letter = paths.LETTERS[paths.depth(unit.target) - 1]
        self.found[node, base] = _offset(before, letter) if same else None
        tally[unit.target] = f"count('{paths.every(unit.target)}.{unit.marker}')" if same else None

    def _branch(self, then: Sequence[Event], orelse: Sequence[Event]) -> None:
        before = {key: dict(tally) for key, tally in self.tallies.items()}
        self.run(then)
        after = self.tallies
        self.tallies = before
        self.run(orelse)
        markers = {u.target: u for u in _units([*then, *orelse])}
        for key in dict.fromkeys([*after, *self.tallies]):
            one, other = after.get(key, {}), self.tallies.get(key, {})
            merged: _Tally = {}
            for target in dict.fromkeys([*one, *other]):
                if target in one and target in other:
                    merged[target] = one[target] if one[target] == other[target] else None
                else:
                    number = one.get(target, other.get(target))
                    kinds = {
                        b for u in _units([*then, *orelse]) if u.target == target for b in u.names
                    }
                    merged[target] = (
                        _if_there(number, markers[target]) if kinds == {key[1]} else None
                    )
            self.tallies[key] = merged

    def _loop(self, events: Sequence[Event]) -> None:
        """A loop's members, whose number `i` says how many of the list came before."""
        by_key: dict[Key, list[At]] = {}
        for at in _ats(events):
            for base in at.unit.names:
                by_key.setdefault((at.unit.scope, base), []).append(at)
        straight = _straight(events)
        for key, ats in by_key.items():
            tally = self.tallies.setdefault(key, {})
            targets = dict.fromkeys(at.unit.target for at in ats)
            before = _sum({t: n for t, n in tally.items() if t not in targets})
            joined = len(targets) == 1
            for position, at in enumerate(ats):
                number = at.unit.names[key[1]]
                place = (key, at.unit.target)
                seen = (at.node, key[1]) in self.found or any(
                    other is not at and other.node is at.node for other in ats
                )
                letter = paths.LETTERS[max(paths.depth(at.unit.target), 1) - 1]
                index: str | None = None
                if not paths.depth(at.unit.target) or seen:
                    index = None
                elif joined and number == 1:
                    start = self.starts.setdefault(place, before)
                    index = _offset(before, letter) if start == before else None
                elif (
                    at in straight
                    and all(other in straight for other in ats)
                    and all(isinstance(other.unit.names[key[1]], int) for other in ats)
                ):
                    numbers = [int(other.unit.names[key[1]] or 0) for other in ats]
                    index = paths.total(
                        before, paths.times(sum(numbers), letter), sum(numbers[:position])
                    )
                self.found[at.node, key[1]] = index
            for target in targets:
                tally[target] = self._of_list(target, key, ats)

    @staticmethod
    def _of_list(target: str, key: Key, ats: Sequence[At]) -> str | None:
        units = {at.node: at.unit for at in ats if at.unit.target == target}
        numbers = {unit.names[key[1]] for unit in units.values()}
        if len(numbers) != 1 or not paths.depth(target):
            return None
        number = numbers.pop()
        marker = next(iter(units.values())).marker
        if not isinstance(number, int):
            return None
        return paths.times(number, f"count('{paths.every(target)}.{marker}')")


def _offset(before: str | None, letter: str) -> str | None:
    if before is None:
        return None
    return letter if before == "0" else paths.total(before, letter)


def _sum(tally: _Tally) -> str | None:
    return paths.total(*tally.values())


def _if_there(number: str | int | None, unit: Unit) -> str | None:
    """What a place adds that may not be there."""
    if not isinstance(number, int):
        return number  # a count of what is there
    return paths.times(number, f"count('{unit.target}.{unit.marker}')")


def _ats(events: Iterable[Event]) -> list[At]:
    found: list[At] = []
    for event in events:
        match event:
            case At():
                found.append(event)
            case Loop(events=inner):
                found += _ats(inner)
            case Branch(then=then, orelse=orelse):
                found += [*_ats(then), *_ats(orelse)]
    return found


def _units(events: Iterable[Event]) -> list[Unit]:
    return [at.unit for at in _ats(events)]


def _straight(events: Sequence[Event]) -> list[At]:
    """The members that each turn makes once; where all are within an inner loop, each turn of that."""
    if len(events) == 1 and isinstance(events[0], Loop):
        return _straight(events[0].events)
    return [event for event in events if isinstance(event, At)]
