"""Rewrites one module class in place: fields become a constructor, sites attributes, the base nnx.Module."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..edits import Edits, dedent_block
from ..model import built
from ..model.filled import Filled, changed_attributes
from ..model.module import AddedParameter, ModuleModel
from ..model.presence import decided_by_test
from ..model.sites import Comprehension, Site, find, literal_name
from ..model.study import Study
from ..shapes import classes
from ..shapes.dims import Choice, Expression, Origin, Output, Running
from ..shapes.interpreter import Interpreter
from ..shapes.lifts import Lifted
from ..shapes.values import (
    FALSE,
    NONE,
    Array,
    Class,
    Either,
    External,
    Items,
    LayerObject,
    Object,
    Partial,
    Value,
    as_dim,
    from_dim,
)
from . import constructors, inheritance, layout, names
from .added import argument_value
from .agreement import Measured, agreed, branches
from .construct import Constructor
from .enclosing import refuse_changes
from .file_names import FileNames
from .flags import Flags, decide, inherit, inherited_modes
from .init_body import InitBody
from .method_edits import MethodEdits
from .names import singular
from .places import Places
from .renaming import rename_within
from .sizes import SizeNames, merged_inputs
from .transport import CannotMove, Scope, Transport, scope_of
from .variables import KNOWN_COLLECTIONS, VariableWriter

_REPEATED = (
    *(ast.For, ast.While, ast.Lambda, ast.ListComp),
    *(ast.SetComp, ast.DictComp, ast.GeneratorExp),
)


@dataclass
class Emitted:
    """What the rewrite of a class adds to its file."""

    model: ModuleModel
    variable_classes: dict[str, str]  # collection -> class name
    helpers: set[str]


@dataclass
class ClassEmitter:
    """Rewrites one class. Raises Declined, with nothing recorded in `edits`, where it cannot."""

    interp: Interpreter
    study: Study
    edits: Edits
    file_names: FileNames
    models: Mapping[ast.AST, ModuleModel]
    limit: int
    keep_flags: bool = False
    variable_classes: Mapping[str, str] = field(default_factory=dict)
    original_names: bool = False  # Linen's automatic ones (Dense_0) as attributes

    def __post_init__(self) -> None:
        self.cls = self.study.cls
        self.renamed: dict[str, str] = {}  # locals of the constructor
        self._choosing: set[str] = set()
        self.source = self.edits.source
        self.sites = find(self.study, self.source.parents)
        self.base = inheritance.base_of(self.study, self.models)
        self.built = built.find(self.sites, self.source.parents)
        self.fills, self.changed = self._changed_attributes()
        self._refuse_changing_attributes()
        self._refuse_other_sites()
        refuse_changes(self.cls.node, self.interp, self.models, self.file_names.qualified)
        self._name_sites()
        self.flags = (
            Flags()
            if self.keep_flags
            else decide(self.study, self.sites, self.models, self.source.parents)
        )
        if self.base is not None:
            inherit(self.flags, self.study, self.base.model)
        self.late = self._late()
        if self.late:
            self.sites = [site for site in self.sites if site.node not in self.late]
            for site in self.sites:
                site.attribute = ""
            self._name_sites()
        if self.original_names and self.study.framework == "linen":
            self._keep_names()
        self.writer = VariableWriter(
            self.transport_factory(lambda name, origin: name),
            self.study.framework,
            dict(self.variable_classes),
        )
        self.writer.numpy = self.file_names.numpy

    def _late(self) -> dict[ast.Call, str]:
        """The calls that stay functions, as only a run knows what their layers would be made with."""
        found: dict[ast.Call, str] = {}
        for site in self.sites:
            if site.rule is None or not site.rule.late:
                continue
            given = dict(zip(site.rule.signature, site.node.args, strict=False))
            given.update({k.arg: k.value for k in site.node.keywords if k.arg is not None})
            transport = self.transport_factory(lambda name, origin: name)
            try:
                for name in site.rule.leading:
                    transport.expression(given[name], scope_of(site.function))
            except (CannotMove, KeyError):
                found[site.node] = site.rule.late
        return found

    # ---- the whole ----------------------------------------------------------------------------------

    def emit(self) -> Emitted:
        """Records all edits of the class; returns how it looks from outside."""
        bound = self.interp.symbols.snapshot()
        try:
            return self._emit()
        finally:
            self.interp.symbols.restore(bound)

    def _emit(self) -> Emitted:
        self.telling: set[ast.Call] = set()
        draft = SizeNames(self.interp.symbols, self.study, draft=True)
        self._write_body(draft)  # to see which sizes are needed
        self.telling = {
            origin.site
            for origin in self._with_running(self.transport.needs.symbols)
            if isinstance(origin, Output)
        }
        needs = merged_inputs(self.interp.symbols, self.study, self.transport.needs)
        sizes = SizeNames(self.interp.symbols, self.study, needs=needs)
        body = self._write_body(sizes)
        if sizes.clashes:
            needs = self.transport.needs.symbols
            sizes = SizeNames(self.interp.symbols, self.study, needs=needs, apart=sizes.clashes)
            body = self._write_body(sizes)
        self.renamed = self._hiding_locals()
        if self.renamed:
            body = self._write_body(sizes)
        self._refuse_foreign_sizes()
        self._refuse_early_reads(body)
        self._refuse_stale_sizes()
        model = self._model(sizes)
        moved = self.body.moved
        changes = self._method_edits(moved)
        for function in self._functions():
            if function.name not in ("setup", "__init__"):
                changes.run(function)
        self._class_edits(body, sizes)
        model.takes_rngs = self.takes_rngs
        self._describe_constructor(model)
        helpers = self.constructor.helpers | self.writer.helpers | changes.helpers
        return Emitted(model, self.writer.classes, helpers)

    def _describe_constructor(self, model: ModuleModel) -> None:
        """What a subclass has to know."""
        inherited = self.base.model if self.base is not None and self.base.reached else None
        found = constructors.initialiser(self.cls) if self.study.framework == "haiku" else None
        if found is not None:
            taken = constructors.parameters(found[1])
            model.constructor = [(p.arg.arg, p.keyword_only) for p in taken]
        else:
            model.constructor = [
                (f.name, f.keyword_only)
                for f in classes.fields(self.cls)
                if f.name not in self.flags.fields and f.name not in ("name", "parent")
            ]
        model.constructs = self.constructs or (inherited is not None and inherited.constructs)
        model.stored = set(self.stored) | (inherited.stored if inherited else set())
        model.names = model.stored | {site.attribute for site in self.sites}
        model.names |= inherited.names if inherited else set()
        model.site_nodes = {site.node for site in self.sites}
        model.site_nodes |= inherited.site_nodes if inherited else set()

    def transport_factory(self, name_symbol: Callable[[str, Origin], str]) -> Transport:
        return Transport(
            self.source,
            self.study.facts,
            self.interp.symbols,
            self._field_names(),
            self.file_names.rewrite,
            name_symbol,
            self.file_names.target,
            self._known_in_constructor,
            presence=self._presence(),
            changed=self.changed,
            late=constructors.set_late(self.cls)
            if self.study.framework == "haiku"
            else frozenset(),
        )

    def _changed_attributes(self) -> tuple[list[Filled], set[str]]:
        """What the methods that make layers fill in first, and the attributes that methods set otherwise."""
        if self.study.framework == "linen":
            return [], set()
        found, changed = changed_attributes(self.cls.node, self._plain_assignments())
        making = {site.function for site in self.sites}
        fills = [fill for fill in found if fill.function in making]
        return fills, changed | {fill.attribute for fill in found if fill not in fills}

    def _presence(self) -> dict[str, ast.expr]:
        """The tests that decide which attributes are None."""
        function = self._own("setup") or self._own("__init__")
        if function is None:
            return {}
        return decided_by_test(
            self.cls.node,
            function,
            lambda node: isinstance(self.study.facts.value(node), LayerObject | Object),
        )

    def _known_in_constructor(self, test: ast.expr) -> bool | None:
        """In `setup` a module is being initialised; a flag that goes says training, which evaluation switches off."""
        training = self.flags.in_training(test)
        if training is not None:
            return training
        match test:
            case ast.Call(func=ast.Attribute(attr="is_initializing")):
                return True
            case ast.Call(func=func) if self._is_running_init(func):
                return False
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._known_in_constructor(operand)
                return None if inner is None else not inner
        return None

    def _is_running_init(self, func: ast.expr) -> bool:
        """`hk.running_init`: a run of an NNX module makes no parameters."""
        return self.file_names.qualified(func) == "haiku.running_init"

    def _field_names(self) -> dict[str, str]:
        if self.study.framework == "linen":
            return {f.name: f.name for f in classes.fields(self.cls)}
        return self._plain_assignments()

    def _plain_assignments(self) -> dict[str, str]:
        """Haiku: attributes that `__init__` sets to one of its parameters as it is."""
        initialiser = self._own("__init__")
        if initialiser is None:
            return {}
        parameters = {a.arg for a in [*initialiser.args.args, *initialiser.args.kwonlyargs]}
        found = {}
        for statement in initialiser.body:
            match statement:
                case ast.Assign(
                    targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)],
                    value=ast.Name(id=parameter),
                ) if parameter in parameters:
                    found[name] = parameter
                case ast.AnnAssign(
                    target=ast.Attribute(value=ast.Name(id="self"), attr=name),
                    value=ast.Name(id=parameter),
                ) if parameter in parameters:
                    found[name] = parameter
        return found

    def _own(self, name: str) -> ast.FunctionDef | None:
        return next((f for f in self._functions() if f.name == name), None)

    def _functions(self) -> list[ast.FunctionDef]:
        return [node for node in self.cls.node.body if isinstance(node, ast.FunctionDef)]

    # ---- what cannot be written ------------------------------------------------------------------------

    def _refuse_changing_attributes(self) -> None:
        """Haiku makes a module anew for each run: what a call makes of an attribute's old value starts over there."""
        for function in self._functions() if self.study.framework == "haiku" else []:
            if function.name in ("__init__", "__post_init__"):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Assign | ast.AugAssign):
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    stored = {name for t in targets for name in inheritance.written_attributes(t)}
                    known = stored & inheritance.self_attributes(node.value)
                    changed = stored if isinstance(node, ast.AugAssign) else known
                    if changed:
                        raise CannotMove(
                            node,
                            f"each call changes `self.{min(changed)}`, which Haiku forgets between runs",
                            "keep it in a local of the method, or as state",
                        )

    def _refuse_other_sites(self) -> None:
        owned = set(ast.walk(self.cls.node))
        if self.base is not None:
            owned |= self.base.model.site_nodes
        for node in [*self.study.facts.made, *self.study.facts.variables]:
            if node not in owned:
                raise CannotMove(
                    self.cls.node,
                    f"`{self.cls.name}` makes layers in code outside of its own class (line {getattr(node, 'lineno', 0)})",
                    "make them in the class, or give that code a module of its own",
                )
        for site in self.sites:
            cls = site.value.cls if site.value is not None else None
            if cls is not None and cls.node not in self.models:
                raise CannotMove(
                    site.node,
                    f"`{cls.name}` is not rewritten",
                    "it has a diagnostic of its own; this class follows once that is solved",
                )
            lost = self._lost(site)
            if lost is not None:
                raise CannotMove(
                    site.node,
                    f"`self.{lost}` is given layers in a way that is not handled",
                    "assign the layer itself, or append it to a list that starts empty",
                )
            if isinstance(site.function, ast.Lambda):
                raise CannotMove(
                    site.node, "a layer is made in a lambda", "make it in the method itself"
                )
            if site.built is not None and site.built.kept and site.built.renewed:
                raise CannotMove(
                    site.node,
                    f"a loop starts the list `{site.built.name}` of layers again in each turn",
                    "put each list into one that outlives the loop",
                )
            if any(isinstance(loop, ast.While) for loop in site.loops):
                raise CannotMove(
                    site.node, "a layer is made in a while loop", "make the layers in a `for` loop"
                )

    def _lost(self, site: Site) -> str | None:
        """The attribute that a statement of the constructor gives a layer, where no attribute takes its place."""
        if site.variable is not None or site.built is not None:
            return None
        beside = [s for s in self.sites if s.statement is site.statement]
        if any(s.own_attribute is not None or s.built is not None for s in beside):
            return None
        match site.statement:
            case (
                ast.Assign(targets=[target])
                | ast.AugAssign(target=target)
                | ast.AnnAssign(target=target)
                | ast.Expr(value=ast.Call(func=ast.Attribute(value=target)))
            ):
                owner = target.value if isinstance(target, ast.Subscript) else target
                if isinstance(owner, ast.Attribute) and ast.unparse(owner.value) == "self":
                    constructs = getattr(site.function, "name", "") in ("__init__", "setup")
                    return owner.attr if constructs else None
        return None

    def _with_running(self, needed: Mapping[str, Origin]) -> list[Origin]:
        """The origins of sizes, and of what running ones start from and become."""
        found: dict[str, Origin] = {}
        pending = dict(needed)
        while pending:
            name, origin = pending.popitem()
            if name in found:
                continue
            found[name] = origin
            fact = self.study.facts.running.get(name)
            for dim in (fact.initial, fact.update) if fact is not None else ():
                pending.update(self.interp.symbols.origins_of(dim))
        return list(found.values())

    def _told_output(self) -> tuple[list[str], bool]:
        """`self.out_features = ...` for a class that is asked for it, and whether that comes last."""
        if self.cls.node not in self.interp.asked_outputs:
            return [], False
        if "out_features" in self._field_names():
            self.interp.silent_outputs.add(self.cls.node)
            return [], False
        result = self.study.results.get("__call__")
        while isinstance(result, Items) and result.items:
            result = result.items[0]
        dim = result.features if isinstance(result, Array) else None
        if dim is None:
            self.interp.silent_outputs.add(self.cls.node)
            return [], False
        try:
            text = self.transport.size(dim, self.cls.node)
        except CannotMove:
            self.interp.silent_outputs.add(self.cls.node)
            return [], False
        if text == "self.out_features":  # what the base returns, which its constructor has set
            return [], False
        late = any(
            isinstance(origin, Running | Output | Choice)
            for origin in self.interp.symbols.origins_of(dim).values()
        )
        return [f"{self._indent(2)}self.out_features = {text}"], late

    def _hiding_locals(self) -> dict[str, str]:
        """Moved locals that have the name of a field, and another value, while a size still asks for the field."""
        if self.study.framework != "linen":
            return {}
        fields = set(self._field_names())
        asked = {
            word
            for origin in self._with_running(self.transport.needs.symbols)
            if isinstance(origin, Expression)
            for word in re.findall(r"(?<![\w.])\w+", origin.text)
        }
        taken = {n.id for n in ast.walk(self.cls.node) if isinstance(n, ast.Name)} | fields
        found: dict[str, str] = {}
        for statement in self.transport.needs.statements:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if (
                    name in fields & asked and not _only_defaults(value, name)
                ):
                    found[name] = f"{name}_"
                    while found[name] in taken:
                        found[name] += "_"
        return found

    def _refuse_foreign_sizes(self) -> None:
        """A base class whose sizes come from fields that only a subclass has cannot make its layers itself."""
        foreign = set(self.study.root.arguments) - set(self._field_names())
        for origin in self.transport.needs.symbols.values():
            if isinstance(origin, Expression) and re.split(r"\W", origin.text)[0] in foreign:
                raise CannotMove(
                    self.cls.node,
                    f"a layer of `{self.cls.name}` has a size that only its subclasses know",
                    "pass the size to the constructor by hand",
                )

    def _refuse_early_reads(self, body: Sequence[str]) -> None:
        """A layer that tells its size has to be made before the layer that asks for it."""
        text = "\n".join(body)
        for found in re.finditer(r"\bself\.(\w+)\.out_features\b", text):
            made = re.search(rf"\bself\.{found[1]} = ", text)
            own = any(site.attribute == found[1] for site in self.sites)
            if own and (made is None or made.start() > found.start()):
                raise CannotMove(
                    self.cls.node,
                    f"a layer has the size of what `{found[1]}` returns, which is made after it",
                    f"make `{found[1]}` first",
                )

    def _refuse_stale_sizes(self) -> None:
        """A size that a loop of a method changes has to be changed by a loop of the constructor as well."""
        for symbol, fact in self.body.needed_running():
            if symbol not in self.body.carried and str(fact.update) != symbol:
                raise CannotMove(
                    fact.loop,
                    f"a size of `{fact.name}` that this loop changes is needed by a layer behind it",
                    "compute the size in the constructor by hand",
                )

    # ---- names ------------------------------------------------------------------------------------------

    def _name_sites(self) -> None:
        taken = {f.name for f in self._functions()} | set(self._field_names())
        taken |= self.base.model.names if self.base is not None else set()
        self._name_lists(taken)
        groups: dict[str, list[Site]] = {}
        chosen: list[tuple[Site, str, bool]] = []
        for site in self.sites:
            base, fixed = self._base_name(site)
            chosen.append((site, base, fixed))
        fixed_names = {base for _, base, fixed in chosen if fixed}
        fields = set(self._field_names()) - fixed_names
        for site, base, fixed in chosen:
            if not fixed:
                groups.setdefault(base, []).append(site)
        clashing = self._read_fields()
        for base in sorted(fixed_names):
            same = [site for site, name, fixed in chosen if fixed and name == base]
            if base in clashing and not any(site.own_attribute for site in same):
                variable = any(site.variable is not None for site in same)
                base = f"{base}_{'param' if variable else 'layer'}"
            self._name_alike(base, same, (taken | fixed_names | fields) - {base})
        taken |= {site.attribute for site in self.sites}
        for base, sites in groups.items():
            numbered = names.numbered([base] * len(sites), taken | fixed_names | fields)
            for site, name in zip(sites, numbered, strict=True):
                site.attribute = name

    def _read_fields(self) -> set[str]:
        """The fields that a method other than the constructor reads: they keep their attribute."""
        return {
            node.attr
            for function in self._functions()
            if function.name not in ("setup", "__init__", "__post_init__")
            for node in ast.walk(function)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
            and isinstance(node.ctx, ast.Load)
        } & set(self._field_names())

    def _keep_names(self) -> None:
        """Gives sites the names that Linen gives them, where it counts them out and no branch decides."""
        places = self._places()
        found = [(s, name) for s in self.sites if (name := places.automatic(s)) is not None]
        kept = {site.node for site, _ in found}
        others = {site.attribute for site in self.sites if site.node not in kept}
        others |= {f.name for f in self._functions()} | set(self._field_names())
        others |= self.base.model.names if self.base is not None else set()
        for site, name in found:
            if name not in others:
                site.attribute = name

    def _name_alike(self, base: str, sites: Sequence[Site], taken: set[str]) -> None:
        """Sites that the source names alike: one attribute if they are one thing made in different ways."""
        things: list[list[Site]] = []
        for site in sites:
            for thing in things:
                if any(_is_same_thing(site, other, self.study.framework) for other in thing):
                    thing.append(site)
                    break
            else:
                things.append([site])
        looped = [thing for thing in things if thing[0].loops]
        bases = [
            base if len(looped) in (0, len(things)) or thing in looped else singular(base)
            for thing in things
        ]
        chosen = names.numbered(bases, taken) if len(things) > 1 else bases
        for thing, name in zip(things, chosen, strict=True):
            for site in thing:
                site.attribute = name

    def _name_lists(self, taken: set[str]) -> None:
        for each in self.built:
            while each.attribute in taken:
                each.attribute += "_"

    def _base_name(self, site: Site) -> tuple[str, bool]:
        """The attribute name of a site and whether it is given by the source."""
        if site.built is not None:
            return site.built.outermost.attribute, True
        if site.own_attribute is not None:
            return site.own_attribute, True
        literal = literal_name(site)
        many = bool(site.loops)
        if site.variable is not None and site.variable.kind == "rng":
            return (
                "rngs"
                if self.study.framework == "haiku"
                else f"{site.variable.name or 'params'}_rng"
            ), True
        if literal is not None and literal.isidentifier():
            return (names.plural(literal) if many else literal), True
        if isinstance(site.explicit, ast.JoinedStr):
            parts = [
                str(p.value) if isinstance(p, ast.Constant) else None for p in site.explicit.values
            ]
            stem = names.stem(parts)
            if stem:
                return stem, True
        if self._is_stacked(site) and site.alias is None:
            return names.plural(self._kind_name(site)), False
        if site.alias is not None:
            return (
                names.plural(site.alias) if many and not self._holds_list(site) else site.alias
            ), True
        return (names.plural(self._kind_name(site)) if many else self._kind_name(site)), False

    def _is_stacked(self, site: Site) -> bool:
        lift = self.interp.lifted.get(site.node)
        return (isinstance(lift, Lifted) and lift.stacked) or site.function in self.interp.stacked

    @staticmethod
    def _holds_list(site: Site) -> bool:
        return any(isinstance(loop, Comprehension) for loop in site.loops)

    def _kind_name(self, site: Site) -> str:
        holder = self._holder(site)
        if holder is not None:
            return names.snake(names.made_by(holder))
        if isinstance(site.value, LayerObject) and site.value.cls is not None:
            return names.snake(site.value.cls.name)
        if site.rule is not None:
            return site.rule.attribute
        if isinstance(site.value, Object):
            return names.snake(site.value.cls.name)
        return "variable"

    def _holder(self, site: Site) -> str | None:
        """The field or local that holds the class which a site makes something of."""
        match site.node.func:
            case ast.Attribute(value=ast.Name(id="self"), attr=name) if name in self._field_names():
                return name
            case ast.Name(id=name) as func if isinstance(
                self.study.facts.value(func), Partial | Either
            ) or (name in scope_of(site.function).assignments):
                return name
        return None

    # ---- the constructor ----------------------------------------------------------------------------------

    def _write_body(self, sizes: SizeNames) -> list[str]:
        previous = getattr(self, "transport", None)
        self.transport = self.transport_factory(sizes.text(self._choice))
        if previous is not None:
            self.transport.needs.statements.update(previous.needs.statements)
            # What stands behind a loop may be the first to ask for a size that the loop has to carry along.
            self.transport.needs.symbols.update(
                {
                    name: origin
                    for name, origin in previous.needs.symbols.items()
                    if isinstance(origin, Running)
                }
            )
        self.transport.substitutes.update(
            {read: each.text for each in self.built for read in each.reads}
        )
        self.sizes = sizes
        self.transport.renamed = self.renamed
        self.writer.transport = self.transport
        self.writer.uses_rngs = False
        self.writer.streams.clear()
        self.constructor = Constructor(
            self.interp,
            self.transport,
            self.file_names.target,
            self._size_of,
            lambda node: self.file_names.qualified(node) is not None,
            self.flags.is_mode,
        )
        self.transport.partial = self.constructor.partial
        unit = self.source.indent_unit
        indent = self.source.line_indent(self.source.span(self.cls.node)[0]) + unit * 2
        self.body = InitBody(
            self.transport,
            self.constructor,
            self.writer,
            self.sites,
            self._child,
            unit,
            self.limit,
            indent,
            sizes.running,
            sizes.overwritten.add,
            self._keep,
            self._known_test,
            self.built,
            self.telling,
            {fill.statement: fill for fill in self.fills},
        )
        self.body.rngs_bound = self._local_partials()
        self.scopes = {function: scope_of(function) for function in self._functions()}
        for function, scope in self.scopes.items():
            if function.name == "__init__":
                scope.parameters.clear()  # the new constructor has them too
        self.super_lines = self._super_call(indent)
        lines: list[str] = []
        for function in self._constructing():
            whole = function.name in ("setup", "__init__")
            lines += self.body.method(function, self.scopes[function], whole)
        if any(self._draws_at_call(site) for site in self.sites):
            lines.append(f"{self._indent(2)}self.rngs = rngs.fork()")
        told, late = self._told_output()
        return [*lines, *told] if late else [*told, *lines]

    def _draws_at_call(self, site: Site) -> bool:
        """Whether a Haiku module asks for a random key as it is called: all its keys come from one fork."""
        if self.study.framework != "haiku" or site.variable is None or site.variable.kind != "rng":
            return False
        above = self.source.parents.get(site.node)
        if isinstance(above, ast.keyword):
            above = self.source.parents.get(above)
        within = above in self.study.facts.made and above not in self.late  # a stream of its own
        return not within and getattr(site.function, "name", "") != "__init__"

    def _super_call(self, indent: str) -> list[str]:
        """The call of the base's constructor, with the sizes that its layers have here."""
        if self.base is None:
            return []
        if not self.base.reached:
            if self.study.framework == "haiku":
                constructors.refuse_lost(self.cls, self.base)
            return []
        if self.study.framework == "haiku":
            constructors.refuse_shared(self.cls, self.base, [site.node for site in self.sites])
        model = self.base.model
        own = self._own("__init__")
        if self.study.framework == "haiku" and not model.constructs:
            return []
        if self.study.framework == "haiku" and own is not None:
            scope = self.scopes[own]
            write = functools.partial(self.transport.expression, scope=scope)
            args = constructors.super_arguments(own, self.base, self._base_sizes(), write)
        else:
            args = inheritance.super_arguments(model, self._base_sizes())
        if not args and not model.names:
            return []
        written = layout.expression(
            f"super().__init__({', '.join(args)})",
            indent=indent,
            unit=self.source.indent_unit,
            limit=self.limit,
        )
        return (indent + written).split("\n")

    def _base_sizes(self) -> dict[str, str]:
        """The sizes that the base's constructor takes, as they are here."""
        sizes: dict[str, str] = {}
        for added in self.base.model.added if self.base is not None else []:
            assert self.base is not None
            size = inheritance.size_in(self.interp, self.study, self.base, added)
            text = self.transport.value_text(size, self.cls.node)
            if text is None:
                raise CannotMove(
                    self.cls.node,
                    f"the size `{added.name}` of `{self.base.model.name}` could not be inferred here",
                    "pass it by hand",
                    unsized=True,
                )
            sizes[added.name] = text
        return sizes

    def _inherits_constructor(self, sizes: SizeNames) -> bool:
        """Whether a class has nothing to construct beyond what its base does."""
        if self.base is None or not self.base.reached:
            return False
        if self.study.framework == "haiku" and self._own("__init__") is not None:
            return False
        mine = [a.name for a in sizes.parameters()]
        return mine == [a.name for a in self.base.model.added] and not any(
            self._sets_field(statement) for statement in self.cls.node.body
        )

    def _sets_field(self, statement: ast.stmt) -> bool:
        """Whether a statement of the class body declares a field or changes its default."""
        match statement:
            case ast.AnnAssign():
                return self._is_field(statement)
            case ast.Assign(targets=[ast.Name(id=name)]):
                return any(
                    f.name == name and f.default is statement.value
                    for f in classes.fields(self.cls)
                )
        return False

    def _constructing(self) -> list[ast.FunctionDef]:
        """The functions that make something, in the order in which that happens."""
        order: dict[ast.FunctionDef, None] = {}
        for name in ("__init__", "setup"):
            function = self._own(name)
            if function is not None:
                order.setdefault(function)
        for site in self.sites:
            if isinstance(site.function, ast.FunctionDef):
                if site.function in self.interp.stacked:
                    outer = self.source.parents[site.function]
                    if outer in self._functions():
                        order.setdefault(outer)
                        continue
                if site.function not in self._functions():
                    raise CannotMove(
                        site.node,
                        "a layer is made in a nested function",
                        "make it in the method itself",
                    )
                order.setdefault(site.function)
        return list(order)

    def _local_partials(self) -> set[str]:
        """Locals that hold a partial of a layer and are only called: they bind `rngs=rngs`."""
        return {
            site.node.func.id
            for site in self.sites
            if isinstance(site.node.func, ast.Name)
            and self._is_partial(site)
            and site.node.func.id in scope_of(site.function).assignments
            and self._only_called(site.node.func.id, site.function)
        }

    def _only_called(self, name: str, function: ast.AST) -> bool:
        return all(
            isinstance(above := self.source.parents[node], ast.Call) and above.func is node
            for node in ast.walk(function)
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
        )

    def _is_partial(self, site: Site) -> bool:
        return isinstance(self.study.facts.value(site.node.func), Partial)

    def _keep(self, statement: ast.stmt) -> bool:
        """Which statements of `setup` or `__init__` stay as they are."""
        match statement:
            case ast.Expr(value=ast.Constant()):
                return False
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super"))))
            ):
                return False
            case ast.Pass():
                return False
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)]):
                return name not in self._plain_assignments()
        return True

    def _known_test(self, test: ast.expr) -> bool | None:
        """Tests on flags that go, and on being initialised, have a known outcome."""
        training = self.flags.in_training(test)
        if training is not None:
            return training
        match test:
            case ast.Call(func=ast.Attribute(attr="is_initializing")):
                return False
            case ast.Call(func=func) if self._is_running_init(func):
                return False
            case (
                ast.Call(
                    func=ast.Attribute(value=ast.Name(id="self"), attr="has_variable"),
                    args=[_, ast.Constant(value=name)],
                ) as call
            ) if self._surely_made(name, call):
                return True
            case ast.Name():
                assigned = self._assigned_call(test)
                return self._known_test(assigned) if assigned is not None else None
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._known_test(operand)
                return None if inner is None else not inner
        return None

    def _surely_made(self, name: object, asked: ast.Call) -> bool:
        """Whether the module has a variable wherever it is asked whether it has."""
        around = branches(asked, self.source.parents)
        return any(
            site.variable is not None
            and site.variable.name == name
            and not site.loops
            and all(branch in around for branch in branches(site.node, self.source.parents))
            for site in self.sites
        )

    def _assigned_call(self, name: ast.Name) -> ast.Call | None:
        """The call whose answer a local is: whether the module is being initialised, or has a variable."""
        for function in self._functions():
            for node in ast.walk(function):
                match node:
                    case ast.Assign(
                        targets=[ast.Name(id=target)],
                        value=ast.Call(
                            func=ast.Attribute(attr="is_initializing" | "has_variable")
                        ) as call,
                    ) if target == name.id and any(inner is name for inner in ast.walk(function)):
                        return call
        return None

    def _child(self, site: Site) -> ModuleModel | None:
        return self.models.get(site.value.cls.node) if isinstance(site.value, Object) else None

    def _size_of(self, site: Site, added: AddedParameter) -> Value | None:
        """The value of a child's size parameter at a site: its expression on the arguments of the child's call."""
        sizes: list[Measured] = []
        others: Value | None = None
        for use in site.uses:
            owner = use.target
            if use.method != added.method or not isinstance(owner, Object):
                continue
            value = argument_value(self.interp, owner.cls, added, use.args, use.kwargs, owner)
            dim = as_dim(value)
            if dim is not None:
                sizes.append((use, dim))
            elif value is not None:
                others = value
        if others is not None:
            return others
        found, agree = agreed(self.interp, self.study.facts, site, sizes, self.source.parents)
        if not agree and sizes:
            raise CannotMove(
                site.node,
                f"a module is called with inputs of different sizes (`{added.name}`)",
                "one module cannot have both; check the calls",
            )
        return None if found is None else from_dim(found)

    def _choice(self, origin: Origin, name: str) -> str | None:
        """The text of a size that depends on a branch, or on what a module returns."""
        if isinstance(origin, Output):
            if inheritance.is_super_call(origin.site):
                return self._told_by_base(origin.site)
            site = next((s for s in self.sites if s.node is origin.site), None)
            if site is None or not self._ask(site):
                return None
            if site.built is not None:
                last = site.built.last(site)
                return f"{last}.out_features" if last is not None else None
            local = singular(site.attribute) if site.loops else f"self.{site.attribute}"
            return f"{local}.out_features"
        if not isinstance(origin, Choice) or name not in self.study.facts.choices:
            return None
        node = origin.node
        for fill in self.fills:
            if fill.statement is node:
                return fill.parameter
        if not isinstance(node, ast.If | ast.IfExp | ast.BoolOp | ast.Call):
            return None
        if isinstance(node, ast.Call) and len(node.args) != 3:
            return None
        if isinstance(node, ast.BoolOp) and (
            not isinstance(node.op, ast.Or) or len(node.values) != 2
        ):
            return None
        function = next(
            (f for f in self._functions() if any(inner is node for inner in ast.walk(f))), None
        )
        if function is None or name in self._choosing:
            return None
        scope = scope_of(function)
        if function.name == "__init__":  # its parameters are those of the new constructor
            scope = Scope(function, set(), {}, {})
        self._choosing.add(name)  # the test may ask for the very size that it decides
        try:
            left, right = self.study.facts.choices[name]
            kept = self._kept_on_self(node, function)
            if kept is not None:
                return kept
            if isinstance(node, ast.BoolOp):
                first = self.transport.expression(node.values[0], scope)
                return f"({first} or {self.transport.size(right, node)})"
            if isinstance(node, ast.Call):  # nn.merge_param
                first = self.transport.expression(node.args[1], scope)
                return f"({self.transport.size(right, node)} if {first} is None else {first})"
            asked = self._test_of(node, function)
            if isinstance(asked, ast.UnaryOp) and isinstance(asked.op, ast.Not):
                asked, left, right = asked.operand, right, left
            test = self.transport.expression(asked, scope)
            one, other = self.transport.size(left, node), self.transport.size(right, node)
        finally:
            self._choosing.discard(name)
        if test in (f"{one} == {other}", f"{other} == {one}"):
            return other
        return f"({one} if {test} else {other})"

    def _kept_on_self(self, node: ast.AST, function: ast.FunctionDef) -> str | None:
        """`self.width`, where the source's constructor keeps a choice there."""
        match self.source.parents.get(node):
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)]) if (
                function.name == "__init__" and not isinstance(node, ast.If)
            ):
                self.transport.needs.kept_fields.add(name)
                return f"self.{name}"
        return None

    def _test_of(self, node: ast.If | ast.IfExp, function: ast.FunctionDef) -> ast.expr:
        """The test of a branch; what a local stands for, in a method that gives the constructor no statements."""
        assigned = scope_of(function).assignments
        match node.test:
            case ast.Name(id=name) if function not in self._constructing():
                found = assigned.get(name, [])
                if len(found) == 1 and isinstance(found[0], ast.Assign):
                    return found[0].value
        return node.test

    def _ask(self, site: Site) -> bool:
        """Whether what a site makes tells its size; its class is asked to, from the next attempt on."""
        return self._ask_classes(
            {m.value.cls.node for m in site.made if isinstance(m.value, Object)}
        )

    def _told_by_base(self, call: ast.Call) -> str:
        """The size of what `super().__call__(...)` returns: the base's constructor has set it."""
        base = self.base
        if base is not None and inheritance.tells(self.study, base):
            if self._ask_classes({base.cls.node}):
                return "self.out_features"
        raise CannotMove(
            call,
            "only layers of a base class know the size of what this returns",
            "keep the size in an attribute of the base class",
        )

    def _ask_classes(self, asked: set[ast.ClassDef]) -> bool:
        self.interp.asked_outputs |= asked
        return not asked & self.interp.silent_outputs

    # ---- edits of the class -----------------------------------------------------------------------------

    def _unset(self) -> set[str]:
        """The attributes that the source's constructor may set to None."""
        return {
            target.attr
            for function in self._functions()
            if function.name in ("__init__", "setup")
            for node in ast.walk(function)
            if isinstance(node, ast.Assign | ast.AnnAssign)
            and isinstance(node.value, ast.Constant)
            and node.value.value is None
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Attribute)
        }

    def _method_edits(self, moved: set[ast.stmt]) -> MethodEdits:
        self.constructor.refuse_handed_flags(self.cls.node)
        return MethodEdits(
            self.interp,
            self.edits,
            self.study.facts,
            self.sites,
            self.flags,
            self.models,
            moved,
            self.source.parents,
            self.study.framework,
            self._variable_text,
            self._known_test,
            self.limit,
            self.built,
            lambda call: inherited_modes(call, self.cls, self.models),
            self.constructor.at_call,
            self.fills,
            self.late,
            lambda node: rename_within(node, self.edits, self.file_names),
            unset=self._unset(),
        )

    def _variable_text(self, site: Site) -> str:
        assert site.variable is not None
        if site.variable.kind == "rng":
            return "self.rngs()" if self.study.framework == "haiku" else f"self.{site.attribute}()"
        return f"self.{site.attribute}[...]"

    def _says_nothing(self, function: ast.FunctionDef, decorator: ast.expr) -> bool:
        """Whether a decorator is only about names and scopes; `hk.transparent` is about those of modules.

        Where each of these has a name of its own in the class, and `__call__` asks for them once, their scope is all that
        it says: another call would make them anew.
        """
        kind = ast.unparse(decorator).split(".")[-1]
        named = [literal_name(site) for site in self.sites if site.made]
        own = [literal_name(site) for site in self.sites if site.made and site.function is function]
        modules = any(name is None or named.count(name) > 1 for name in own)
        modules = modules or (bool(own) and not self._runs_once(function))
        return kind in ("compact", "nowrap") or (kind == "transparent" and not modules)

    def _runs_once(self, function: ast.FunctionDef) -> bool:
        """Whether a method is only ever asked for by `__call__`, in one place and in no loop."""
        asked = [
            n
            for n in ast.walk(self.source.tree)
            if isinstance(n, ast.Attribute) and n.attr == function.name
        ]
        above: ast.AST | None = self.source.parents.get(asked[0]) if len(asked) == 1 else None
        if not (isinstance(above, ast.Call) and above.func is asked[0]):
            return False
        while above is not None and not isinstance(above, ast.FunctionDef):
            if isinstance(above, _REPEATED):
                return False
            above = self.source.parents.get(above)
        return above is not None and above is self._own("__call__")

    def _class_edits(self, body: list[str], sizes: SizeNames) -> None:
        node = self.cls.node
        self._bases()
        for function in self._functions():
            for decorator in function.decorator_list:
                if self._says_nothing(function, decorator):
                    self.edits.remove_item(function, decorator)
        self.stored = self._stored()
        stored = [
            f"{self._indent(2)}self.{attribute} = {text}" for attribute, text in self.stored.items()
        ]
        late = {fill.attribute for fill in self.fills}
        stored.sort(key=lambda line: line.strip()[5:].partition(" ")[0] in late)
        early = len(stored) - sum(fill.attribute in self.stored for fill in self.fills)
        lines = [*self.super_lines, *stored[:early], *body, *stored[early:]]
        inherits = not stored and not body and self._inherits_constructor(sizes)
        signature = "" if inherits else self._signature(sizes, lines)
        self.constructs = bool(signature)
        if inherits and self.base is not None:
            self.takes_rngs = self.base.model.takes_rngs
        place = self._own("setup") or self._own("__init__")
        for statement in node.body:
            if (
                isinstance(statement, ast.AnnAssign)
                and self.study.framework == "linen"
                and self._is_field(statement)
            ):
                self.edits.delete_statement(statement, with_comments=True)
            elif isinstance(statement, ast.Assign) and self._sets_field(statement):
                self.edits.delete_statement(statement)
        if not signature:
            if place is not None:
                self.edits.delete_statement(place)
            return
        docstring = self._docstring(place)
        text = "\n".join([signature, *docstring, *(lines or [self._indent(2) + "pass"])])
        self._place(place, text)

    def _docstring(self, place: ast.FunctionDef | None) -> list[str]:
        if place is not None and place.name == "__init__" and ast.get_docstring(place) is not None:
            return [self._indent(2) + self.source.segment(place.body[0])]
        return []

    def _indent(self, depth: int) -> str:
        return (
            self.source.line_indent(self.source.span(self.cls.node)[0])
            + self.source.indent_unit * depth
        )

    def _place(self, place: ast.FunctionDef | None, text: str) -> None:
        """Puts `__init__` where setup or `__init__` was, else before the first method."""
        if place is not None:
            start = self.source.span(place, decorators=True)[0]
            self.edits.replace((start, self.source.span(place)[1]), text.lstrip())
            return
        members = [s for s in self.cls.node.body if not self._is_field_statement(s)]
        first = next((s for s in members if isinstance(s, ast.FunctionDef)), None)
        if first is None:
            last = self.cls.node.body[-1]
            self.edits.insert_after(last, dedent_block(text))
            return
        self.edits.insert_before(first, dedent_block(text) + "\n\n")

    def _is_field_statement(self, statement: ast.stmt) -> bool:
        return isinstance(statement, ast.AnnAssign) and self._is_field(statement)

    def _is_field(self, statement: ast.AnnAssign) -> bool:
        return any(f.statement is statement for f in classes.fields(self.cls))

    def _bases(self) -> None:
        for base in self.cls.node.bases:
            value = self.interp.evaluate(base, self.cls.around)
            if isinstance(value, External) and self.interp.rules.is_framework(value.name):
                self.edits.replace(base, self.file_names.target("flax.nnx.Module"))
        for keyword in self.cls.node.keywords:
            if keyword.arg == "kw_only":
                self.edits.remove_item(self.cls.node, keyword)

    def _stored(self) -> dict[str, str]:
        """The text of each field that a method still reads, by attribute."""
        read = self._attributes_read() | self.interp.read_outside.get(self.cls.node, set())
        base = self.base
        read |= inheritance.attributes_read(self.cls, base.cls if base is not None else None)
        known: set[str] = set()
        if (
            self.study.framework == "haiku"
        ):  # what the base's constructor sets, this one may set anew
            read |= constructors.read_by_heirs(self.interp, self.cls)
        elif base is not None and base.reached:
            known = base.model.stored
        elif base is not None:
            read |= {
                name for c in classes.mro(base.cls) for name in inheritance.self_attributes(c.node)
            }
        return {
            attribute: self._storable(attribute, parameter)
            for attribute, parameter in self._field_names().items()
            if attribute in read and attribute not in self.flags.fields and attribute not in known
        }

    def _storable(self, attribute: str, parameter: str) -> str:
        """A stored list would make the graph definition unhashable: a sequence is stored as a tuple."""
        declared = next((f for f in classes.fields(self.cls) if f.name == attribute), None)
        written = ast.unparse(declared.annotation) if declared is not None else ""
        if written.startswith(("Sequence[", "List[", "list[", "typing.Sequence", "Iterable[")):
            return f"tuple({parameter})"
        return parameter

    def _attributes_read(self) -> set[str]:
        """The attributes of `self` that the edited methods read, and the constructor where a loop hides a field."""
        read: set[str] = set(self.transport.needs.kept_fields)
        for function in self._functions():
            if function.name in ("setup", "__init__"):
                continue
            text = self.edits.render((self.source.span(function)[0], self.source.span(function)[1]))
            try:
                tree = ast.parse(
                    dedent_block(self.source.line_indent(self.source.span(function)[0]) + text)
                )
            except SyntaxError:
                continue
            read |= {
                n.attr
                for n in ast.walk(tree)
                if isinstance(n, ast.Attribute)
                and isinstance(n.value, ast.Name)
                and n.value.id == "self"
            }
        return read

    def _signature(self, sizes: SizeNames, lines: Sequence[str]) -> str:
        """`def __init__(self, ...):`, empty where the class needs no constructor."""
        uses_rngs = any("rngs" in line for line in lines) or self._uses_child_rngs(lines)
        self.takes_rngs = uses_rngs
        params: list[tuple[str, str]] = [("self", "")]
        added = sizes.parameters()
        params += [(f"{a.name}: {a.annotation}", "") for a in added if not a.keyword_only]
        fields = self._field_parameters()
        required = [f for f in fields if not f[2]]
        params += [(text, comment) for text, comment, keyword_only in required]
        keyword_only = [f for f in fields if f[2]]
        tail = [(text, comment) for text, comment, _ in keyword_only]
        tail += [(f"{a.name}: int | None = None", "") for a in added if a.keyword_only]
        if uses_rngs:
            tail.append((f"rngs: {self.file_names.target('flax.nnx.Rngs')}", ""))
        if tail and self._vararg() is None:
            tail.insert(0, ("*", ""))
        params += tail
        if len(params) == 1 and not lines:
            return ""
        returns = None
        own = self._own("__init__")
        if own is not None and own.returns is not None:
            returns = self.source.segment(own.returns)
        indent = self._indent(1)
        return indent + layout.signature(
            "__init__",
            [text for text, _ in params],
            returns,
            indent=indent,
            unit=self.source.indent_unit,
            limit=self.limit,
            comments=[comment for _, comment in params],
        )

    def _vararg(self) -> ast.arg | None:
        own = self._own("__init__")
        return own.args.vararg if own is not None else None

    def _uses_child_rngs(self, lines: Sequence[str]) -> bool:
        return any("rngs=rngs" in line for line in lines)

    def _field_parameters(self) -> list[tuple[str, str, bool]]:
        """Text, comment and keyword-onlyness of each field's parameter."""
        if self.study.framework == "haiku":
            return self._haiku_parameters()
        found = []
        for declared in classes.fields(self.cls):
            if declared.name in self.flags.fields or declared.name in ("name", "parent"):
                continue
            source = declared.owner.module.source
            blank = classes.is_blank(declared.annotation)
            text = declared.name
            if not blank:
                text += f": {self._rewritten(declared.annotation, source)}"
            if declared.default is not None:
                text += ("=" if blank else " = ") + self._default_text(declared)
            statement = declared.statement
            comment = (
                self._comment_beside(statement, statement) if declared.owner is self.cls else ""
            )
            found.append((text, comment, declared.keyword_only))
        return found

    def _default_text(self, declared: classes.Field) -> str:
        assert declared.default is not None
        match declared.default:
            case ast.Call(keywords=keywords) if (
                ast.unparse(declared.default.func).split(".")[-1] == "field"
            ):
                for keyword in keywords:
                    if keyword.arg == "default":
                        return self._rewritten(keyword.value, declared.owner.module.source)
                    if keyword.arg == "default_factory":
                        raise CannotMove(
                            declared.default,
                            f"field `{declared.name}` has a default factory",
                            "give the field a plain default",
                        )
        return self._rewritten(declared.default, declared.owner.module.source)

    def _rewritten(self, node: ast.expr, source: object) -> str:
        """An annotation or default with the names in it rewritten."""
        if source is not self.source:
            return ast.unparse(node)
        return self.transport_factory(lambda n, o: n).expression(
            node, Scope(self.cls.node, set(), {}, {})
        )

    def _comment_beside(self, first: ast.AST, last: ast.AST) -> str:
        """The comment lines above a field or parameter, and the comment behind it."""
        above, behind = self.source.comments_beside(first, last)
        return "\n".join([*above, behind])

    def _haiku_parameters(self) -> list[tuple[str, str, bool]]:
        own = self._own("__init__")
        if own is None:
            return [
                (self._inherited_text(parameter), "", parameter.keyword_only)
                for parameter in self._inherited()
            ]
        found: list[tuple[str, str, bool]] = []
        spec = own.args
        positional = [*spec.posonlyargs, *spec.args][1:]
        defaults: list[ast.expr | None] = [None] * (len(positional) - len(spec.defaults))
        defaults += list(spec.defaults)
        for parameter, default in zip(positional, defaults, strict=True):
            if parameter.arg != "name":
                comment = self._comment_beside(parameter, default or parameter)
                found.append((self._parameter_text(parameter, default), comment, False))
        if spec.vararg is not None:
            found.append((f"*{self.source.segment(spec.vararg)}", "", False))
        for parameter, keyword_default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
            if parameter.arg != "name":
                comment = self._comment_beside(parameter, keyword_default or parameter)
                found.append((self._parameter_text(parameter, keyword_default), comment, True))
        return found

    def _inherited(self) -> list[constructors.Parameter]:
        """The parameters of the constructor that a Haiku class without one of its own has from its base."""
        constructs = self.base is not None and self.base.model.constructs
        return constructors.inherited(self.cls) if constructs else []

    def _inherited_text(self, parameter: constructors.Parameter) -> str:
        arg = parameter.arg
        found = constructors.initialiser(self.cls)
        near = found is not None and found[0].module is self.cls.module
        if not near:  # its annotation may need imports that this file does not have
            arg = ast.arg(arg=arg.arg, annotation=None)
        return self._parameter_text(arg, parameter.default)

    def _parameter_text(self, parameter: ast.arg, default: ast.expr | None) -> str:
        text = parameter.arg
        if parameter.annotation is not None:
            text += f": {self._rewritten(parameter.annotation, self.source)}"
        if default is not None:
            spaced = " = " if parameter.annotation is not None else "="
            text += spaced + self._rewritten(default, self.source)
        return text

    # ---- the model ----------------------------------------------------------------------------------------

    def _model(self, sizes: SizeNames) -> ModuleModel:
        model = ModuleModel(
            self.cls, self.study.framework, self.cls.name, self.cls.name, rewritten=True
        )
        model.added = sizes.parameters()
        for function, flags in self.flags.parameters.items():
            assert isinstance(function, ast.FunctionDef)
            model.modes[function.name] = dict(flags)
            model.mode_defaults[function.name] = {
                name: _default_of(function, name) for name in flags
            }
        model.field_modes = dict(self.flags.fields)
        if self.base is not None:
            self._inherit_model(model, self.base)
        places = self._places()
        model.totals = places.totals
        for site in self.sites:
            self._describe_site(model, site, places)
        model.sows = (
            any(v.kind == "sow" for made in self.study.facts.variables.values() for v in made)
            or any(child.sows for child in model.children.values())
            or (self.base is not None and self.base.model.sows)
        )
        model.writes_at_init = self._writes_at_init() or any(
            child.writes_at_init for child in model.children.values()
        )
        return model

    def _places(self) -> Places:
        """Where the variables of the sites are."""
        stand_ins = self.interp.project.functions

        def is_code(model: ModuleModel) -> bool:
            return isinstance(model.cls, Class) and (model.cls.module.path, model.name) in stand_ins

        return Places(
            self.interp,
            self.study.framework,
            self.sites,
            self.source.parents,
            self.models,
            {function.name: function for function in self._functions()},
            self._known_test,
            is_code,
        )

    @staticmethod
    def _inherit_model(model: ModuleModel, base: inheritance.Base) -> None:
        """What the base has and its subclass keeps."""
        for name, modes in base.model.modes.items():
            model.modes.setdefault(name, dict(modes))
            model.mode_defaults.setdefault(name, dict(base.model.mode_defaults.get(name, {})))
        if not base.reached:
            return
        model.holds |= base.model.holds
        model.streams |= base.model.streams
        model.collections.update(base.model.collections)
        model.attributes.update(base.model.attributes)
        model.children.update(base.model.children)
        model.variables += base.model.variables

    def _writes_at_init(self) -> bool:
        """Whether Linen's `init`, which runs the model, changes a variable of the user's own."""
        for node in ast.walk(self.cls.node):
            if (
                isinstance(node, ast.Attribute)
                and node.attr == "value"
                and isinstance(node.ctx, ast.Store)
                and not (isinstance(node.value, ast.Name) and node.value.id == "self")
            ) and not self._guarded_at_init(node):
                return True
        return False

    def _guarded_at_init(self, node: ast.AST) -> bool:
        current: ast.AST | None = node
        while current is not None and current is not self.cls.node:
            if isinstance(current, ast.If) and (
                "initializing" in ast.unparse(current.test)
                or self._known_test(current.test) is not None
            ):
                return True
            current = self.source.parents.get(current)
        return False

    @staticmethod
    def _note_cache(model: ModuleModel, site: Site) -> None:
        if isinstance(site.value, LayerObject) and _may_decode(site.value):
            model.holds.add("Cache")
            model.collections["cache"] = "nnx.Cache"
            model.notes.append(
                (
                    site.node,
                    "the cache of this attention is made by hand: Linen's `init` makes it from its inputs",
                    "call `init_cache(shape)` with the full length before decoding, then `decode` works as before",
                )
            )

    def _describe_site(self, model: ModuleModel, site: Site, places: Places) -> None:
        if site.variable is not None:
            if site.variable.kind == "rng":
                model.holds.add("RngState")
                model.streams.add(site.variable.name or "default")
                return
            collection = site.variable.collection
            if site.variable.kind != "param":
                kind = KNOWN_COLLECTIONS.get(collection) or self.writer.classes.get(
                    site.variable.name or "" if site.variable.kind == "state" else collection,
                    "Variable",
                )
                model.holds.add(kind.removeprefix("nnx."))
                model.collections[collection] = kind
            path = places.variable(site)
            model.attributes[site.variable.name or site.attribute] = path.target[0]
            model.variables.append(path)
            return
        source_name = places.source_name(site)
        model.attributes[source_name] = site.attribute + ("[{i}]" if site.loops else "")
        model.variables += [v for v in places.variables(site) if v not in model.variables]
        if site.rule is not None:
            self._note_cache(model, site)
            model.holds |= site.rule.holds
            if "RngState" in site.rule.holds:
                model.streams.add("dropout")
            return
        child = self._child(site)
        if child is not None:
            model.children[source_name] = child
            model.holds |= child.holds
            model.streams |= child.streams


def _may_decode(layer: LayerObject) -> bool:
    """Whether an attention layer may be one with a cache."""
    given = layer.arguments.get("decode", FALSE)
    return layer.rule.target == "flax.nnx.MultiHeadAttention" and given not in (FALSE, NONE)


def _only_defaults(value: ast.expr, field_name: str) -> bool:
    """Whether an expression is a field, or the field with something in place of None."""
    match value:
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return name == field_name
        case ast.BoolOp(op=ast.Or(), values=[first, *_]):
            return _only_defaults(first, field_name)
        case ast.IfExp(body=body, orelse=orelse):
            return _only_defaults(body, field_name) or _only_defaults(orelse, field_name)
    return False


def _default_of(function: ast.FunctionDef, name: str) -> bool | None:
    spec = function.args
    positional = [*spec.posonlyargs, *spec.args]
    pairs = list(
        zip(positional[len(positional) - len(spec.defaults) :], spec.defaults, strict=True)
    )
    pairs += [
        (a, d) for a, d in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if d is not None
    ]
    for parameter, default in pairs:
        if (
            parameter.arg == name
            and isinstance(default, ast.Constant)
            and isinstance(default.value, bool)
        ):
            return default.value
    return None


def _is_same_thing(one: Site, other: Site, framework: str) -> bool:
    """Whether two sites of one name make what the same calls use: in two branches, say."""
    if one.own_attribute is not None or one.variable is not None or one.built is not None:
        return True
    if list(map(id, one.loops[:1])) != list(map(id, other.loops[:1])):
        return False
    if one.explicit is not None and other.explicit is not None and framework == "linen":
        return True  # Linen would not have two of one name; Haiku counts on
    calls = {use.call for use in one.uses}
    return not calls or any(use.call in calls for use in other.uses)
