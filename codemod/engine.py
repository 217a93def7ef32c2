"""The order of it all: sources in, outcomes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..rules import catalogue
from .beside import is_helper_file
from .config import Options
from .findings import Finding
from .finishing import FileRewrite
from .linelength import kept_to
from .model import paths
from .model.module import ModuleModel
from .project import Module, Project
from .report import AddedParameter, ClassReport, Diagnostic, FileReport, Outcome
from .rewriting import rewrite_project
from .rulebook import Rulebook
from .shapes.traced import Traced
from .shapes.values import Class
from .source import Source

_OTHER = {"train": "eval", "eval": "train"}


def rewrite(
    sources: Sequence[Source],
    options: Options,
    *,
    fixed: Sequence[Source] = (),
    load: Callable[[Path], Source | None] = lambda path: None,
    progress: Callable[[str], None] = lambda path: None,
    traced: Traced | None = None,
    configurations: Mapping[Path, str] | None = None,
) -> list[Outcome]:
    """What each source becomes, and the files that are made beside them; nothing is written.

    All sources can be parsed. `fixed` are files that use the sources' code and stay as they are: what they take from
    the sources has to stay usable. `load` reads any other file for information, None where there is none. `progress`
    is told the path of the file that work begins on, and an exception is taken for a failure at that file. `traced` holds
    facts from runs of the originals, `configurations` texts that speak of classes by their names.
    """
    if options.line_length is None:
        options = replace(options, line_length=kept_to(sources))
    project = Project.of(sources, load)
    project.configurations = configurations or {}
    for source in sources:
        if is_helper_file(source):
            project.modules[source.path].rewritable = False
    for source in fixed:
        project.modules.setdefault(source.path, Module(source, rewritable=False))
    rules = Rulebook(catalogue(), options.select, options.ignore)
    result = rewrite_project(
        project, rules, options, [project.modules[s.path] for s in fixed], progress, traced
    )
    outcomes = {file.module.path: _outcome(file) for file in result.files}
    for source in sources:
        if is_helper_file(source):
            outcomes[source.path] = Outcome(FileReport(str(source.path)), source)
    for path, text in sorted(result.created.items()):
        known = outcomes[path].source if path in outcomes else load(path)
        if known is None or known.text != text:
            outcomes[path] = Outcome(FileReport(str(path), "rewritten"), known, text)
    return list(outcomes.values())


def _outcome(file: FileRewrite) -> Outcome:
    source = file.source or file.module.source
    report = FileReport(str(source.path))
    report.diagnostics = sorted(
        {_diagnostic(source, finding) for finding in file.findings}, key=lambda d: d.order
    )
    report.unsized = [(name, _source_kind(kind)) for name, kind in file.unsized]
    report.classes = [_rewritten(model) for model in file.models]
    report.classes += [
        ClassReport(
            refusal.cls.name,
            _source_kind(refusal.framework),
            "bridged" if refusal.bridged else "kept",
        )
        for refusal in file.kept
    ]
    report.classes += [ClassReport(name, "haiku-function", "kept") for name in file.functions]
    if file.new_text is None:
        report.status = "unchanged"
    else:
        report.status = "partial" if report.diagnostics else "rewritten"
    return Outcome(report, source, file.new_text)


def _diagnostic(source: Source, finding: Finding) -> Diagnostic:
    line, column = finding.place or (1, 0)
    if finding.place is None and finding.node in source.parents and hasattr(finding.node, "lineno"):
        line, column = source.location(source.span(finding.node)[0])
    return Diagnostic(finding.code, line, column, finding.message, finding.help)


def _source_kind(framework: str) -> Any:
    return framework if framework in ("haiku", "haiku-function") else "linen"


def _rewritten(model: ModuleModel) -> ClassReport:
    modes: dict[str, dict[str, str]] = {}
    for flags in model.modes.values():
        for flag, when_true in flags.items():
            modes[flag] = {"true": when_true, "false": _OTHER[when_true]}
    for flag, when_true in model.field_modes.items():
        modes[flag] = {"true": when_true, "false": _OTHER[when_true]}
    source: Any = "haiku-function" if model.function_name else _source_kind(model.framework)
    assert isinstance(model.cls, Class)
    return ClassReport(
        model.function_name or model.name,
        source,
        "rewritten",
        model.new_name,
        [AddedParameter(a.name, a.told, a.method) for a in model.added],
        modes,
        [
            {
                "collection": v.collection,
                "source": "/".join(v.source).replace(paths.NAME, paths.ANY),
                "target": ".".join(v.target).replace("/", "."),
                "layout": v.layout,
            }
            for v in model.variables
        ],
        [{"line": line, "column": column} for line, column in model.traced],
    )
