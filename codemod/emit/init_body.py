"""Writes the body of `__init__`: the slice of a module's methods that makes its layers.

Control flow around a site is copied with the site; statements that only feed sites move with them; a loop that makes
layers fills an `nnx.List` in the same loop, with a running variable for each size that the loop changes.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ..chains import constructs, is_own
from ..model.built import BuiltList, appended
from ..model.filled import Filled
from ..model.module import ModuleModel
from ..model.sites import Comprehension, Site, only_made
from ..project import Module
from ..shapes.dims import Running, names
from ..shapes.facts import RunningSize
from ..shapes.lifts import Lifted
from ..source import Source
from . import layout, size_lists, turns
from .arms import (
    Arm,
    arms,
    arms_of_calls,
    borrows,
    is_reached,
    scope_of_test,
    stands_under,
    told_early,
)
from .construct import Constructor
from .containers import held, hold_within
from .method_arms import MethodArms
from .names import singular
from .plain_values import missing_arm
from .scans import stacked_lines
from .stale import Stale
from .stored import Placed
from .transport import CannotMove, Scope, Transport, free_reads, scope_of, splice
from .updates import in_turn
from .variables import VariableWriter, stream_text

_RunningSizes = list[tuple[str, RunningSize]]
Waiting: TypeAlias = list[tuple[set[str], list[str]]]  # lines, and the sizes that a loop tells


@dataclass
class InitBody:
    """The constructor's statements, written method by method."""

    transport: Transport
    constructor: Constructor
    variables: VariableWriter
    sites: Sequence[Site]
    child_of: Callable[[Site], ModuleModel | None]
    source: Source
    limit: int
    indent: str
    running_names: Callable[[str], str]
    stale: Stale
    overwrite: Callable[[str], None]  # told the name of each running size whose loop begins
    keep: Callable[[ast.stmt], bool]  # statements of setup or __init__ that stay
    dropped_test: Callable[[ast.expr], bool | None]  # tests on flags that go
    built: Sequence[BuiltList] = ()
    # Sites whose modules are asked for the size of what they return.
    telling: Set[ast.Call] = frozenset()
    fills: Mapping[ast.stmt, Filled] = field(default_factory=dict)
    starts: Set[ast.stmt] = frozenset()  # give an attribute something plain before it holds data
    data: str = "nnx.data"
    rngs_bound: set[str] = field(default_factory=set)
    carried: set[str] = field(default_factory=set)  # the running sizes that some loop here updates
    # by loop: sizes that a loop around it has started, and it updates
    begun: dict[ast.AST, dict[str, RunningSize]] = field(default_factory=dict)
    moved: set[ast.stmt] = field(default_factory=set)
    lists: dict[int, list[Site]] = field(default_factory=dict)
    # by line: attributes that are set to parameters, if the class needs them at all
    placed: dict[str, Placed] = field(default_factory=dict)
    # what a loop of another method tells
    waiting: Waiting = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.method_arms = MethodArms(self)
        self.by_statement: dict[ast.stmt, list[Site]] = {}
        for site in self.sites:
            self.by_statement.setdefault(site.statement, []).append(site)
        self.filling = {s: each for each in self.built for s in each.statements}
        self.size_lists = size_lists.needed(
            list(self.transport.needs.symbols.values()), self.transport.source.parents
        )
        nodes = {site.node for site in self.sites}
        self.inline = {s.node for s in self.sites if s.rule is not None and s.rule.inline}
        self.inner = {
            site.node
            for site in self.sites
            if any(inner is not site.node and inner in nodes for inner in self._around(site, nodes))
        }

    def _around(self, site: Site, nodes: set[ast.Call]) -> list[ast.AST]:
        """The sites whose constructor arguments hold this one."""
        return [
            other
            for other in nodes
            if other is not site.node
            and (site.variable is not None or other not in self.inline)
            and any(
                inner is site.node
                for arg in [*other.args, *[k.value for k in other.keywords]]
                for inner in ast.walk(arg)
            )
        ]

    # ---- blocks ------------------------------------------------------------------------------------

    def method(self, function: ast.FunctionDef, scope: Scope, whole: bool) -> list[str]:
        """The lines of one method's slice; with `whole`, all its statements (setup, __init__)."""
        tests = self.method_arms.around(function, scope)
        if tests:
            return self.method_arms.under(tests, self.block(function.body, scope, 1, whole), scope)
        lines, self.waiting = self._block(function.body, scope, 0, whole, self.waiting)
        for name in self.stale.given_anew():
            if any(name in _WORD.findall(line) for line in self.rest()):
                raise CannotMove(
                    function,
                    f"`{name}` changes before the size is known of a layer that asks for it",
                    "give the new value another name",
                )
        return lines

    def rest(self) -> list[str]:
        """The lines that no loop came for."""
        return [line for _, held in self.waiting for line in held]

    def block(self, body: Sequence[ast.stmt], scope: Scope, depth: int, whole: bool) -> list[str]:
        lines, waiting = self._block(body, scope, depth, whole, [])
        return lines + [line for _, held in waiting for line in held]

    def _block(
        self, body: Sequence[ast.stmt], scope: Scope, depth: int, whole: bool, waiting: Waiting
    ) -> tuple[list[str], Waiting]:
        """The lines of some statements, and those that still wait for the sizes that a loop further down tells."""
        lines: list[str] = []
        apart = False
        remarks: list[str] = []
        for place, statement in enumerate(body):
            if isinstance(statement, ast.If) and not whole and self._leaves(statement, scope):
                rest = self.block(body[place + 1 :], scope, depth + 1, whole)
                if not rest:
                    lines += self._if(statement, scope, depth, whole)
                    return lines, waiting
                return lines + self._guarded(statement, scope, depth, rest), waiting
            known = len(self.transport.needs.sizes)
            made = self.statement(statement, scope, depth, whole)
            late = self._told_later(known) if statement in self.by_statement else set()
            if late:
                waiting = [*waiting, (late, made)]
                continue
            made += [line for sizes, held in waiting if sizes <= self.carried for line in held]
            waiting = [(sizes, held) for sizes, held in waiting if not sizes <= self.carried]
            apart |= (whole and self._is_apart(statement)) or _begins_function(made)
            if whole and place:
                remarks += self._remarks(body[place - 1], statement, depth)
            if made:
                lines += ["", *remarks] if remarks else []
                lines += ["", *made] if apart and lines and lines[-1] else made
                apart, remarks = False, []
            if isinstance(statement, ast.If) and not whole and made:
                if self._leaves(statement, scope, making=True):
                    rest = self.block(body[place + 1 :], scope, depth + 1, whole)
                    if rest:
                        lines = [*lines, self.line(depth, "else:"), *rest]
                    return lines, waiting
        return lines, waiting

    def _is_apart(self, statement: ast.stmt) -> bool:
        """Whether a blank line stands above a statement and its comments."""
        source = self.transport.source
        end = source.line_start(source.start_with_comments(statement)) - 1
        return not source.text[source.text.rfind("\n", 0, end) + 1 : end].strip()

    def _remarks(self, before: ast.stmt, statement: ast.stmt, depth: int) -> list[str]:
        """The comments between two statements that blank lines part from the second."""
        source = self.transport.source
        start = source.text.find("\n", source.span(before)[1])
        between = source.text[start : source.line_start(source.start_with_comments(statement))]
        remarks = [line.strip() for line in between.splitlines() if line.strip()]
        return [self.line(depth, line) for line in remarks if line.startswith("#")]

    def _told_later(self, known: int) -> set[str]:
        """The running sizes among those needed since `known` were, whose loops are not written yet."""
        running = self.transport.facts.running
        needed = {n for dim in self.transport.needs.sizes[known:] for n in names(dim)}
        return {n for n in needed - self.carried if n in running and str(running[n].update) != n}

    def _leaves(self, statement: ast.If, scope: Scope, making: bool = False) -> bool:
        """`if cond: return x`: what follows runs only if it does not hold; `making` where the branch makes layers."""
        return (
            not statement.orelse
            and self.dropped_test(statement.test) is None
            and self.transport.is_static(statement.test, scope)
            and isinstance(statement.body[-1], ast.Return)
            and making is any(site.statement in ast.walk(statement) for site in self.sites)
        )

    def _guarded(self, statement: ast.If, scope: Scope, depth: int, rest: list[str]) -> list[str]:
        test = self.negated(statement.test, scope)
        return [*self.clause(depth, "if", test), *rest]

    def negated(self, test: ast.expr, scope: Scope) -> str:
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.transport.expression(operand, scope)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                opposite = _OPPOSITE.get(type(op))
                if opposite:
                    one = self.transport.expression(left, scope)
                    return f"{one} {opposite} {self.transport.expression(right, scope)}"
            case ast.Name() | ast.Attribute() | ast.Call():
                return f"not {self.transport.expression(test, scope)}"
        return f"not ({self.transport.expression(test, scope)})"

    def statement(self, statement: ast.stmt, scope: Scope, depth: int, whole: bool) -> list[str]:
        """The lines of one statement, and what keeps the lists of sizes beside it."""
        before = size_lists.before(statement, self.size_lists)
        lines = self._plain(statement, scope, depth, whole)
        if lines:
            self.stale.note(statement)
        after = size_lists.after(
            statement, self.size_lists, self.transport.facts, self.transport.size
        )
        return [
            *[self.line(depth, line) for line in before],
            *lines,
            *[self.line(depth, line) for line in after],
        ]

    def _plain(self, statement: ast.stmt, scope: Scope, depth: int, whole: bool) -> list[str]:
        if statement in self.fills:
            return self._fill(self.fills[statement], scope, depth)
        match statement:
            case ast.For():
                header = statement in self.by_statement  # `for layer in [Layer() for ...]`
                made = self._sites(statement, scope, depth) if header else []
                loop = self._for(statement, scope, depth, whole)
                return [*made, *self._headed(statement, loop, depth, whole)]
            case ast.If():
                lines = self._if(statement, scope, depth, whole)
                return self._headed(statement, lines, depth, whole)
            case ast.With():
                return self.block(statement.body, scope, depth, whole)
            case ast.FunctionDef() if statement in self.constructor.interp.stacked:
                return self._stacked(statement, scope, depth)
            case ast.FunctionDef() if (
                not whole
                and statement not in self.transport.needs.statements
                and statement not in self.by_statement
            ):
                return []
        field = self._plain_field(statement)
        if whole and field is not None and statement not in self.transport.needs.statements:
            above = self._above(statement, depth)
            line = self.line(depth, f"self.{field} = {self.transport.fields[field]}")
            behind = self._trailing_comment(self.transport.source.span(statement)[1])
            self.placed[line] = Placed(field, len(above), behind)
            return [*above, line]
        if statement in self.filling:
            return self._filled(statement, self.filling[statement], scope, depth)
        if statement in self.by_statement:
            return self._with_comments(statement, self._sites(statement, scope, depth), depth)
        if statement in self.transport.needs.statements or (whole and self.keep(statement)):
            self.moved.add(statement)
            copied = self._copied(statement, scope, depth)
            return self._above(statement, depth) + copied if copied else []
        return []

    def _plain_field(self, statement: ast.stmt) -> str | None:
        """The attribute that a statement sets to a parameter as it is."""
        match statement:
            case (
                ast.Assign(targets=[target], value=ast.Name(id=name))
                | ast.AnnAssign(target=target, value=ast.Name(id=name))
            ) if is_own(target) and self.transport.fields.get(target.attr) == name:
                return target.attr
        return None

    def _fill(self, fill: Filled, scope: Scope, depth: int) -> list[str]:
        """What a method fills in is filled in for the parameter."""
        value = self.transport.expression(fill.value, scope)
        return [
            *self._above(fill.statement, depth),
            self.line(depth, f"if {fill.parameter} is None:"),
            *self._assigned(f"{fill.parameter} = ", value, "", depth + 1),
        ]

    def _copied(self, statement: ast.stmt, scope: Scope, depth: int) -> list[str]:
        source = self.transport.source
        start, end = source.span(statement)
        pieces: list[tuple[int, int, str]] = []
        for expression in _expressions_of(statement):
            span = source.span(expression)
            pieces.append((*span, self.transport.expression(expression, scope)))
        pieces += self._renamed_targets(statement)
        text = splice(source.text, start, end, pieces)
        _refuse_other_rank(statement, text)
        if isinstance(statement, ast.Assign) and _assigns_itself(text):
            return []
        if isinstance(statement, ast.Assign):
            text = self._bind_rngs(statement, text)
        if statement in self.starts:
            head, _, value = text.partition(" = ")
            text = f"{head} = {self.data}({value})"
        comment = self._trailing_comment(end)
        if isinstance(statement, ast.Assign) and "\n" not in text and not comment:
            head, _, value = text.partition(" = ")
            return self._assigned(f"{head} = ", value, "", depth)
        return self._lines(depth, text + comment, source.line_indent(start))

    def _renamed_targets(self, statement: ast.stmt) -> list[tuple[int, int, str]]:
        """The names that a statement binds, where they have others in the constructor."""
        targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
        return [
            (*self.transport.source.span(node), self.transport.renamed[node.id])
            for target in targets
            if target is not None
            for node in ast.walk(target)
            if isinstance(node, ast.Name) and node.id in self.transport.renamed
        ]

    def _bind_rngs(self, statement: ast.Assign, text: str) -> str:
        """A partial that stays in the constructor binds `rngs=rngs`."""
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call) if (
                name in self.rngs_bound
            ):
                if text.rstrip().endswith(")") and ast.unparse(call.func).endswith("partial"):
                    return text.rstrip()[:-1].rstrip().rstrip(",") + ", rngs=rngs)"
        return text

    def _trailing_comment(self, end: int) -> str:
        line_end = self.transport.source.text.find("\n", end)
        rest = self.transport.source.text[end : line_end if line_end >= 0 else None]
        return rest.rstrip() if rest.strip().startswith("#") else ""

    def _with_comments(self, statement: ast.stmt, lines: list[str], depth: int) -> list[str]:
        """The lines of a statement that moves whole with the comments above and behind it."""
        if not lines or not (statement in self.moved or self._moves_whole(statement)):
            return lines
        above = self._above(statement, depth)
        comment = self._trailing_comment(self.transport.source.span(statement)[1])
        if not comment or statement in self.moved:
            return above + lines
        if len(lines[-1] + comment) <= self.limit:
            return [*above, *lines[:-1], lines[-1] + comment]
        return [*above, self.line(depth, comment.strip()), *lines]

    def _headed(self, statement: ast.stmt, lines: list[str], depth: int, whole: bool) -> list[str]:
        """The lines of a branch or loop of the source's constructor, with the comments above it."""
        return [*self._above(statement, depth), *lines] if whole and lines else lines

    def _above(self, statement: ast.stmt, depth: int) -> list[str]:
        lines = self.transport.source.text[
            : self.transport.source.line_start(self.transport.source.span(statement)[0])
        ]
        found: list[str] = []
        for line in reversed(lines.split("\n")[:-1]):
            if not line.strip().startswith("#"):
                break
            found.append(self.line(depth, line.strip()))
        return found[::-1]

    def _moves_whole(self, statement: ast.stmt) -> bool:
        """Whether a statement does nothing but to make what is held from now on."""
        sites = self.by_statement.get(statement, [])
        return any(site.own_attribute or only_made(site) for site in sites)

    # ---- compound statements ------------------------------------------------------------------------

    def _if(self, statement: ast.If, scope: Scope, depth: int, whole: bool) -> list[str]:
        known = self.dropped_test(statement.test)
        if known is not None:
            return self.block(statement.body if known else statement.orelse, scope, depth, whole)
        if self._only_draws(statement) and not self.transport.is_static(statement.test, scope):
            both = self.block(statement.body, scope, depth, whole)
            return both + self.block(statement.orelse, scope, depth, whole)
        then = self.block(statement.body, scope, depth + 1, whole)
        orelse = self._orelse(statement, scope, depth, whole)
        if not then and not orelse:
            return []
        if (
            not then
            and not _only_raises(statement.body)
            and not orelse[0].strip().startswith("elif")
        ):
            test = self.negated(statement.test, scope)
            return [*self.clause(depth, "if", test), *orelse[1:]]
        test = self.transport.expression(statement.test, scope)
        lines = self.clause(depth, "if", test)
        lines += then or self._raise_or_pass(statement.body, scope, depth + 1)
        if not orelse and statement.orelse and _only_raises(statement.orelse):
            orelse = self._raising_else(statement, scope, depth)
        return lines + orelse

    def _only_draws(self, statement: ast.If) -> bool:
        """Whether what a branch makes has no parameters: then it may as well be made in any case."""
        inside = set(ast.walk(statement))
        made = [site for site in self.sites if site.statement in inside]
        return bool(made) and all(
            site.variable.kind == "rng"
            if site.variable is not None
            else site.rule is not None and not site.rule.variables
            for site in made
        )

    def _orelse(self, statement: ast.If, scope: Scope, depth: int, whole: bool) -> list[str]:
        match statement.orelse:
            case []:
                return []
            case [ast.If() as inner]:
                nested = self._if(inner, scope, depth, whole)
                if not nested and _only_raises(inner.body) and not inner.orelse:
                    return []
                if nested and nested[0].strip().startswith("if "):
                    nested[0] = nested[0].replace("if ", "elif ", 1)
                    return nested
                return (
                    [
                        self.line(depth, "else:"),
                        *[self.source.indent_unit + line for line in nested],
                    ]
                    if nested
                    else []
                )
        inner_lines = self.block(statement.orelse, scope, depth + 1, whole)
        return [self.line(depth, "else:"), *inner_lines] if inner_lines else []

    def _raising_else(self, statement: ast.If, scope: Scope, depth: int) -> list[str]:
        match statement.orelse:
            case [ast.If(test=test, body=body)]:
                self.moved.add(statement.orelse[0])
                head = self.clause(depth, "elif", self.transport.expression(test, scope))
                return [*head, *self._raise_or_pass(body, scope, depth + 1)]
        return [
            self.line(depth, "else:"),
            *self._raise_or_pass(statement.orelse, scope, depth + 1),
        ]

    def _raise_or_pass(self, body: Sequence[ast.stmt], scope: Scope, depth: int) -> list[str]:
        if _only_raises(body):
            self.moved.update(body)
            lines: list[str] = []
            for statement in body:
                text = (
                    self.transport.expression(statement.exc, scope)
                    if isinstance(statement, ast.Raise) and statement.exc
                    else ""
                )
                lines += self._lines(depth, f"raise {text}".rstrip(), "")
            return lines
        return [self.line(depth, "pass")]

    def _for(self, statement: ast.For, scope: Scope, depth: int, whole: bool) -> list[str]:
        made_in = any(inner in self.by_statement for inner in ast.walk(statement))
        if not made_in and not self.block(statement.body, scope, depth + 1, whole):
            return []  # it only goes through layers that are made elsewhere
        started, updated = self._needed_running(statement)
        before = self._running(statement, started, "initial", depth)
        for symbol, fact in started:
            if str(fact.update) != symbol:
                self.overwrite(self.running_names(symbol))
        self.stale.forget(statement)
        inner = self.block(statement.body, scope, depth + 1, whole)
        after = self._running(statement, updated, "update", depth + 1)
        self.stale.forget(statement)
        if not inner:
            return []
        lists = [
            site
            for site in self.sites
            if site.loops
            and site.loops[0] is statement
            and site.node not in self.inner
            and site.built is None
        ]
        lines = [
            self.line(depth, f"self.{name} = nnx.List()")
            for name in dict.fromkeys(s.attribute for s in lists)
        ]
        compact = self._as_comprehension(statement, lists, inner, [*before, *after], scope, depth)
        if compact is not None:
            return compact
        header = self._header(statement, scope, [*inner, *after])
        return [*lines, *before, self.line(depth, header), *inner, *after]

    def _header(self, statement: ast.For, scope: Scope, body: Sequence[str]) -> str:
        """The loop's header; loop variables that only the call reads go, an unread one becomes `_`."""
        target, iterable = self._loop_turns(statement, scope, "\n".join(body))
        return f"for {target} in {iterable}:"

    def _as_comprehension(
        self,
        statement: ast.For,
        lists: Sequence[Site],
        inner: Sequence[str],
        running: Sequence[str],
        scope: Scope,
        depth: int,
    ) -> list[str] | None:
        """A loop that does nothing but append one layer per turn is a list comprehension."""
        prefix = f"self.{lists[0].attribute}.append(" if lists else ""
        whole = "\n".join(line.strip() for line in inner)
        if len(lists) != 1 or running or not whole.startswith(prefix) or "#" in whole:
            return None
        try:
            tree = ast.parse(whole)
        except SyntaxError:
            return None
        match tree.body:
            case [ast.Expr(value=ast.Call(args=[element], keywords=[]))]:
                made = " ".join((ast.get_source_segment(whole, element) or "").split())
                target, iterable = self._loop_turns(statement, scope, made)
                text = f"nnx.List([{_joined(made)} for {target} in {iterable}])"
                return self._assigned(f"self.{lists[0].attribute} = ", text, "", depth)
        return None

    def _loop_turns(self, loop: ast.For, scope: Scope, body: str) -> tuple[str, str]:
        over_sizes = size_lists.header(loop, self.transport, scope)
        return over_sizes or self._turns(loop.target, loop.iter, scope, body)

    def _turns(
        self, target: ast.expr, iterable: ast.expr, scope: Scope, body: str
    ) -> tuple[str, str]:
        read = set(_WORD.findall(body))
        match target, iterable:
            case ast.Tuple(elts=[ast.Name(id=index), item]), ast.Call(
                func=ast.Name(id="enumerate"), args=[sequence], keywords=[]
            ) if index not in read:
                return self._target(item, read, sequence), self.transport.expression(
                    sequence, scope
                )
            case ast.Tuple(elts=[ast.Name(id=index), ast.Name(id=name) as item]), ast.Call(
                func=ast.Name(id="enumerate"), args=[sequence], keywords=[]
            ) if name not in read:
                renamed = f"{index}, {self._target(item, read, sequence)}"
                return renamed, self.transport.expression(iterable, scope)
        return self._target(target, read, iterable), self.transport.expression(iterable, scope)

    def _target(self, target: ast.expr, read: set[str], iterable: ast.expr | None = None) -> str:
        if not isinstance(target, ast.Name):
            return self.transport.source.segment(target)
        other = self._other_name(target, iterable, read)
        if target.id in read and other is not None:
            raise CannotMove(
                target,
                f"`{other}` of another loop decides a size here",
                "give the items of both loops one name",
            )
        return other or (target.id if target.id in read else "_")

    def _other_name(self, own: ast.Name, iterable: ast.expr | None, read: set[str]) -> str | None:
        """The name that another loop over the same sequence gives its items, if this body needs it."""
        if iterable is None:
            return None
        wanted = ast.unparse(iterable)
        for site in self.sites:
            for loop in site.loops:
                for name, sequence in turns.items(loop).items():
                    if name in read and name != own.id and sequence == wanted:
                        return name
        return None

    def _running(
        self,
        loop: ast.AST,
        needed: Sequence[tuple[str, RunningSize]],
        value: Literal["initial", "update"],
        depth: int,
    ) -> list[str]:
        """The lines that start, or update, the running sizes of a loop."""
        self.carried.update(symbol for symbol, _ in needed)
        names = [self.running_names(symbol) for symbol, _ in needed]
        sizes = [self.transport.size(getattr(fact, value), loop) for _, fact in needed]
        return self._set(list(zip(names, sizes, strict=True)), depth)

    def _set(self, sizes: Sequence[tuple[str, str]], depth: int) -> list[str]:
        """The lines that give running sizes their next values."""
        return [
            line
            for name, text in in_turn(sizes)
            for line in self._assigned(f"{name} = ", text, "", depth)
        ]

    def _needed_running(self, loop: ast.AST) -> tuple[_RunningSizes, _RunningSizes]:
        """Those that start before a loop, and those that each turn changes: its own, and those of loops elsewhere.

        The latter run through layers that are made here. Where several loops fill one list, the outermost starts them.
        """
        needed = self.needed_running()
        started = {s: fact for s, fact in needed if turns.start(fact.loop, self.sites) is loop}
        updated = {s: fact for s, fact in needed if fact.loop is loop}
        updated.update(self.begun.get(loop, {}))
        for site in self.sites:
            loops = turns.of_list(site)
            if loops and loops[0] is loop:
                carried = dict(self._carried_along(site))
                started.update(carried)
                (updated if loops[-1] is loop else self.begun.setdefault(loops[-1], {})).update(
                    carried
                )
        return sorted(started.items()), sorted(updated.items())

    def needed_running(self) -> list[tuple[str, RunningSize]]:
        """The running sizes of all loops that some site needs, directly or through another."""
        found: dict[str, RunningSize] = {}
        pending = list(self.transport.needs.symbols)
        while pending:
            symbol = pending.pop()
            fact = self.transport.facts.running.get(symbol)
            if fact is None or symbol in found:
                continue
            found[symbol] = fact
            pending += [*names(fact.initial), *names(fact.update)]
        return sorted(found.items())

    # ---- sites ------------------------------------------------------------------------------------------

    def _sites(self, statement: ast.stmt, scope: Scope, depth: int) -> list[str]:
        """The lines that make what a statement makes."""
        sites = self.by_statement[statement]
        for site in _innermost_first(sites):
            if (
                site.variable is not None
                and site.variable.kind == "rng"
                and constructs(site.function)
            ):
                self.variables.uses_rngs = True
                self.transport.substitutes[site.node] = (
                    f"{stream_text(site, self.transport, scope)}()"
                )
            if site.variable is None and (site.node in self.inner or _in_comprehension(site)):
                self.transport.substitutes[site.node] = self._call_text(site, scope, depth)
        container = self._container(statement, sites)
        if container is not None:
            self.moved.add(statement)
            return self._container_lines(statement, container, sites, scope, depth)
        if isinstance(chosen := getattr(statement, "value", None), ast.IfExp):
            if any(site.own_attribute is not None and site.variable is None for site in sites):
                self.moved.add(statement)
                return self._chosen(f"self.{sites[0].attribute} = ", chosen, scope, depth)
        for site in sites:
            if site.node in self.transport.substitutes and site.variable is not None:
                self.moved.add(statement)
                return self._copied(statement, scope, depth)
        return self._in_arms([s for s in sites if s.node not in self.inner], scope, depth)

    def _in_arms(
        self, sites: Sequence[Site], scope: Scope, depth: int, level: int = 0
    ) -> list[str]:
        """The lines of sites, each under the tests of the conditional expressions that it stands in."""
        lines: list[str] = []
        arm_of = {site.node: self._arm(site, scope, level) for site in sites}
        for node, group in itertools.groupby(
            sites, lambda s: arm.node if (arm := arm_of[s.node]) else None
        ):
            if node is None:
                for site in group:
                    lines += self._site(site, scope, depth)
                continue
            sides: dict[bool, list[Site]] = {True: [], False: []}
            for site in group:
                arm = arm_of[site.node]
                sides[arm is not None and arm.holds].append(site)
            then, orelse = (
                self._in_arms(sides[side], scope, depth + 1, level + 1) for side in (True, False)
            )
            there = scope_of_test(node.test, scope, self.transport)
            absent = missing_arm(sites[0]) if then or orelse else None
            if absent is not None and not (then and orelse):
                other = [self.line(depth + 1, f"self.{absent} = None")]
                then, orelse = then or other, orelse or other
            if then:
                test = self.transport.expression(node.test, there)
                lines += [*self.clause(depth, "if", test), *then]
                lines += [self.line(depth, "else:"), *orelse] if orelse else []
            else:
                lines += [*self.clause(depth, "if", self.negated(node.test, there)), *orelse]
        return lines

    def _arm(self, site: Site, scope: Scope, level: int) -> Arm | None:
        child, parents = self.child_of(site), self.transport.source.parents
        found = arms(site, child, parents)
        if site.node not in self.telling:
            called = arms_of_calls(site, child, parents)
            told = [a for a in called if told_early(a.node.test, site, scope, self.transport)]
            if borrows(site, parents) and (not called or len(told) < len(called)):
                raise CannotMove(
                    site.node,
                    "a layer that another's kernel may stand in for, when the constructor cannot tell",
                    "make it under a test of the configuration, or multiply by the kernel",
                )
            told = [a for a in told if not stands_under(a, site, scope, self.transport)]
            if told and is_reached(site, parents, self.around_file(site)):
                raise CannotMove(
                    site.node,
                    f"`self.{site.own_attribute}` is called under a test here, and may be called elsewhere without",
                    "make it under that test by hand, if no other code needs it",
                )
            found += told
        found = [arm for arm in found if self.dropped_test(arm.node.test) is None]
        return found[level] if level < len(found) else None

    def around_file(self, site: Site) -> Sequence[Module]:
        """The files that may have to do with the class of a site."""
        project = self.constructor.interp.project
        home = project.home(site.node)
        return project.neighbourhood(home) if home is not None else ()

    def _chosen(self, prefix: str, node: ast.IfExp, scope: Scope, depth: int) -> list[str]:
        """`prefix (one if test else other)`, a line for each where they do not fit on one."""
        parts = [self.transport.expression(n, scope) for n in (node.body, node.test, node.orelse)]
        pieces = [part + text for part, text in zip(("", "if ", "else "), parts, strict=True)]
        line = self.line(depth, prefix + " ".join(pieces))
        if "\n" not in line and len(line) <= self.limit:
            return [line]
        inner = [line for piece in pieces for line in self._assigned("", piece, "", depth + 1)]
        return [self.line(depth, f"{prefix}("), *inner, self.line(depth, ")")]

    def _filled(self, statement: ast.stmt, built: BuiltList, scope: Scope, depth: int) -> list[str]:
        """A statement that starts a list of layers, or that puts one more into it."""
        self.moved.add(statement)
        for site in _innermost_first(self.by_statement.get(statement, [])):
            self.transport.substitutes[site.node] = self._call_text(site, scope, depth)
        filled = appended(statement)
        if filled is None:
            value = getattr(statement, "value", None)
            items = value if isinstance(value, ast.List) and value.elts else None
            kept = built.kept or (built.within is not None and built.outermost.kept)
            if kept and items is not None:
                hold_within(items, self._made(), self.transport, scope)
            text = self.transport.expression(items, scope) if items is not None else ""
            start = f"nnx.List({text})" if kept else text or "[]"
            made = self._assigned(f"{built.text} = ", start, "", depth)
            return [*self._above(statement, depth), *made]
        _, element, method = filled
        text = self._nested(element, scope) if method == "append" else self._items(element, scope)
        if method == "extend" and isinstance(element, ast.List) and len(element.elts) == 1:
            method, text = "append", self._nested(element.elts[0], scope)
        comments = self._above(statement, depth)
        if isinstance(statement, ast.AugAssign) and method == "extend" and not built.kept:
            return comments + self._assigned(f"{built.text} += ", text, "", depth)
        return comments + self._assigned("", f"{built.text}.{method}({text})", "", depth)

    def _items(self, node: ast.expr, scope: Scope) -> str:
        """The items of a list that is added to another."""
        return self.transport.expression(node, scope)

    def _nested(self, node: ast.expr, scope: Scope) -> str:
        """An element of a list of layers: what it holds them in is a container of NNX, too."""
        hold_within(node, self._made(), self.transport, scope)
        return held(node, self.transport.expression(node, scope))

    def _made(self) -> set[ast.AST]:
        return {site.node for site in self.sites}

    def _container(self, statement: ast.stmt, sites: Sequence[Site]) -> ast.expr | None:
        """The right-hand side, where it is a list, dict or comprehension of sites."""
        value = getattr(statement, "value", None)
        if sites[0].alias is None and sites[0].own_attribute is None:
            return next(
                (loop for s in sites for loop in s.loops if isinstance(loop, Comprehension)), None
            )
        if isinstance(
            value, ast.List | ast.Tuple | ast.Dict | ast.ListComp | ast.DictComp | ast.GeneratorExp
        ):
            return value
        if isinstance(value, ast.Call) and value is not sites[0].node:
            return next((a for a in value.args if isinstance(a, Comprehension | ast.List)), None)
        return None

    def _container_lines(
        self,
        statement: ast.stmt,
        container: ast.expr,
        sites: Sequence[Site],
        scope: Scope,
        depth: int,
    ) -> list[str]:
        running = self._running_in(sites)
        if (
            running
            and isinstance(container, ast.ListComp | ast.GeneratorExp)
            and len(container.generators) == 1
        ):
            return self._unrolled(container, sites[0], running, scope, depth)
        if isinstance(container, Comprehension) and len(container.generators) == 1:
            self._rename_turns(container, scope)
        if not sites[0].local:
            hold_within(container, self._made(), self.transport, scope)
        text = self.transport.expression(container, scope)
        kind = "Dict" if isinstance(container, ast.Dict | ast.DictComp) else "List"
        if isinstance(container, ast.Tuple | ast.GeneratorExp):
            text = f"[{text.strip()[1:-1]}]"
        if sites[0].local:
            return self._assigned(f"{sites[0].text} = ", text, "", depth)
        return self._assigned(f"self.{sites[0].attribute} = ", f"nnx.{kind}({text})", "", depth)

    def _rename_turns(self, container: Comprehension, scope: Scope) -> None:
        """A comprehension's variables are called as what it makes needs them."""
        generator = container.generators[0]
        parts = (
            [container.key, container.value]
            if isinstance(container, ast.DictComp)
            else [container.elt]
        )
        body = " ".join(self.transport.expression(part, scope) for part in parts)
        target, iterable = self._turns(generator.target, generator.iter, scope, body)
        self.transport.substitutes[generator.target] = target
        self.transport.substitutes[generator.iter] = iterable

    def _running_in(self, sites: Sequence[Site]) -> list[tuple[str, RunningSize]]:
        """The running sizes of loops elsewhere (a loop over the list in a method) that the sites' sizes need."""
        found: list[tuple[str, RunningSize]] = []
        for site in sites:
            text = self.transport.substitutes.get(site.node, "")
            running = [
                (symbol, fact)
                for symbol, fact in self.transport.facts.running.items()
                if symbol in self.transport.needs.symbols
                and _mentions(text, self.running_names(symbol))
                and isinstance(self.transport.symbols.origins.get(symbol), Running)
            ]
            found += self._of_own_loop(site, running)
            found += self._carried_along(site)
        return list(dict(found).items())

    def _of_own_loop(
        self, site: Site, running: list[tuple[str, RunningSize]]
    ) -> list[tuple[str, RunningSize]]:
        """Those of running sizes that a loop over the site changes, where several loops have one name for theirs."""
        if len({self.running_names(symbol) for symbol, _ in running}) == len(running):
            return running
        calls = {use.call for use in site.uses if use.call is not None}
        return [each for each in running if calls & set(ast.walk(each[1].loop))] or running

    def _carried_along(self, site: Site) -> list[tuple[str, RunningSize]]:
        """The other sizes that the loop in which a layer is called changes, and that are needed behind it."""
        calls = {use.call for use in site.uses if use.call is not None}
        found = []
        for symbol, fact in self.needed_running():
            inside = set(ast.walk(fact.loop))
            if symbol not in self.carried and site.node not in inside and calls & inside:
                found.append((symbol, fact))
        return found

    def _unrolled(
        self,
        container: ast.ListComp | ast.GeneratorExp,
        site: Site,
        running: list[tuple[str, RunningSize]],
        scope: Scope,
        depth: int,
    ) -> list[str]:
        """A comprehension whose width runs becomes a loop."""
        generator = container.generators[0]
        start = "[]" if site.local else "nnx.List()"
        lines = [self.line(depth, f"{site.text} = {start}")]
        first: list[tuple[str, str]] = []
        updates: list[tuple[str, str]] = []
        for symbol, fact in running:
            name = self.running_names(symbol)
            first.append((name, self.transport.size(fact.initial, container)))
            updates.append((name, self.transport.size(fact.update, container)))
            self.overwrite(name)
            self.carried.add(symbol)
        lines += self._set(first, depth)
        after = self._set(updates, depth + 1)
        body = "\n".join([self.transport.substitutes[site.node], *after])
        target, iterable = self._turns(generator.target, generator.iter, scope, body)
        lines.append(self.line(depth, f"for {target} in {iterable}:"))
        text = self.transport.substitutes[site.node]
        return [*lines, *self._appended(site, text, depth + 1), *after]

    def _appended(self, site: Site, text: str, depth: int) -> list[str]:
        """The lines that put a layer into its list, under a name of its own where sizes ask it for its output."""
        if site.node in self.telling:
            local = singular(site.attribute).lstrip("_")
            made = self._assigned(f"{local} = ", text, "", depth)
            return [*made, self.line(depth, f"{site.text}.append({local})")]
        return self._assigned("", f"{site.text}.append({text})", "", depth)

    def _site(self, site: Site, scope: Scope, depth: int) -> list[str]:
        """`self.attribute = ...`, or an append in a loop."""
        if site.variable is not None:
            return self.variables.lines(
                site, scope, lambda prefix, text, end: self._assigned(prefix, text, end, depth)
            )
        text = self._call_text(site, scope, depth)
        lift = self.transport_lift(site)
        if isinstance(lift, Lifted) and lift.stacked and lift.length is not None:
            length = self.transport.expression(lift.length, scope)
            maker = f"create_{singular(site.attribute)}"
            return stacked_lines(
                site.attribute,
                maker,
                text,
                length,
                lambda d, t: self.line(depth + d, t) if t else "",
            )
        if site.loops:
            return self._appended(site, text, depth)
        return self._assigned(f"{site.text} = ", text, "", depth)

    def _assigned(self, prefix: str, text: str, suffix: str, depth: int) -> list[str]:
        indent = self.line(depth, "")
        written = layout.expression(
            text,
            indent=indent,
            unit=self.source.hanging_indent,
            limit=self.limit,
            prefix=prefix,
            suffix=suffix,
        )
        return (indent + written).split("\n")

    def _call_text(self, site: Site, scope: Scope, depth: int) -> str:
        made = self.constructor.write(site, scope, self.child_of)
        return made.text(*(["rngs=rngs"] if made.rngs and not self._rngs_bound(site) else []))

    def _rngs_bound(self, site: Site) -> bool:
        return isinstance(site.node.func, ast.Name) and site.node.func.id in self.rngs_bound

    def _stacked(self, function: ast.FunctionDef, outer: Scope, depth: int) -> list[str]:
        """The layers that a stacked function makes, all at once."""
        sites = [site for site in self.sites if site.function is function]
        if len(sites) != 1 or sites[0].variable is not None or sites[0].alias is not None:
            raise CannotMove(
                function,
                "a layer stack of more than one module",
                "give the stack one module of its own",
            )
        (site,) = sites
        text = self._call_text(site, scope_of(function, outer), depth)
        length = self.transport.expression(self.constructor.interp.stacked[function], outer)
        maker = f"create_{singular(site.attribute)}"
        return stacked_lines(
            site.attribute, maker, text, length, lambda d, t: self.line(depth + d, t) if t else ""
        )

    def transport_lift(self, site: Site) -> object:
        """The lift of the class that a site makes, if it has one."""
        return self.constructor.interp.lifted.get(site.node)

    # ---- text ---------------------------------------------------------------------------------------------

    def clause(self, depth: int, keyword: str, test: str) -> list[str]:
        indent = self.line(depth, "")
        return layout.clause(
            keyword, test, indent=indent, unit=self.source.hanging_indent, limit=self.limit
        )

    def line(self, depth: int, text: str) -> str:
        return self.indent + self.source.indent_unit * depth + text

    def _lines(self, depth: int, text: str, original: str) -> list[str]:
        from ..edits import move

        indent = self.line(depth, "")
        return (
            (indent + move(text, original, indent).lstrip(" \t")).split("\n")
            if "\n" in text
            else [indent + text]
        )


_WORD = re.compile(r"\w+")
_OPPOSITE: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Lt: ">=",
    ast.GtE: "<",
    ast.Gt: "<=",
    ast.LtE: ">",
}


def _joined(text: str) -> str:
    """A call that was broken over lines, on one line again."""
    return text.replace("( ", "(").replace(", )", ")").replace(" )", ")")


def _mentions(text: str, name: str) -> bool:
    """Whether a text reads a name."""
    return re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", text) is not None


def _refuse_other_rank(statement: ast.stmt, text: str) -> None:
    """`b, t, c = x.shape` with a shape that has another number of axes: the rank of `x` was not read aright."""
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Attribute()):
            copied = ast.parse(text.strip()).body[0]
        case _:
            return
    value = copied.value if isinstance(copied, ast.Assign) else None
    starred = any(isinstance(name, ast.Starred) for name in names)
    if isinstance(value, ast.Tuple) and len(value.elts) != len(names) and not starred:
        raise CannotMove(
            statement,
            f"`{ast.unparse(statement)}` where reading sees {len(value.elts)} axes",
            "run with --trace and samples that show the shape",
            unsized=True,
        )


def _begins_function(lines: Sequence[str]) -> bool:
    """Whether a function comes first, below its comments."""
    code = next((text for line in lines if not (text := line.lstrip()).startswith("#")), "")
    return code.startswith(("@", "def "))


def _assigns_itself(text: str) -> bool:
    """`config = config`, which is what remains of a local name, or of a tuple of what is a list now."""
    left, _, right = (part.strip() for part in text.partition("="))
    return right in (left, f"tuple({left})", f"list({left})")


def _in_comprehension(site: Site) -> bool:
    return (
        any(isinstance(loop, Comprehension) for loop in site.loops)
        or site.alias is not None
        or bool(site.own_attribute and getattr(site.statement, "value", None) is not site.node)
    )


def _innermost_first(sites: Sequence[Site]) -> list[Site]:
    """Sites within others' arguments before those; otherwise in order."""
    inside = {
        site.node: sum(
            1 for other in sites if any(inner is site.node for inner in ast.walk(other.node))
        )
        for site in sites
    }
    return sorted(sites, key=lambda site: -inside[site.node])


def _only_raises(body: Sequence[ast.stmt]) -> bool:
    return bool(body) and all(isinstance(statement, ast.Raise) for statement in body)


def _expressions_of(statement: ast.stmt) -> list[ast.expr]:
    match statement:
        case ast.Assign(targets=targets, value=value):
            return [
                *[t for t in targets if not isinstance(t, ast.Name | ast.Attribute | ast.Tuple)],
                value,
            ]
        case ast.AugAssign(value=value) | ast.Expr(value=value):
            return [value]
        case ast.AnnAssign(value=value) if value is not None:
            return [value]
        case ast.Assert(test=test, msg=msg):
            return [test, *([msg] if msg else [])]
        case ast.Raise(exc=exc) if exc is not None:
            return [exc]
        case ast.FunctionDef():
            return free_reads(statement)
    return []
