"""Which files a rewrite concerns: those that import a framework, those that import what these define, and those
that import by names which they work out.

Nothing is parsed here. Import statements are found by their look, so one in a docstring counts as well: that costs a
parse later and changes nothing.
"""

from __future__ import annotations

import codecs
import functools
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_CONTINUED = re.compile(rb"\\\r?\n")
_IMPORT = re.compile(
    rb"(?:^|[;:])[ \t\f]*"
    rb"(?:from(?=[ \t.])(?P<module>[ \t.]*[\w.]*)[ \t]+import[ \t]*(?P<names>\([^)]*\)|[^\n;#]*)"
    rb"|import[ \t]+(?P<modules>[^\n;#]*))",
    re.M,
)
_COMMENT = re.compile(rb"#[^\n]*")
_NO_CODE = re.compile(
    rb"#[^\n]*|\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''(?:[^\\]|\\.)*?'''|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'",
    re.S,
)
_BLOCK = re.compile(rb"^(?=[^\s#)\]}])", re.M)
_DEFINED = re.compile(rb"(?:(?:async[ \t]+)?def[ \t]+|class[ \t]+)?(\w+)[ \t]*[(:=[]")
_DECORATOR = re.compile(rb"@[^\n]*\n\Z")
_DECORATORS = re.compile(rb"(?:@[^\n]*\n)+")
_WORD = re.compile(rb"[^\W\d]\w*")
_DONE = "flax.nnx."
_MAKERS = (
    "flax.linen.",
    "flax.training.train_state.",
    "haiku.",
)  # what modules and their states are made with


@dataclass(frozen=True)
class Import:
    """One import statement: `from module import name as bound ...`, or `import module as bound` with no names.

    `level` counts leading dots.
    """

    module: str
    names: tuple[tuple[str, str], ...] = ()
    bound: str = ""
    level: int = 0

    def qualified(self) -> Iterator[tuple[str, str]]:
        """What an absolute import imports, and the name that each is bound to."""
        if not self.level and not self.names:
            yield self.module, self.bound
        elif not self.level:
            yield from ((f"{self.module}.{name}", bound) for name, bound in self.names)


def imports(data: bytes) -> Iterator[Import]:
    """The imports of a file, wherever they stand in it."""
    data = _CONTINUED.sub(b" ", data.removeprefix(codecs.BOM_UTF8))
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for found in _IMPORT.finditer(data):
        if found["modules"] is not None:
            for name, bound in _items(found["modules"]):
                yield Import(name, bound=bound or name.split(".")[0])
            continue
        module = found["module"].decode(errors="replace").replace(" ", "").replace("\t", "")
        bare = module.lstrip(".")
        names = tuple(
            (name, bound or name) for name, bound in _items(found["names"].strip(b"() \t"))
        )
        if names:
            yield Import(bare, names, level=len(module) - len(bare))


def _items(listed: bytes) -> Iterator[tuple[str, str]]:
    """The `name` and `bound` of each `name as bound` in a list; `bound` is empty where it is not said."""
    for item in _COMMENT.sub(b"", listed).decode(errors="replace").split(","):
        words = item.strip(" \t\n()").split()
        if words:
            yield words[0], words[2] if len(words) > 2 else ""


def concerned(files: Mapping[Path, bytes]) -> list[Path]:
    """The files that import a framework and those that take modules from them, directly or through others; sorted."""
    found = {path: list(imports(data)) if b"import" in data else [] for path, data in files.items()}
    frameworks = {path for path, own in found.items() if any(_of_framework(one) for one in own)}
    made_with = {path: _makers(found[path]) for path in frameworks}
    by_name = {p for p, data in files.items() if frameworks and b"import_module(" in data}
    return sorted(frameworks | by_name | _Reach(files, found).spread(made_with))


def _of_framework(one: Import) -> bool:
    """Whether an import is of Haiku, or of a part of Flax other than NNX."""
    return any(
        name.split(".")[0] in ("flax", "haiku") and not f"{name}.".startswith(_DONE)
        for name, _ in one.qualified()
    )


def _makers(found: Iterable[Import]) -> set[str]:
    """The names by which a file knows what modules are made with."""
    return {
        bound
        for one in found
        for name, bound in one.qualified()
        if any(f"{name}.".startswith(maker) or maker.startswith(f"{name}.") for maker in _MAKERS)
    }


class _Reach:
    """What the files of a tree take from one another."""

    def __init__(self, files: Mapping[Path, bytes], found: Mapping[Path, list[Import]]) -> None:
        self.files = files
        self.paths = {str(path): path for path in files}
        # Of each file: those that import it or from it.
        self.users: dict[Path, set[Path]] = defaultdict(set)
        # Of each file: from, name, bound.
        self.taken: dict[Path, list[tuple[Path, str, str]]] = defaultdict(list)
        for path, own in found.items():
            for one in own:
                self._resolve(path, one)

    def _resolve(self, path: Path, one: Import) -> None:
        if not one.names:
            self._take(path, self._file(path, one.module, one.level), "", one.bound)
            return
        module = self._file(path, one.module, one.level)
        for name, bound in one.names:
            inside = f"{one.module}.{name}" if one.module else name
            submodule = self._file(path, inside, one.level)
            self._take(path, submodule, "", bound)
            self._take(path, module if module != submodule else None, name, bound)

    def _take(self, path: Path, source: Path | None, name: str, bound: str) -> None:
        if source is not None and source != path:
            self.users[source].add(path)
            self.taken[path].append((source, name, bound))

    def _file(self, importer: Path, dotted: str, level: int) -> Path | None:
        """The file that a module is, tried from each folder above the importer as any may be on `sys.path`."""
        below = dotted.replace(".", os.sep)
        folder = os.path.dirname(str(importer))
        for _ in range(1, level):
            folder = os.path.dirname(folder)
        while True:
            base = os.path.join(folder, below) if below else folder
            for name in (f"{base}.py", os.path.join(base, "__init__.py")):
                if name in self.paths:
                    return self.paths[name]
            above = os.path.dirname(folder)
            if level or above == folder:
                return None
            folder = above

    def spread(self, start: Mapping[Path, set[str]]) -> set[Path]:
        """The files reached from `start`: those that take a name which depends on the names there."""
        offered = {
            path: dependents(self.files[path], names) for path, names in start.items() if names
        }
        waiting = [user for path in offered for user in self.users[path]]
        fed: dict[Path, set[str]] = defaultdict(set)
        for path, names in offered.items():
            waiting += self._feed(path, names, fed)
        while waiting:
            path = waiting.pop()
            had = offered.get(path, set())
            taken = self._takes(path, offered) | fed[path]
            if not taken <= had:
                offered[path] = dependents(self.files[path], taken | had)
                waiting.extend(self.users[path])
                waiting += self._feed(path, offered[path], fed)
        return set(offered)

    def _feed(self, path: Path, names: set[str], fed: dict[Path, set[str]]) -> list[Path]:
        """Adds to `fed`, by file, what decorators of a file's `names` may keep them in; the files that got more."""
        words = decorators(self.files[path], names)
        if not words:
            return []
        sources = {s for s, _, bound in self.taken[path] if bound in words}
        more = [p for p in (path, *sources) if not keepers(self.files[p], words) <= fed[p]]
        for each in more:
            fed[each] |= keepers(self.files[each], words)
        return more

    def _takes(self, path: Path, offered: Mapping[Path, set[str]]) -> set[str]:
        """The names that a file binds to what others offer."""
        found: set[str] = set()
        for source, name, bound in self.taken[path]:
            names = offered.get(source, set())
            if name == "*":
                found |= names
            elif name in names or (names and not name and self._uses(path, names, bound)):
                found.add(bound)
        return found

    def _uses(self, path: Path, names: set[str], bound: str) -> bool:
        """Whether a file that imports a module says one of its names or asks for one that it does not say, or is a
        package that hands the module on."""
        if path.name == "__init__.py" or not names.isdisjoint(self._words(path)):
            return True
        signs = (f"getattr({bound},", f"vars({bound})", f"{bound}.__dict__")
        return any(sign.encode() in self.files[path] for sign in signs)

    @functools.cache  # noqa: B019 - lives as long as the search
    def _words(self, path: Path) -> frozenset[str]:
        return _words(self.files[path])


def _words(data: bytes) -> frozenset[str]:
    """The words of a piece of code, strings and comments aside."""
    return frozenset(
        word.decode(errors="replace") for word in _WORD.findall(_NO_CODE.sub(b" ", data))
    )


def _blocks(data: bytes) -> list[bytes]:
    """The statements at the top of a file, decorators after what they decorate."""
    blocks = [block for block in _BLOCK.split(data) if block]
    for number, block in enumerate(blocks[:-1]):
        if _DECORATOR.match(block):
            blocks[number], blocks[number + 1] = b"", blocks[number + 1] + block
    return blocks


def decorators(data: bytes, names: set[str]) -> set[str]:
    """The words in the decorators of what a file defines under `names`."""
    if b"\n@" not in data:
        return set()
    return {
        word
        for block in _blocks(data)
        if (match := _DEFINED.match(block)) and match[1].decode(errors="replace") in names
        for lines in _DECORATORS.findall(block[block.rfind(b"\n@") + 1 :])
        for word in _words(lines)
    }


def keepers(data: bytes, functions: set[str]) -> set[str]:
    """The variables at the top of a file that functions of these names read or fill."""
    defined = [(m, block) for block in _blocks(data) if (m := _DEFINED.match(block))]
    variables = {
        m[1].decode(errors="replace")
        for m, _ in defined
        if m[0][-1:] in b"=:[" and not m[0].startswith((b"class ", b"def ", b"async "))
    }
    return {
        word
        for m, block in defined
        if m[0].startswith(b"def ") and m[1].decode(errors="replace") in functions
        for word in _words(block) & variables
    }


def dependents(data: bytes, names: set[str]) -> set[str]:
    """`names` with all that a file defines at its top level in terms of them."""
    blocks = _blocks(data)
    defining = [
        (_words(block), match[1].decode(errors="replace"))
        for block in blocks
        if (match := _DEFINED.match(block))
    ]
    found = set(names)
    while True:
        more = {name for words, name in defining if name not in found and words & found}
        if not more:
            return found
        found |= more
