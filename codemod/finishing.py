"""The last pass over each file, once it is settled what becomes of every class: names, findings, imports, text."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .ancestry import functions_around
from .beside import helper_file, helper_module, import_either_way
from .class_rewrites import Refusal
from .config import Options
from .culprit import working_on
from .edits import Edits
from .emit import imports
from .emit.file_names import FileNames
from .emit.renaming import rename_within
from .findings import Finding
from .model.module import ModuleModel
from .modules import ModuleRewrite, module_classes
from .prepasses.maker_lookup import TRANSFORMS
from .project import Module, Project
from .read_elsewhere import read_elsewhere
from .rule import Declined
from .settling import Settled
from .shapes.classes import LINEN_MODULE
from .shapes.interpreter import Interpreter
from .shapes.values import Class, Value
from .source import Source


@dataclass
class FileRewrite:
    """What became of one file."""

    module: Module
    new_text: str | None = None
    source: Source | None = None  # the original, where the module was prepared
    findings: list[Finding] = field(default_factory=list)
    models: list[ModuleModel] = field(default_factory=list)
    kept: list[Refusal] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)  # functions that make layers, and stay
    helpers: set[str] = field(default_factory=set)
    # names and kinds of what wants a size
    unsized: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class ProjectRewrite:
    """What became of all files, and the files to be made beside them."""

    files: list[FileRewrite] = field(default_factory=list)
    created: dict[Path, str] = field(default_factory=dict)


def finish(
    interp: Interpreter, modules: Collection[Module], settled: Settled, options: Options
) -> ProjectRewrite:
    """The new text of every file and what is to be said of it, and the helper files beside them."""
    result = ProjectRewrite()
    found = settled.found
    local = interp.project.own_names()
    changed = _changed(interp.project, modules, found)
    for module in modules:
        with working_on(module.path):
            file = _outcomes(interp, module, found, settled.findings.get(module, []))
            names = found.names_of(module, interp)
            for model in file.models:
                file.findings += [
                    Finding(node, "NX114", what, how) for node, what, how in model.notes
                ]
            if module in changed:
                _rename(interp, module, names, file, settled)
            file.findings += _leftovers(interp, found.edits_of(module), names, file)
            file.helpers = names.helpers | found.helpers.get(module, set())
            file.new_text = _text(interp.project, module, found, names, file, local, options.limit)
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


def _changed(
    project: Project, modules: Collection[Module], found: ModuleRewrite
) -> Collection[Module]:
    """The files that get new names: all, or where some classes stay, those that something else changes in or imports.

    What stays may go on with the names that it has.
    """
    if not found.refusals:
        return modules
    touched = (m for m in modules if m in found.edits and found.edits[m].touched)
    return project.imported_by(touched)


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
    interp: Interpreter, module: Module, names: FileNames, file: FileRewrite, settled: Settled
) -> None:
    """Renames what rules rename in the text that stays, outside of the classes and statements that stay as they are."""
    found, edits = settled.found, settled.found.edits_of(module)
    stays = {unit.node for unit in settled.source_units}
    kept = {*(refusal.cls.node for refusal in file.kept), *stays}

    def value_of(node: ast.AST) -> Value | None:
        if node in settled.lifted:
            return settled.lifted[node]
        value = interp.facts.value(node)
        remains = isinstance(value, Class) and value.node not in found.models
        return None if remains else value

    names.value_of = value_of
    frameworks = {refusal.framework for refusal in found.refusals.values()}
    names.models_stay = "linen" in frameworks or bool(settled.bridged)
    names.programs_stay = "haiku" in frameworks or bool(stays)
    names.rewritten = found.models.keys()

    def declined(node: ast.AST, refusal: Declined) -> None:
        if edits.keeps(node):
            file.findings.append(Finding(node, "NX103", refusal.message, refusal.help))

    for statement in module.tree.body:
        # A class that stays may be given the layer.
        names.layers_as_values = not found.refusals or statement in settled.free
        rename_within(statement, edits, names, kept, declined)


def _leftovers(
    interp: Interpreter, edits: Edits, names: FileNames, file: FileRewrite
) -> list[Finding]:
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
        call = rules.call(qualified)
        renamed = call is not None and call.only is None
        renamed |= rules.rename(qualified) is not None
        renamed |= qualified == LINEN_MODULE and edits.source.is_annotation(node)
        if not renamed and edits.keeps(node):
            why = names.rules.unsupported(qualified)
            message, help = why or _why_left(
                interp,
                qualified,
                edits.source.segment(node),
                _why_around(interp, node, edits.source, qualified in TRANSFORMS),
            )
            code = names.rules.code(qualified) if why else None
            found.append(Finding(node, code or "NX110", message, help))
    return found


def _why_around(interp: Interpreter, node: ast.AST, source: Source, transforms: bool) -> str | None:
    """Why the function that a name stands in stays, or one that the named function is given, where that is known.

    A transform has a function of its own, and stays for nothing that is wrong with those around it.
    """
    above = source.parents.get(node)
    given = above.args if isinstance(above, ast.Call) and above.func is node else []
    names = [n.id for each in given for n in ast.walk(each) if isinstance(n, ast.Name)]
    if not transforms:
        names += [f.name for f in functions_around(node, source.parents)]
    for name in names:
        place = (source.path, name)
        left = interp.project.left.get(place)
        why = left.message if left is not None else interp.project.reasons.get(place)
        if why is not None:
            return why
    return None


def _why_left(
    interp: Interpreter, qualified: str, written: str, around: str | None
) -> tuple[str, str]:
    """What to say of a name that is left: whether the tool knows it, and what to do."""
    if interp.rules.layer(qualified) is not None or qualified in interp.handlers:
        if around is not None:
            return (
                f"`{written}` stays: {around}",
                "nothing here; it follows once that is solved",
            )
        return (
            f"`{written}` stays with the code around it, which could not be followed",
            "nothing here; it follows once that code can be rewritten",
        )
    return (
        f"`{written}` is left as it is: no rule knows it here",
        "rewrite it by hand, or keep it with what it belongs to",
    )


def _text(
    project: Project,
    module: Module,
    found: ModuleRewrite,
    names: FileNames,
    file: FileRewrite,
    local: Collection[str],
    limit: int,
) -> str | None:
    """The file's new text, None where nothing changed."""
    edits = found.edits_of(module)
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
        local=local,
        read=read_elsewhere(project, module, lambda other: found.edits_of(other).apply()),
        limit=limit,
    )
    if file.helpers:
        text = import_either_way(text, module, project)
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
