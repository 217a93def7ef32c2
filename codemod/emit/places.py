"""Where the variables of a module's sites are: their names in the original, their paths in the rewrite."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..chains import is_own
from ..model import paths
from ..model.module import ModuleModel, VariablePath
from ..model.paths import ANY, GIVEN, Counted
from ..model.sites import Comprehension, Loop, Site, literal_name, statement_of, taker
from ..rule import Layer, To
from ..shapes import classes
from ..shapes.interpreter import Interpreter
from ..shapes.lifts import Lifted, Mapped, Rematerialized, Scanned
from ..shapes.values import Behaviour, Class, Function, LayerObject, Object
from . import names
from .constructors import default_name, names_itself
from .counting import Counter, Order, Unit

_STACK = "__layer_stack_no_per_layer"
_LIFTS: Mapping[type[Lifted], str] = {
    Scanned: "Scan",
    Mapped: "Vmap",
}  # as Linen names lifted classes
_CONTAINERS = frozenset(("list", "tuple", "dict"))
Kind = Layer | ModuleModel


@dataclass(frozen=True)
class Step:
    """One step from an attribute to what a site makes.

    `name` is what the original adds to a name in `setup`, `target` what the rewrite adds to a path.
    """

    name: str
    target: str


@dataclass(frozen=True)
class Slot:
    """What holds what a site makes: an attribute of the module, or a parameter of another site's constructor."""

    attribute: str
    steps: tuple[Step, ...] = ()
    outer: Site | None = None
    own: bool = False  # whether the attribute is the original's


@dataclass
class Places:
    """The places of all sites of one class."""

    interp: Interpreter
    framework: str
    sites: Sequence[Site]
    parents: Mapping[ast.AST, ast.AST]
    models: Mapping[ast.AST, ModuleModel]
    functions: Mapping[str, ast.FunctionDef]  # of the class, by name
    known: Callable[[ast.expr], bool | None]
    transparent: Callable[
        [ModuleModel], bool
    ]  # whether a class stands for code without a module of its own
    totals: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_node: dict[ast.AST, Site] = {site.node: site for site in self.sites}
        self._numbers: dict[tuple[ast.AST, str], str | None] = {}
        self._count()

    def variables(self, site: Site) -> list[VariablePath]:
        """The paths of a site's variables, for each kind of module that it may make."""
        found: dict[VariablePath, None] = {}
        for slot in self._slots(site):
            target = self._target(slot)
            for kind in self._kinds(site):
                marked = _marked(target, _marker(kind))
                for path in self._of_kind(site, kind, slot, marked):
                    found[path] = None
        return list(found)

    def variable(self, site: Site) -> VariablePath:
        """The path of a parameter or of a variable that the module itself makes."""
        made = site.variable
        assert made is not None
        place = 1 if made.kind == "variable" else 0
        name = made.name
        if name is None and len(site.node.args) > place:
            name = self._template(site, site.node.args[place])
        target = site.attribute + ("[{i}]" if site.loops else "")
        return VariablePath(made.collection, (name or site.attribute,), (target,))

    def source_name(self, site: Site) -> str:
        """The name under which the original knows what the site makes."""
        slot = self._slots(site)[0]
        kind = next(iter(self._kinds(site)), None)
        return "/".join(self._source(site, kind, slot)[0]) if kind is not None else site.attribute

    def automatic(self, site: Site) -> str | None:
        """The name that the original counts out for what a site makes, where that is one name in any case."""
        kinds = self._kinds(site)
        held = site.own_attribute is not None or site.built is not None or site.loops
        if held or len(kinds) != 1 or site.variable is not None:
            return None
        (slot, *_), (kind,) = self._slots(site), kinds
        if slot.steps or self._fixed(site, slot) is not None:
            return None
        base = self._base(site, kind)
        index = self._numbers.get((site.node, base))
        return f"{base}_{index}" if index is not None and index.isdigit() else None

    # ---- variables ---------------------------------------------------------------------------------------

    def _of_kind(self, site: Site, kind: Kind, slot: Slot, target: str) -> Iterator[VariablePath]:
        stacked = self._stacked(site)
        if isinstance(kind, ModuleModel) and self.transparent(kind):
            yield from self._of_code(site, kind, target)
            return
        source, first = self._source(site, kind, slot)
        if isinstance(kind, ModuleModel):
            inner = [
                (p.collection, "/".join(p.source), ".".join(p.target), p.layout)
                for p in kind.variables
            ]
        else:
            inner = [
                (v.collection, v.source, v.target.replace("/", "."), v.layout)
                for v in kind.variables
            ]
        for collection, name, path, layout in inner:
            yield VariablePath(
                collection,
                (*source, paths.source_within(name, target)),
                (paths.within(path.replace("/", "."), target),),
                _each(layout) if stacked else layout,
                first,
            )

    def _of_code(self, site: Site, kind: ModuleModel, target: str) -> Iterator[VariablePath]:
        """Code without a module of its own: its names are those of the scope around it."""
        scope = self._scope(site)
        before = [scope] if scope else []
        for path in kind.variables:
            rest = tuple(paths.source_within(part, target) for part in path.source)
            rest = (self._named(site, rest[0]), *rest[1:])
            first = None
            if path.first is not None:
                first = self._first_of_code(site, kind, path.first, target)
                name = self._said(site) if first is None else first.text(self.framework)
                rest = (name, *rest[1:])
            inner = ".".join(path.target)
            yield VariablePath(
                path.collection,
                (*before, *rest),
                (paths.within(inner, target),),
                path.layout,
                first if not before else None,
            )

    def _named(self, site: Site, part: str) -> str:
        """A name that such code makes of the one that it is given."""
        return part.replace(paths.NAME, paths.NAME if _is_given(site) else self._said(site))

    def _said(self, site: Site) -> str:
        """The name that the source gives, as far as it tells it."""
        told = self._template(site, site.explicit) if site.explicit is not None else None
        name = literal_name(site) or told
        alike = [each for each in self.sites if name is not None and literal_name(each) == name]
        return ANY if name is None or len(alike) > 1 else name

    def _first_of_code(
        self, site: Site, kind: ModuleModel, first: Counted, target: str
    ) -> Counted | None:
        """A name that such code gives, as the code around it counts; None where that says the name."""
        base = self._base_of_code(site, first.base)
        if base is None:
            return None
        alike = [other for other in kind.totals if self._base_of_code(site, other) == base]
        own = Counted(base, first.index if len(alike) < 2 else None)
        return own.after(self._numbers.get((site.node, base)), target)

    def _base_of_code(self, site: Site, base: str) -> str | None:
        """What is counted for a base of code without a module of its own; None for the name that it is given."""
        if not base.startswith(GIVEN) or _is_given(site):
            return base
        if site.explicit is None:
            return base.removeprefix(GIVEN)
        return literal_name(site) if self.framework == "haiku" else None

    def _source(
        self, site: Site, kind: Kind | None, slot: Slot
    ) -> tuple[tuple[str, ...], Counted | None]:
        """The parts of the original's name, and the first one if it is counted."""
        if self.framework == "haiku" and literal_name(site) == "":
            return (), None  # a layer that the class inherited from
        scope = self._scope(site)
        before = (scope,) if scope else ()
        fixed = self._fixed(site, slot)
        if fixed is not None:
            return (*before, *fixed), None
        base = self._base(site, kind)
        counted = Counted(base, self._numbers.get((site.node, base)))
        return (*before, counted.text(self.framework)), counted if not before else None

    def _scope(self, site: Site) -> str:
        """What Haiku puts before the names of a method's modules."""
        if self.framework != "haiku":
            return ""
        if site.function in self.interp.stacked:
            return "/".join(part for part in (self._method(site), _STACK) if part)
        return self._method(site)

    def _method(self, site: Site) -> str:
        node: ast.AST = site.function
        while node in self.parents and node not in self.functions.values():
            node = self.parents[node]
        name = getattr(node, "name", "__call__")
        if classes.has_decorator(node, "transparent"):
            return ""
        return "" if name == "__call__" else "~" if name == "__init__" else f"~{name}"

    def _fixed(self, site: Site, slot: Slot) -> tuple[str, ...] | None:
        """A name that is given by the source; None for one that is counted."""
        made = [each.value for each in site.made]
        if any(isinstance(each, Object) and names_itself(each.cls) for each in made):
            return (ANY,)
        if site.explicit is not None:
            literal = literal_name(site)
            if literal is not None:
                return None if self.framework == "haiku" else (literal,)
            if _is_given(site):
                return None
            return (self._template(site, site.explicit) or ANY,)
        if self.framework != "linen" or getattr(site.function, "name", "") != "setup":
            return None
        suffix = "".join(step.name for step in slot.steps)
        if slot.outer is not None:
            outer = self._slots(slot.outer)[0]
            kind = next(iter(self._kinds(slot.outer)), None)
            return (*self._source(slot.outer, kind, outer)[0], slot.attribute + suffix)
        return (slot.attribute + suffix,) if slot.own else None

    def _base(self, site: Site, kind: Kind | None) -> str:
        return f"{GIVEN if _is_given(site) else ''}{self._own_base(site, kind)}"

    def _own_base(self, site: Site, kind: Kind | None) -> str:
        literal = literal_name(site)
        if self.framework == "haiku" and literal is not None:
            return literal
        name = (
            kind.source.rsplit(".", 1)[-1] if isinstance(kind, Layer) else getattr(kind, "name", "")
        )
        if self.framework == "haiku":
            cls = kind.cls if isinstance(kind, ModuleModel) else None
            said = default_name(cls) if isinstance(cls, Class) else None
            return said or names.haiku_name(name)
        lift = self._lift(site)
        if isinstance(lift, Rematerialized):
            name = f"Checkpoint{name}"
        return _LIFTS.get(type(lift), "") + name if isinstance(lift, Lifted) else name

    def _kinds(self, site: Site) -> list[Kind]:
        found: list[Kind] = []
        for made in site.made:
            kind: Kind | None = None
            if isinstance(made.value, LayerObject):
                kind = made.value.rule
            elif isinstance(made.value, Object):
                kind = self.models.get(made.value.cls.node)
            if kind is not None and not any(kind is other for other in found):
                found.append(kind)
        return found

    def _lift(self, site: Site) -> Behaviour | None:
        """What made the class of a site of another one."""
        return self.interp.lifted.get(site.node) or self.interp.derived.get(site.node)

    def _stacked(self, site: Site) -> bool:
        lift = self._lift(site)
        return (isinstance(lift, Lifted) and lift.stacked) or site.function in self.interp.stacked

    # ---- targets -----------------------------------------------------------------------------------------

    def _slots(self, site: Site) -> list[Slot]:
        """What holds what a site makes; where several do, the rewrite has it under one of them."""
        if site.built is not None:
            return self._built(site)
        steps, outer = self._climb(site.node)
        if outer is not None:
            return [Slot(outer[1], tuple(steps), outer[0])]
        comprehended = any(isinstance(loop, Comprehension) for loop in site.loops)
        if any(not isinstance(loop, Comprehension) for loop in site.loops) or (
            comprehended and not any("{" in step.target for step in steps)
        ):
            steps = [Step("_{i}", "[{i}]")]
        slots = [Slot(site.attribute, _lettered(steps), own=site.own_attribute is not None)]
        if site.own_attribute is not None:
            return [Slot(site.attribute, _lettered(steps), own=True)]
        if site.local:
            return self._taken(site) or slots
        if site.alias is not None:
            slots += self._handed_on(site.alias, site.function, steps)
            if getattr(site.function, "name", "") == "setup":
                slots = [slot for slot in slots if slot.own or slot.outer is not None] or slots
        return slots

    def _handed_on(self, name: str, function: ast.AST, steps: Sequence[Step]) -> list[Slot]:
        """The slots that a local is put into."""
        found = []
        for node in ast.walk(function):
            if not (
                isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
            ):
                continue
            more, outer = self._climb(node)
            if outer is not None:
                found.append(Slot(outer[1], _lettered([*more, *steps]), outer[0]))
                continue
            statement = statement_of(node, self.parents)
            match statement:
                case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=attribute)]):
                    found.append(Slot(attribute, _lettered([*more, *steps]), own=True))
        return found

    def _taken(self, site: Site) -> list[Slot]:
        """The constructors that a local hands what it holds to."""
        found = []
        for read in ast.walk(site.function):
            if isinstance(read, ast.Name) and read.id == site.alias:
                given = taker(read, self._by_node, self.parents)
                if given is not None:
                    found.append(Slot(self._parameter(*given), (), given[0]))
        return found

    def _built(self, site: Site) -> list[Slot]:
        """The list that a site is appended to."""
        built = site.built
        assert built is not None
        outermost = built.outermost
        ranks = [Step("_{i}", "[{i:}]")] * built.depth
        handed = self._handed_on(outermost.name, outermost.function, ranks)
        steps = tuple(ranks) if len(ranks) == 1 else _lettered(ranks)
        if outermost.kept:
            return [Slot(outermost.attribute, steps, own=False), *handed]
        return handed or [Slot(outermost.attribute, steps)]

    def _climb(self, node: ast.AST) -> tuple[Sequence[Step], tuple[Site, str] | None]:
        """The containers around an expression, outermost first, and the constructor that they are given to."""
        steps: list[Step] = []
        spliced = False
        child, above = node, self.parents[node]
        while not isinstance(above, ast.stmt):
            match above:
                case ast.List(elts=elts) | ast.Tuple(elts=elts):
                    place = elts.index(child)  # type: ignore[arg-type]
                    if any(isinstance(one, ast.Starred) for one in elts[: place + 1]):
                        steps = [Step("_{i}", "[{i:}]")]
                    elif self._is_spliced(above):
                        pass
                    else:
                        steps.append(Step(f"_{place}", f"[{place}]"))
                case ast.ListComp(elt=elt) | ast.GeneratorExp(elt=elt):
                    if child is elt:
                        plain = not spliced
                        steps.append(Step("_{i}", "[{i}]" if plain else "[{i:}]"))
                    elif any(child is part for part in above.generators):
                        spliced = True  # `[layer for x in y for layer in (made, of, x)]`
                        steps = [Step("_{i}", "[{i:}]")]
                case ast.comprehension():
                    pass
                case ast.DictComp(value=value) if child is value:
                    steps.append(Step("_{key}", ".{key}"))
                case ast.Dict(keys=keys, values=values) if child in values:
                    key = keys[values.index(child)]
                    text = str(key.value) if isinstance(key, ast.Constant) else "{key}"
                    steps.append(Step(f"_{text}", f".{text}"))
                case ast.keyword() | ast.Starred() | ast.IfExp():
                    pass
                case ast.Call() if child is not above.func:
                    outer = self._by_node.get(above)
                    if outer is not None:
                        parameter = self._parameter(outer, child)
                        return _lettered(steps[::-1]), (outer, parameter)
                    if not (isinstance(above.func, ast.Name) and above.func.id in _CONTAINERS):
                        return [], None
                case _:
                    return [], None
            child, above = above, self.parents[above]
        return _lettered(steps[::-1]), None

    def _is_spliced(self, node: ast.AST) -> bool:
        """Whether a display is what a comprehension takes its items from."""
        return isinstance(self.parents[node], ast.comprehension)

    def _parameter(self, outer: Site, child: ast.AST) -> str:
        """The attribute of the outer module for an argument of its constructor."""
        kind = next(iter(self._kinds(outer)), None)
        if isinstance(child, ast.keyword):
            name = child.arg or ""
        else:
            place = outer.node.args.index(child)  # type: ignore[arg-type]
            signature = self._signature(kind)
            name = signature[place] if place < len(signature) else ""
        if isinstance(kind, Layer):
            argument = kind.arguments.get(name)
            return argument.name if isinstance(argument, To) else name
        return _attribute_of(kind, name) if kind is not None else name

    @staticmethod
    def _signature(kind: Kind | None) -> Sequence[str]:
        if isinstance(kind, Layer):
            return kind.signature
        if kind is None or isinstance(kind.cls, Function):
            return ()
        initialiser = classes.method(kind.cls, "__init__") if kind.framework == "haiku" else None
        if initialiser is not None:
            spec = initialiser.node.args
            return [a.arg for a in [*spec.posonlyargs, *spec.args]][1:]
        return [f.name for f in classes.fields(kind.cls)]

    def _target(self, slot: Slot) -> str:
        text = slot.attribute + "".join(step.target for step in slot.steps)
        if slot.outer is None:
            return text
        return paths.within(text, self._target(self._slots(slot.outer)[0]))

    # ---- names that an expression makes --------------------------------------------------------------------

    def _template(self, site: Site, node: ast.expr) -> str | None:
        """A name given by an f-string, over the index of the list that the site fills."""
        if isinstance(node, ast.Constant):
            return str(node.value)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            parts = [self._template(site, part) for part in (node.left, node.right)]
            return None if None in parts else "".join(part or "" for part in parts)
        if is_own(node) and node.attr == "name":
            return paths.NAME
        if not isinstance(node, ast.JoinedStr):
            return None
        text = ""
        for part in node.values:
            if isinstance(part, ast.Constant):
                text += str(part.value)
                continue
            assert isinstance(part, ast.FormattedValue)
            plain = part.conversion < 0 and part.format_spec is None
            if plain and is_own(part.value) and part.value.attr == "name":
                text += paths.NAME
                continue
            value = self._indexed(site, part.value) if plain else None
            text += ANY if value is None else value if value.isdigit() else f"{{{value}}}"
        return text

    def _indexed(self, site: Site, node: ast.expr) -> str | None:
        """An expression over loop variables, as one over the letters of indices."""
        if len(site.loops) != 1 or self._conditional(site, site.loops[0]) or site.built is not None:
            return None
        variable = _index_of(site.loops[0])
        if variable is None:
            return None
        name, text = variable

        class Letters(ast.NodeTransformer):
            def visit_Name(self, found: ast.Name) -> ast.AST:
                if found.id != name:
                    raise LookupError
                return ast.parse(text, mode="eval").body

        allowed = (ast.BinOp, ast.Name, ast.Constant, ast.operator, ast.expr_context)
        if not all(isinstance(inner, allowed) for inner in ast.walk(node)):
            return None
        try:
            made = Letters().visit(ast.parse(ast.unparse(node), mode="eval").body)
        except LookupError:
            return None
        return ast.unparse(made)

    def _conditional(self, site: Site, loop: Loop) -> bool:
        node: ast.AST = site.node
        while node is not loop:
            node = self.parents[node]
            if isinstance(node, ast.If | ast.IfExp):
                return True
            if isinstance(node, ast.comprehension):
                return True
        if isinstance(loop, Comprehension):
            return len(loop.generators) != 1 or bool(loop.generators[0].ifs)
        inside = [inner for statement in loop.body for inner in ast.walk(statement)]
        return any(isinstance(inner, ast.Continue | ast.Break) for inner in inside)

    # ---- counting ------------------------------------------------------------------------------------------

    def _count(self) -> None:
        units = {
            self._turn(site): unit for site in self.sites if (unit := self._unit(site)) is not None
        }
        inlined = self.functions if self.framework == "linen" else {}
        local = {
            node.name: node
            for function in self.functions.values()
            for node in ast.walk(function)
            if isinstance(node, ast.FunctionDef)
            and node is not function
            and not node.decorator_list
        }
        order = Order(units, {**inlined, **local}, self.known)
        counter = Counter()
        first = [f for n, f in self.functions.items() if n in ("__init__", "setup", "__call__")]
        for function in [*first, *self.functions.values()]:
            if function not in order.reached:
                counter.run(order.of(function))
        self._numbers = counter.found
        self.totals = counter.totals("")

    def _turn(self, site: Site) -> ast.AST:
        """The call at which names are given: for code without a module of its own, that which runs it."""
        above = self.parents[site.node]
        applied = isinstance(above, ast.Call) and above.func is site.node
        code = any(isinstance(k, ModuleModel) and self.transparent(k) for k in self._kinds(site))
        return above if applied and code else site.node

    def _unit(self, site: Site) -> Unit | None:
        kinds = self._kinds(site)
        if not kinds:
            return None
        slot = self._slots(site)[0]
        target = self._target(slot)
        counts: dict[str, str | int | None] = {}
        for kind in kinds:
            if isinstance(kind, ModuleModel) and self.transparent(kind):
                for inner, number in kind.totals.items():
                    base = self._base_of_code(site, inner)
                    if base is not None:
                        counts[base] = _both(counts.get(base, 0), _as_number(number, target))
            elif self._fixed(site, slot) is None:
                counts[self._base(site, kind)] = 1
        marker = _marker(kinds[0])
        marked = _marked(target, marker)
        return Unit(site.node, self._scope(site), counts, marked, marker) if counts else None


def _is_given(site: Site) -> bool:
    """Whether a name is the one that the module itself is given: code of no module of its own hands it on."""
    return is_own(site.explicit) and site.explicit.attr == "name"


def _both(one: str | int | None, other: str | int | None) -> str | int | None:
    if one == 0:
        return other
    return one + other if isinstance(one, int) and isinstance(other, int) else None


def _as_number(number: str | None, target: str) -> str | int | None:
    if number is None or number.isdigit():
        return None if number is None else int(number)
    return None if paths.depth(target) else paths.shifted(number, target)


def _marker(kind: Kind) -> str:
    """A variable that a module of this kind has."""
    found: list[tuple[bool, str]] = []
    for variable in kind.variables:
        target = variable.target
        path = target if isinstance(target, str) else ".".join(target)
        found.append((variable.collection != "params", path.replace("/", ".")))
    if not found:
        return ""
    text = min(found, key=lambda one: one[0])[1]
    return re.sub(r"\[\{[^}]*\}\]", "[0]", text)


def _marked(target: str, marker: str) -> str:
    """A target in which the entries of mixed lists are told by the variable that they have."""
    return re.sub(r"\[\{([ijklmn]):\}\]", rf"[{{\1:{marker}}}]", target)


def _lettered(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Steps with a letter of its own for each list that they lead through."""
    found: list[Step] = []
    place = 0
    for step in steps:
        if paths.depth(step.target):
            letter = "{" + paths.LETTERS[place]
            name, target = (re.sub(r"\{[ijklmn]\b", letter, t) for t in (step.name, step.target))
            step = Step(name, target)
            place += 1
        found.append(step)
    return tuple(found)


def _each(layout: str) -> str:
    """A layout change of each of a stack's layers."""
    if not layout:
        return ""
    return f"(lambda shape: np.stack([{layout} for v in v]))(shape[1:])"


def _index_of(loop: Loop) -> tuple[str, str] | None:
    """The variable of a loop that counts its turns, and its value as an expression over `i`."""
    if isinstance(loop, ast.While):
        return None
    target, iterable = (
        (loop.target, loop.iter)
        if isinstance(loop, ast.For | ast.AsyncFor)
        else (loop.generators[0].target, loop.generators[0].iter)
    )
    match iterable:
        case ast.Call(func=ast.Name(id="range"), args=[_]) if isinstance(target, ast.Name):
            return target.id, "i"
        case ast.Call(func=ast.Name(id="range"), args=[ast.Constant(value=int(start)), _]) if (
            isinstance(target, ast.Name)
        ):
            return target.id, f"(i + {start})" if start else "i"
        case ast.Call(func=ast.Name(id="enumerate"), args=[_], keywords=[]):
            match target:
                case ast.Tuple(elts=[ast.Name(id=name), *_]):
                    return name, "i"
    return None


def _attribute_of(model: ModuleModel, parameter: str) -> str:
    """The attribute that a module of the user's keeps a parameter in."""
    if not isinstance(model.cls, Class):
        return parameter
    for node in ast.walk(model.cls.node):
        match node:
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id="self"), attr=attribute)],
                value=ast.Name(id=name),
            ) if name == parameter:
                return attribute
    return parameter
