"""Functions that make Haiku's layers and did not become modules: each has an outcome in the report, with a reason.

A function given to `hk.transform` is a module without a class, and so is one that a factory returns for it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Set
from pathlib import Path

from .ancestry import lineage
from .emit.file_names import FileNames
from .findings import Finding
from .project import Module, Project
from .rulebook import Rulebook
from .shapes import classes, frameworks
from .shapes.interpreter import Interpreter
from .shapes.values import Class, Function
from .source import Source

_PARAMETERS = ("haiku.get_parameter", "haiku.get_state")
_TRANSFORMS = ("haiku.transform", "haiku.transform_with_state", "haiku.multi_transform")


def of_project(project: Project, rules: Rulebook) -> Mapping[Path, list[ast.FunctionDef]]:
    """The functions of each file, as the user wrote it, that make layers outside of module classes."""
    candidates = [m for m in project.modules.values() if m.rewritable and _may_have(m.source)]
    if not candidates:
        return {}
    interp = Interpreter(project, rules, definitions_only=True)
    frameworks.install(interp)
    return {module.path: list(dict.fromkeys(_functions(interp, module))) for module in candidates}


def _may_have(source: Source) -> bool:
    return "haiku" in source.text and "def " in source.text


def _functions(interp: Interpreter, module: Module) -> Iterator[ast.FunctionDef]:
    names = FileNames(module, interp.environment_of(module), interp.rules)
    own = {c.node for c in classes.of_file(interp, module) if classes.framework(c) is not None}
    calls = [n for n in ast.walk(module.tree) if isinstance(n, ast.Call)]
    transforming = {
        above
        for call in calls
        if names.qualified(call.func) in _TRANSFORMS
        for above in lineage(call, module.source.parents)
    }
    found: dict[ast.FunctionDef, None] = {}
    for call in calls:
        around = _functions_around(call, module, own)
        if (
            around
            and around[0] not in transforming
            and _makes_layer(names.qualified(call.func) or "", interp.rules)
        ):
            found[_whole(around, transforming)] = None
    yield from found
    for call in calls:
        around = _functions_around(call, module, own)
        made = interp.peek(call.func, interp.environment_of(module)) if around[1:] else None
        if isinstance(made, Function | Class) and made.node in {*found, *own}:
            yield _whole(around, transforming)


def _makes_layer(name: str, rules: Rulebook) -> bool:
    return name.startswith("haiku.") and (rules.layer(name) is not None or name in _PARAMETERS)


def _functions_around(call: ast.Call, module: Module, own: Set[ast.AST]) -> list[ast.FunctionDef]:
    """The functions that a call stands in, the innermost first; none in a module class."""
    above = list(lineage(call, module.source.parents))
    return [f for f in above if isinstance(f, ast.FunctionDef)] if own.isdisjoint(above) else []


def _whole(functions: list[ast.FunctionDef], transforming: Collection[ast.AST]) -> ast.FunctionDef:
    """The outermost of nested functions that is no program, which transforms those within it."""
    inner, *others = functions
    for outer in others:
        if outer in transforming:
            break
        inner = outer
    return inner


def staying(
    functions: Collection[ast.FunctionDef], new: str, rewritten: Collection[str]
) -> list[ast.FunctionDef]:
    """Those of the functions that became nothing else: in the new text of their file, they still speak of Haiku."""
    tree = ast.parse(new)
    speaking = set(_names_of_haiku(tree))
    read = {
        node.name: {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }
    left: list[ast.FunctionDef] = []
    while True:  # one that makes its layers through another follows it
        more = [
            f
            for f in functions
            if f not in left and f.name not in rewritten and read.get(f.name, set()) & speaking
        ]
        if not more:
            return [f for f in functions if f in left]
        left += more
        speaking |= {f.name for f in more}


def label(function: ast.FunctionDef, source: Source) -> str:
    """The name of a function in the report; that of a method stands behind its class."""
    above = source.parents.get(function)
    return f"{above.name}.{function.name}" if isinstance(above, ast.ClassDef) else function.name


def _names_of_haiku(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "haiku":
                    yield (alias.asname or alias.name).split(".")[0]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "haiku":
            yield from (alias.asname or alias.name for alias in node.names)


def reason(function: ast.FunctionDef, findings: Collection[Finding]) -> Finding | None:
    """Why a function stays; None where a finding inside of it says so."""
    end = function.end_lineno or function.lineno
    for finding in findings:
        line = finding.place[0] if finding.place else getattr(finding.node, "lineno", 0)
        if function.lineno <= line <= end:
            return None
    return Finding(
        function,
        "NX108",
        f"no transform and `init` were found that would tell the sizes of what `{function.name}` makes",
        "give it a module of its own, whose constructor takes what the function is given besides arrays",
        (function.lineno, function.col_offset),
    )
