"""Rewrites the module classes of a project: which of them can follow, and in which order."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from .ancestry import lineage
from .chains import is_own
from .class_rewrites import Around, ClassRewrite, ClassRewrites, Refusal
from .config import Options
from .edits import Edits
from .emit.aliases import Alias, find_alias, write_alias
from .emit.bridges import Bridge, Bridges, other_methods
from .emit.file_names import FileNames
from .emit.origins import Origins
from .emit.path_reads import reads_paths
from .emit.read_variables import path_read
from .findings import Finding
from .kept_flags import KeptFlags
from .model.module import ModuleModel
from .model.study import Contexts, Study, study
from .model.trees import locate
from .project import Module
from .shapes import chosen, classes
from .shapes.facts import Facts
from .shapes.interpreter import Interpreter
from .shapes.values import Class, Object


@dataclass
class ModuleRewrite:
    """What became of the module classes of a project."""

    edits: dict[Module, Edits] = field(default_factory=dict)
    names: dict[Module, FileNames] = field(default_factory=dict)
    models: dict[ast.AST, ModuleModel] = field(default_factory=dict)
    refusals: dict[ast.AST, Refusal] = field(default_factory=dict)
    variable_classes: dict[Module, dict[str, tuple[str, Class]]] = field(default_factory=dict)
    helpers: dict[Module, set[str]] = field(default_factory=dict)
    wanted: dict[Module, set[str]] = field(default_factory=dict)  # imports
    flag_requests: set[ast.AST] = field(default_factory=set)  # classes that have to keep flags
    handed_flags: set[ast.AST] = field(default_factory=set)  # classes that cannot keep them
    aliases: set[ast.AST] = field(default_factory=set)  # classes that have a Linen name as well
    # classes that functions make for classes that stay
    made_for: dict[ast.AST, Finding] = field(default_factory=dict)

    def edits_of(self, module: Module) -> Edits:
        """The edits of a file, which none may have been made of so far."""
        if module not in self.edits:
            self.edits[module] = Edits(module.source)
        return self.edits[module]

    def names_of(self, module: Module, interp: Interpreter) -> FileNames:
        """What the names of a file stand for."""
        if module not in self.names:
            self.names[module] = FileNames(module, interp.environment_of(module), interp.rules)
        return self.names[module]

    def want(self, module: Module, line: str) -> None:
        """Asks for an import in a file."""
        self.wanted.setdefault(module, set()).add(line)


def module_classes(interp: Interpreter) -> list[Class]:
    """Every Linen and Haiku class of the rewritable modules, in file order."""
    found: list[Class] = []
    for module in list(interp.project.modules.values()):
        if not module.rewritable:
            continue
        environment = interp.environment_of(module)
        by_node = {v.node: v for v in environment.names.values() if isinstance(v, Class)}
        for node in module.tree.body:
            if (
                isinstance(node, ast.ClassDef)
                and node in by_node
                and classes.framework(by_node[node])
            ):
                found.append(by_node[node])
    return found


def references(interp: Interpreter, cls: Class, among: Mapping[ast.AST, Class]) -> set[ast.AST]:
    """The module classes that a class mentions in its own text."""
    found: set[ast.AST] = set()
    for node in ast.walk(cls.node):
        if isinstance(node, ast.Name | ast.Attribute):
            value = interp.peek_name(node, cls.around)
            if isinstance(value, Class) and value.node in among and value is not cls:
                found.add(value.node)
    return found


def users_first(found: list[Class], uses: Mapping[ast.AST, set[ast.AST]]) -> list[Class]:
    """Each class after those that mention it, as far as cycles allow."""
    order: list[Class] = []
    pending = list(found)
    while pending:
        mentioned = {node for cls in pending for node in uses[cls.node]}
        free = [cls for cls in pending if cls.node not in mentioned] or pending[:1]
        order += free
        pending = [cls for cls in pending if cls not in free]
    return order


@dataclass
class Studied:
    """The module classes of a project, users first, with what reading them showed."""

    order: list[Class]
    mentions: dict[ast.AST, set[ast.AST]]  # by class, those that its own text speaks of
    uses: dict[ast.AST, set[ast.AST]]  # those that it mentions, is given or makes
    studies: dict[ast.AST, Study]
    failed: dict[ast.AST, Refusal]
    rewrites: ClassRewrites
    origins: Origins


def study_modules(interp: Interpreter, contexts: Contexts) -> Studied:
    """Reads all module classes: each after those that mention it."""
    found = module_classes(interp)
    among: dict[ast.AST, Class] = {cls.node: cls for cls in found}
    mentions: dict[ast.AST, set[ast.AST]] = {
        cls.node: references(interp, cls, among) for cls in found
    }
    uses: dict[ast.AST, set[ast.AST]] = {
        cls.node: mentions[cls.node] | _given(contexts, cls) & among.keys() for cls in found
    }
    studies, failed = _studies(interp, users_first(found, uses), contexts)
    for node, found_study in studies.items():
        uses[node] |= _made(found_study) & among.keys() - {node}
    order = users_first(found, uses)
    rewrites, origins = ClassRewrites(interp), Origins(interp.project)
    return Studied(order, mentions, uses, studies, failed, rewrites, origins)


def rewrite_modules(
    interp: Interpreter,
    studied: Studied,
    options: Options,
    kept: Callable[[Class], Refusal | None],
    bridged: Collection[ast.AST] = (),
) -> ModuleRewrite:
    """Rewrites all classes that can follow; `kept` names those that must stay for reasons from outside.

    Programs run those of `bridged` with their flags.
    """
    among: dict[ast.AST, Class] = {cls.node: cls for cls in studied.order}
    refusals: dict[ast.AST, Refusal] = {
        cls.node: refusal for cls in studied.order if (refusal := kept(cls)) is not None
    }
    refusals = {**studied.failed, **refusals}
    flags = KeptFlags()
    while True:
        before = _outputs(interp)
        attempt = _attempt(interp, studied, options, refusals, flags)
        asked = attempt.flag_requests | flags.made_by_users(attempt.models, studied.uses)
        if _outputs(interp) != before or flags.keep_needed(asked, studied.uses):
            continue
        if flags.drop_handed(
            attempt.handed_flags, studied.uses, {*attempt.models, *attempt.handed_flags}
        ):
            continue
        new, bridges = _consequences(interp, attempt, among, studied, options.limit)
        if new:
            refusals = {**attempt.refusals, **new}
            continue
        reached: set[ast.AST] = {cls.node for _, cls, _ in bridges}
        reached |= attempt.models.keys() & set(bridged)
        if flags.keep_called(reached, studied.uses, attempt.models):
            continue
        for user, _, found in bridges:
            _write_bridges(user, found, attempt)
        return attempt


def _outputs(interp: Interpreter) -> tuple[int, int]:
    """How many classes are asked for the size of what they return, and how many cannot tell it."""
    return len(interp.asked_outputs), len(interp.silent_outputs)


def _studies(
    interp: Interpreter, order: list[Class], contexts: Contexts
) -> tuple[dict[ast.AST, Study], dict[ast.AST, Refusal]]:
    """Every class studied; one that cannot be followed is refused, and the others go on."""
    studies: dict[ast.AST, Study] = {}
    failed: dict[ast.AST, Refusal] = {}
    for cls in order:
        try:
            studies[cls.node] = study(interp, cls, contexts)
        except Exception as error:  # any program may come here: one that we cannot follow stays
            failed[cls.node] = Refusal(
                cls,
                cls.node,
                "NX105",
                f"class `{cls.name}` cannot be followed ({type(error).__name__})",
                "rewrite it by hand, or split it into smaller modules",
            )
    return studies, failed


def _given(contexts: Contexts, cls: Class) -> set[ast.AST]:
    """The classes that partials of a class give to it."""
    values = (v for given in contexts.given.get(cls.node, ()) for v in given.values())
    return {v.node for v in values if isinstance(v, Class) and v is not cls}


def _made(study: Study) -> set[ast.AST]:
    """The classes of the modules that a class makes: some come from its fields."""
    return {
        made.value.cls.node
        for all_made in study.facts.made.values()
        for made in all_made
        if made.value.cls is not None
    }


Bridged = tuple[Class, Class, list[Bridge] | Alias]


def _consequences(
    interp: Interpreter,
    attempt: ModuleRewrite,
    among: Mapping[ast.AST, Class],
    studied: Studied,
    limit: int,
) -> tuple[dict[ast.AST, Refusal], list[Bridged]]:
    """Classes that must stay because a class that uses them stays, and the bridges by which others go on."""
    new: dict[ast.AST, Refusal] = {}
    bridges: list[Bridged] = []
    for node, refusal in attempt.refusals.items():
        for used in sorted(studied.uses[node], key=lambda n: getattr(n, "lineno", 0)):
            if used not in attempt.models or used in attempt.refusals:
                continue
            if _made_by_functions(interp, refusal, among[used], attempt, studied):
                attempt.made_for[used] = Finding(
                    node, "PR101", f"`{refusal.cls.name}` has it made here, and stays as it is", ""
                )
                continue
            found = _bridges(interp, refusal, among[used], attempt, studied, limit)
            if found is not None:
                bridges += [(refusal.cls, among[used], found)] if found else []
                continue
            earlier = new[used].users if used in new else ()
            new[used] = Refusal(
                among[used],
                used,
                "NX102",
                f"class `{among[used].name}` is used by `{refusal.cls.name}`, which stays as it is",
                f"nothing here; it follows once `{refusal.cls.name}` can be rewritten",
                users=(*earlier, refusal.cls),
            )
    return new, [b for b in bridges if b[1].node not in new]


def _bridges(
    interp: Interpreter,
    user: Refusal,
    used: Class,
    attempt: ModuleRewrite,
    studied: Studied,
    limit: int,
) -> list[Bridge] | Alias | None:
    """How a class that stays can run a rewritten one: by nothing where only other classes that stay make it, None where it cannot."""
    cls = user.cls
    if attempt.models[used.node].refines:
        return None  # its constructor's parameters have the names of nnx
    if user.code == "NX100" or user.framework != attempt.models[used.node].framework:
        return None
    facts = studied.studies[cls.node].facts if cls.node in studied.studies else None
    if facts is not None and _reads_attributes(cls, attempt.models[used.node], facts):
        return None  # a bridged module has none
    if _read_by_path(interp, cls, used, attempt, studied.origins):
        return None
    source, model = cls.module.source, attempt.models[used.node]
    bridges = Bridges(
        source,
        cls.node,
        lambda node: interp.peek_name(node, cls.around),
        facts.value if facts is not None else lambda node: None,
        attempt.edits_of(cls.module),
        limit=limit,
        as_given=lambda made, added: chosen.as_given(interp, made, added.source, added.index),
    )
    made = _sites(studied.studies[cls.node], used) if facts is not None else set()
    made -= _made_by_others(interp, made, used, cls, attempt)
    calls = bridges.find(used, model)
    if calls is not None and not made and not any(bridges.mentions(used)):
        return []
    if calls and made <= {bridge.call for bridge in calls}:
        return calls
    if not made <= set(ast.walk(cls.node)) or made & interp.derived.keys():
        return None  # a module that is handed in, made by code elsewhere
    if any(isinstance(node, ast.Call) and is_own(node.func) for node in made):
        return None  # a class that is handed in
    return find_alias(interp, {cls.module: bridges}, used, model, limit)


def _read_by_path(
    interp: Interpreter, user: Class, used: Class, attempt: ModuleRewrite, origins: Origins
) -> bool:
    """Whether a file that knows one of two classes reads the variables of the used one by names that change."""
    model = attempt.models[used.node]
    return any(
        module.rewritable
        and any(v is user or v is used for v in interp.environment_of(module).names.values())
        and reads_paths(module, model, attempt.models, origins)
        for module in list(interp.project.modules.values())
    )


def _made_by_others(
    interp: Interpreter, made: set[ast.AST], used: Class, user: Class, attempt: ModuleRewrite
) -> set[ast.AST]:
    """The calls that make a module in the text of other classes that stay, of a base perhaps: these bridge their own.

    So does the code that makes one in no class at all, with the programs. What a rewritten class makes is its own.
    """
    found: set[ast.AST] = set()
    for node in made:
        module = interp.project.home(node)
        if module is None:
            continue
        above = list(lineage(node, module.source.parents))
        makers = (attempt.models[each].cls for each in above if each in attempt.models)
        if any(isinstance(cls, Class) and cls is not user for cls in makers):
            found.add(node)
            continue
        other = next((attempt.refusals[e].cls for e in above if e in attempt.refusals), None)
        head = node.func if isinstance(node, ast.Call) else None
        if other is user or not isinstance(head, ast.Name | ast.Attribute):
            continue
        if other is None and any(isinstance(each, ast.ClassDef) for each in above):
            continue
        around = interp.environment_of(module) if other is None else other.around
        value = interp.peek_name(head, around)
        if isinstance(value, Class) and value.node is used.node:
            found.add(node)
    return found


def _made_by_functions(
    interp: Interpreter, user: Refusal, used: Class, attempt: ModuleRewrite, studied: Studied
) -> bool:
    """Whether a class that stays only has another made, by functions that make it for no rewritten class.

    Such functions are code around the classes, which may run it through a bridge.
    """
    if user.cls.node not in studied.studies or used.node in studied.mentions[user.cls.node]:
        return False
    made = _sites(studied.studies[user.cls.node], used)
    if not made or made & interp.derived.keys():
        return False
    if any(_in_class(interp, node, studied.uses.keys()) for node in made):
        return False
    asked = {n.attr for n in ast.walk(user.cls.node) if isinstance(n, ast.Attribute)}
    if asked & other_methods(used):
        return False
    return not any(
        made & _sites(studied.studies[node], used)
        for node in attempt.models
        if node in studied.studies
    )


def _in_class(interp: Interpreter, node: ast.AST, among: Collection[ast.AST]) -> bool:
    """Whether a node stands in the text of one of some classes."""
    module = interp.project.home(node)
    above = lineage(node, module.source.parents) if module is not None else ()
    return any(each in among for each in above)


def _sites(study: Study, used: Class) -> set[ast.AST]:
    """The calls that make a class for another one."""
    return {
        node
        for node, all_made in study.facts.made.items()
        if any(isinstance(m.value, Object) and m.value.cls is used for m in all_made)
    }


def _reads_attributes(user: Class, model: ModuleModel, facts: Facts) -> bool:
    """Whether code reads an attribute off a module of a class, other than to call a method.

    The variables of a bridge are there, under the names of the attributes.
    """
    called = {node.func for node in ast.walk(user.node) if isinstance(node, ast.Call)}
    return any(
        isinstance(node, ast.Attribute)
        and node not in called
        and isinstance(value := facts.value(node.value), Object)
        and value.cls is model.cls
        and not is_own(node)
        and not _reads_alike(node, user.module, model)
        for node in ast.walk(user.node)
    )


def _reads_alike(node: ast.Attribute, module: Module, model: ModuleModel) -> bool:
    """Whether `net.variables["params"]["embed"]["kernel"]` has a path that is the attributes' as well."""
    if node.attr != "variables":
        return False
    _, path = path_read(node, module.source.parents)
    return path[:1] == ["params"] and locate(model, "linen", path[1:]) == ".".join(path[1:])


def _write_bridges(user: Class, found: list[Bridge] | Alias, attempt: ModuleRewrite) -> None:
    refusal = attempt.refusals[user.node]
    attempt.refusals[user.node] = dataclasses.replace(refusal, bridged=True)
    if isinstance(found, Alias):
        node = found.cls.node
        write_alias(found, attempt.edits_of, attempt.want, defined=node in attempt.aliases)
        attempt.aliases.add(node)
        if found.helper is not None:
            attempt.helpers.setdefault(found.home, set()).add(found.helper)
        return
    for bridge in found:
        attempt.edits[user.module].replace(bridge.call, bridge.text)
        if bridge.helper is not None:
            attempt.helpers.setdefault(user.module, set()).add(bridge.helper)


def _attempt(
    interp: Interpreter,
    studied: Studied,
    options: Options,
    refusals: Mapping[ast.AST, Refusal],
    flags: KeptFlags,
) -> ModuleRewrite:
    """Rewrites each class that nothing speaks against; some keep their flags as call arguments."""
    result = ModuleRewrite(refusals=dict(refusals))
    children_first, studies = studied.order[::-1], studied.studies
    for cls in children_first:
        if cls.node not in result.refusals:
            heirs = [
                studies[other.node]
                for other in children_first
                if other is not cls and cls in classes.mro(other) and other.node in studies
            ]
            keep = options.mode_flags == "keep" or cls.node in flags.kept
            each = dataclasses.replace(options, mode_flags="keep" if keep else "drop")
            around = _around(interp, cls, each, result)
            found = studied.rewrites.rewrite(cls, [studies[cls.node], *heirs], around)
            _take(interp, cls, found, result)
            if cls.node in result.models:
                result.models[cls.node].moded = cls.node in flags.moded
    return result


def _around(interp: Interpreter, cls: Class, options: Options, result: ModuleRewrite) -> Around:
    variables = {text for known in result.variable_classes.values() for text, _ in known.values()}
    known = result.variable_classes.setdefault(cls.module, {})
    return Around(
        options,
        result.models,
        result.edits_of(cls.module),
        result.names_of(cls.module, interp),
        {name: text for name, (text, _) in known.items()},
        variables | {model.new_name for model in result.models.values()},
    )


def _take(interp: Interpreter, cls: Class, found: ClassRewrite, result: ModuleRewrite) -> None:
    """Adds what came of a class."""
    module = cls.module
    result.flag_requests |= found.flag_requests
    if found.hands_flags:
        result.handed_flags.add(cls.node)
    if found.refusal is not None:
        result.refusals[cls.node] = found.refusal
        return
    assert found.model is not None and found.edits is not None
    found.edits.repeat(result.edits_of(module))
    names = result.names_of(module, interp)
    names.wanted |= found.wanted
    names.helpers |= found.called
    result.models[cls.node] = found.model
    result.helpers.setdefault(module, set()).update(found.helpers)
    for collection, text in found.variable_classes.items():
        result.variable_classes.setdefault(module, {}).setdefault(collection, (text, cls))
