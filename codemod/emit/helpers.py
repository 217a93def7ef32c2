"""The file of helpers beside the user's code: only what is used, and what that needs."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable
from pathlib import Path

from ..source import Source

DOCSTRING = '"""Layers and initialisers that Flax NNX does not have."""'
_FOLDER = Path(__file__).resolve().parents[2] / "helpers"


@functools.cache
def _definitions() -> dict[str, tuple[Source, ast.stmt]]:
    """Every top-level definition of the helper modules, by name."""
    found: dict[str, tuple[Source, ast.stmt]] = {}
    for path in sorted(_FOLDER.glob("[!_]*.py")):
        source = Source(path)
        for node in source.tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
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
        raise ValueError("nnx_layers.py holds something else than the helpers that would be put there")
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
    """The import lines that the definitions need, sorted as isort sorts them."""
    used = {n.id for name in names for n in ast.walk(_definitions()[name][1]) if isinstance(n, ast.Name)}
    standard: dict[str, set[str]] = {}
    lines: list[str] = []
    for name in names:
        for node in _definitions()[name][0].tree.body:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    bound = alias.asname or alias.name.split(".")[0]
                    if bound in used:
                        lines.append(f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else ""))
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    if (alias.asname or alias.name) in used:
                        standard.setdefault(node.module, set()).add(alias.name)
    lines += [f"from {module} import {', '.join(sorted(found))}" for module, found in standard.items()]
    first = sorted({line for line in lines if line.split()[1].split(".")[0] in ("math", "typing", "functools")}, key=_key)
    rest = sorted({line for line in lines} - set(first), key=_key)
    return "\n\n".join("\n".join(group) for group in (first, rest) if group)


def _key(line: str) -> tuple[bool, str]:
    return line.startswith("from"), line


