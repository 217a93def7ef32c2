"""The rewrite of a project, file by file: modules, then the programs around them, then what is left to tidy."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import functions as function_modules
from . import makers, records
from .beside import helper_file, helper_module
from .config import Options
from .culprit import working_on
from .edits import EditConflict, Edits
from .emit import imports
from .emit.bridges import is_bridge
from .emit.file_names import FileNames
from .findings import Finding
from .layer_partials import LayerPartial, layer_partials, read_by
from .model.module import ModuleModel
from .model.study import Context, Contexts
from .modules import (
    ModuleRewrite,
    Refusal,
    module_classes,
    rewrite_modules,
    study_modules,
    survives,
)
from .programs import bridging
from .project import Module, Project
from .rule import Declined
from .rulebook import Rulebook
from .shapes import classes, frameworks
from .shapes.interpreter import Interpreter
from .shapes.traced import Traced, example
from .shapes.values import Class, Object, Value
from .source import Source
from .surroundings import Surroundings

MAX_TURNS = 4
SKIP = "# nnx-codemod: skip"


@dataclass
class FileRewrite:
    """What became of one file."""

    module: Module
    new_text: str | None = None
    source: Source | None = None  # the original, where the module was prepared
    findings: list[Finding] = field(default_factory=list)
    models: list[ModuleModel] = field(default_factory=list)
    kept: list[Refusal] = field(default_factory=list)
    helpers: set[str] = field(default_factory=set)
    unsized: list[tuple[str, str]] = field(
        default_factory=list
    )  # names and kinds of what wants a size


@dataclass
class ProjectRewrite:
    """What became of all files, and the files to be made beside them."""

    files: list[FileRewrite] = field(default_factory=list)
    created: dict[Path, str] = field(default_factory=dict)


def rewrite_project(
    project: Project,
    rules: Rulebook,
    options: Options,
    fixed: Iterable[Module] = (),
    progress: Callable[[str], None] = lambda path: None,
    traced: Traced | None = None,
) -> ProjectRewrite:
    """Rewrites every rewritable module of the project as far as it can follow.

    `traced` are facts about sizes from runs, by the original files and classes.
    `fixed` are modules that stay as they are: the classes that they use stay with them. A function whose class cannot
    be rewritten stays a function: the project is then rewritten again without it.
    """
    leave: dict[tuple[Path, str], Finding] = {}
    apart: set[makers.Apart] = set()
    unsized: set[tuple[Path, str]] = set()
    for turn in range(MAX_TURNS):
        prepared = _prepared(project, rules, frozenset(leave), frozenset(apart))
        prepared.project.left = leave
        facts = _facts(traced, prepared)
        result = _rewrite_prepared(prepared.project, rules, options, fixed, progress, facts)
        refused, users = _refused_functions(prepared, result, apart, unsized)
        if not refused and not users:
            return _restored(prepared, result, leave, unsized)
        apart |= users
        if turn == MAX_TURNS - 2:  # what is left hangs together in a way that turns do not sort out
            refused = {
                (made.path, made.function): refused.get((made.path, made.function), _stays(made))
                for made in prepared.made
            }
        leave.update(refused)
    raise AssertionError("a project without prepared functions refuses none")


def _stays(made: function_modules.MadeClass) -> Finding:
    place = ast.Pass(lineno=made.line, col_offset=0, end_lineno=made.line, end_col_offset=0)
    return Finding(
        place,
        "NX108",
        f"`{made.function}` makes layers, and so do functions around it that stay",
        "give it a module of its own",
    )


def _prepared(
    project: Project,
    rules: Rulebook,
    leave: frozenset[tuple[Path, str]],
    apart: frozenset[makers.Apart],
) -> function_modules.Prepared:
    """The project with constructors in dataclass modules, and classes in the place of functions that make layers,
    and of those given to a transform."""
    first = records.prepare(project, rules, leave)
    try:
        second = makers.prepare(first.project, rules, leave, apart)
    except EditConflict:  # functions that hang together in a way that is not sorted out stay
        second = function_modules.Prepared(first.project)
    third = function_modules.prepare(second.project, rules, leave)
    made = [*first.made, *second.made, *third.made]
    third.project.functions = {(m.path, m.name) for m in made if m.is_function}
    return function_modules.Prepared(
        third.project, {**third.originals, **second.originals, **first.originals}, made
    )


def _facts(traced: Traced | None, prepared: function_modules.Prepared) -> Traced | None:
    """The facts from runs, with the way back from the prepared text to the original one, which ran."""
    if traced is None:
        return None
    made = function_modules.classes_of(prepared.made)

    def name(path: Path, written: str) -> str:
        return made[path, written].function if (path, written) in made else written

    return dataclasses.replace(traced, line=prepared.original_line, name=name)


def _refused_functions(
    prepared: function_modules.Prepared,
    result: ProjectRewrite,
    known: set[makers.Apart],
    unsized: set[tuple[Path, str]],
) -> tuple[dict[tuple[Path, str], Finding], set[makers.Apart]]:
    """The functions whose classes stay, and why; and those that only stay for some of their users, with these.

    Those that want a size are added to `unsized`.
    """
    made = function_modules.classes_of(prepared.made)
    found: dict[tuple[Path, str], Finding] = {}
    apart: set[makers.Apart] = set()
    for file in result.files:
        for refusal in file.kept:
            cls = made.get((file.module.path, refusal.cls.name))
            if cls is None:
                continue
            if refusal.unsized:
                unsized.add((cls.path, cls.function))
            users = _users(cls, refusal, made)
            apart |= users
            if users <= known:
                line = prepared.original_line(cls.path, getattr(refusal.node, "lineno", 1))
                place = ast.Pass(lineno=line, col_offset=0, end_lineno=line, end_col_offset=0)
                found[cls.path, cls.function] = Finding(
                    place, refusal.code, refusal.message, refusal.help
                )
    return found, apart - known


def _users(
    cls: function_modules.MadeClass,
    refusal: Refusal,
    made: Mapping[tuple[Path, str], function_modules.MadeClass],
) -> set[makers.Apart]:
    """The classes and functions for whose sake alone the class of a function that makes layers stays."""
    if not cls.of_layers:
        return set()
    found = set()
    for user in {owner.node: owner for u in refusal.users for owner in classes.mro(u)}.values():
        written = made.get((user.module.path, user.name))
        name = written.function if written is not None else user.name
        found.add((cls.path, cls.function, user.module.path, name))
    return found


def _restored(
    prepared: function_modules.Prepared,
    result: ProjectRewrite,
    left: dict[tuple[Path, str], Finding],
    unsized: Iterable[tuple[Path, str]],
) -> ProjectRewrite:
    """The result in terms of the original files: their sources, their lines, their functions' names."""
    made = function_modules.classes_of(prepared.made)
    for file in result.files:
        path = file.module.path
        file.source = prepared.originals.get(path, file.module.source)
        file.unsized = [(r.cls.name, r.framework) for r in file.kept if r.unsized]
        file.unsized += [(name, "haiku-function") for where, name in unsized if where == path]
        for model in file.models:
            cls = made.get((path, model.name))
            if cls is not None and cls.is_function:
                model.function_name = cls.function
            model.traced = [
                (prepared.original_line(path, line), column) for line, column in model.traced
            ]
        if path in prepared.originals:
            for finding in file.findings:
                finding_line = prepared.original_line(path, getattr(finding.node, "lineno", 1))
                finding.place = (finding_line, getattr(finding.node, "col_offset", 0))
        file.findings += [finding for (where, _), finding in left.items() if where == path]
    return result


def _rewrite_prepared(
    project: Project,
    rules: Rulebook,
    options: Options,
    fixed: Iterable[Module],
    progress: Callable[[str], None],
    traced: Traced | None = None,
) -> ProjectRewrite:
    from .programs.rewrite import Programs

    interp = Interpreter(project, rules)
    interp.traced = traced
    frameworks.install(interp)
    contexts = Contexts()
    interp.observers.append(contexts)
    programs = Programs(interp)
    modules = [module for module in project.modules.values() if module.rewritable]
    for module in modules:
        progress(str(module.path))
        with working_on(module.path):
            interp.environment_of(module)
    programs.explore(modules)
    needed = _used_by_fixed(interp, fixed)

    def stays(cls: Class) -> Refusal | None:
        return _skipped(cls, project.left) or needed.get(cls.node)

    _show_inputs(interp, contexts)
    own = {cls.node for cls in module_classes(interp)}
    around = Surroundings(interp, [m for m in modules if "haiku" in m.source.text], own)
    partials = layer_partials(interp, modules)
    studied = study_modules(interp, contexts)
    stay: dict[ast.AST, Finding] = {}
    bridged: dict[ast.AST, Finding] = {}
    limit = options.line_length
    while True:
        found = rewrite_modules(
            interp,
            studied,
            options,
            functools.partial(_stays_or_unfollowed, stays, stay),
            bridged.keys(),
        )
        outcome = programs.rewrite(
            {node: model for node, model in found.models.items() if node not in bridged},
            functools.partial(_edits, found),
            functools.partial(_names, interp, found),
            modules,
            options.line_length,
        )
        if outcome.unfollowed:
            bridgeable = {
                node: finding
                for node, finding in outcome.unfollowed.items()
                if _program_bridges(interp, modules, found, node, limit)
            }
            bridged.update(bridgeable)
            stay.update({n: f for n, f in outcome.unfollowed.items() if n not in bridgeable})
            continue
        blocked = _write_program_bridges(interp, modules, found, bridged, outcome.findings, limit)
        for node in blocked:
            stay[node] = bridged.pop(node)
        broken = (
            {}
            if blocked
            else _not_python(modules, found)
            or _stranded(around, found)
            or _torn(interp, partials, found)
        )
        stay.update(broken)
        if not blocked and not broken:
            break
    free = _free(interp, partials, found)
    return _finish(interp, project, modules, found, outcome.findings, options, around, free)


def _free(
    interp: Interpreter, partials: Sequence[LayerPartial], found: ModuleRewrite
) -> set[ast.AST]:
    """The statements that make layers ready for rewritten classes alone: they may make layers of NNX ready."""
    free: set[ast.AST] = {
        partial.statement
        for model in found.models.values()
        if isinstance(model.cls, Class)
        for partial in read_by(interp, model.cls, partials)
    }
    for refusal in found.refusals.values():
        free -= {partial.statement for partial in read_by(interp, refusal.cls, partials)}
    return free


def _torn(
    interp: Interpreter, partials: Sequence[LayerPartial], found: ModuleRewrite
) -> dict[ast.AST, Finding]:
    """The rewritten classes that share a layer made ready with a class that stays: they stay, too."""
    free = _free(interp, partials, found)
    stay: dict[ast.AST, Finding] = {}
    for node, model in found.models.items():
        for partial in read_by(interp, model.cls, partials) if isinstance(model.cls, Class) else ():
            if partial.statement not in free:
                message = f"`{model.name}` shares `{partial.name}` with a class that stays as it is"
                help = f"give `{model.name}` a layer of its own, or rewrite the other class by hand"
                stay[node] = Finding(node, "NX102", message, help)
    return stay


def _stranded(around: Surroundings, found: ModuleRewrite) -> dict[ast.AST, Finding]:
    """The rewritten classes that call what still runs in Haiku: they stay."""
    edits_of = functools.partial(_edits, found)
    source_units = around.run_by_source(edits_of, found.refusals.keys())
    stay: dict[ast.AST, Finding] = {}
    for node, model in found.models.items():
        if model.framework == "haiku" and isinstance(model.cls, Class):
            unit = around.stranded(model.cls, source_units, edits_of, found.refusals.keys())
            if unit is not None:
                message = f"`{model.name}` uses {around.name(unit)}, which Haiku still runs"
                help = f"rewrite {around.name(unit)} by hand, or what it calls; `{model.name}` can follow then"
                stay[node] = Finding(node, "NX113", message, help)
    return stay


def _show_inputs(interp: Interpreter, contexts: Contexts) -> None:
    """What runs showed of the inputs of module classes counts as a call that was seen."""
    for cls in module_classes(interp) if interp.traced is not None else []:
        assert interp.traced is not None
        known = interp.traced.about(cls.module.path, cls.name)
        if known is not None:
            given = {name: example(shown) for name, shown in known.arguments.items()}
            contexts.calls[cls.node].insert(0, Context(Object(cls), known.method, (), given))


def _not_python(modules: Iterable[Module], found: ModuleRewrite) -> dict[ast.AST, Finding]:
    """The rewritten classes of files whose new text does not compile: they stay. A file without any stays whole."""
    stay: dict[ast.AST, Finding] = {}
    for module in modules:
        edits = _edits(found, module)
        try:
            compile(edits.apply(), str(module.path), "exec", dont_inherit=True)
        except SyntaxError as error:
            own = [
                model.node
                for model in found.models.values()
                if isinstance(model.cls, Class) and model.cls.module is module
            ]
            if not own:
                found.edits[module] = Edits(module.source)
            message = f"the new text of the file would not be Python ({error.msg})"
            help = "please report it with the file; rewrite it by hand meanwhile"
            stay.update({node: Finding(node, "NX111", message, help) for node in own})
    return stay


def _program_bridges(
    interp: Interpreter, modules: Sequence[Module], found: ModuleRewrite, node: ast.AST, limit: int
) -> bridging.ProgramBridges | None:
    """How the programs of the project can run a rewritten class without being rewritten."""
    if node not in found.models:
        return None
    own = {cls.node for cls in module_classes(interp)}
    edits_of = functools.partial(_edits, found)
    return bridging.bridges(
        interp, modules, found.models[node], own, edits_of, limit, found.models.keys()
    )


def _write_program_bridges(
    interp: Interpreter,
    modules: Sequence[Module],
    found: ModuleRewrite,
    bridged: dict[ast.AST, Finding],
    findings: dict[Module, list[Finding]],
    limit: int,
) -> list[ast.AST]:
    """Records the bridges of programs that stay; the classes that some edit was in the way of."""
    blocked = []
    for node, finding in bridged.items():
        if node not in found.models:
            continue  # it stays for a reason of its own
        bridges = _program_bridges(interp, modules, found, node, limit)
        edits_of = functools.partial(_edits, found)
        if bridges is None or not bridging.write(
            bridges,
            edits_of,
            lambda module, line: found.wanted.setdefault(module, set()).add(line),
            defined=node in found.aliases,
        ):
            blocked.append(node)
            continue
        stays = f"`{found.models[node].name}` stays as it is"
        for module, place, helper in bridges.places():
            findings[module] = [f for f in findings.get(module, []) if f.message != stays]
            if helper is not None:
                found.helpers.setdefault(module, set()).add(helper)
            if place is not node:
                findings.setdefault(module, []).append(
                    Finding(
                        place,
                        "PR103",
                        f"`{found.models[node].name}` runs through a bridge here: {finding.message}",
                        "rewrite this code by hand, and the bridge goes",
                    )
                )
    return blocked


def _skipped(cls: Class, left: Mapping[tuple[Path, str], Finding]) -> Refusal | None:
    """Classes marked `# nnx-codemod: skip`, those that run bridges, and dataclasses that could not be written out."""
    source = cls.module.source
    start, _ = source.span(cls.node)
    line = source.text[source.line_start(start) :].split("\n", 1)[0]
    if SKIP in line:
        return Refusal(
            cls,
            cls.node,
            "NX100",
            f"class `{cls.name}` is marked to be skipped",
            "remove the comment",
        )
    if records.is_dataclass_module(cls):
        why = left.get((source.path, cls.name)) or Finding(
            cls.node,
            "NX112",
            f"class `{cls.name}` is a dataclass whose constructor does more than to keep its fields",
            "write its `__init__` by hand",
        )
        return Refusal(cls, why.node, why.code, why.message, why.help)
    if any(is_bridge(node) for node in ast.walk(cls.node)):
        return Refusal(
            cls,
            cls.node,
            "NX109",
            f"class `{cls.name}` runs NNX modules through a bridge",
            "write the class for NNX by hand; the bridges go then",
            bridged=True,
        )
    return None


def _stays_or_unfollowed(
    stays: Callable[[Class], Refusal | None], stay: dict[ast.AST, Finding], cls: Class
) -> Refusal | None:
    return stays(cls) or _unfollowed(cls, stay)


def _used_by_fixed(interp: Interpreter, fixed: Iterable[Module]) -> dict[ast.AST, Refusal]:
    """The module classes that files use which stay as they are."""
    found: dict[ast.AST, Refusal] = {}
    for module in fixed:
        for value in interp.environment_of(module).names.values():
            if isinstance(value, Class) and classes.framework(value) and value.module is not module:
                found[value.node] = Refusal(
                    value,
                    value.node,
                    "NX104",
                    f"class `{value.name}` is used by {module.path.name}, which is not among the files to rewrite",
                    "rewrite both together",
                )
    return found


def _unfollowed(cls: Class, stay: dict[ast.AST, Finding]) -> Refusal | None:
    finding = stay.get(cls.node)
    return (
        None
        if finding is None
        else Refusal(cls, finding.node, finding.code, finding.message, finding.help)
    )


def _edits(found: ModuleRewrite, module: Module) -> Edits:
    if module not in found.edits:
        found.edits[module] = Edits(module.source)
    return found.edits[module]


def _names(interp: Interpreter, found: ModuleRewrite, module: Module) -> FileNames:
    if module not in found.names:
        found.names[module] = FileNames(module, interp.environment_of(module), interp.rules)
    return found.names[module]


def _finish(
    interp: Interpreter,
    project: Project,
    modules: Iterable[Module],
    found: ModuleRewrite,
    findings: dict[Module, list[Finding]],
    options: Options,
    around: Surroundings,
    free: Collection[ast.AST],
) -> ProjectRewrite:
    result = ProjectRewrite()
    source_units = around.run_by_source(functools.partial(_edits, found), found.refusals.keys())
    stays = {unit.node for unit in source_units}
    for module in modules:
        with working_on(module.path):
            file = _outcomes(interp, module, found, findings.get(module, []))
            names = _names(interp, found, module)
            for model in file.models:
                file.findings += [
                    Finding(node, "NX114", what, how) for node, what, how in model.notes
                ]
            _rename(interp, module, _edits(found, module), names, found, file, stays, free)
            file.findings += _leftovers(_edits(found, module), names, file)
            file.helpers = names.helpers | found.helpers.get(module, set())
            file.new_text = _text(project, module, found, names, file, options.line_length)
        result.files.append(file)
    folders: dict[Path, list[FileRewrite]] = {}
    for file in result.files:
        if file.helpers and file.new_text is not None:
            folders.setdefault(file.module.path.parent, []).append(file)
    for folder, files in folders.items():
        helpers = {name for file in files for name in file.helpers}
        path, text = helper_file(folder, helpers, files[0].module.source.indent_unit)
        result.created[path] = text
    return result


def _outcomes(
    interp: Interpreter, module: Module, found: ModuleRewrite, findings: Iterable[Finding]
) -> FileRewrite:
    """What became of the classes of a file."""
    file = FileRewrite(module, findings=list(findings))
    for cls in module_classes(interp):
        if cls.module is not module:
            continue
        if cls.node in found.refusals:
            refusal = found.refusals[cls.node]
            if refusal.node not in module.source.parents:  # what stopped it stands in another file
                refusal = dataclasses.replace(refusal, node=cls.node)
            file.kept.append(refusal)
            file.findings.append(Finding(refusal.node, refusal.code, refusal.message, refusal.help))
        elif cls.node in found.models:
            file.models.append(found.models[cls.node])
    file.models += [
        m
        for m in found.models.values()
        if not isinstance(m.cls, Class) and m.cls.environment.module is module
    ]
    return file


def _rename(
    interp: Interpreter,
    module: Module,
    edits: Edits,
    names: FileNames,
    found: ModuleRewrite,
    file: FileRewrite,
    stays: Collection[ast.AST],
    free: Collection[ast.AST],
) -> None:
    """Renames what rules rename in the text that stays, outside of the classes and statements that stay as they are.

    `free` are statements whose layers no class that stays is given.
    """
    kept = {*(refusal.cls.node for refusal in file.kept), *stays}

    def value_of(node: ast.AST) -> Value | None:
        value = interp.facts.value(node)
        remains = isinstance(value, Class) and value.node not in found.models
        return None if remains else value

    def visit(node: ast.AST) -> None:
        if node in kept:
            return
        try:
            new = (
                names.rewrite(node)
                if isinstance(node, ast.Call | ast.Name | ast.Attribute)
                else None
            )
        except Declined as refusal:
            if survives(edits, node):
                file.findings.append(Finding(node, "NX103", refusal.message, refusal.help))
            return
        if new is not None and isinstance(node, ast.Call) and _touched(edits, node):
            for child in ast.iter_child_nodes(node):
                if child is not node.func:
                    visit(child)
            if not _touched(edits, node.func):
                new = names.rewrite(node, edits.render)
                with contextlib.suppress(EditConflict):
                    edits.replace(node, new or "")
            return
        if new is not None:
            with contextlib.suppress(
                EditConflict
            ):  # the node is part of code that was written anew
                edits.replace(node, new)
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    for statement in module.tree.body:
        # A class that stays may be given the layer.
        names.layers_as_values = not found.refusals or statement in free
        visit(statement)


def _leftovers(edits: Edits, names: FileNames, file: FileRewrite) -> list[Finding]:
    """Names of Linen or Haiku that are left outside of the classes that stay: each gets a diagnostic.

    What a rule would have renamed, had the code around it been rewritten, goes without.
    """
    kept = {inner for refusal in file.kept for inner in ast.walk(refusal.cls.node)}
    found: list[Finding] = []
    seen: set[ast.AST] = set()
    for node in ast.walk(edits.source.tree):
        if not isinstance(node, ast.Name | ast.Attribute) or node in seen or node in kept:
            continue
        qualified = names.qualified(node)
        if qualified is None or not names.rules.is_framework(qualified):
            continue
        seen.update(ast.walk(node))
        rules = names.rules
        renamed = rules.call(qualified) is not None or rules.rename(qualified) is not None
        if not renamed and survives(edits, node):
            why = names.rules.unsupported(qualified)
            written = edits.source.segment(node)
            message, help = why or (
                f"`{written}` is left as it is: no rule knows it here",
                "rewrite it by hand, or keep it with what it belongs to",
            )
            code = names.rules.code(qualified) if why else None
            found.append(Finding(node, code or "NX110", message, help))
    return found


def _touched(edits: Edits, node: ast.AST) -> bool:
    return edits.render(node) != edits.source.segment(node)


def _text(
    project: Project,
    module: Module,
    found: ModuleRewrite,
    names: FileNames,
    file: FileRewrite,
    limit: int,
) -> str | None:
    """The file's new text, None where nothing changed."""
    edits = _edits(found, module)
    _variable_classes(module, edits, found)
    text = edits.apply()
    if text == module.source.text:
        return None
    file.helpers = {name for name in file.helpers if _has_word(text, name)}
    wanted = set(names.wanted) | found.wanted.get(module, set())
    if file.helpers:
        wanted.add(
            f"from {helper_module(module, project)} import {', '.join(sorted(file.helpers))}"
        )
    if "nnx." in text:
        wanted.add("from flax import nnx")
    text = imports.tidy(
        text,
        module.source.text,
        sorted(line for line in wanted if _is_used(line, text)),
        reexports=module.path.name == "__init__.py",
        limit=limit,
    )
    return None if text == module.source.text else text


def _is_used(line: str, text: str) -> bool:
    """Whether a text has a name that an import line binds: what was written in a draft may be gone."""
    names = (alias for node in ast.parse(line).body for alias in node.names)  # type: ignore[attr-defined]
    return any(_has_word(text, (alias.asname or alias.name).split(".")[0]) for alias in names)


def _has_word(text: str, word: str) -> bool:
    return re.search(rf"\b{re.escape(word)}\b", text) is not None


def _variable_classes(module: Module, edits: Edits, found: ModuleRewrite) -> None:
    """Puts each Variable class above the first class that uses it."""
    unit = module.source.indent_unit
    for collection, (text, cls) in found.variable_classes.get(module, {}).items():
        base = f"class {text}(nnx.Variable):"
        body = f'{unit}"""A variable of the `{collection}` collection."""'
        edits.insert_before(cls.node, f"{base}\n{body}\n\n\n")
