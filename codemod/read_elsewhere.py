"""What other files read of a file as its attributes: `init.he_normal`, where `init` is a file that imports it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from .project import Module, Project


def read_elsewhere(project: Project, module: Module, new_text: Callable[[Module], str]) -> set[str]:
    """The names that files which import a file read off it, or use and import nowhere, where they import all of it.

    What they import by name counts where their new text, with the imports as they were, still has it.
    """
    home = module.path.parent if module.path.name == "__init__.py" else module.path.with_suffix("")
    found: set[str] = set()
    for other, imported in project.imports().items():
        if module in imported and other is not module:
            found |= _read(other.tree, home.name)
            by_name = [a for start, a in _imported(other.tree) if start.split(".")[-1] == home.name]
            text = new_text(other) if by_name else ""
            found |= {a.name for a in by_name if _is_used(a.asname or a.name, text)}
    return found


def _is_used(name: str, text: str) -> bool:
    """Whether a text has a name besides the import of it."""
    return len(re.findall(rf"\b{re.escape(name)}\b", text)) > 1


def _read(tree: ast.Module, name: str) -> set[str]:
    """The names that are read off what is imported under the name of a file, or under another name for it."""
    imported = list(_imported(tree))
    bound = {alias.asname or name for _, alias in imported if alias.name.split(".")[-1] == name}
    found = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and _last(node.value) in bound
    }
    if any(alias.name == "*" and module.split(".")[-1] == name for module, alias in imported):
        own = {alias.asname or alias.name.split(".")[0] for _, alias in imported}
        found |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - own
    return found


def _imported(tree: ast.Module) -> Iterator[tuple[str, ast.alias]]:
    """What a file imports, and where from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            yield from ((module, alias) for alias in node.names)


def _last(node: ast.expr) -> str:
    """The last name of `a.b.c`."""
    return str(getattr(node, "id", getattr(node, "attr", "")))
