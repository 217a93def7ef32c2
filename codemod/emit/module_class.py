"""Rewrites one module class in place: fields become a constructor, sites attributes, the base nnx.Module."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..chains import constructs, is_own, stored_names
from ..edits import Edits, dedent_block
from ..model import built
from ..model.filled import Filled, changed_attributes, changes
from ..model.module import AddedParameter, ModuleModel
from ..model.presence import decided_by_test
from ..model.sites import Site, find
from ..model.study import Study
from ..shapes import classes
from ..shapes.dims import Choice, Expression, Listed, Origin, Output, Running, is_of_turn
from ..shapes.interpreter import Interpreter
from ..shapes.lifts import Lifted
from ..shapes.scanned_methods import scanned
from ..shapes.values import (
    Array,
    Class,
    External,
    Function,
    Items,
    LayerObject,
    Object,
    Partial,
    Value,
    as_dim,
    from_dim,
)
from ..signatures import written_arguments
from . import (
    asked,
    call_made,
    constructors,
    inheritance,
    layout,
    made_first,
    plain_values,
    stored,
    streams,
    turns,
    unwritable,
)
from .added import argument_value, handed_on
from .agreement import Measured, agreed
from .brackets import bare
from .changing_names import refuse_changing_names, run_apart, runs_once
from .choices import Choices
from .class_model import Describer
from .class_tests import edit_class_tests
from .computed_once import refuse_computed_once
from .construct import Constructor
from .enclosing import refuse_changes
from .file_names import FileNames
from .flags import Flags, decide, inherit, inherited_modes
from .init_body import InitBody
from .known_tests import KnownTests
from .layer_attributes import edit_layer_attributes
from .left_out import refuse_left_out
from .list_orders import refuse_changed_lists, refuse_other_orders
from .method_context import MethodContext
from .method_edits import edit_method
from .places import Places
from .read_variables import read_variables
from .renaming import rename_within
from .scans import scan_method
from .signature import Signature
from .site_names import SiteNames
from .sizes import SizeNames, merged_inputs
from .stale import Stale
from .told_inside import told_inside, with_layers
from .transport import CannotMove, Scope, Transport, scope_of
from .variables import VariableWriter


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
        self.source = self.edits.source
        self.sites = find(self.study, self.source.parents)
        self.base = inheritance.base_of(self.study, self.models)
        self.built = built.find(self.sites, self.source.parents)
        self.fills, self.changed = self._changed_attributes()
        if self.study.framework == "haiku":
            unwritable.refuse_changing_attributes(self._functions())
            unwritable.refuse_drawn_keys(self._functions(), self.file_names.qualified)
        unwritable.refuse_changing_objects(self._functions(), self.study)
        unwritable.refuse_sites(self.study, self.sites, self.base, self.models, self.interp.project)
        refuse_computed_once(
            self.cls, self._functions(), self.sites, self.study.facts, self.source.parents
        )
        refuse_changed_lists(self._functions(), self.study.facts)
        refuse_left_out(self._functions(), self.study.facts)
        refuse_changing_names(self.sites, self.cls.node, self.source.parents)
        refuse_changes(self.cls.node, self.interp, self.models, self.file_names.qualified)
        self._site_names().choose()
        self.flags = (
            Flags()
            if self.keep_flags
            else decide(self.study, self.sites, self.models, self.source.parents)
        )
        if self.base is not None:
            inherit(self.flags, self.study, self.base.model)
        self.call_made = call_made.CallMade(
            self.edits,
            call_made.find(self.sites, self._functions(), self.source.parents),
            self.source.parents,
        )
        self.known = KnownTests(
            self.flags,
            self._functions(),
            self._made_first(),
            self.file_names.qualified,
            self.source.parents,
        )
        self.late = self._late()
        if self.late:
            self.sites = [site for site in self.sites if site.node not in self.late]
            for site in self.sites:
                site.attribute = ""
            self._site_names().choose()
        if self.original_names and self.study.framework == "linen":
            self._site_names().keep(self._places())
        self.writer = VariableWriter(
            self.transport_factory(lambda name, origin: name),
            self.study.framework,
            dict(self.variable_classes),
        )
        self.writer.numpy = self.file_names.numpy

    def _made_first(self) -> list[Site]:
        """The sites of what the constructor makes: all but the variables that a call makes."""
        return [site for site in self.sites if site not in self.call_made.sites]

    def _late(self) -> dict[ast.Call, str]:
        """The calls that stay functions, as only a run knows what their layers would be made with."""
        found: dict[ast.Call, str] = {}
        for site in self.sites:
            if site.rule is None or not site.rule.late:
                continue
            given = written_arguments(site.rule.signature, site.node)
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
        if any(is_of_turn(origin) for origin in self.transport.needs.symbols.values()):
            self._write_body(draft)  # and those that lists of sizes, and changed names, need
        self.telling = self._asked_sites()
        needs = merged_inputs(self.interp.symbols, self.study, self.transport.needs)
        sizes = SizeNames(self.interp.symbols, self.study, needs=needs)
        body = self._write_body(sizes)
        if sizes.clashes:
            needs = self.transport.needs.symbols
            sizes = SizeNames(self.interp.symbols, self.study, needs=needs, apart=sizes.clashes)
            body = self._write_body(sizes)
        if not self._asked_sites() <= self.telling:  # for what a turn of a loop has changed
            self.telling = self._asked_sites()
            body = self._write_body(sizes)
        self.renamed = self._hiding_locals()
        hidden = built.set_apart(self.built, set(self._field_names().values()), self.cls.node)
        if hidden or self.renamed:
            body = self._write_body(sizes)
        needed = self.transport.needs.symbols
        unwritable.refuse_foreign_sizes(self.study, self._field_names(), needed)
        body = made_first.in_order(body)
        unwritable.refuse_early_reads(self.cls.node, self.sites, body)
        unwritable.refuse_stale_sizes(self.body)
        unwritable.refuse_unmoved_counters(self.body)
        if self.body.needed_running():
            refuse_other_orders(self._functions(), self.study.facts)
        describer = self._describer()
        added = with_layers(
            self.interp, self.study.facts, self.sites, sizes.needed, sizes.parameters()
        )
        model = describer.model(added)
        if self.call_made.sites:
            model.makes_in_calls = model.writes_at_init = True
        model.sown_unread = model.sows and asked.sown_unread(self.interp.project, self.cls)
        model.names_axes = asked.names_axes(self.interp.project, self.cls)
        moved = self.body.moved
        changes = self._method_context(moved)
        for function in self._functions():
            edit_layer_attributes(function, self.edits, self.study.facts, self.source.parents)
            edit_class_tests(function, self.edits, self.study.facts, self.file_names.names_layer)
            if not constructs(function):
                self.call_made.run(function)
                edit_method(changes, function)
                read_variables(
                    function,
                    model,
                    self.edits,
                    self.study.facts,
                    self.models,
                    self.source.parents,
                    self.file_names.target,
                )
        self._class_edits(body, sizes, model)
        describer.constructor(model, self.stored, self.takes_rngs, self.constructs)
        helpers = self.constructor.helpers | self.writer.helpers | changes.helpers
        return Emitted(model, self.writer.classes, helpers)

    def transport_factory(self, name_symbol: Callable[[str, Origin], str]) -> Transport:
        return Transport(
            self.source,
            self.study.facts,
            self.interp.symbols,
            self._field_names(),
            self.file_names.rewrite,
            name_symbol,
            self.file_names.target,
            self.known.in_constructor,
            presence=self._presence(),
            changed=self.changed,
            late=constructors.set_late(self.cls)
            if self.study.framework == "haiku"
            else frozenset(),
            of_locals=self._of_locals(),
        )

    def _of_locals(self) -> dict[str, str]:
        """The attributes of a function's class that hold what the function computed before it was called."""
        stands_in = (self.cls.module.path, self.cls.name) in self.interp.project.functions
        return constructors.of_locals(self.cls) if stands_in else {}

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

    def _field_names(self) -> dict[str, str]:
        if self.study.framework == "linen":
            return {f.name: f.name for f in classes.fields(self.cls)}
        return self._plain_assignments()

    def _plain_assignments(self) -> dict[str, str]:
        """Haiku: attributes that `__init__` sets to one of its parameters as it is, and to nothing else."""
        initialiser = self._own("__init__")
        if initialiser is None:
            return {}
        parameters = {a.arg for a in [*initialiser.args.args, *initialiser.args.kwonlyargs]}
        parameters -= stored_names(initialiser)  # one that is set anew is no longer as it is
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
        stored = Counter(node.attr for node in changes(initialiser) if is_own(node))
        return {name: parameter for name, parameter in found.items() if stored[name] == 1}

    def _own(self, name: str) -> ast.FunctionDef | None:
        return next((f for f in self._functions() if f.name == name), None)

    def _functions(self) -> list[ast.FunctionDef]:
        return [node for node in self.cls.node.body if isinstance(node, ast.FunctionDef)]

    # ---- the parts of the work ---------------------------------------------------------------------------

    def _site_names(self) -> SiteNames:
        return SiteNames(
            self.interp,
            self.study,
            self.sites,
            self.built,
            self._functions(),
            self._field_names(),
            self.base.model.names if self.base is not None else (),
        )

    def _choices(self) -> Choices:
        return Choices(
            self.interp,
            self.study,
            self.sites,
            self._functions(),
            self.base,
            self.fills,
            self._constructing,
            self.source.parents,
        )

    def _signature(self) -> Signature:
        transport = self.transport_factory(lambda name, origin: name)
        scope = Scope(self.cls.node, set(), {}, {})
        return Signature(
            self.cls,
            self.study.framework,
            self.source,
            frozenset([*self.flags.fields, "name", "parent"]),
            self.base is not None and self.base.model.constructs,
            lambda node: transport.expression(node, scope),
            self.file_names.target("flax.nnx.Rngs"),
            self.limit,
        )

    def _describer(self) -> Describer:
        return Describer(
            self.study,
            self.sites,
            self.flags,
            self.base,
            self.models,
            self._places(),
            self.known,
            self.writer.classes,
            self.source.parents,
        )

    # ---- sizes ----------------------------------------------------------------------------------------

    def _asked_sites(self) -> set[ast.Call]:
        """The sites whose modules are asked for the size of what they return."""
        origins = self._with_running(self.transport.needs.symbols)
        return {origin.site for origin in origins if isinstance(origin, Output)}

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
            text = bare(self.transport.size(dim, self.cls.node))
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
        """Moved locals that have the name of a field, and another value, while a size still asks for the field.

        In Haiku, the name of a parameter of the constructor: what was an attribute of its own reads that there.
        """
        plain = self._field_names()
        fields = set(plain.values())
        asked = {
            word
            for origin in self._with_running(self.transport.needs.symbols)
            if isinstance(origin, Expression) and not turns.changes(origin)
            for word in re.findall(r"(?<![\w.])\w+", origin.text)
        }
        own = self._own("__init__") if self.study.framework == "haiku" else None
        stay = set(ast.walk(own)) if own is not None else set()
        asked = asked if self.study.framework == "linen" else fields
        taken = {n.id for n in ast.walk(self.cls.node) if isinstance(n, ast.Name)} | fields
        found: dict[str, str] = {}
        for statement in self.transport.needs.statements:
            if statement in stay:
                continue
            for name in _assigned(statement) & fields & asked:
                attributes = {at for at, parameter in plain.items() if parameter == name}
                value = getattr(statement, "value", None)
                if value is None or not any(_only_defaults(value, at) for at in attributes):
                    found[name] = f"{name}_"
                    while found[name] in taken:
                        found[name] += "_"
        return found

    # ---- the constructor ----------------------------------------------------------------------------------

    def _write_body(self, sizes: SizeNames) -> list[str]:
        self.sizes = sizes
        self.transport = self._transport(sizes, getattr(self, "transport", None))
        self.stale = Stale(
            self.interp.symbols, self.study.facts, self.source.parents, self._made_first()
        )
        self.transport.current = self.stale.instead
        shared = streams.shared(self.sites, self.source.parents)
        self.writer.begin(self.transport, shared if self.study.framework == "linen" else ())
        self.constructor = Constructor(
            self.interp,
            self.transport,
            self.file_names.target,
            self._size_of,
            lambda node: self.file_names.qualified(node) is not None,
            self.flags.is_mode,
            models=self.models,
        )
        self.transport.partial = self.constructor.partial
        indent = self.source.line_indent(self.source.span(self.cls.node)[0]) + (
            self.source.indent_unit * 2
        )
        self.body = self._init_body(sizes, indent)
        self.scopes = {function: scope_of(function) for function in self._functions()}
        for function, scope in self.scopes.items():
            if function.name == "__init__":
                scope.parameters.clear()  # the new constructor has them too
        self.super_lines = self._super_call(indent)
        lines: list[str] = []
        for function in self._constructing():
            whole = constructs(function)
            lines += self.body.method(function, self.scopes[function], whole)
        lines += self.body.rest()
        if any(self._draws_at_call(site) for site in self.sites):
            lines.append(f"{self._indent(2)}self.rngs = rngs.fork()")
        for attribute in self.writer.shared:
            lines.append(f"{self._indent(2)}self.{attribute} = rngs.{shared[attribute]}.fork()")
        told, late = self._told_output()
        return [*lines, *told] if late else [*told, *lines]

    def _transport(self, sizes: SizeNames, previous: Transport | None) -> Transport:
        """What carries expressions into the constructor, with what an earlier attempt at it found to be needed."""
        choices = self._choices()
        transport = choices.transport = self.transport_factory(sizes.text(choices.text))
        if previous is not None:
            transport.needs.statements.update(previous.needs.statements)
            # What stands behind a loop may be the first to ask for a size that the loop has to carry along.
            transport.needs.symbols.update(
                {
                    name: origin
                    for name, origin in previous.needs.symbols.items()
                    if isinstance(origin, Running | Listed)
                }
            )
        transport.substitutes.update(
            {read: each.text for each in self.built for read in each.reads}
        )
        transport.renamed = self.renamed
        transport.locals = {
            (site.function, site.alias) for site in self.sites if site.local and site.alias
        }
        return transport

    def _init_body(self, sizes: SizeNames, indent: str) -> InitBody:
        body = InitBody(
            self.transport,
            self.constructor,
            self.writer,
            self._made_first(),
            self._child,
            self.source,
            self.limit,
            indent,
            sizes.running,
            self.stale,
            sizes.overwritten.add,
            self._keep,
            self.known.in_method,
            self.built,
            self.telling,
            {fill.statement: fill for fill in self.fills},
            plain_values.starts(
                self._functions(), self.sites, self.study.facts, self.source.parents
            ),
            self.file_names.target("flax.nnx.data"),
        )
        body.rngs_bound = self._local_partials()
        return body

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
            unit=self.source.hanging_indent,
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
        """Locals that hold a partial of a layer and are only called: they bind `rngs=rngs`.

        Layers that are stacked draw from streams of their own, which no partial above them has.
        """
        stacked = {
            site.node.func.id
            for site in self.sites
            if isinstance(site.node.func, ast.Name)
            and isinstance(lift := self.interp.lifted.get(site.node), Lifted)
            and lift.stacked
        }
        return {
            site.node.func.id
            for site in self.sites
            if isinstance(site.node.func, ast.Name)
            and self._is_partial(site)
            and site.node.func.id in scope_of(site.function).assignments
            and self._only_called(site.node.func.id, site.function)
        } - stacked

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
            given = use.args, use.kwargs
            value = argument_value(self.interp, owner.cls, added, *given, owner)
            value = value or handed_on(self.interp, self.study.root, owner, added, *given)
            dim = as_dim(value) if value else told_inside(self.interp, added, use)
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

    # ---- edits of the class -----------------------------------------------------------------------------

    def _unset(self) -> set[str]:
        """The attributes that the source's constructor may set to None."""
        return {
            target.attr
            for function in self._functions()
            if constructs(function)
            for node in ast.walk(function)
            if isinstance(node, ast.Assign | ast.AnnAssign)
            and node.value is not None
            and any(map(plain_values.is_none, plain_values.arms_of(node.value)))
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Attribute)
        }

    def _method_context(self, moved: set[ast.stmt]) -> MethodContext:
        self.constructor.refuse_handed_flags(self.cls.node)
        return MethodContext(
            self.interp,
            self.edits,
            self.study.facts,
            self._made_first(),
            self.flags,
            self.models,
            moved,
            self.source.parents,
            self._variable_text,
            self.known.in_method,
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
        parents = self.source.parents
        made = [
            site
            for site in self.sites
            if site.made and not run_apart(function, site.function, self.cls.node, parents)
        ]
        named = [ast.dump(site.explicit) if site.explicit is not None else "" for site in made]
        own = [n for n, site in zip(named, made, strict=True) if site.function is function]
        modules = any(not name or named.count(name) > 1 for name in own)
        modules = modules or (bool(own) and not runs_once(function, self.cls.node, parents))
        return kind in ("compact", "nowrap") or (kind == "transparent" and not modules)

    def _scanned(self, function: ast.FunctionDef, model: ModuleModel) -> None:
        """A method under `nn.scan` is one under `nnx.scan`, to which the module is an argument like any other."""
        if self.study.framework != "linen":
            return
        found = scanned(self.interp, Function(function, self.cls.environment, self.cls))
        if found is None:
            return
        if model.holds or model.sows:
            raise CannotMove(
                found.decorator,
                "a scanned method of a module that holds more than parameters",
                "write the scan by hand, with nnx.StateAxes for what each step changes or draws",
            )
        scan_method(self.edits, found)

    def _class_edits(self, body: list[str], sizes: SizeNames, model: ModuleModel) -> None:
        node = self.cls.node
        self._bases()
        for function in self._functions():
            for decorator in function.decorator_list:
                if self._says_nothing(function, decorator):
                    self.edits.remove_item(function, decorator)
            self._scanned(function, model)
        self.stored = self._stored()
        early, body, late = self._with_stored(body)
        absent = f"{self.file_names.target('flax.nnx.data')}(None)" if self.call_made.sites else ""
        asked_for = [f"{self._indent(2)}self.{a} = {absent}" for a in self.call_made.attributes()]
        own = [*early, *body, *late, *asked_for]
        lines = stored.spaced([*self.super_lines, *own])
        inherits = not any(own) and self._inherits_constructor(sizes)
        if inherits and self.base is not None:
            self.takes_rngs = self.base.model.takes_rngs
            self.constructs = False
        else:
            self.takes_rngs = any("rngs" in line for line in lines)
            constructor = self._signature()
            parameters = constructor.parameters(sizes.parameters(), self.takes_rngs)
            self.constructs = len(parameters) > 1 or bool(lines)
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
        if not self.constructs:
            if place is not None:
                self.edits.delete_statement(place)
            return
        docstring = self._docstring(place)
        signature = constructor.text(parameters, self._indent(1))
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
        # What the base's constructor sets, this one may set anew.
        if self.study.framework == "haiku":
            read |= constructors.read_by_heirs(self.interp, self.cls)
        elif base is not None and base.reached:
            known = base.model.stored
        elif base is not None:
            read |= {
                name for c in classes.mro(base.cls) for name in inheritance.self_attributes(c.node)
            }
        return {
            attribute: stored.storable(
                self.cls,
                self.study.facts,
                self._type,
                self.file_names.target,
                attribute,
                parameter,
            )
            for attribute, parameter in self._field_names().items()
            if attribute in read and attribute not in self.flags.fields and attribute not in known
        }

    def _with_stored(self, body: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
        """The lines that keep parameters at the top, the body with those that stand in it, and what is kept last."""
        unread = {
            f"{self._indent(2)}self.{attribute} = {local}"
            for attribute, local in self._of_locals().items()
            if attribute not in self._attributes_read()
        }
        late = {fill.attribute for fill in self.fills}
        early = {name: text for name, text in self.stored.items() if name not in late}
        body, found = stored.in_place(body, self.body.placed, early, unread)

        def lines(wanted: Callable[[str], bool]) -> list[str]:
            names = filter(wanted, self.stored)
            return [f"{self._indent(2)}self.{name} = {self.stored[name]}" for name in names]

        return lines(lambda n: n not in found and n not in late), body, lines(lambda n: n in late)

    def _type(self, node: ast.expr) -> Value | None:
        return self.interp.peek_name(node, self.cls.around)

    def _attributes_read(self) -> set[str]:
        """The attributes of `self` that the edited methods read, and the constructor where a loop hides a field."""
        read: set[str] = set(self.transport.needs.kept_fields)
        for function in self._functions():
            if constructs(function):
                continue
            text = self.edits.render((self.source.span(function)[0], self.source.span(function)[1]))
            try:
                tree = ast.parse(
                    dedent_block(self.source.line_indent(self.source.span(function)[0]) + text)
                )
            except SyntaxError:
                continue
            read |= inheritance.self_attributes(tree)
        return read

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
            self.known.in_method,
            is_code,
        )


def _assigned(statement: ast.stmt) -> set[str]:
    """The names that a statement assigns."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}


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
