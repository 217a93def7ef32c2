"""Rewrites the programs of a project around its rewritten modules."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ..edits import Edits
from ..emit.file_names import FileNames
from ..findings import Finding
from ..model.module import ModuleModel
from ..project import Module
from ..rule import Declined
from ..shapes import classes
from ..shapes.interpreter import Interpreter
from ..shapes.values import Class, Object, Value
from . import escaping, factories, name_reads
from .apart import apart, inside
from .certainty import check
from .dangling import dangling
from .escapes import Escapes, Handed
from .escapes import declined as handed_on
from .explore import Explorer
from .functional import FunctionalRewriter
from .ground import Stay
from .kinds import Net
from .roles import net_of
from .stateful import ProgramRewriter


class StatefulRewriter(ProgramRewriter):
    """The stateful form, for programs that leave no doubt."""

    def run(self) -> None:
        check(self.nodes, self.facts, self.names, self.parents)
        super().run()


_Refused = tuple[
    Declined, Collection[ast.stmt] | None
]  # why, and which statements: all, or those of one program
_FORMS = (StatefulRewriter, FunctionalRewriter)


@dataclass
class ProgramOutcome:
    """What the programs' rewrite found: diagnostics by module, and classes whose programs cannot follow."""

    findings: dict[Module, list[Finding]] = field(default_factory=dict)
    unfollowed: dict[ast.AST, Finding] = field(default_factory=dict)
    again: bool = (
        False  # models that no class is behind stay, after other files were rewritten for them
    )


class Programs:
    """The programs of a project: explored once, rewritten as often as the set of rewritten classes changes."""

    def __init__(self, interp: Interpreter) -> None:
        self.explorer = Explorer(interp)
        self.asked_for: Collection[ast.AST] = ()  # functions that code finds by names, as they are
        self._handed: Handed | None = None
        # Those of programs that cannot follow, with no class behind.
        self._staying: set[Net] = set()

    def explore(self, modules: Iterable[Module]) -> None:
        self.explorer.run_rest(modules)

    def initialises(self, node: ast.AST) -> bool:
        """Whether a program in sight initialises models of a class."""
        nets = self.explorer.nets.values()
        values = (v for net in nets for v in (net.model, net.module))
        return any(isinstance(v, Object) and v.cls.node is node for v in values)

    def rewrite(
        self,
        models: Mapping[ast.AST, ModuleModel],
        edits_of: Callable[[Module], Edits],
        names_of: Callable[[Module], FileNames],
        modules: Iterable[Module],
        limit: int,
        bridged: Collection[ast.AST] = (),
    ) -> ProgramOutcome:
        """Records the edits of every module's programs; on a refusal, which classes must stay with their programs.

        `bridged` are rewritten classes that are not among the models, as the programs run them in a bridge.
        """
        outcome = ProgramOutcome()
        modules = list(modules)
        interp = self.explorer.interp
        nets = self.explorer.nets.values()
        made = factories.find(interp, modules, models, nets, self.asked_for)
        factories.write(made.values(), models, edits_of, names_of, limit)
        models = {**models, **{n: f.model for n, f in made.items() if f.model is not None}}
        for module in modules:
            refused = self._rewrite_module(
                module, edits_of(module), names_of(module), models, limit
            )
            for refusal, among in refused:
                node = refusal.node if isinstance(refusal, Stay) else module.tree
                finding = Finding(node, "PR101", refusal.message, refusal.help)
                roots = self._classes_of(module, models, among)
                if not roots:
                    outcome.findings.setdefault(module, []).append(finding)
                    outcome.again |= self._keep_nets(module, models, among)
                outcome.unfollowed.update(dict.fromkeys(roots, finding))
        if not outcome.unfollowed:
            for module in modules:
                self._check_makers(module, edits_of(module), models, made, outcome)
            self._check_handed(modules, edits_of, models, made, bridged, outcome)
        return outcome

    def _check_makers(
        self,
        module: Module,
        edits: Edits,
        models: Mapping[ast.AST, ModuleModel],
        made: Mapping[ast.AST, factories.Factory],
        outcome: ProgramOutcome,
    ) -> None:
        """A class that is made anywhere in a way that no rewrite has followed stays as it is."""
        interp = self.explorer.interp
        modules = [
            v.node
            for v in interp.environment_of(module).names.values()
            if isinstance(v, Class) and classes.framework(v) is not None
        ]
        for node, target in factories.unfollowed(interp, module, edits, models, [*modules, *made]):
            declined = factories.declined(models[target].name)
            finding = Finding(node, "PR102", declined.message, declined.help)
            for cls in _made_by(target, made):
                outcome.unfollowed.setdefault(cls, finding)

    def _check_handed(
        self,
        modules: Collection[Module],
        edits_of: Callable[[Module], Edits],
        models: Mapping[ast.AST, ModuleModel],
        made: Mapping[ast.AST, factories.Factory],
        bridged: Collection[ast.AST],
        outcome: ProgramOutcome,
    ) -> None:
        """A class that is handed on as a value to where no rewrite has followed it stays as it is."""
        if self._handed is None:
            inside = {node for module in modules for node in self._module_nodes(module, models)}
            self._handed = Handed(self.explorer.interp, modules, inside)
        escapes = Escapes(self._handed, edits_of, models, bridged)
        for module in modules:
            for node, target in escapes.find(module):
                refusal = handed_on(models[target].name)
                finding = Finding(node, "PR102", refusal.message, refusal.help)
                for cls in _made_by(target, made):
                    outcome.unfollowed.setdefault(cls, finding)

    def _rewrite_module(
        self,
        module: Module,
        edits: Edits,
        names: FileNames,
        models: Mapping[ast.AST, ModuleModel],
        limit: int,
    ) -> list[_Refused]:
        """Rewrites a module's programs, all together or else each that can be; the others, and why they cannot."""
        refusal = self._try(module, edits, names, models, limit, None)
        if refusal is None:
            return []
        programs = apart(self.explorer, module, self._module_nodes(module, models))
        if len(programs) < 2:
            return [(refusal, None)]
        refused: list[_Refused] = []
        for program in programs:
            why = self._try(module, edits, names, models, limit, program)
            if why is not None:
                refused.append((why, program))
        return refused

    def _keep_nets(
        self,
        module: Module,
        models: Mapping[ast.AST, ModuleModel],
        among: Collection[ast.stmt] | None,
    ) -> bool:
        """Notes that the models of a program which cannot follow stay; whether that is new to another file."""
        nets = {net for _, net in self._nets_of(self._nodes(module, models, among))}
        nets = {net for net in nets - self._staying if _is_followed(net, models)}
        self._staying |= nets
        values = self.explorer.interp.facts.values
        return any(
            net_of(value) in nets
            for node, found in (values.items() if nets else ())
            if node not in module.source.parents
            for value in found
        )

    def _nets_of(self, nodes: Iterable[ast.AST]) -> Iterator[tuple[ast.AST, Net]]:
        """The nets whose trees some code handles, with the places."""
        for node in nodes:
            for value in self.explorer.interp.facts.values.get(node, ()):
                net = net_of(value)
                if net is not None:
                    yield node, net

    def _nodes(
        self,
        module: Module,
        models: Mapping[ast.AST, ModuleModel],
        among: Collection[ast.stmt] | None,
    ) -> list[ast.AST]:
        """The nodes of a program, or of all of a file's."""
        around = self._module_nodes(module, models)
        statements = module.tree.body if among is None else among
        return [n for s in statements if s not in around for n in inside(s, around)]

    def _module_nodes(self, module: Module, models: Mapping[ast.AST, ModuleModel]) -> set[ast.AST]:
        """The definitions in a module that are not its programs': module classes, and functions that make them."""
        own = self.explorer.interp.environment_of(module).names.values()
        found = {v.node for v in own if isinstance(v, Class) and classes.framework(v) is not None}
        return found | models.keys()

    def _try(
        self,
        module: Module,
        edits: Edits,
        names: FileNames,
        models: Mapping[ast.AST, ModuleModel],
        limit: int,
        among: Collection[ast.stmt] | None,
    ) -> Declined | None:
        """Tries the forms of programs, best first; why not even the last is possible."""
        refusal: Declined | None = self._escapes(module, models, among)
        if refusal is not None:
            return refusal
        for form in _FORMS:
            trial = edits.fork()
            try:
                form(self.explorer, module, trial, names, models, limit, among).run()
                _check_names(module, trial)
            except Declined as declined:
                refusal = declined
            except Exception as error:  # a program that we stumble over keeps to its classes
                refusal = Declined(
                    f"the program is written in a way that is not handled ({type(error).__name__})",
                    "please report it; rewrite the code around the model by hand",
                )
            else:
                edits.adopt(trial)
                return None
        return refusal

    def _escapes(
        self,
        module: Module,
        models: Mapping[ast.AST, ModuleModel],
        among: Collection[ast.stmt] | None,
    ) -> Declined | None:
        """Why the models of a program must stay what they are: for code that nobody in sight calls, or for their names."""
        interp = self.explorer.interp
        program = self._nodes(module, models, among)
        for node, net in self._nets_of(program) if self._staying else ():
            if net in self._staying and net.init not in module.source.parents:
                return Stay(
                    node,
                    "the model that these variables are of stays as it is",
                    "nothing here; it follows once the program that makes it can be rewritten",
                )
        try:
            if self._classes_of(module, models, among):
                file = self._nodes(module, models, None)
                escaping.check(program, file, interp.facts, module.source.parents)
            name_reads.check(interp, module, program, lambda net: _is_followed(net, models))
        except Stay as stay:
            return stay
        return None

    def _classes_of(
        self,
        module: Module,
        models: Mapping[ast.AST, ModuleModel],
        among: Collection[ast.stmt] | None,
    ) -> list[ast.AST]:
        """The rewritten classes that a program of a module uses, or all of them."""
        parents = module.source.parents

        def inside(node: ast.AST) -> bool:
            if among is None:
                return node in parents
            while node in parents and node not in among:
                node = parents[node]
            return node in among

        found: list[ast.AST] = []
        for net in self.explorer.nets.values():
            if inside(net.init):
                found += _roots(net, models)
        for net, reads in self.explorer.tree_reads.items():
            if any(map(inside, reads)):
                found += _roots(net, models)
        for node, model in self.explorer.unknown:
            if inside(node):
                found += _class_of(model, models)
        return found


def _made_by(target: ast.AST, made: Mapping[ast.AST, factories.Factory]) -> Iterator[ast.AST]:
    """The classes that a factory makes, itself or through others; a class is made by itself."""
    if target not in made:
        yield target
        return
    for _, inner in made[target].makers:
        yield from _made_by(inner, made)


def _check_names(module: Module, edits: Edits) -> None:
    """Raises Stay where the new text reads what it no longer defines."""
    missing = dangling(module.tree, edits.apply()) if edits.touched else set()
    if missing:
        shown = ", ".join(f"`{name}`" for name in sorted(missing))
        raise Stay(
            module.tree,
            f"the program still needs {shown} of the original",
            "rewrite the program by hand",
        )


def _roots(net: Net, models: Mapping[ast.AST, ModuleModel]) -> list[ast.AST]:
    return _class_of(net.module if net.module is not None else net.model, models)


def _is_followed(net: Net, models: Mapping[ast.AST, ModuleModel]) -> bool:
    """Whether programs are to follow a net: its class is rewritten, or it has none."""
    value = net.module if net.module is not None else net.model
    return not isinstance(value, Object) or value.cls.node in models


def _class_of(value: Value | None, models: Mapping[ast.AST, ModuleModel]) -> list[ast.AST]:
    if isinstance(value, Object) and value.cls.node in models:
        return [value.cls.node]
    return []
