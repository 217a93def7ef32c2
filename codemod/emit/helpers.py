"""The file of helpers beside the user's code: only what is used, and what that needs."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterable
from pathlib import Path

from ..source import Source

DOCSTRING = '"""Layers and initialisers that Flax NNX does not have."""'
_FOLDER = Path(__file__).resolve().parents[2] / "helpers"


@functools.cache
def _definitions() -> dict[str, tuple[Source, ast.stmt]]:
    """Every top-level definition of the helper modules, by name; raises ValueError where one comes twice."""
    found: dict[str, tuple[Source, ast.stmt]] = {}
    for path in sorted(_FOLDER.glob("[!_]*.py")):
        source = Source(path)
        for node in source.tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                if node.name in found:
                    raise ValueError(f"two helpers are called {node.name}")
                found[node.name] = (source, node)
    return found


@functools.cache
def helper_names() -> frozenset[str]:
    """The names of all helpers."""
    return frozenset(_definitions())


@functools.cache
def helper_source(name: str) -> str:
    """The text of one helper alone."""
    source, node = _definitions()[name]
    return source.segment(node)


def nnx_layers(names: Iterable[str], existing: str | None, indent: str) -> str:
    """The text of `nnx_layers.py` with the named helpers, those that they need, and their imports.

    What an `existing` file of an earlier run has stays as it is, changes by hand included; what is new comes after it.
    `indent` is the user's step of indentation. Raises ValueError where a file of that name is not one of ours.
    """
    present = _present(existing)
    wanted = set(names)
    pending = list(wanted)
    while pending:
        needed = _needs(_definitions()[pending.pop()][1]) - wanted
        wanted |= needed
        pending += needed
    ordered = [name for name in _definitions() if name in wanted - present]
    if existing is not None and not ordered:
        return existing
    sources = {id(source): source.tree for source, _ in (_definitions()[name] for name in ordered)}
    imports = _Imports()
    imports.add(sources.values(), _used(_definitions()[name][1] for name in ordered))
    parts = [_text(name, indent) for name in ordered]
    if existing is not None:
        return _extended(existing, imports, parts)
    return "\n\n\n".join([f"{DOCSTRING}\n\n{imports.text()}", *parts]) + "\n"


def _present(existing: str | None) -> set[str]:
    """The helpers that a file has."""
    if existing is None:
        return set()
    try:
        tree = ast.parse(existing)
    except SyntaxError as error:
        raise ValueError(f"nnx_layers.py does not parse: {error.msg}") from error
    found = set()
    for node in tree.body[1:]:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in helper_names():
            found.add(node.name)
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            found.add("")
    if "" in found or not existing.startswith(DOCSTRING):
        raise ValueError(
            "nnx_layers.py holds something else than the helpers that would be put there"
        )
    return found


def _extended(existing: str, imports: _Imports, parts: list[str]) -> str:
    """A file with more helpers at its end and the imports that they need."""
    tree = ast.parse(existing)
    imports.add([tree], None)
    lines = existing.rstrip().split("\n")
    places = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    first = places[0].lineno - 1 if places else 1
    last = places[-1].end_lineno or first if places else 1
    block = imports.text().split("\n")
    return "\n\n\n".join(["\n".join([*lines[:first], *block, *lines[last:]]), *parts]) + "\n"


def _needs(node: ast.stmt) -> set[str]:
    """The other helpers that a definition uses."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & helper_names()


def _text(name: str, indent: str) -> str:
    source, node = _definitions()[name]
    start, end = source.span(node, decorators=True)
    text = source.text[start:end]
    return text if indent == "    " else _reindented(text, indent)


def _reindented(text: str, indent: str) -> str:
    """A definition with another step of indentation; the insides of docstrings move along."""
    lines = []
    for line in text.split("\n"):
        stripped = line.lstrip(" ")
        depth, rest = divmod(len(line) - len(stripped), 4)
        lines.append((indent * depth + " " * rest + stripped) if stripped else "")
    return "\n".join(lines)


def _used(nodes: Iterable[ast.AST]) -> set[str]:
    return {n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name)}


class _Imports:
    """Import lines: the standard library's, then the others', by module."""

    def __init__(self) -> None:
        self.modules: dict[str, set[str]] = {}  # what stands behind `import`, by module
        self.names: dict[str, set[str]] = {}  # what stands behind `from module import`

    def add(self, trees: Iterable[ast.Module], used: set[str] | None) -> None:
        """Adds the imports of these files; of names that are `used`, or of all."""
        for node in (node for tree in trees for node in tree.body):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            for alias in node.names:
                if used is not None and (alias.asname or alias.name.split(".")[0]) not in used:
                    continue
                bound = f"{alias.name} as {alias.asname}" if alias.asname else alias.name
                if isinstance(node, ast.Import):
                    self.modules.setdefault(alias.name, set()).add(bound)
                elif node.module and not node.level:
                    self.names.setdefault(node.module, set()).add(bound)

    def text(self) -> str:
        groups: tuple[list[str], list[str]] = ([], [])
        for module in sorted({*self.modules, *self.names}):
            group = groups[module.split(".")[0] not in sys.stdlib_module_names]
            group += [f"import {bound}" for bound in sorted(self.modules.get(module, ()))]
            if module in self.names:
                group.append(f"from {module} import {', '.join(sorted(self.names[module]))}")
        return "\n\n".join("\n".join(group) for group in groups if group)
