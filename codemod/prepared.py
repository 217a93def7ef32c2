"""A project in which modules of another form were written as plain classes first, and the way back."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .edits import Edits
from .project import Module, Project
from .source import Source


@dataclass(frozen=True)
class MadeClass:
    """A class that was written for a function, or anew for a class of the same name."""

    path: Path
    name: str
    function: str
    line: int  # of the function, in the original
    is_function: bool = True
    of_layers: bool = False  # the function is called by modules; it can stay beside its class


@dataclass
class Prepared:
    """A project in which functions became classes, and the way back."""

    project: Project
    originals: dict[Path, Source] = field(default_factory=dict)
    made: list[MadeClass] = field(default_factory=list)

    def put(self, module: Module, text: str) -> None:
        """Takes a new text for a file."""
        self.originals[module.path] = module.source
        source = Source(module.path, module.source.encode(text))
        self.project.modules[module.path] = Module(source)

    def original_line(self, path: Path, line: int) -> int:
        """The line of the original text that a line of the prepared text comes from."""
        if path not in self.originals:
            return line
        old = self.originals[path].text.split("\n")
        new = self.project.modules[path].source.text.split("\n")
        matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
        best = 1
        for a, b, size in matcher.get_matching_blocks():
            if b + 1 <= line:
                best = a + min(line - b, size) if size else best
        return max(best, 1)


def insert_imports(edits: Edits, module: Module, wanted: Iterable[str]) -> None:
    """Puts import lines, which what was written needs, behind the first import of a file."""
    imports = [n for n in module.tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    for line in sorted(wanted) if imports else ():
        edits.insert_after(imports[0], line)


def classes_of(made: Iterable[MadeClass]) -> Mapping[tuple[Path, str], MadeClass]:
    """The classes that were written, by file and name."""
    return {(m.path, m.name): m for m in made}


def is_python(text: str) -> bool:
    """Whether a text parses: what was written in an unforeseen place may not."""
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True
