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


def nnx_layers(names: Iterable[str], existing: str | None, indent: str) -> str:
    """The text of `nnx_layers.py` with the named helpers, those that they need, and their imports.

    Helpers that an `existing` file of an earlier run has stay. `indent` is the user's step of indentation. Raises
    ValueError where a file of that name is not one of ours.
    """
    wanted = set(names) | _present(existing)
    pending = list(wanted)
    while pending:
        needed = _needs(_definitions()[pending.pop()][1]) - wanted
        wanted |= needed
        pending += needed
    ordered = [name for name in _definitions() if name in wanted]
    parts = [_text(name, indent) for name in ordered]
    return "\n\n\n".join([f"{DOCSTRING}\n\n{_imports(ordered)}", *parts]) + "\n"


def _present(existing: str | None) -> set[str]:
    if existing is None:
        return set()
    tree = ast.parse(existing)
    found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    if not found <= helper_names() or not existing.startswith(DOCSTRING):
        raise ValueError(
            "nnx_layers.py holds something else than the helpers that would be put there"
        )
    return found


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


def _imports(names: Iterable[str]) -> str:
    """The import lines that the definitions need: the standard library's, then the others', by module."""
    nodes = [_definitions()[name][1] for name in names]
    used = {n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name)}
    lines: dict[str, set[str]] = {}
    taken: dict[str, set[str]] = {}
    for source in {
        id(source): source for source, _ in (_definitions()[name] for name in names)
    }.values():
        for node in source.tree.body:
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            found = [
                alias for alias in node.names if (alias.asname or alias.name.split(".")[0]) in used
            ]
            if isinstance(node, ast.Import):
                for alias in found:
                    lines.setdefault(alias.name, set()).add(f"import {_bound(alias)}")
            elif node.module and not node.level:
                taken.setdefault(node.module, set()).update(_bound(alias) for alias in found)
    for module, found_names in taken.items():
        if found_names:
            lines.setdefault(module, set()).add(
                f"from {module} import {', '.join(sorted(found_names))}"
            )
    groups: tuple[list[str], list[str]] = ([], [])
    for module in sorted(lines):
        groups[module.split(".")[0] not in sys.stdlib_module_names].extend(sorted(lines[module]))
    return "\n\n".join("\n".join(group) for group in groups if group)


def _bound(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name
