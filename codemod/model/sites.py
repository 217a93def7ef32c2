"""The sites of a module: each place where a layer, a submodule, a parameter or a variable is made."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..chains import constructs, is_own
from ..rule import Layer
from ..shapes.facts import Made, Used, VariableMade
from ..shapes.values import LayerObject, Object
from ..signatures import parameters
from .study import Study

if TYPE_CHECKING:
    from .built import BuiltList

Comprehension = ast.ListComp | ast.DictComp | ast.SetComp | ast.GeneratorExp
Loop = ast.For | ast.AsyncFor | ast.While | Comprehension


@dataclass
class Site:
    """One constructor call (or `self.param`, `hk.get_parameter` ... call) of a module.

    `statement` is the statement that it stands in, `function` the method or function, `loops` the loops between the
    two, outermost first. `alias` is the local name that the statement binds to what the site makes, where that is all
    the statement does; `attribute` the name that it gets on `self`.
    """

    node: ast.Call
    function: ast.AST
    statement: ast.stmt
    loops: list[Loop]
    made: list[Made] = field(default_factory=list)
    uses: list[Used] = field(default_factory=list)
    variables: list[VariableMade] = field(default_factory=list)
    alias: str | None = None
    own_attribute: str | None = None  # `self.x = ...` in the source
    explicit: ast.expr | None = None  # the expression given as name=
    attribute: str = ""
    built: BuiltList | None = None  # the list that it is appended to
    local: bool = False  # `alias` only hands it to other constructors, and stays a local

    @property
    def text(self) -> str:
        """What the constructor calls it."""
        return str(self.alias) if self.local else f"self.{self.attribute}"

    @property
    def value(self) -> LayerObject | Object | None:
        return self.made[-1].value if self.made else None

    @property
    def rule(self) -> Layer | None:
        """The rule of a library layer."""
        return self.value.rule if isinstance(self.value, LayerObject) else None

    @property
    def variable(self) -> VariableMade | None:
        return self.variables[-1] if self.variables else None

    @property
    def in_list(self) -> bool:
        """Whether the site makes one thing per turn of a loop."""
        return bool(self.loops)


def only_made(site: Site) -> bool:
    """Whether a site's statement only binds a local to what it makes, so that nothing of it is left in the method."""
    kind = site.variable.kind if site.variable is not None else None
    return site.alias is not None and not site.in_list and kind in (None, "variable")


def find(study: Study, parents: Mapping[ast.AST, ast.AST]) -> list[Site]:
    """The sites in the class's own text, in the order in which the code makes them."""
    owned = {function: place for place, function in enumerate(_functions_of(study))}
    nodes = [
        node for node in [*study.facts.made, *study.facts.variables] if isinstance(node, ast.Call)
    ]
    sites: list[Site] = []
    for node in dict.fromkeys(nodes):
        if node not in parents:
            continue  # made in another file
        function = enclosing_function(node, parents)
        if function not in owned:
            continue
        variables = [
            v for v in study.facts.variables.get(node, []) if v.kind not in ("set_state", "sow")
        ]
        made = study.facts.made.get(node, [])
        if not made and not variables:
            continue
        at = _drawing(node, variables, study, parents)
        function = enclosing_function(at, parents)
        site = Site(
            node, function, statement_of(at, parents), loops_of(at, function, parents), made
        )
        site.variables = variables
        site.uses = list(study.facts.uses_of.get(node, []))
        _describe(site, parents, study.facts.made)
        sites.append(site)
    for site in sites:
        site.local = _is_local(site, sites, parents)
    order = {function: place for place, function in enumerate(_ordered(study, owned))}
    return sorted(sites, key=lambda site: (order[site.function], *_place(site, parents)))


def _drawing(
    node: ast.Call,
    variables: Sequence[VariableMade],
    study: Study,
    parents: Mapping[ast.AST, ast.AST],
) -> ast.AST:
    """Where a method draws a random key: what a function within it draws from is a stream of the method's.

    That is so if the stream has one name and is the method's own, and no loop stands around the function.
    """
    names = {v.name if v.kind == "rng" else None for v in variables}
    if not is_own(node.func) or len(names) != 1 or None in names:
        return node
    at: ast.AST = node
    method = enclosing_function(node, parents)
    while parents[method] is not study.cls.node:
        if not _is_within(method) or loops_of(at, method, parents):
            return node
        at, method = method, enclosing_function(method, parents)
    is_call = not constructs(method)
    return at if is_call and not loops_of(at, method, parents) else node


def _is_within(function: ast.AST) -> bool:
    """Whether `self` is the same in a function as around it."""
    if not isinstance(function, ast.FunctionDef | ast.Lambda):
        return False
    return "self" not in [parameter.name for parameter in parameters(function.args)]


def _place(site: Site, parents: Mapping[ast.AST, ast.AST]) -> tuple[int, ...]:
    """Where a site's turn comes: in a nest of calls, a layer is applied once its argument is there."""
    node, above = site.node, parents[site.node]
    applied = above if isinstance(above, ast.Call) and above.func is node else node
    if site.variable is not None or applied is node:
        return (node.lineno, node.col_offset)
    inside = any(
        isinstance(inner, ast.Call) and isinstance(inner.func, ast.Call)
        for arg in [*applied.args, *[k.value for k in applied.keywords]]
        for inner in ast.walk(arg)
    )
    if not inside:
        return (node.lineno, node.col_offset)
    return (applied.end_lineno or node.lineno, applied.end_col_offset or 0)


def _functions_of(study: Study) -> list[ast.AST]:
    """The functions in the body of the class, nested ones included."""
    return [
        n
        for n in ast.walk(study.cls.node)
        if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    ]


def _ordered(study: Study, owned: Mapping[ast.AST, int]) -> list[ast.AST]:
    """Constructor or setup first, then methods in the order in which `__call__` reaches them."""
    names = {"__init__": 0, "setup": 0}
    reached = list(study.facts.functions)
    place = {function: i for i, function in enumerate(reached)}
    return sorted(
        owned,
        key=lambda f: (names.get(getattr(f, "name", ""), 1), place.get(f, len(place) + owned[f])),
    )


def enclosing_function(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> ast.AST:
    current = parents[node]
    while not isinstance(current, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.Module):
        current = parents[current]
    return current


def statement_of(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> ast.stmt:
    current = node
    while not isinstance(current, ast.stmt):
        current = parents[current]
    return current


def loops_of(node: ast.AST, function: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> list[Loop]:
    """The loops and comprehensions around a node within a function, outermost first."""
    found: list[Loop] = []
    current, below = parents[node], node
    while current is not function:
        if isinstance(current, ast.For | ast.AsyncFor | ast.While) and below in [*current.body]:
            found.append(current)
        elif isinstance(current, ast.ListComp | ast.DictComp | ast.SetComp | ast.GeneratorExp):
            if not (below is current.generators[0] and _within(node, current.generators[0].iter)):
                found.append(current)
        current, below = parents[current], current
    return found[::-1]


def _within(node: ast.AST, tree: ast.AST) -> bool:
    return any(inner is node for inner in ast.walk(tree))


def _describe(site: Site, parents: Mapping[ast.AST, ast.AST], made: Collection[ast.AST]) -> None:
    """Finds the names that the source gives to what a site makes; a layer applied on the spot has none but `name=`."""
    inline = site.rule is not None and site.rule.inline
    match site.statement if not inline else None:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if _makes(value, site.node, made):
            site.alias = name
        case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None and _makes(
            value, site.node, made
        ):
            site.alias = name
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=value):
            if any(_makes(each, site.node, made) for each in alternatives(value)):
                site.own_attribute = name
    for keyword in site.node.keywords:
        if keyword.arg == "name" and not (
            isinstance(keyword.value, ast.Constant) and keyword.value.value is None
        ):
            site.explicit = keyword.value


def _is_local(site: Site, sites: Collection[Site], parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether a constructor's local only hands what it holds to the constructors of other modules."""
    if site.alias is None or not constructs(site.function) or site.variable is not None:
        return False
    if any(not isinstance(loop, ast.ListComp) for loop in site.loops):
        return False
    if site.loops and getattr(site.statement, "value", None) is not site.loops[0]:
        return False
    if not site.loops and getattr(site.statement, "value", None) is not site.node:
        return False
    named = [n for n in ast.walk(site.function) if isinstance(n, ast.Name) and n.id == site.alias]
    reads = [n for n in named if isinstance(n.ctx, ast.Load)]
    if len(named) != len(reads) + 1 or not reads:
        return False
    makers: dict[ast.AST, Site] = {other.node: other for other in sites}
    return all(taker(read, makers, parents) is not None for read in reads)


def taker(
    read: ast.Name, makers: Mapping[ast.AST, Site], parents: Mapping[ast.AST, ast.AST]
) -> tuple[Site, ast.AST] | None:
    """The site whose constructor is given what a name holds, item by item if a comprehension goes through it.

    With it comes the argument, which may be a keyword.
    """
    argument: ast.AST = read
    match parents[read]:
        case ast.comprehension(target=ast.Name(id=name), iter=source, ifs=[]) as turn if (
            source is read
        ):
            listed = parents[turn]
            if not isinstance(listed, ast.ListComp) or len(listed.generators) != 1:
                return None
            items = [n for n in ast.walk(listed.elt) if isinstance(n, ast.Name) and n.id == name]
            if len(items) != 1 or listed.elt not in makers:
                return None
            argument = items[0]
    if isinstance(parents[argument], ast.keyword):
        argument = parents[argument]
    above = parents[argument]
    if above not in makers or argument is getattr(above, "func", None):
        return None
    return makers[above], argument


def alternatives(value: ast.expr) -> list[ast.expr]:
    """What an expression chooses from: `a if test else b` is either."""
    if isinstance(value, ast.IfExp):
        return [*alternatives(value.body), *alternatives(value.orelse)]
    return [value]


_CONTAINERS = frozenset(("list", "tuple", "dict", "reversed", "zip", "enumerate"))


def _makes(value: ast.expr, site: ast.Call, made: Collection[ast.AST]) -> bool:
    """Whether an expression is the site, or a container, or a module made at a site of its own, of what it makes.

    A function that is handed a layer returns something else.
    """
    if value is site:
        return True
    match value:
        case ast.ListComp(elt=elt) | ast.GeneratorExp(elt=elt):
            return elt is site
        case ast.DictComp(value=inner):
            return inner is site
        case ast.List(elts=elts) | ast.Tuple(elts=elts):
            return any(_makes(element, site, made) for element in elts)
        case ast.Dict(values=values):
            return any(_makes(element, site, made) for element in values)
        case ast.Call(func=func) if value in made or ast.unparse(func) in _CONTAINERS:
            return any(
                _makes(arg, site, made) for arg in [*value.args, *[k.value for k in value.keywords]]
            )
    return False


def literal_name(site: Site) -> str | None:
    """The name that `name=` gives, where it is a plain string."""
    if isinstance(site.explicit, ast.Constant) and isinstance(site.explicit.value, str):
        return site.explicit.value
    if site.variable is not None:
        return site.variable.name
    return None


def walk_own(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions within it."""
    for child in ast.iter_child_nodes(function):
        yield child
        if not isinstance(
            child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
        ):
            yield from walk_own(child)
