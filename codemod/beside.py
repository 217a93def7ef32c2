"""The file of helpers beside the user's code: where it lies, what is in it, how a file imports it."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Collection
from pathlib import Path

from .emit.helpers import DOCSTRING, nnx_layers
from .project import Module, Project
from .source import Source

HELPER_FILE = "nnx_layers.py"


def helper_file(folder: Path, names: Collection[str], indent: str) -> tuple[Path, str]:
    """The path and text of a folder's file with these helpers; what an earlier run put there stays."""
    path = folder / HELPER_FILE
    existing = path.read_text() if path.exists() else None
    return path, nnx_layers(sorted(names), existing, indent)


def is_helper_file(source: Source) -> bool:
    """Whether a file is one of ours."""
    return source.path.name == HELPER_FILE and source.text.startswith(DOCSTRING)


def helper_module(module: Module, project: Project) -> str:
    """The name by which a file imports the helpers beside it, in the way in which it imports its neighbours."""
    stem = HELPER_FILE.removesuffix(".py")
    folder = module.path.parent
    if (folder / "__init__.py").exists():
        return _within_package(module, project, stem)
    if _is_in_package(module, project):
        return f".{stem}"
    package = (
        _imported_package(folder, project)
        or _enclosing_package(folder, project)
        or _package_of_own_imports(module, project)
    )
    return f"{package}.{stem}" if package else stem


def _is_in_package(module: Module, project: Project) -> bool:
    """Whether relative imports tell that a file is part of a package: its own, or those of neighbours that ask for it."""
    name = module.path.stem
    for each in project.modules.values():
        if each.path.parent != module.path.parent:
            continue
        for node in ast.walk(each.tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                asked = {node.module or alias.name for alias in node.names}
                if each is module or (node.level == 1 and name in asked):
                    return True
    return False


def _within_package(module: Module, project: Project, stem: str) -> str:
    """Relative in a package, but where the file imports from it by its full name, or is run as a script."""
    folder = module.path.parent
    if any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(module.tree)):
        return f".{stem}"
    folder = folder.absolute()  # a path relative to the working directory does not tell its parents
    top = folder
    while (top.parent / "__init__.py").exists():
        top = top.parent
    roots = {name.split(".")[0] for name in module.imported}
    if top.name in roots:
        return ".".join((*folder.relative_to(top.parent).parts, stem))
    among = any((folder / f"{root}.py").exists() for root in roots)
    return stem if among else f".{stem}"


def import_either_way(text: str, module: Module, project: Project) -> str:
    """The new text of a file of a package that may also be found without it: its helpers are found both ways.

    Such are scripts, and files at the root of what was handed to us, where that folder is the package itself but has
    another name: whoever stands in it has these files without the package.
    """
    stem = HELPER_FILE.removesuffix(".py")
    name = helper_module(module, project)
    if name == stem or not _runs_alone(module, name, project):
        return text
    how = "run as a script" if _has_main(module) else "imported on its own"
    source = Source(module.path, text.encode())
    for node in source.tree.body:
        if isinstance(node, ast.ImportFrom) and f"{'.' * node.level}{node.module}" == name:
            start, end = source.span(node)
            names = textwrap.indent(text[start:end], source.indent_unit)
            other = names.replace(f"from {name}", f"from {stem}", 1)
            lines = ["try:", names, f"except ImportError:  # {how}", other]
            return text[:start] + "\n".join(lines) + text[end:]
    return text


def _runs_alone(module: Module, name: str, project: Project) -> bool:
    """Whether a file that finds its helpers by a name of a package's may be used without one, and needs none for it."""
    if name.startswith("."):
        relative = any(isinstance(n, ast.ImportFrom) and n.level for n in ast.walk(module.tree))
        return not relative and _is_script(module, project)
    package, *_, stem = name.split(".")
    if any(each.split(".")[0] == package for each in module.imported):
        return False
    here = module.path.absolute().parent.name
    unknown = name == f"{package}.{stem}" and here != package and _is_all_there_is(module, project)
    return _has_main(module) or unknown


def _is_script(module: Module, project: Project) -> bool:
    """Whether a file is there to be run, and imported by nobody."""
    imported = {each for found in project.imports().values() for each in found}
    return module not in imported and _has_main(module)


def _is_all_there_is(module: Module, project: Project) -> bool:
    """Whether a file's folder is the root of the project."""
    return all(path.is_relative_to(module.path.parent) for path in project.modules)


def _has_main(module: Module) -> bool:
    return any(
        isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
        for node in module.tree.body
    )


def _imported_package(folder: Path, project: Project) -> str | None:
    """The name by which imports in the project speak of a folder without `__init__.py`, None where none does."""
    siblings = {path.stem for path in folder.glob("*.py")}
    for module in list(project.modules.values()):
        for name in module.imported:
            package, _, last = name.rpartition(".")
            if not package or last not in siblings:
                continue
            found = project.find(name, module.path)
            if found is not None and found.path.parent == folder:
                return package
    return None


def _enclosing_package(folder: Path, project: Project) -> str | None:
    """The name of a folder within a package that its own files import: they run where the package can be found."""
    place = folder.absolute()
    for above in place.parents:
        if (above / "__init__.py").exists() and not (above.parent / "__init__.py").exists():
            names = {
                name.split(".")[0]
                for module in project.modules.values()
                if module.path.parent == folder
                for name in module.imported
            }
            return ".".join(place.relative_to(above.parent).parts) if above.name in names else None
    return None


def _package_of_own_imports(module: Module, project: Project) -> str | None:
    """The name of a file's folder in the package that its own imports name, where files of a folder above it are in."""
    place = module.path.absolute().parent
    for name in module.imported:
        package, _, last = name.rpartition(".")
        found = project.find(name, module.path) if package else None
        if found is None or found.path.stem != last:
            continue
        root = found.path.absolute().parent
        if root in place.parents:
            return ".".join((package, *place.relative_to(root).parts))
    return None
