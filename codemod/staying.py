"""Classes that stay for reasons beyond their own code: marked by the user, shared with code that stays, stranded."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from .class_rewrites import Refusal
from .edits import Edits
from .emit.bridges import is_bridge
from .emit.enclosing import changes_inside
from .findings import Finding
from .layer_partials import LayerPartial
from .modules import ModuleRewrite, Studied
from .prepasses import heirs, records
from .programs.from_elsewhere import only_runs
from .programs.rewrite import Programs
from .project import Module
from .shapes import classes
from .shapes.interpreter import Interpreter
from .shapes.values import Class
from .surroundings import Surroundings, Unit

SKIP = "# nnx-codemod: skip"
LayersRead = Mapping[ast.AST, Sequence[LayerPartial]]  # by the node of the class that reads them


def run_with_others(
    interp: Interpreter,
    modules: Sequence[Module],
    programs: Programs,
    own: Sequence[Class],
    studied: Studied,
) -> dict[ast.AST, Refusal]:
    """The classes whose models run with variables from elsewhere, and those of their parts."""
    by_node: dict[ast.AST, Class] = {cls.node: cls for cls in own}
    found: dict[ast.AST, Refusal] = {}
    for top in own:
        if programs.initialises(top.node) or not only_runs(interp, modules, top, by_node.keys()):
            continue
        pending: list[ast.AST] = [top.node]
        while pending:
            node = pending.pop()
            if node not in found:
                found[node] = _run_with_other(by_node[node], top)
                pending += studied.uses[node]
    return found


def _run_with_other(cls: Class, top: Class) -> Refusal:
    what = f"`{cls.name}`" if cls is top else f"`{cls.name}` is a part of `{top.name}`, which"
    return Refusal(
        cls,
        cls.node,
        "NX104",
        f"{what} runs with variables that nothing here initialises: their names may be those in a file",
        "initialise the model in the code, or convert the file by the report's `variables` and rewrite the class by hand",
    )


def skipped(cls: Class, left: Mapping[tuple[Path, str], Finding]) -> Refusal | None:
    """Classes marked `# nnx-codemod: skip`, those that run bridges, and dataclasses and heirs of layers that could
    not be written out."""
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
    layer = heirs.inherits_layer(cls)
    if layer is not None:
        why = left.get((source.path, cls.name)) or Finding(
            cls.node,
            "NX101",
            f"`{cls.name}` changes `hk.{layer.removeprefix('haiku.')}`",
            "write the class for nnx by hand, on top of the layer's counterpart",
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


def used_by_fixed(interp: Interpreter, fixed: Iterable[Module]) -> dict[ast.AST, Refusal]:
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


def free_layers(found: ModuleRewrite, read: LayersRead) -> set[ast.AST]:
    """The statements that make layers ready for rewritten classes alone: they may make layers of NNX ready."""
    free: set[ast.AST] = {p.statement for node in found.models for p in read.get(node, ())}
    return free - {partial.statement for node in found.refusals for partial in read.get(node, ())}


def torn(
    found: ModuleRewrite, read: LayersRead, doubled: Collection[ast.AST]
) -> dict[ast.AST, Finding]:
    """The rewritten classes that share a layer made ready with a class that stays: they stay, too.

    Not where it is one of `doubled`, of which either side has its own.
    """
    free = free_layers(found, read) | set(doubled)
    stay: dict[ast.AST, Finding] = {}
    for node, model in found.models.items():
        for partial in read.get(node, ()):
            if partial.statement not in free:
                message = f"`{model.name}` shares `{partial.name}` with a class that stays as it is"
                help = f"give `{model.name}` a layer of its own, or rewrite the other class by hand"
                stay[node] = Finding(node, "NX102", message, help)
    return stay


def stranded(
    around: Surroundings, source_units: Collection[Unit], found: ModuleRewrite
) -> dict[ast.AST, Finding]:
    """The rewritten classes that call what still runs in Haiku, which is `source_units`: they stay.

    So do those that call a function which encloses what changes variables, in a loop of JAX's say.
    """
    stay: dict[ast.AST, Finding] = {}
    changing = {u for u in around.units if changes_inside(u.node, around.interp, found.models)}
    for node, model in found.models.items():
        if model.framework == "haiku" and isinstance(model.cls, Class):
            unit = around.stranded(
                model.cls, {*source_units, *changing}, found.edits_of, found.refusals.keys()
            )
            if unit is not None:
                message = f"`{model.name}` uses {around.name(unit)}, which Haiku still runs"
                help = f"rewrite {around.name(unit)} by hand, or what it calls; `{model.name}` can follow then"
                stay[node] = Finding(node, "NX113", message, help)
    return stay


def not_python(modules: Iterable[Module], found: ModuleRewrite) -> dict[ast.AST, Finding]:
    """The rewritten classes of files whose new text does not compile: they stay. A file without any stays whole."""
    stay: dict[ast.AST, Finding] = {}
    for module in modules:
        edits = found.edits_of(module)
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
