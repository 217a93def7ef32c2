"""Which code reads variables of the original by names that a bridge to the rewritten module does not have."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from ..ancestry import lineage
from ..model.module import ModuleModel
from ..project import Module
from .origins import Origins

_COUNTED = re.compile(r"\{[^{}]*\}")
_AUTOMATIC = re.compile(r"[A-Za-z]\w*_\d+")


def outside(module: Module, module_nodes: Collection[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of a file that are in none of some classes."""
    yield from within(module.tree, module_nodes)


def within(scope: ast.AST, module_nodes: Collection[ast.AST]) -> Iterator[ast.AST]:
    """The nodes at and below one that are in none of some classes."""
    pending: list[ast.AST] = [scope]
    while pending:
        node = pending.pop()
        if node not in module_nodes:
            yield node
            pending += ast.iter_child_nodes(node)


def reads_paths(
    module: Module, model: ModuleModel, rewritten: Collection[ast.AST], origins: Origins
) -> bool:
    """Whether code that stays reads the variables of the original by their names, which the bridge's differ from.

    What it reads out of files is another matter: see `reads_of_files`.
    """
    return any(
        not origins.from_elsewhere(module, node) for node in _path_reads(module, model, rewritten)
    )


def reads_of_files(
    module: Module, model: ModuleModel, rewritten: Collection[ast.AST], origins: Origins
) -> Iterator[ast.AST]:
    """Where code that stays has names of the original's variables for what does not come from a model here.

    It reads checkpoints, say, or makes them of another library's: they are not the rewritten model's any more.
    """
    for node in _path_reads(module, model, rewritten):
        if origins.from_elsewhere(module, node):
            yield node


def _path_reads(
    module: Module, model: ModuleModel, rewritten: Collection[ast.AST]
) -> Iterator[ast.AST]:
    """What is read by a name that changes, or the statement that has such a name.

    What lies below a module that keeps its name may be read whole: another model takes it as it is.
    """
    names, kept = _names_of(model)
    parents = module.source.parents
    for node, text in module.source.texts:
        above = parents.get(node)
        read: ast.expr | ast.stmt | None = None
        if isinstance(above, ast.Subscript) and (
            _is_one_of(text, names - kept)
            or (_is_one_of(text, names) and not _is_read_whole(above, module))
        ):
            read = above.value
        elif any(_AUTOMATIC.fullmatch(p) and _is_one_of(p, names) for p in text.split("/")):
            read = next(a for a in lineage(node, parents) if isinstance(a, ast.stmt))
        if read is not None and not any(each in rewritten for each in lineage(node, parents)):
            yield read


def _is_one_of(text: str, names: Collection[str]) -> bool:
    """Whether a text is a name, or one of those that a loop counts: `Dense_{i}`."""
    return text in names or any(
        re.fullmatch(r"\w+".join(map(re.escape, _COUNTED.split(name))), text)
        for name in names
        if "{" in name and _COUNTED.sub("", name)
    )


def changed_names(model: ModuleModel) -> set[str]:
    """The first names on the way to variables that a bridge has under another name."""
    names, kept = _names_of(model)
    return names - kept


def _names_of(model: ModuleModel) -> tuple[set[str], set[str]]:
    """The first names on the way to variables whose paths change, and those of them that stay what they are."""
    names, changed = set(), set()
    for path in model.variables:
        parts = "/".join(path.source).split("/")
        if ".".join(parts) != ".".join(path.target):
            first = next(part for part in parts if not part.startswith("~"))
            names.add(first)
            if first != re.split(r"[.\[]", path.target[0])[0]:
                changed.add(first)
    return names, names - changed


def _is_read_whole(read: ast.Subscript, module: Module) -> bool:
    """Whether a subscript only reads, and nothing is asked of what it gives there."""
    above = module.source.parents.get(read)
    return isinstance(read.ctx, ast.Load) and not isinstance(above, ast.Subscript | ast.Attribute)
