"""A project in which modules of another form were written as plain classes first, and the way back."""

from __future__ import annotations

import ast
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from ..culprit import working_on
from ..edits import Edits
from ..emit.file_names import FileNames
from ..project import Module, Project
from ..rulebook import Rulebook
from ..shapes import classes, frameworks
from ..shapes.interpreter import Interpreter
from ..shapes.values import Class
from ..source import Source
from .line_map import line_map

Leave: TypeAlias = Set[tuple[Path, str]]  # the files and names of what stays as it is written


@dataclass(frozen=True)
class MadeClass:
    """A class that was written for a function, or anew for a class of the same name."""

    path: Path
    name: str
    function: str
    line: int  # of the function, in the original
    is_function: bool = True
    of_layers: bool = False  # the function is called by modules; it can stay beside its class

    @classmethod
    def anew(cls, found: Class) -> MadeClass:
        """A class that was written in the place of one of the same name."""
        line = found.node.lineno
        return cls(found.module.path, found.name, found.name, line, is_function=False)


@dataclass
class Prepared:
    """A project in which functions became classes, and the way back."""

    project: Project
    originals: dict[Path, Source] = field(default_factory=dict)
    made: list[MadeClass] = field(default_factory=list)
    kept: set[tuple[Path, str]] = field(default_factory=set)  # functions that stay as they are
    reasons: dict[tuple[Path, str], str] = field(default_factory=dict)  # why functions stay
    lines: dict[Path, tuple[Source, Source, list[int]]] = field(default_factory=dict, repr=False)

    def put(self, module: Module, text: str) -> None:
        """Takes a new text for a file."""
        self.originals[module.path] = module.source
        source = Source(module.path, module.source.encode(text))
        self.project.modules[module.path] = Module(source)

    def take(
        self, module: Module, edits: Edits, made: Sequence[MadeClass], wanted: Iterable[str] = ()
    ) -> None:
        """Takes the edits that wrote classes of a file, if the text parses; they need the imports `wanted`."""
        if not made:
            return
        insert_imports(edits, module, wanted)
        text = edits.apply()
        if is_python(text):
            self.made += made
            self.put(module, text)

    def put_back(self, path: Path, names: Set[str], text: str) -> str | None:
        """A new text of a file with classes as they were before they were written anew.

        None where that is not all there is to it: more than such classes was written ahead in the file, or the new
        text has changed one of these.
        """
        made = [each for each in self.made if each.path == path]
        before = _segments(self.originals[path])
        after = _segments(self.project.modules[path].source)
        anew = {each.name: (after.get(each.name, ""), before.get(each.name, "")) for each in made}
        if any(each.is_function for each in made) or not all(old for _, old in anew.values()):
            return None
        prepared = self.project.modules[path].source.text
        if _exchanged(prepared, anew.values()) != self.originals[path].text:
            return None
        return _exchanged(text, [anew[name] for name in sorted(names)])

    def original_line(self, path: Path, line: int) -> int:
        """The line of the original text that a line of the prepared text comes from."""
        if path not in self.originals:
            return line
        before, after = self.originals[path], self.project.modules[path].source
        known = self.lines.get(path)
        if known is None or known[0] is not before or known[1] is not after:
            lines = line_map(before.text.split("\n"), after.text.split("\n"))
            known = self.lines[path] = (before, after, lines)
        return known[2][line - 1] if 0 < line <= len(known[2]) else line


def _segments(source: Source) -> dict[str, str]:
    """The text of each class of a file that is the only one of its name."""
    nodes = [node for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)]
    names = Counter(node.name for node in nodes)
    return {node.name: source.segment(node) for node in nodes if names[node.name] == 1}


def _exchanged(text: str, pairs: Iterable[tuple[str, str]]) -> str | None:
    """A text with the second of each pair in the place of the first; None where that does not stand there once."""
    for old, new in pairs:
        if text.count(old) != 1:
            return None
        text = text.replace(old, new)
    return text


@dataclass
class Draft:
    """A file whose classes are being written anew: its names, and the edits so far."""

    interp: Interpreter
    module: Module
    names: FileNames
    edits: Edits

    @property
    def source(self) -> Source:
        return self.module.source


def class_by_class(
    project: Project,
    rules: Rulebook,
    leave: Leave,
    may_have: Callable[[Source], bool],
    write: Callable[[Draft, Class], bool],
) -> Prepared:
    """A project with what `write` makes of each class, in the files that `may_have` something for it.

    `write` records its edits of a class in the draft, and says whether there are any. The classes in `leave` are not
    shown to it.
    """
    prepared = Prepared(project.copy())
    candidates = [m for m in project.modules.values() if m.rewritable and may_have(m.source)]
    if not candidates:
        return prepared
    interp = Interpreter(project, rules, definitions_only=True)
    frameworks.install(interp)
    for module in candidates:
        with working_on(module.path):
            names = FileNames(module, interp.environment_of(module), rules)
            draft = Draft(interp, module, names, Edits(module.source))
            written = [
                MadeClass.anew(cls)
                for cls in classes.of_file(interp, module)
                if (module.path, cls.name) not in leave and write(draft, cls)
            ]
            prepared.take(module, draft.edits, written, names.wanted)
    return prepared


def insert_imports(edits: Edits, module: Module, wanted: Iterable[str]) -> None:
    """Puts import lines, which what was written needs, behind the first import of a file."""
    imports = [n for n in module.tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    for line in sorted(wanted) if imports else ():
        edits.insert_after(imports[0], line)


def classes_of(made: Iterable[MadeClass]) -> Mapping[tuple[Path, str], MadeClass]:
    """The classes that were written, by file and name."""
    return {(m.path, m.name): m for m in made}


def spare_name(name: str, taken: Collection[str]) -> str:
    """A name, with a number behind it where it is taken."""
    numbered = (f"{name}{number}" for number in itertools.count(2))
    return next(each for each in itertools.chain([name], numbered) if each not in taken)


def is_python(text: str) -> bool:
    """Whether a text parses: what was written in an unforeseen place may not."""
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True
