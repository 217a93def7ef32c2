"""Edits the methods that stay: sites become attributes, flags go, statements that only fed sites go."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..chains import is_own
from ..edits import Edits
from ..model.built import BuiltList
from ..model.filled import Filled
from ..model.module import ModuleModel
from ..model.sites import Comprehension, Site, only_made, walk_own
from ..rule import Around, Drop, Layer, Method, Mode, Refuse, To, Use, Written
from ..shapes import classes
from ..shapes.calls import use_of
from ..shapes.facts import Facts, Used
from ..shapes.interpreter import Interpreter
from ..shapes.lifts import Lifted, Mapped, Scanned
from ..shapes.values import Either, External, LayerObject, Object, Partial
from ..signatures import is_unpacked
from .arms import arms
from .construct import CallMode
from .flags import Flags
from .guards import simplify
from .joining import join_calls
from .names import singular
from .scans import ScanWriter
from .transport import CannotMove, NeedsFlags, changed


@dataclass
class MethodEdits:
    """Records the edits of one class's methods."""

    interp: Interpreter
    edits: Edits
    facts: Facts
    sites: Sequence[Site]
    flags: Flags
    models: Mapping[ast.AST, ModuleModel]
    moved: set[ast.stmt]
    parents: Mapping[ast.AST, ast.AST]
    framework: str
    variable_text: Callable[[Site], str]
    known: Callable[[ast.expr], bool | None]
    limit: int = 100
    built: Sequence[BuiltList] = ()
    inherited: Callable[[ast.Call], tuple[list[str], dict[str, str]] | None] = lambda call: None
    at_call: Mapping[ast.Call, Sequence[CallMode]] = field(default_factory=dict)
    fills: Sequence[Filled] = ()
    late: Mapping[ast.Call, str] = field(default_factory=dict)
    rename: Callable[[ast.AST], None] = lambda node: None  # what rules rename, in code that moves
    gone: set[ast.AST] = field(default_factory=set)
    helpers: set[str] = field(default_factory=set)  # that calls were given to
    unset: Collection[str] = ()  # attributes that the constructor may set to None
    flat: dict[ast.For, tuple[Site, str]] = field(default_factory=dict)  # loops to be made one

    def run(self, function: ast.FunctionDef) -> None:
        """Edits one method."""
        for fill in self.fills:
            if fill.function is function:
                self.edits.delete_statement(fill.statement, with_comments=True)
                self.gone.update(ast.walk(fill.statement))
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            if call in self.late:
                self.edits.replace(call.func, self.late[call])
                self.gone.update(ast.walk(call.func))
                self.helpers.add(self.late[call])
        self._built_lists(function)
        own = [
            site
            for site in self.sites
            if site.function is function and site.built is None and not self._inner(site)
        ]
        for loop, sites in self._by_loop(own).items():
            self._loop(function, loop, sites)
        for site in own:
            if not any(isinstance(loop, ast.For) for loop in site.loops):
                self._site(function, site)
        for site in self.sites:
            if (
                site.function in self.interp.stacked
                and self._statement(self.parents[site.function]) is function
            ):
                self._stack(function, site)
        self._own_variables(function)
        self._set_states(function)
        self._calls(function)
        self._guards(function)
        self._flag_parameters(function)
        self._dead_statements(function)
        calls = (node for node in ast.walk(function) if isinstance(node, ast.Call))
        join_calls(self.edits, [call for call in calls if call.func in self.gone], self.limit)
        for loop, (site, name) in self.flat.items():
            self._flatten(loop, site, name)
        self.flat.clear()

    def _built_lists(self, function: ast.FunctionDef) -> None:
        """A list that was filled with layers is an attribute; what filled it has moved."""
        for built in self.built:
            if built.function is not function:
                continue
            for statement in built.statements:
                self.edits.delete_statement(statement, with_comments=True)
                self.gone.add(statement)
            self._drop_loops(function)
            for read in built.reads if built.kept else ():
                if not self._is_gone(read):
                    self.edits.replace(read, built.text)
                    self.gone.add(read)

    def _drop_loops(self, function: ast.FunctionDef) -> None:
        """Loops and branches whose statements have all gone, innermost first."""
        blocks = [n for n in ast.walk(function) if isinstance(n, ast.For | ast.If)]
        for node in blocks[::-1]:
            if all(s in self.gone for s in [*node.body, *node.orelse]):
                self.edits.delete_statement(node)
                self.gone.add(node)

    def _inner(self, site: Site) -> bool:
        """Whether a site is an argument of another's constructor."""
        node: ast.AST = site.node
        nodes = {
            other.node
            for other in self.sites
            if other is not site and not (self._is_inline(other) and site.variable is None)
        }
        while node in self.parents and not isinstance(node, ast.stmt):
            below, node = node, self.parents[node]
            if node in nodes and below is not getattr(node, "func", None):
                return True
        return False

    @staticmethod
    def _is_inline(site: Site) -> bool:
        return site.rule is not None and site.rule.inline

    # ---- sites ------------------------------------------------------------------------------------

    def _site(self, function: ast.FunctionDef, site: Site) -> None:
        text = f"self.{site.attribute}"
        if site.variable is not None:
            self._variable(function, site)
            return
        if site.alias is not None:
            self._alias(function, site, text)
            return
        comprehension = next((loop for loop in site.loops if isinstance(loop, Comprehension)), None)
        if comprehension is not None:
            self.edits.replace(comprehension, text)
            self.gone.add(comprehension)
            return
        rule = site.rule
        if rule is not None and rule.inline:
            self._inline(site, text)
            return
        lift = self.interp.lifted.get(site.node)
        above = self.parents[site.node]
        if isinstance(lift, Lifted):
            if not (isinstance(above, ast.Call) and above.func is site.node):
                raise CannotMove(
                    site.node,
                    "a scanned or mapped module that is not called where it is made",
                    "call it there",
                )
            local = singular(site.attribute) if lift.stacked else site.attribute
            self._lifted(site, above, lift, local, text)
            self.gone.add(site.node)
            return
        self.edits.replace(site.node, text)
        self.gone.add(site.node)

    def _alias(self, function: ast.FunctionDef, site: Site, text: str) -> None:
        """A local that held the layer, or a list of layers, goes; its uses read the attribute."""
        if site.statement in self.gone:
            return
        if self._bound_otherwise(function, site):
            value = getattr(site.statement, "value", site.node)
            self.edits.replace(value, text)
            self.gone.add(value)
            return
        self.edits.delete_statement(
            site.statement,
            with_comments=site.statement in self.moved or only_made(site),
        )
        self.gone.add(site.statement)
        others = [
            s for s in self.sites if s.alias == site.alias and s.statement is not site.statement
        ]
        for name in ast.walk(function):
            if (
                isinstance(name, ast.Name)
                and name.id == site.alias
                and isinstance(name.ctx, ast.Load)
            ) and not self._is_gone(name):
                if others and not self._reads(name, site):
                    continue
                if not self._scan_call(site, name, text):
                    self.edits.replace(name, text)

    def _bound_otherwise(self, function: ast.FunctionDef, site: Site) -> bool:
        """Whether a branch gives the local something that the module does not make: then the local stays."""
        made = {s.statement for s in self.sites if s.alias == site.alias}
        if site.variable is not None or isinstance(self.interp.lifted.get(site.node), Lifted):
            return False
        other = [
            node
            for node in ast.walk(function)
            if isinstance(node, ast.Name)
            and node.id == site.alias
            and isinstance(node.ctx, ast.Store)
            and self._statement(node) not in made
        ]
        return bool(other) and isinstance(self.parents[site.statement], ast.If)

    def _reads(self, name: ast.Name, site: Site) -> bool:
        """Whether what a site makes is what a name stands for at some place."""
        values = self.facts.values.get(name, [])
        made = [each.value for each in site.made]
        return any(
            option is value
            for each in values
            for option in (each.values if isinstance(each, Either) else (each,))
            for value in made
        )

    def _scans(self) -> ScanWriter:
        return ScanWriter(self.edits, self.limit)

    def _statement(self, node: ast.AST) -> ast.stmt:
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    def _stack(self, function: ast.FunctionDef, site: Site) -> None:
        """A nested function of stacked layers: it scans over them, and its calls hand them over."""
        inner = site.function
        assert isinstance(inner, ast.FunctionDef)
        local = singular(site.attribute)
        self._scans().stack(inner, inner.decorator_list[0], local)
        self.gone.add(inner.decorator_list[0])
        self.edits.replace(site.node, local)
        self.gone.add(site.node)
        for node in ast.walk(function):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == inner.name
            ):
                self.edits.add_item(node, f"self.{site.attribute}")

    def _lifted(self, site: Site, call: ast.Call, lift: Lifted, local: str, attribute: str) -> None:
        """The call of a lifted module, with the transform and the module as its argument."""
        if isinstance(lift, Scanned):
            self._scans().call(self._statement(call), call, lift, local, attribute)
        elif isinstance(lift, Mapped):
            child = self.models.get(site.value.cls.node) if isinstance(site.value, Object) else None
            if not lift.stacked and child is not None and child.holds:
                raise CannotMove(
                    call, "a mapped module with state that all indices share", "map it by hand"
                )
            self._scans().mapped(self._statement(call), call, lift, local, attribute)

    def _scan_call(self, site: Site, name: ast.Name, text: str) -> bool:
        """A call of a scanned module, or `hk.scan` of a module: the transform moves to the call."""
        above = self.parents[name]
        if not isinstance(above, ast.Call):
            return False
        lift = self.interp.lifted.get(site.node)
        if isinstance(lift, Lifted) and above.func is name:
            self._lifted(site, above, lift, str(site.alias), text)
            return True
        if (
            len(above.args) == 3
            and above.args[0] is name
            and self.facts.value(above.func) == External("haiku.scan")
        ):
            self._scans().haiku(self._statement(above), above, str(site.alias), text)
            return True
        return False

    def _inline(self, site: Site, text: str) -> None:
        """A layer made and applied in one call: the call stays, with its inputs alone."""
        assert site.rule is not None
        given: dict[str, ast.expr | ast.keyword] = dict(
            zip(site.rule.signature, site.node.args, strict=False)
        )
        given.update({k.arg: k for k in site.node.keywords if k.arg})
        self.edits.replace(site.node.func, text)
        self.gone.add(site.node.func)
        for name, item in given.items():
            if name not in site.rule.inputs:
                self.edits.remove_item(site.node, item)
                self.gone.add(item)
            elif isinstance(item, ast.keyword):
                start, _ = self.edits.source.span(item)
                self.edits.delete((start, self._start(item.value)))

    def _variable(self, function: ast.FunctionDef, site: Site) -> None:
        text = self.variable_text(site)
        assert site.variable is not None
        if site.variable.kind == "variable" and site.alias is not None:
            self.edits.delete_statement(site.statement, with_comments=only_made(site))
            self.gone.add(site.statement)
            for node in ast.walk(function):
                if (
                    isinstance(node, ast.Attribute)
                    and node.attr == "value"
                    and isinstance(node.value, ast.Name)
                ) and node.value.id == site.alias:
                    self.edits.replace(node, text)
                    self.gone.add(node)
            return
        if site.variable.kind == "variable":
            above = self.parents[site.node]
            target: ast.AST = (
                above if isinstance(above, ast.Attribute) and above.attr == "value" else site.node
            )
            self.edits.replace(target, text)
            return
        self.edits.replace(site.node, text)
        self.gone.add(site.node)

    def _own_variables(self, function: ast.FunctionDef) -> None:
        """Reads of variables that the source itself kept on `self`."""
        kept = {
            s.own_attribute: s
            for s in self.sites
            if s.variable is not None and s.own_attribute is not None
        }
        for node in ast.walk(function):
            if is_own(node):
                site = kept.get(node.attr)
                if site is None or site.variable is None or self._is_gone(node):
                    continue
                above = self.parents[node]
                inner = (
                    isinstance(above, ast.Attribute)
                    and above.attr == "value"
                    and site.variable.kind == "variable"
                )
                text = self.variable_text(site)
                if node.attr in self.unset:
                    if isinstance(above, ast.Compare) and _is_none_test(above):
                        continue
                    if isinstance(above, ast.Call | ast.keyword | ast.Assign | ast.Return):
                        text = f"{text} if self.{node.attr} is not None else None"
                self.edits.replace(above if inner else node, text)

    def _set_states(self, function: ast.FunctionDef) -> None:
        """`hk.set_state(name, value)` assigns to the variable of that name."""
        attributes = {s.variable.name: s.attribute for s in self.sites if s.variable is not None}
        for node in ast.walk(function):
            made = self.facts.variables.get(node, [])
            if not isinstance(node, ast.Call) or not made or made[-1].kind != "set_state":
                continue
            given = [*node.args, *[k.value for k in node.keywords]]
            attribute = attributes.get(made[-1].name)
            if attribute is None or not isinstance(self.parents[node], ast.Expr) or len(given) != 2:
                raise CannotMove(
                    node,
                    "state that is set but never read with an initial value",
                    "read it first with `hk.get_state(..., init=)`",
                )
            self.edits.replace(node, f"self.{attribute}[...] = {self.edits.render(given[1])}")

    # ---- loops ------------------------------------------------------------------------------------

    def _by_loop(self, sites: Sequence[Site]) -> dict[ast.For, list[Site]]:
        found: dict[ast.For, list[Site]] = {}
        for site in sites:
            outer = next((loop for loop in site.loops if isinstance(loop, ast.For)), None)
            if outer is not None:
                found.setdefault(outer, []).append(site)
        return found

    def _loop(self, function: ast.FunctionDef, loop: ast.For, sites: list[Site]) -> None:
        """A loop that made layers runs over the lists that hold them."""
        if any(len(site.loops) > 1 or self._is_conditional(site) for site in sites):
            self._iterators(function, loop, sites)
            return
        names = {site.attribute for site in sites}
        index, start = self._index_name(loop)
        read = self._names_read(loop, sites)
        if len(names) == 1 and not (
            self._target_names(loop) & read - ({index} if index else set())
        ):
            self._over_one(loop, sites[0], index if index in read else None, start, function)
        elif index is not None and not start:
            for site in sites:
                self._element(function, loop, site, f"self.{site.attribute}[{index}]")
        else:
            self._zipped(function, loop, sites, read)

    def _is_conditional(self, site: Site) -> bool:
        """Whether some turns of a loop may go without what a site makes."""
        if isinstance(self.parents[site.statement], ast.If):
            return True
        child = self.models.get(site.value.cls.node) if isinstance(site.value, Object) else None
        tests = [arm.node.test for arm in arms(site, child, self.parents)]
        return any(self.known(test) is None for test in tests)

    def _index_name(self, loop: ast.For) -> tuple[str | None, int]:
        """The name that counts the turns, where the loop has one, and what it counts from."""
        match loop.target, loop.iter:
            case ast.Name(id=name), ast.Call(func=ast.Name(id="range"), args=[_]):
                return name, 0
            case ast.Name(id=name), ast.Call(
                func=ast.Name(id="range"), args=[ast.Constant(value=int(start)), _]
            ):
                return name, start
            case ast.Tuple(elts=[ast.Name(id=name), _]), ast.Call(
                func=ast.Name(id="enumerate"), args=[_], keywords=[]
            ):
                return name, 0
            case ast.Tuple(elts=[ast.Name(id=name), _]), ast.Call(
                func=ast.Name(id="enumerate"),
                args=[_, ast.Constant(value=int(start))],
                keywords=[],
            ):
                return name, start
        return None, 0

    @staticmethod
    def _target_names(loop: ast.For) -> set[str]:
        return {name.id for name in ast.walk(loop.target) if isinstance(name, ast.Name)}

    def _names_read(self, loop: ast.For, sites: Sequence[Site]) -> set[str]:
        """The names that the body still reads once its sites are gone."""
        skipped = {site.node for site in sites} | set(self.moved)
        found: set[str] = set()

        def visit(node: ast.AST) -> None:
            if node in skipped or node in self.flags.dropped_loads:
                return
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                found.add(node.id)
            for child in ast.iter_child_nodes(node):
                visit(child)

        for statement in loop.body:
            visit(statement)
        return found

    def _over_one(
        self,
        loop: ast.For,
        site: Site,
        index: str | None,
        first: int,
        function: ast.FunctionDef,
    ) -> None:
        name = self._free_name(singular(site.attribute), function, site)
        self._element(function, loop, site, name)
        if index is None:
            self.edits.replace(
                (self._start(loop.target), self._end(loop.iter)), f"{name} in self.{site.attribute}"
            )
            self.gone.update((loop.target, loop.iter))
            return
        self.edits.replace(
            (self._start(loop.target), self._end(loop.iter)),
            f"{index}, {name} in enumerate(self.{site.attribute}{f', {first}' if first else ''})",
        )
        self.gone.update((loop.target, loop.iter))
        self._lengths(loop, site)

    def _lengths(self, loop: ast.For, site: Site) -> None:
        """`len(self.features)` of the sequence that the loop ran over is the length of the list."""
        sequence = (
            loop.iter.args[0] if isinstance(loop.iter, ast.Call) and loop.iter.args else loop.iter
        )
        wanted = ast.unparse(sequence)
        for node in ast.walk(loop):
            match node:
                case ast.Call(func=ast.Name(id="len"), args=[arg]) if ast.unparse(arg) == wanted:
                    if not self._is_gone(node) and node is not loop.iter:
                        self.edits.replace(arg, f"self.{site.attribute}")
                        self.gone.add(arg)

    def _free_name(self, name: str, function: ast.FunctionDef, site: Site) -> str:
        taken = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)} - {site.alias}
        taken |= {a.arg for a in ast.walk(function) if isinstance(a, ast.arg)}
        while name in taken:
            name += "_"
        return name

    def _zipped(
        self, function: ast.FunctionDef, loop: ast.For, sites: list[Site], read: set[str]
    ) -> None:
        lists = list(dict.fromkeys(site.attribute for site in sites))
        names = {
            attribute: self._free_name(singular(attribute), function, sites[0])
            for attribute in lists
        }
        for site in sites:
            self._element(function, loop, site, names[site.attribute])
        targets, iterables = [names[a] for a in lists], [f"self.{a}" for a in lists]
        kept = bool(self._target_names(loop) & read)
        if kept:
            target = self.edits.render(loop.target)
            if isinstance(loop.target, ast.Tuple) and not target.startswith("("):
                target = f"({target})"
            targets.insert(0, target)
            iterables.insert(0, self.edits.render(loop.iter))
        self.edits.replace(
            (self._start(loop.target), self._end(loop.iter)),
            f"{', '.join(targets)} in zip({', '.join(iterables)})",
        )
        if not kept:
            self.gone.update((loop.target, loop.iter))

    def _iterators(self, function: ast.FunctionDef, loop: ast.For, sites: list[Site]) -> None:
        """Layers made under conditions or in inner loops are taken one by one, in the order in which they were made."""
        if self._flattens(loop, sites):
            name = self._free_name(singular(sites[0].attribute), function, sites[0])
            self._element(function, loop, sites[0], name)
            self.flat[loop] = sites[0], name
            return
        for attribute in dict.fromkeys(site.attribute for site in sites):
            local = self._free_name(attribute, function, sites[0])
            self.edits.insert_before(loop, f"{local} = iter(self.{attribute})")
            for site in sites:
                if site.attribute == attribute:
                    self._element(function, loop, site, f"next({local})")

    def _flattens(self, loop: ast.For, sites: list[Site]) -> bool:
        """Whether nested loops do nothing but make one layer and call it."""
        if len(sites) != 1 or len({id(x) for x in sites[0].loops}) < 2:
            return False
        current: ast.For = loop
        targets: set[str] = set()
        while True:
            rest = [s for s in current.body if s not in self.moved]
            targets |= self._target_names(current)
            if len(rest) == 1 and isinstance(rest[0], ast.For):
                current = rest[0]
                continue
            read = self._names_read(current, sites)
            return sites[0].statement in current.body and not targets & read

    def _flatten(self, loop: ast.For, site: Site, name: str) -> None:
        """Loops within loops that do nothing but call one layer after the other become one."""
        innermost = [each for each in site.loops if isinstance(each, ast.For)][-1]
        body = [s for s in innermost.body if s not in self.gone]
        indent = self.edits.source.line_indent(self._start(loop))
        unit = self.edits.source.indent_unit
        from ..edits import move

        start, end = self._start(body[0]), self._end(body[-1])
        old = self.edits.source.line_indent(start)
        text = move(self.edits.render((start, end)), old, indent + unit)
        self.edits.replace(
            loop, f"for {name} in self.{site.attribute}:\n{indent}{unit}{text.lstrip()}"
        )
        self.gone.add(loop)

    def _element(self, function: ast.FunctionDef, loop: ast.For, site: Site, text: str) -> None:
        """What the site made on this turn of the loop."""
        if site.variable is not None:
            read = f"{text}[...]" if site.variable.kind != "rng" else text
            self.edits.replace(site.node, read)
            self.gone.add(site.node)
            return
        if site.alias is None:
            if site.rule is not None and site.rule.inline:
                self._inline(site, text)
                return
            self.edits.replace(site.node, text)
            self.gone.add(site.node)
            return
        self.edits.delete_statement(site.statement)
        self.gone.add(site.statement)
        for name in ast.walk(loop):
            if (
                (
                    isinstance(name, ast.Name)
                    and name.id == site.alias
                    and isinstance(name.ctx, ast.Load)
                )
                and name.id != text
                and not self._is_gone(name)
            ):
                self.edits.replace(name, text)

    def _start(self, node: ast.AST) -> int:
        return self.edits.source.span(node)[0]

    def _end(self, node: ast.AST) -> int:
        return self.edits.source.span(node)[1]

    # ---- calls ------------------------------------------------------------------------------------

    def _calls(self, function: ast.FunctionDef) -> None:
        """Arguments of calls of layers and modules: flags go, others are renamed."""
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and any(
                v.kind == "sow" for v in self.facts.variables.get(node, [])
            ):
                self._sow(node)
            if isinstance(node, ast.Call) and node not in self.facts.used:
                self._own_call(node)
            if isinstance(node, ast.Call) and node in self.facts.used and not self._is_gone(node):
                use = self.facts.used[node][-1]
                if use.method == "__call__" or isinstance(use.target, Object):
                    self._call(node, use)
        for node in reversed(list(ast.walk(function))):
            if isinstance(node, ast.Call) and node in self.facts.used and not self._is_gone(node):
                use = self.facts.used[node][-1]
                if use.method != "__call__" and isinstance(use.target, LayerObject):
                    self._layer_method(node, use, use.target)

    def _sow(self, node: ast.Call) -> None:
        """`self.sow('intermediates', ...)` names the type of what is kept."""
        named = [k.value for k in node.keywords if k.arg == "col"]
        for collection in [*node.args[:1], *named]:
            if isinstance(collection, ast.Constant) and collection.value == "intermediates":
                self.edits.replace(collection, "nnx.Intermediate")
                self.gone.add(collection)

    def _own_call(self, node: ast.Call) -> None:
        """A call of another method of the class: flags that went from its parameters go here too."""
        inherited = self.inherited(node)
        if inherited is not None:
            self._drop_flags(node, *inherited)
            return
        match node.func:
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                method = next(
                    (f for f in self.flags.parameters if getattr(f, "name", "") == name), None
                )
                if isinstance(method, ast.FunctionDef):
                    names = [a.arg for a in method.args.args][1:]
                    self._drop_flags(node, names, self.flags.parameters[method])

    def _drop_flags(self, node: ast.Call, names: Sequence[str], gone: Mapping[str, str]) -> None:
        items = [
            a for place, a in enumerate(node.args) if place < len(names) and names[place] in gone
        ]
        for item in [*items, *[k for k in node.keywords if k.arg in gone]]:
            self.edits.remove_item(node, item)
            self.gone.add(item)

    def _call(self, node: ast.Call, use: Used) -> None:
        if isinstance(use.target, LayerObject):
            if not use.target.rule.inline:
                self._layer_call(node, use, use.target)
            return
        child = self.models.get(use.target.cls.node)
        if child is None:
            return
        modes = child.modes.get(use.method, {})
        method = classes.method(use.target.cls, use.method)
        names = [a.arg for a in method.node.args.args][1:] if method is not None else []
        for name in modes:
            place = names.index(name) if name in names else len(node.args)
            value = next(
                (k.value for k in node.keywords if k.arg == name),
                node.args[place] if place < len(node.args) else None,
            )
            if value is None or not self.flags.is_mode(value):
                raise NeedsFlags(use.target.cls.node, child.name)
        dropped = [
            arg
            for place, arg in enumerate(node.args)
            if place < len(names) and names[place] in modes
        ]
        for arg in [*dropped, *[k for k in node.keywords if k.arg in modes]]:
            self.edits.remove_item(node, arg)
            self.gone.add(arg)

    def _layer_call(self, node: ast.Call, use: Used, layer: LayerObject) -> None:
        rule = layer.rule
        self._refuse_unpacked(node, rule)
        self._call_around(node, rule)
        seen = use_of(self.interp, rule, layer.arguments, use.args, use.kwargs)
        for place, arg in enumerate(node.args):
            if isinstance(arg, ast.Starred) or place >= len(rule.inputs):
                continue
            self._call_argument(node, arg, arg, rule.inputs[place], rule.call, seen)
        for keyword in node.keywords:
            if keyword.arg is not None:
                self._call_argument(node, keyword, keyword.value, keyword.arg, rule.call, seen)
        given = {keyword.arg for keyword in node.keywords}
        for each in self._modes_of(node, layer):
            target = each.mode.target or ""
            if target not in given:
                text = self.edits.render(each.value)
                text = _negation(each.value, text) if each.mode.negated else text
                self._append_argument(node, f"{target}={text}")

    @staticmethod
    def _refuse_unpacked(node: ast.Call, rule: Layer) -> None:
        """Arguments out of sight may only go on to a layer that has them as the original does."""
        starred = next((p for p, a in enumerate(node.args) if isinstance(a, ast.Starred)), None)
        named = any(keyword.arg is None for keyword in node.keywords)
        behind = rule.inputs[starred:] if starred is not None else ()
        changed = [name for name, argument in rule.call.items() if not _is_alike(name, argument)]
        if changed if named else set(changed) & set(behind):
            raise CannotMove(
                node,
                f"{rule.source.rpartition('.')[2]} is called with arguments that are unpacked",
                "write the arguments out",
            )

    def _call_around(self, node: ast.Call, rule: Layer) -> None:
        """A call whose arguments a helper takes: `layer(x, scale=s)` becomes `helper(layer, x, scale=s)`."""
        placed = list(zip(rule.inputs, node.args, strict=False))
        given = [*placed, *[(k.arg or "", k.value) for k in node.keywords]]
        found = {
            argument.helper
            for name, value in given
            if isinstance(argument := rule.call.get(name), Around)
            and not (isinstance(value, ast.Constant) and value.value is None)
        }
        if not found:
            return
        kinds = [rule.call.get(name) for name, _ in placed[1:]]
        flags = any(isinstance(kind, Mode) for kind in kinds)
        if not node.args or (flags and any(isinstance(kind, Around) for kind in kinds)):
            raise CannotMove(node, "a scale or an offset that is given by place", "give it by name")
        (helper,) = found
        start, _ = self.edits.source.span(node)
        _, end = self.edits.source.span(node.func)
        inside, _ = self.edits.source.span(node.args[0])
        self.edits.insert(start, f"{helper}(")
        self.edits.replace((end, inside), ", ")
        self.helpers.add(helper)

    def _layer_method(self, node: ast.Call, use: Used, layer: LayerObject) -> None:
        """Another method of a layer than its call: its rule may write the arguments anew."""
        method = layer.rule.methods.get(use.method)
        if not isinstance(method, Method) or method.write is None:
            return
        if is_unpacked(node):
            raise CannotMove(
                node, f"`{use.method}` gets unpacked arguments", "write the arguments out"
            )
        given: dict[str, ast.expr] = dict(zip(method.inputs, node.args, strict=False))
        given.update({k.arg: k.value for k in node.keywords if k.arg is not None})
        seen = use_of(self.interp, layer.rule, layer.arguments, use.args, use.kwargs)
        written = {
            name: Written(self.edits.render(value), self.facts.value(value), seen)
            for name, value in given.items()
        }
        text = f"{self.edits.render(node.func)}({method.write(written)})"
        self.edits.replace(node, text)
        self.gone.update(ast.walk(node))

    def _modes_of(self, call: ast.Call, layer: LayerObject) -> Iterator[CallMode]:
        """The flags that the source gave to a layer's constructor, for one of its calls."""
        for site in self.sites:
            if not any(made.value is layer for made in site.made):
                continue
            held = self.facts.value(site.node.func)
            options = held.values if isinstance(held, Either) else (held,)
            for maker, found in self.at_call.items():
                partial = self.facts.value(maker)
                given = [option is partial and isinstance(option, Partial) for option in options]
                if maker is not site.node and not any(given):
                    continue
                if maker is not site.node and not all(given):
                    raise CannotMove(
                        maker,
                        f"a flag that only some of what `{ast.unparse(site.node.func)}` may be is given",
                        "make the one or the other in an `if`",
                    )
                if self._function(maker) is not self._function(call):
                    raise CannotMove(
                        maker, "a flag is given in one method, and used in another", ""
                    )
                yield from found

    def _function(self, node: ast.AST) -> ast.AST:
        while not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            node = self.parents[node]
        return node

    def _append_argument(self, call: ast.Call, text: str) -> None:
        source = self.edits.source
        end = len(source.text[: source.span(call)[1] - 1].rstrip())
        last = source.text[end - 1]
        self.edits.insert(end, {"(": text, ",": f" {text}"}.get(last, f", {text}"))

    def _call_argument(
        self,
        call: ast.Call,
        item: ast.expr | ast.keyword,
        value: ast.expr,
        name: str,
        table: Mapping[str, object],
        use: Use,
    ) -> None:
        match table.get(name):
            case Mode() as mode:
                self._mode_argument(call, item, value, name, mode)
            case Drop(only_if=only_if, message=message, help=help):
                known = value.value if isinstance(value, ast.Constant) else value
                if only_if is not None and known not in only_if:
                    raise CannotMove(value, message or f"`{name}` has no counterpart", help)
                self.edits.remove_item(call, item)
                self.gone.add(item)
            case Around() if isinstance(value, ast.Constant) and value.value is None:
                self.edits.remove_item(call, item)
                self.gone.add(item)
            case Refuse(message=message, help=help):
                raise CannotMove(value, message, help)
            case To(name=target, write=write):
                self._renamed_argument(item, value, name, target, write, use)

    def _renamed_argument(
        self,
        item: ast.expr | ast.keyword,
        value: ast.expr,
        name: str,
        target: str,
        write: object,
        use: Use,
    ) -> None:
        text = self.edits.render(value)
        if callable(write):
            text = write(Written(text, use.inputs.get(name), use)) or text
        if target != name or callable(write):
            self.edits.replace(
                item,
                f"{target}={text}" if isinstance(item, ast.keyword) or target != name else text,
            )

    def _mode_argument(
        self, call: ast.Call, item: ast.expr | ast.keyword, value: ast.expr, name: str, mode: Mode
    ) -> None:
        if (
            self.flags.is_mode(value)
            or mode.target is None
            or (isinstance(value, ast.Constant) and value.value is None)
        ):
            self.edits.remove_item(call, item)
            self.gone.add(item)
            return
        if name == mode.target and not mode.negated and isinstance(item, ast.keyword):
            return
        text = self.edits.render(value)
        if mode.negated:
            text = _negation(value, text)
        self.edits.replace(item, f"{mode.target}={text}")

    # ---- flags and dead code -------------------------------------------------------------------------

    def _guards(self, function: ast.FunctionDef) -> None:
        """Tests whose outcome is now known, or that only asked for a mode that goes."""
        for node in list(walk_own(function)):
            if isinstance(node, ast.If) and not self._is_gone(node):
                outcome = simplify(node.test, self.known, self.edits)
                if outcome is True:
                    self._unwrap(node, node.body)
                elif outcome is False:
                    self._unwrap(node, node.orelse)
                elif isinstance(outcome, str):
                    self.edits.replace(node.test, outcome)
            elif isinstance(node, ast.IfExp) and not self._is_gone(node):
                outcome = simplify(node.test, self.known, self.edits)
                if isinstance(outcome, bool):
                    stays = node.body if outcome else node.orelse
                    self.rename(stays)
                    self.edits.replace(node, self.edits.render(stays))
                    self.gone.add(node.orelse if outcome else node.body)
                    self.gone.add(node.test)

    def _unwrap(self, node: ast.If, body: Sequence[ast.stmt]) -> None:
        """Replaces an `if` by one of its branches."""
        self.gone.add(node.test)
        if not body:
            self.edits.delete_statement(node)
            self.gone.add(node)
            return
        from ..edits import move

        source = self.edits.source
        start, end = source.span(body[0])[0], source.span(body[-1])[1]
        for statement in body:
            self.rename(statement)
        text = move(
            self.edits.render((start, end)),
            source.line_indent(start),
            source.line_indent(source.span(node)[0]),
        )
        self.edits.replace(node, text.lstrip())

    def _flag_parameters(self, function: ast.FunctionDef) -> None:
        names = self.flags.parameters.get(function, {})
        spec = function.args
        for parameter in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]:
            if parameter.arg in names:
                self.edits.remove_item(function, parameter)
                self.gone.add(parameter)
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and not self._is_gone(node) and self._settled(node):
                self.edits.delete_statement(node)
                self.gone.add(node)

    def _settled(self, node: ast.Assign) -> bool:
        """A local that held a mode that goes, or the answer of `is_initializing()`."""
        if not isinstance(node.value, ast.Call):
            return False
        return self.flags.is_mode(node.value) or self.known(node.value) is not None

    def _dead_statements(self, function: ast.FunctionDef) -> None:
        """Assignments that only fed what has moved to the constructor go."""
        again = True
        while again:
            again = self._dead_chain(function)
            loads = self._loads(function)
            for node in ast.walk(function):
                if isinstance(
                    node, ast.Assign | ast.AnnAssign | ast.AugAssign
                ) and not self._is_gone(node):
                    names = _bound_names(node)
                    if (
                        names
                        and not names & loads
                        and self._fed_only_moved(function, names)
                        and self._pure(node)
                    ):
                        self.edits.delete_statement(node, with_comments=node in self.moved)
                        self.gone.add(node)
                        again = True
                elif isinstance(node, ast.If) and not self._is_gone(node) and self._emptied(node):
                    self.edits.delete_statement(node)
                    self.gone.add(node)
                    again = True
        self._drop_loops(function)

    def _dead_chain(self, function: ast.FunctionDef) -> bool:
        """What moved and makes a name anew of itself (`block = nn.remat(block)`), or changes it, read by nothing else."""
        chains: dict[str, list[ast.stmt]] = {}
        for node in ast.walk(function):
            if not isinstance(node, ast.stmt) or node not in self.moved or self._is_gone(node):
                continue
            name = changed(node)
            if name is None and isinstance(node, ast.Assign) and len(_bound_names(node)) == 1:
                name = min(_bound_names(node))
            if name is not None:
                chains.setdefault(name, []).append(node)
        for name, statements in chains.items():
            inside = {inner for statement in statements for inner in ast.walk(statement)}
            reads = [
                node
                for node in ast.walk(function)
                if isinstance(node, ast.Name) and node.id == name and not self._is_gone(node)
            ]
            if len(statements) > 1 and all(node in inside for node in reads):
                for statement in statements:
                    self.edits.delete_statement(statement, with_comments=True)
                    self.gone.add(statement)
                return True
        return False

    def _emptied(self, node: ast.If) -> bool:
        """Whether all that an `if` did has moved to the constructor, which refuses in its place what it refused."""
        statements = [*node.body, *node.orelse]
        left = [s for s in statements if s not in self.gone]
        refuses = all(isinstance(s, ast.Raise) for s in left) and {
            n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)
        } == {"self"}
        return len(left) < len(statements) and (not left or refuses)

    def _pure(self, node: ast.stmt) -> bool:
        """Whether a statement does nothing but bind names."""
        value = getattr(node, "value", None)
        return value is not None and not any(
            isinstance(inner, ast.Await | ast.Yield | ast.NamedExpr) for inner in ast.walk(value)
        )

    def _loads(self, function: ast.FunctionDef) -> set[str]:
        return {
            node.id
            for node in ast.walk(function)
            if isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Load)
            and not self._is_gone(node)
        }

    def _fed_only_moved(self, function: ast.FunctionDef, names: set[str]) -> bool:
        """Whether the names were read before, by something that is gone: unused names of the user's own stay."""
        return any(
            isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load)
            for node in ast.walk(function)
        )

    def _is_gone(self, node: ast.AST) -> bool:
        current: ast.AST | None = node
        while current is not None and not isinstance(current, ast.Module):
            if current in self.gone or current in self.flags.dropped_loads:
                return True
            current = self.parents.get(current)
        return False


def _is_alike(name: str, argument: object) -> bool:
    """Whether a layer's counterpart has an argument of a call as the layer has it."""
    match argument:
        case Mode(target=target, negated=negated):
            return target == name and not negated
        case To(name=target, write=write):
            return target == name and write is None
    return False


def _negation(value: ast.expr, text: str) -> str:
    if isinstance(value, ast.Constant) and isinstance(value.value, bool):
        return str(not value.value)
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not):
        return text.removeprefix("not ").strip()
    return (
        f"not {text}" if isinstance(value, ast.Name | ast.Attribute | ast.Call) else f"not ({text})"
    )


def _bound_names(node: ast.stmt) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]  # type: ignore[attr-defined]
    if any(
        isinstance(inner, ast.Attribute | ast.Subscript)
        for target in targets
        for inner in ast.walk(target)
    ):
        return set()
    return {
        inner.id for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name)
    } - {"_"}


def _is_none_test(node: ast.Compare) -> bool:
    """`x is None`, or `x is not None`."""
    return (
        len(node.ops) == 1
        and isinstance(node.ops[0], ast.Is | ast.IsNot)
        and isinstance(node.comparators[0], ast.Constant)
        and node.comparators[0].value is None
    )
