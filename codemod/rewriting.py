"""The rewrite of a project, file by file: modules, then the programs around them, then what is left to tidy."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from . import choosing, forwards, style
from .by_name import found_by_name, functions_found_by_name
from .class_rewrites import Refusal
from .config import Options
from .culprit import working_on
from .edits import EditConflict
from .findings import Finding
from .finishing import ProjectRewrite, finish
from .model.study import Context, Contexts
from .modules import module_classes
from .prepasses import (
    abreast,
    called_in_turns,
    closures,
    computed_of_parameters,
    first_carries,
    functions,
    gathered,
    handed_back,
    handed_streams,
    heirs,
    in_turn,
    kept_arguments,
    kept_keys,
    makers,
    one_layer,
    own_names,
    records,
    renamed_methods,
    set_at_once,
    several_keys,
    stacks,
    uncalled,
    unnamed,
    unpacked,
)
from .prepasses.maker import Apart
from .prepasses.prepared import Leave, MadeClass, Prepared, classes_of
from .programs.rewrite import Programs
from .project import Module, Project
from .rulebook import Rulebook
from .settling import Settled, settle
from .shapes import classes, frameworks
from .shapes.interpreter import Interpreter
from .shapes.named import Choices
from .shapes.traced import Traced, example
from .shapes.values import Object
from .staying import used_by_fixed

MAX_TURNS = 4


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
    apart: set[Apart] = set()
    unsized: set[tuple[Path, str]] = set()
    for turn in range(MAX_TURNS):
        prepared = _prepared(project, rules, frozenset(leave), frozenset(apart), options.limit)
        prepared.project.left = leave
        facts = _facts(traced, prepared)
        result = _rewrite_prepared(prepared.project, rules, options, fixed, progress, facts)
        refused, users = _refused_functions(prepared, result, apart, unsized)
        if (not refused and not users) or (not users and _put_back(prepared, result, refused)):
            restored = _restored(prepared, result, leave, unsized, options.limit)
            _tell_of_functions(restored, forwards.of_project(project, rules))
            return restored
        apart |= users
        if turn == MAX_TURNS - 2:  # what is left hangs together in a way that turns do not sort out
            refused = {
                (made.path, made.function): refused.get((made.path, made.function), _stays(made))
                for made in prepared.made
            }
        leave.update(refused)
    raise AssertionError("a project without prepared functions refuses none")


def _stays(made: MadeClass) -> Finding:
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
    leave: Leave,
    apart: frozenset[Apart],
    limit: int,
) -> Prepared:
    """The project as all passes that write ahead leave it, one after the other."""
    stages = [records.prepare(project, rules, leave)]
    stages.append(abreast.prepare(stages[-1].project, rules, leave))
    stages.append(handed_back.prepare(stages[-1].project, rules, leave))
    stages.append(called_in_turns.prepare(stages[-1].project, rules, leave))
    stages.append(gathered.prepare(stages[-1].project, rules, leave))
    stages.append(unpacked.prepare(stages[-1].project, rules, leave))
    stages.append(kept_arguments.prepare(stages[-1].project, rules, leave))
    stages.append(one_layer.prepare(stages[-1].project, rules, leave))
    stages.append(set_at_once.prepare(stages[-1].project, rules, leave))
    stages.append(computed_of_parameters.prepare(stages[-1].project, rules, leave))
    stages.append(own_names.prepare(stages[-1].project, rules, leave))
    stages.append(renamed_methods.prepare(stages[-1].project, rules, leave))
    stages.append(handed_streams.prepare(stages[-1].project, rules, leave))
    stages.append(uncalled.prepare(stages[-1].project, rules, leave))
    stages.append(stacks.prepare(stages[-1].project, rules, leave))
    stages.append(heirs.prepare(stages[-1].project, rules, leave))
    stages.append(several_keys.prepare(stages[-1].project, rules, leave))
    stages.append(kept_keys.prepare(stages[-1].project, rules, leave))
    stages.append(first_carries.prepare(stages[-1].project, rules, leave, limit))
    stages.append(closures.prepare(stages[-1].project, rules, leave, limit))
    stages.append(unnamed.prepare(stages[-1].project, rules, leave, apart))
    # Functions that hang together in a way that is not sorted out stay.
    with contextlib.suppress(EditConflict):
        stages.append(makers.prepare(stages[-1].project, rules, leave, apart, limit))
    # What was a call of a function is now the making and the calling of a module.
    stages.append(called_in_turns.prepare(stages[-1].project, rules, leave))
    kept = {place for stage in stages for place in stage.kept}
    stages.append(functions.prepare(stages[-1].project, rules, leave, kept))
    made = [each for stage in stages for each in stage.made]
    stages.append(in_turn.prepare(stages[-1].project, rules, leave))
    known = {(each.path, each.name) for each in made}
    made += [each for each in stages[-1].made if (each.path, each.name) not in known]
    originals = {p: s for stage in reversed(stages) for p, s in stage.originals.items()}
    last = stages[-1].project
    last.reasons = {place: why for stage in stages for place, why in stage.reasons.items()}
    last.functions = {(m.path, m.name) for m in made if m.is_function}
    return Prepared(last, originals, made)


def _facts(traced: Traced | None, prepared: Prepared) -> Traced | None:
    """The facts from runs, with the way back from the prepared text to the original one, which ran."""
    if traced is None:
        return None
    made = classes_of(prepared.made)

    def name(path: Path, written: str) -> str:
        return made[path, written].function if (path, written) in made else written

    return dataclasses.replace(traced, line=prepared.original_line, name=name)


def _refused_functions(
    prepared: Prepared,
    result: ProjectRewrite,
    known: set[Apart],
    unsized: set[tuple[Path, str]],
) -> tuple[dict[tuple[Path, str], Finding], set[Apart]]:
    """The functions whose classes stay, and why; and those that only stay for some of their users, with these.

    Those that want a size are added to `unsized`.
    """
    made = classes_of(prepared.made)
    found: dict[tuple[Path, str], Finding] = {}
    apart: set[Apart] = set()
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
    cls: MadeClass,
    refusal: Refusal,
    made: Mapping[tuple[Path, str], MadeClass],
) -> set[Apart]:
    """The classes and functions for whose sake alone the class of a function that makes layers stays."""
    if not cls.of_layers:
        return set()
    found = set()
    for user in {owner.node: owner for u in refusal.users for owner in classes.mro(u)}.values():
        written = made.get((user.module.path, user.name))
        name = written.function if written is not None else user.name
        found.add((cls.path, cls.function, user.module.path, name))
    return found


def _put_back(
    prepared: Prepared, result: ProjectRewrite, refused: Collection[tuple[Path, str]]
) -> bool:
    """Puts classes that stay in the place of those that were written anew for them, where that is all it takes."""
    functions = {(made.path, made.function) for made in prepared.made if made.is_function}
    names: dict[Path, set[str]] = {}
    for path, name in refused:
        if (path, name) in functions:
            return False
        names.setdefault(path, set()).add(name)
    texts: dict[Path, str | None] = {}
    for file in result.files:
        path = file.module.path
        if path in names and file.new_text is not None:
            texts[path] = prepared.put_back(path, names[path], file.new_text)
    if None in texts.values():
        return False
    for file in result.files:
        file.new_text = texts.get(file.module.path, file.new_text)
    return True


def _restored(
    prepared: Prepared,
    result: ProjectRewrite,
    left: dict[tuple[Path, str], Finding],
    unsized: Iterable[tuple[Path, str]],
    limit: int,
) -> ProjectRewrite:
    """The result in terms of the original files: their sources, their lines, their functions' names, their style."""
    made = classes_of(prepared.made)
    making = {each.path for each in prepared.made}
    for file in result.files:
        path = file.module.path
        file.source = prepared.originals.get(path, file.module.source)
        file.unsized = [(r.cls.name, r.framework) for r in file.kept if r.unsized]
        functions = [name.rpartition(".")[2] for where, name in unsized if where == path]
        file.unsized += [(name, "haiku-function") for name in functions]
        for model in file.models:
            cls = made.get((path, model.name))
            if cls is not None and cls.is_function:
                model.function_name = cls.function.rpartition(".")[2]
            model.traced = [
                (prepared.original_line(path, line), column) for line, column in model.traced
            ]
        if path in prepared.originals and file.new_text is None and path not in making:
            file.new_text = file.module.source.text  # it only calls what was prepared by new names
        if file.new_text is not None:
            file.new_text = style.like(file.new_text, file.source, limit)
        if path in prepared.originals:
            for finding in file.findings:
                finding_line = prepared.original_line(path, getattr(finding.node, "lineno", 1))
                finding.place = (finding_line, getattr(finding.node, "col_offset", 0))
        file.findings += [finding for (where, _), finding in left.items() if where == path]
    return result


def _tell_of_functions(
    result: ProjectRewrite, functions: Mapping[Path, Sequence[ast.FunctionDef]]
) -> None:
    """Names the functions that make layers and stay, each with its reason."""
    for file in result.files:
        known = {model.function_name or model.name for model in file.models}
        new = file.new_text if file.new_text is not None else file.module.source.text
        for function in forwards.staying(functions.get(file.module.path, ()), new, known):
            file.functions.append(forwards.label(function, file.source or file.module.source))
            reason = forwards.reason(function, file.findings)
            file.findings += [reason] if reason is not None else []


def _rewrite_prepared(
    project: Project,
    rules: Rulebook,
    options: Options,
    fixed: Iterable[Module],
    progress: Callable[[str], None],
    traced: Traced | None = None,
) -> ProjectRewrite:
    modules = [module for module in project.modules.values() if module.rewritable]

    def read(choices: Choices | None) -> _Reading:
        return _read(project, rules, modules, choices, progress, traced)

    def rewrite(choices: Choices) -> tuple[Interpreter, Settled, ProjectRewrite]:
        reading = read(choices)
        settled = _settled(reading, modules, options, fixed)
        return reading.interp, settled, finish(reading.interp, modules, settled, options)

    reading = read(Choices())
    assert reading.interp.choices is not None
    if reading.interp.choices.met:
        names = choosing.names_asked_for(reading.interp)
        if names:
            return choosing.followed(names, rewrite)
        reading = read(None)
    settled = _settled(reading, modules, options, fixed)
    return finish(reading.interp, modules, settled, options)


@dataclasses.dataclass
class _Reading:
    """A project whose programs were read, for one model wherever they ask for one of several by a name."""

    interp: Interpreter
    contexts: Contexts
    programs: Programs


def _read(
    project: Project,
    rules: Rulebook,
    modules: Sequence[Module],
    choices: Choices | None,
    progress: Callable[[str], None],
    traced: Traced | None,
) -> _Reading:
    interp = Interpreter(project, rules)
    interp.traced = traced
    interp.choices = choices
    frameworks.install(interp)
    contexts = Contexts()
    interp.observers.append(contexts)
    programs = Programs(interp)
    for module in modules:
        progress(str(module.path))
        with working_on(module.path):
            interp.environment_of(module)
    programs.explore(modules)
    _show_inputs(interp, contexts)
    return _Reading(interp, contexts, programs)


def _settled(
    reading: _Reading, modules: Sequence[Module], options: Options, fixed: Iterable[Module]
) -> Settled:
    interp = reading.interp
    reading.programs.asked_for = functions_found_by_name(interp, modules)
    needed = {
        **found_by_name(interp, modules, module_classes(interp)),
        **used_by_fixed(interp, fixed),
    }
    bridged = choosing.to_bridge(interp)
    return settle(interp, modules, reading.programs, reading.contexts, options, needed, bridged)


def _show_inputs(interp: Interpreter, contexts: Contexts) -> None:
    """What runs showed of the inputs of module classes counts as a call that was seen."""
    for cls in module_classes(interp) if interp.traced is not None else []:
        assert interp.traced is not None
        known = interp.traced.about(cls.module.path, cls.name)
        if known is not None:
            given = {name: example(shown) for name, shown in known.arguments.items()}
            contexts.calls[cls.node].insert(0, Context(Object(cls), known.method, (), given))
