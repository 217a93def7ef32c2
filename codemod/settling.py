"""Which classes are rewritten: all that can follow, with the programs around them and nothing left half done.

Each round rewrites what nothing speaks against so far, and looks at what that leaves behind; what has to stay for it
is taken out of the next round.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from . import layer_partials, lifting_functions, second_layers, twins
from .ancestry import functions_around
from .class_rewrites import Refusal
from .config import Options
from .edits import EditConflict
from .emit.path_reads import reads_of_files
from .findings import Finding
from .layer_partials import LayerPartial
from .lifting_functions import LiftingFunction
from .model.compared import given_by_tests
from .model.module import ModuleModel
from .model.partials import given_by_partials
from .model.study import Contexts
from .modules import (
    ModuleRewrite,
    Studied,
    module_classes,
    rewrite_modules,
    study_modules,
)
from .programs import bridging, by_names
from .programs.rewrite import Programs
from .project import Module
from .shapes.interpreter import Interpreter
from .shapes.lifts import Given
from .shapes.values import Class
from .staying import (
    LayersRead,
    free_layers,
    not_python,
    run_with_others,
    skipped,
    stranded,
    torn,
)
from .surroundings import Surroundings, Unit

Findings = dict[Module, list[Finding]]


@dataclass
class Settled:
    """What became of the classes and programs of a project."""

    found: ModuleRewrite
    findings: Findings
    source_units: set[Unit]  # code that Haiku still runs
    free: set[ast.AST]  # statements that make layers ready for rewritten classes alone
    lifted: dict[ast.AST, Given]  # what functions give lifted transforms of NNX
    bridged: Collection[ast.AST]  # rewritten classes that programs run in a bridge


def settle(
    interp: Interpreter,
    modules: Sequence[Module],
    programs: Programs,
    contexts: Contexts,
    options: Options,
    needed: Mapping[ast.AST, Refusal],
    bridged: Mapping[ast.AST, Finding] | None = None,
) -> Settled:
    """Rewrites all that can follow; `needed` are classes that code from outside needs as they are.

    Programs run those of `bridged` in bridges, whatever may follow.
    """
    own = module_classes(interp)
    nodes: set[ast.AST] = {cls.node for cls in own}
    partials = layer_partials.layer_partials(interp, modules)
    contexts.given = given_by_partials(interp, modules)
    for node, given in given_by_tests(interp, modules).items():
        contexts.given[node] += given
    studied = study_modules(interp, contexts)
    needed = {**run_with_others(interp, modules, programs, own, studied), **needed}
    rounds = _Rounds(
        interp,
        modules,
        programs,
        options,
        Surroundings(interp, [m for m in modules if "haiku" in m.source.text], nodes),
        partials,
        {cls.node: layer_partials.read_by(interp, cls, partials) for cls in own},
        studied,
        needed,
        bridging.Mentions(interp, nodes, studied.origins),
        lifting_functions.find(interp, modules, own),
        bridged=dict(bridged or {}),
    )
    while True:
        settled = rounds.next()
        if settled is not None:
            return settled


@dataclass
class _Rounds:
    interp: Interpreter
    modules: Sequence[Module]
    programs: Programs
    options: Options
    around: Surroundings
    partials: Sequence[LayerPartial]
    layers_read: LayersRead
    studied: Studied
    needed: Mapping[ast.AST, Refusal]
    mentions: bridging.Mentions
    lifting: Sequence[LiftingFunction]
    stay: dict[ast.AST, Finding] = field(default_factory=dict)
    bridged: dict[ast.AST, Finding] = field(default_factory=dict)  # programs run them in a bridge
    apart: set[ast.AST] = field(default_factory=set)  # what cannot have a second name

    def next(self) -> Settled | None:
        """One round; None where more has to stay than was known before."""
        found = rewrite_modules(
            self.interp, self.studied, self.options, self._refusal, self.bridged.keys()
        )
        made_for = {n: why for n, why in found.made_for.items() if n not in self.bridged}
        if made_for:
            self._bridge_or_keep(made_for, found)
            return None
        layer_partials.write(
            self.partials,
            free_layers(found, self.layers_read),
            self.interp,
            found.edits_of,
            lambda module: found.names_of(module, self.interp),
        )
        outcome = self.programs.rewrite(
            {node: model for node, model in found.models.items() if node not in self.bridged},
            found.edits_of,
            lambda module: found.names_of(module, self.interp),
            self.modules,
            self.options.limit,
            self.bridged.keys() & found.models.keys(),
        )
        if outcome.unfollowed or outcome.again:
            self._bridge_or_keep(outcome.unfollowed, found)
            return None
        blocked = self._write_bridges(found, outcome.findings)
        if blocked:
            self.stay.update({node: self.bridged.pop(node) for node in blocked})
            return None
        following = lifting_functions.following(self.interp, self.lifting, found)
        broken = not_python(self.modules, found)
        units: set[Unit] = set()
        free = free_layers(found, self.layers_read)
        if not broken:
            units = self.around.run_by_source(found.edits_of, found.refusals.keys())
            shared = twins.find(self.interp, self.around, units, found, self.apart)
            units -= shared.names.keys()
            layers = second_layers.find(self.interp, found, self.layers_read, self.apart)
            broken = stranded(self.around, units, found)
            broken = broken or torn(found, self.layers_read, layers.names.keys())
            staying = [each for each in self.lifting if each not in following]
            broken = broken or lifting_functions.torn(staying, found)
            if not broken and not self._write_twins(shared, layers, found):
                return None
            free |= layers.names.keys()
        if broken:
            self.stay.update(broken)
            return None
        self._tell_of_files(found, outcome.findings)
        return Settled(
            found,
            outcome.findings,
            units,
            free,
            lifting_functions.given(following),
            self.bridged.keys() & found.models.keys(),
        )

    def _write_twins(
        self, shared: twins.Twins, layers: second_layers.SecondLayers, found: ModuleRewrite
    ) -> bool:
        """Records the functions and layers that both sides have; False where some edit was in the way of one."""
        try:
            shared.write(found.edits_of)
            layers.write(found.edits_of)
        except EditConflict:
            self.apart |= {unit.node for unit in shared.names} | layers.names.keys()
            return False
        return True

    def _refusal(self, cls: Class) -> Refusal | None:
        refusal = skipped(cls, self.interp.project.left) or self.needed.get(cls.node)
        if refusal is not None or cls.node not in self.stay:
            return refusal
        why = self.stay[cls.node]
        return Refusal(cls, why.node, why.code, why.message, why.help)

    def _bridge_or_keep(self, unfollowed: Mapping[ast.AST, Finding], found: ModuleRewrite) -> None:
        """Runs classes that some program cannot follow in a bridge there; those for which there is none stay.

        Of those without, some may have one when others stay: these are asked again in the next round.
        """
        models = found.models.keys()
        without = {n for n in unfollowed if self._bridges(found, n, models) is None}
        others = {n: models - (without - {n}) for n in without}
        anyway = {n for n in without if self._bridges(found, n, others[n]) is None} or without
        for node, finding in unfollowed.items():
            if node not in without:
                self.bridged[node] = finding
            elif node in anyway:
                self.stay[node] = finding

    def _bridges(
        self, found: ModuleRewrite, node: ast.AST, rewritten: Collection[ast.AST]
    ) -> bridging.ProgramBridges | None:
        """How the programs of the project can run a class without being rewritten, where those of `rewritten` are."""
        if node not in found.models:
            return None
        return bridging.bridges(
            self.interp,
            self.modules,
            found.models[node],
            self.mentions,
            found.edits_of,
            self.options.limit,
            rewritten,
        )

    def _tell_of_files(self, found: ModuleRewrite, findings: Findings) -> None:
        """Says where code has the original's names for variables that come from files."""
        told: set[ast.AST] = set()
        for node, model in found.models.items():
            for module in self.modules:
                if node not in self.mentions.of(module):
                    continue
                for read in reads_of_files(module, model, found.models, self.studied.origins):
                    function = next(functions_around(read, module.source.parents))
                    if function not in told:
                        told.add(function)
                        findings.setdefault(module, []).append(_of_files(read, function, model))

    def _write_bridges(self, found: ModuleRewrite, findings: Findings) -> list[ast.AST]:
        """Records the bridges of programs that stay; the classes that some edit was in the way of."""
        blocked = []
        for node, finding in self.bridged.items():
            if node not in found.models:
                continue  # it stays for a reason of its own
            bridges = self._bridges(found, node, found.models.keys())
            defined = node in found.aliases
            if bridges is None or not bridging.write(bridges, found.edits_of, found.want, defined):
                blocked.append(node)
                continue
            _tell(bridges, node, finding, found, findings)
        if not blocked:
            there = self.bridged.keys() & found.models.keys()
            limit = self.options.limit
            blocked += by_names.write(self.interp, there, found.edits_of, limit)
        return blocked


def _of_files(read: ast.AST, function: ast.FunctionDef, model: ModuleModel) -> Finding:
    return Finding(
        read,
        "PR104",
        f"`{function.name}` has names of variables that `{model.name}` no longer has",
        "convert what it reads, or makes, by the report's `variables`, or write the new names here",
    )


def _tell(
    bridges: bridging.ProgramBridges,
    node: ast.AST,
    finding: Finding,
    found: ModuleRewrite,
    findings: Findings,
) -> None:
    """Says of each place that is bridged why, and asks for the helper that it needs."""
    name = found.models[node].name
    for module, told in findings.items():
        findings[module] = [f for f in told if f.message != f"`{name}` stays as it is"]
    for module, place, helper in bridges.places():
        if helper is not None:
            found.helpers.setdefault(module, set()).add(helper)
        if place is not node:
            message = f"`{name}` runs through a bridge here: {finding.message}"
            help = "rewrite this code by hand, and the bridge goes"
            findings.setdefault(module, []).append(Finding(place, "PR103", message, help))
