"""Layers that only one side of a choice makes, or calls: `nn.Dense(4)(x) if self.wide else x` has them where the test holds.

Linen gives a layer its variables when it is called. One that a method makes in any case, under a name or in `setup`, and
calls in a branch has none where the branch is not taken.
"""

from __future__ import annotations

import ast
import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from ..ancestry import lineage
from ..chains import is_own
from ..model.module import ModuleModel
from ..model.sites import Site
from ..project import Module
from .own_kernels import is_applied
from .transport import Scope, Transport, scope_of

_REPEATED = (
    ast.For,
    ast.While,
    ast.Try,
    ast.FunctionDef,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)
_STATES = ("initial_state", "initialize_carry")


@dataclass(frozen=True)
class Arm:
    """One side of a choice: the one for a test that holds, or the other."""

    node: ast.IfExp | ast.If
    holds: bool

    @property
    def said(self) -> tuple[str, bool]:
        """What two sides have in common that are taken together."""
        return ast.dump(self.node.test), self.holds


def arms(site: Site, child: ModuleModel | None, parents: Mapping[ast.AST, ast.AST]) -> list[Arm]:
    """The sides of conditional expressions that decide whether a site's variables exist, outermost first.

    `child` is the model of the class that the site makes, where it is the user's.
    """
    if not _has_variables(site, child):
        return []
    found: list[Arm] = []
    below: ast.AST = site.node
    while below is not site.statement and below in parents:
        above = parents[below]
        if isinstance(above, ast.Lambda | ast.comprehension):
            return []
        if isinstance(above, ast.IfExp) and below is not above.test:
            found.append(Arm(above, below is above.body))
        below = above
    return found[::-1]


def arms_of_calls(
    site: Site,
    child: ModuleModel | None,
    parents: Mapping[ast.AST, ast.AST],
) -> list[Arm]:
    """The sides of choices that all calls of a site's layer stand in, outermost first.

    Whoever writes them has to see that their tests mean the same where the layer is made, and that nobody else calls it.
    """
    if not _is_one_layer(site, child):
        return []
    reads = [read for read in _reads(site, parents) if not is_applied(read, parents)]
    made_in = {arm.said for arm in _branches(site.statement, parents)}
    return [arm for arm in _shared(reads, site, parents) if arm.said not in made_in]


def only_asked_outside(
    site: Site, child: ModuleModel | None, parents: Mapping[ast.AST, ast.AST]
) -> Arm | None:
    """The choice that all runs of a cell stand in, where it is asked for its first state, which takes no variables,
    outside of it."""
    if not _is_one_layer(site, child):
        return None
    reads = _reads(site, parents)
    runs = [read for read in reads if not _asks_for_state(read, parents)]
    if len(runs) == len(reads) or _shared(reads, site, parents):
        return None
    return next(iter(_shared(runs, site, parents)), None)


def _is_one_layer(site: Site, child: ModuleModel | None) -> bool:
    alone = not site.in_list and site.built is None and site.variable is None
    return alone and _has_variables(site, child)


def _asks_for_state(read: ast.expr, parents: Mapping[ast.AST, ast.AST]) -> bool:
    above = parents.get(read)
    return isinstance(above, ast.Attribute) and above.attr in _STATES


def _shared(reads: Sequence[ast.expr], site: Site, parents: Mapping[ast.AST, ast.AST]) -> list[Arm]:
    """The sides that all of some reads stand in."""
    if not reads:
        return []
    around = set(lineage(site.statement, parents))
    sides = [_plain(_sides(read, around, site, parents)) for read in reads]
    shared = set.intersection(*({arm.said for arm in each} for each in sides))
    return [arm for arm in sides[0] if arm.said in shared]


def arms_of_method(
    function: ast.FunctionDef, parents: Mapping[ast.AST, ast.AST], around: Iterable[Module]
) -> list[Arm]:
    """The sides of choices that all calls of a method stand in, outermost first, with those of the methods that call it.

    Nothing where code of a framework, in the files `around`, may call it from outside of its class.
    """
    return _arms_of_method(function, parents, list(around), frozenset())


def _arms_of_method(
    function: ast.FunctionDef,
    parents: Mapping[ast.AST, ast.AST],
    around: Sequence[Module],
    callees: Set[ast.AST],
) -> list[Arm]:
    cls = parents[function]
    if function.name.startswith("__") or not isinstance(cls, ast.ClassDef) or function in callees:
        return []
    reads = _own_attributes(cls).get(function.name, [])
    calls = [n for n in reads if isinstance(c := parents[n], ast.Call) and c.func is n]
    if not calls or len(calls) < len(reads) or _is_known(function.name, cls.name, around):
        return []
    sides: list[list[Arm]] = []
    for call in calls:
        caller = next(n for n in lineage(call, parents) if parents[n] is cls)
        above = (
            _arms_of_method(caller, parents, around, {*callees, function})
            if isinstance(caller, ast.FunctionDef)
            else []
        )
        sides.append(_plain([*above, *_sides(call, set(), None, parents)]))
    shared = set.intersection(*({arm.said for arm in each} for each in sides))
    return [arm for arm in sides[0] if arm.said in shared]


def is_reached(site: Site, parents: Mapping[ast.AST, ast.AST], around: Iterable[Module]) -> bool:
    """Whether code of a framework, in the files around, may call the layer of an attribute from outside of its class."""
    if site.own_attribute is None:
        return False
    return _is_known(site.own_attribute, _class_of(site, parents).name, around)


def _is_known(attribute: str, cls: str, around: Iterable[Module]) -> bool:
    return any(
        attribute in module.attributes_read or cls in module.bases
        for module in around
        if module.names_framework
    )


def borrows(site: Site, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether a layer is run with a kernel from elsewhere at some place: where it is, it has none of its own."""
    return site.variable is None and any(
        is_applied(read, parents) for read in _reads(site, parents)
    )


def told_early(test: ast.expr, site: Site, scope: Scope, transport: Transport) -> bool:
    """Whether a test around a call means the same, and is known, where the constructor makes the layer."""
    there = scope_of_test(test, scope, transport)
    for node in ast.walk(test):
        if is_own(node) and (node.attr not in transport.fields or node.attr in transport.changed):
            return False
        if not isinstance(node, ast.Name) or node.id in there.parameters:
            continue
        bound = there.assignments.get(node.id, ())
        if node.id in there.loop_names or (there is not scope and bound):
            return False
        if any(s.lineno >= site.statement.lineno for s in bound):
            return False
    return transport.can_write(test, there)


def stands_under(arm: Arm, site: Site, scope: Scope, transport: Transport) -> bool:
    """Whether the branch in which the source's constructor makes a layer has the test of a call already."""
    test = transport.expression(arm.node.test, scope_of_test(arm.node.test, scope, transport))
    return any(
        transport.expression(around.node.test, scope) == test and around.holds == arm.holds
        for around in _branches(site.statement, transport.source.parents)
        if isinstance(around.node, ast.If)
    )


def scope_of_test(test: ast.expr, scope: Scope, transport: Transport) -> Scope:
    """The names that a test reads: those of `scope`, unless it stands in another method."""
    parents = transport.source.parents
    function = next(n for n in lineage(test, parents) if isinstance(n, ast.FunctionDef))
    same = function is scope.function or scope.function in lineage(function, parents)
    return scope if same else scope_of(function)


def _reads(site: Site, parents: Mapping[ast.AST, ast.AST]) -> Sequence[ast.expr]:
    """Where a layer's name is read; nothing where the name may stand for something else as well."""
    if site.own_attribute is not None:
        found = _own_attributes(_class_of(site, parents)).get(site.own_attribute, [])
        stores = [n for n in found if not isinstance(n.ctx, ast.Load)]
        return [n for n in found if n not in stores] if len(stores) == 1 else []
    if site.alias is None:
        return []
    names = _names_within(site.function).get(site.alias, [])
    stored = [n for n in names if not isinstance(n.ctx, ast.Load)]
    return [n for n in names if n not in stored] if len(stored) == 1 else []


@functools.cache
def _own_attributes(cls: ast.ClassDef) -> Mapping[str, Sequence[ast.Attribute]]:
    """Where a class names its own attributes, by their names: asked for every layer, in every attempt."""
    found: dict[str, list[ast.Attribute]] = {}
    for node in ast.walk(cls):
        if is_own(node):
            found.setdefault(node.attr, []).append(node)
    return found


@functools.cache
def _names_within(function: ast.AST) -> Mapping[str, Sequence[ast.Name]]:
    found: dict[str, list[ast.Name]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Name):
            found.setdefault(node.id, []).append(node)
    return found


def _class_of(site: Site, parents: Mapping[ast.AST, ast.AST]) -> ast.ClassDef:
    return next(n for n in lineage(site.node, parents) if isinstance(n, ast.ClassDef))


def _sides(
    read: ast.AST, around: Set[ast.AST], site: Site | None, parents: Mapping[ast.AST, ast.AST]
) -> list[Arm]:
    """The choices around a read that are made once per call, up to what is `around` the making of a layer, too."""
    behind = site if site is not None and site.function in lineage(read, parents) else None
    found: list[Arm] = []
    below = read
    for above in lineage(parents[read], parents):
        found += _left_before(below, above, behind)
        if above in around or isinstance(parents.get(above), ast.ClassDef):
            break
        if isinstance(above, _REPEATED):
            found = []
        elif isinstance(above, ast.If | ast.IfExp) and below is not above.test:
            body = above.body if isinstance(above.body, list) else [above.body]
            found.append(Arm(above, below in body))
        below = above
    return found[::-1]


def _branches(statement: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> list[Arm]:
    """The branches of its function that a statement stands in."""
    return [
        Arm(above, below in above.body)
        for below, above in itertools.pairwise(lineage(statement, parents))
        if isinstance(above, ast.If)
    ]


def _left_before(below: ast.AST, above: ast.AST, behind: Site | None) -> list[Arm]:
    """The other sides of `if done: return x` in the block that holds what is `below`, last first.

    In the function of a site, those `behind` it.
    """
    blocks = [getattr(above, name, None) for name in ("body", "orelse")]
    block = next((b for b in blocks if isinstance(b, list) and below in b), [])
    before = block[: block.index(below)] if block else []
    return [
        Arm(statement, False)
        for statement in reversed(before)
        if isinstance(statement, ast.If)
        and not statement.orelse
        and isinstance(statement.body[-1], ast.Return)
        and (behind is None or statement.lineno > behind.statement.lineno)
    ]


def _plain(found: Sequence[Arm]) -> list[Arm]:
    """Sides without those that the next one implies: `elif kind == 'b'` behind `if kind == 'a'`."""
    implied = [
        not one.holds and two.holds and _exclude(one, two) for one, two in itertools.pairwise(found)
    ]
    return [arm for arm, known in zip(found, [*implied, False], strict=False) if not known]


def _exclude(one: Arm, two: Arm) -> bool:
    """Whether two tests ask one expression for different constants."""
    match one.node.test, two.node.test:
        case (
            ast.Compare(left=left, ops=[ast.Eq()], comparators=[ast.Constant(value=first)]),
            ast.Compare(left=right, ops=[ast.Eq()], comparators=[ast.Constant(value=second)]),
        ):
            return first != second and ast.dump(left) == ast.dump(right)
    return False


def _has_variables(site: Site, child: ModuleModel | None) -> bool:
    """Whether a model with what a site makes has other variables than one without."""
    if site.variable is not None:
        return site.variable.kind != "rng"
    if child is not None:
        return bool(child.variables)
    if site.rule is None or site.rule.variables:
        return True
    given = [*site.node.args, *[k.value for k in site.node.keywords]]
    return any(isinstance(inner, ast.Call) for each in given for inner in ast.walk(each))
