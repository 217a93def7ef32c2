"""Docstrings speak of no argument that the rewrite took away: a name of the module, a flag that became its mode.

The sections are those of Google's style guide (`Args:`, `Attributes:`), which nearly all code of Haiku and Linen keeps to.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping

from .edits import Edits
from .source import Source

_SECTION = re.compile(r"\s*(?:Args|Arguments|Attributes|Attrs|Params|Parameters|Keyword Args):\s*")
_ENTRY = re.compile(r"\s*\*{0,2}`{0,2}(\w+)`{0,2}\s*(?:\(.*?\))?\s*:(?:\s|$)")
_CLOSING = re.compile(r"\s*(\"\"\"|''')$")
Documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def like(source: Source, original: Source) -> str:
    """The text of a file whose docstrings lost what they said of arguments that the original had and it has not."""
    edits = Edits(source)
    before = dict(_documented(original.tree))
    for name, node in _documented(source.tree):
        if name not in before or not _docstring(node) or not _docstring(before[name]):
            continue
        if isinstance(node, ast.ClassDef) and _constructor(node) is None:
            continue  # its base makes it, with arguments of its own
        gone = _arguments(before[name]) - _arguments(node)
        place = source.span(node.body[0])
        written = source.text[place[0] : place[1]]
        if gone and (shorter := without(written, gone)) != written:
            edits.replace(place, shorter)
    return edits.apply()


def without(docstring: str, names: Collection[str]) -> str:
    """A docstring, quotes included, without what its sections say of some arguments."""
    lines = docstring.split("\n")
    keep = [True] * len(lines)
    for header, entries in _sections(lines):
        for name, rows in entries.items():
            if name in names:
                for row in rows:
                    keep[row] = False
        if entries and not any(keep[row] for rows in entries.values() for row in rows):
            keep[header] = False
            if not lines[header - 1].strip():
                keep[header - 1] = False
    kept = [line for line, stays in zip(lines, keep, strict=True) if stays]
    closing = _CLOSING.search(lines[-1])
    if not keep[-1] and closing is not None:
        kept[-1] = kept[-1].rstrip() + closing[1]
    return "\n".join(kept)


def _sections(lines: list[str]) -> Iterator[tuple[int, Mapping[str, range]]]:
    """The row of each section's header, and the rows of its entries by argument."""
    for header, line in enumerate(lines):
        if header == 0 or not _SECTION.fullmatch(line):
            continue
        entries: dict[str, range] = {}
        inner = None
        for row in range(header + 1, len(lines)):
            depth = _depth(lines[row])
            if depth is None:
                continue
            if depth <= (_depth(line) or 0) or (inner is not None and depth < inner):
                break
            inner = depth if inner is None else inner
            found = _ENTRY.match(lines[row]) if depth == inner else None
            if found is not None:
                entries[found[1]] = range(row, row + 1)
            elif entries:
                last = list(entries)[-1]
                entries[last] = range(entries[last].start, row + 1)
        yield header, entries


def _depth(line: str) -> int | None:
    """The indentation of a line, None for one that says nothing."""
    said = line.strip()
    return None if said in ("", '"""', "'''") else len(line) - len(line.lstrip())


def _documented(tree: ast.AST, above: str = "") -> Iterator[tuple[str, Documented]]:
    """The classes and functions in a tree with their qualified names."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Documented):
            yield f"{above}{node.name}", node
            yield from _documented(node, f"{above}{node.name}.")
        elif isinstance(node, ast.If | ast.Try):
            yield from _documented(node, above)


def _docstring(node: Documented) -> bool:
    return ast.get_docstring(node, clean=False) is not None


def _constructor(node: ast.ClassDef) -> ast.FunctionDef | None:
    made = (n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
    return next(made, None)


def _arguments(node: Documented) -> set[str]:
    """What a function takes, or what an instance of a class is made with: by its constructor, or by its fields."""
    if isinstance(node, ast.ClassDef):
        constructor = _constructor(node)
        if constructor is not None:
            return _arguments(constructor)
        targets = (n.target for n in node.body if isinstance(n, ast.AnnAssign))
        return {target.id for target in targets if isinstance(target, ast.Name)}
    return {arg.arg for arg in ast.walk(node.args) if isinstance(arg, ast.arg)}
