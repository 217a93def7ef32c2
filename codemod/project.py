"""The modules of a tree and how they import one another."""

from __future__ import annotations

import ast
import functools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .chains import is_own, last_name, root_name
from .findings import Finding
from .source import Source

Loader = Callable[[Path], "Source | None"]


FRAMEWORKS = ("flax", "haiku")

# Libraries that call what they are given, or say what may be called: a file in the folder says with what, and what.
IN_PLACE = Path(__file__).parent / "shapes" / "in_place"
READ_IN_PLACE = (
    "jraph",
    "transformers.modeling_flax_outputs",
    "transformers.modeling_flax_utils",
)


def _is_framework(path: Path) -> bool:
    """Whether a file is part of a framework's own source."""
    return any(
        folder.name in FRAMEWORKS and (folder / "__init__.py").exists() for folder in path.parents
    )


def _plain(folder: str) -> str:
    return folder.replace("-", "_")


@dataclass(eq=False)
class Module:
    """One file as Python sees it."""

    source: Source
    rewritable: bool = True

    @property
    def path(self) -> Path:
        return self.source.path

    @property
    def tree(self) -> ast.Module:
        return self.source.tree

    @functools.cached_property
    def names_framework(self) -> bool:
        """Whether the file speaks of Flax or Haiku at all."""
        return any(name in self.source.text for name in FRAMEWORKS)

    @functools.cached_property
    def of_classes(self) -> frozenset[ast.AST]:
        """The nodes that are in classes."""
        classes = (node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef))
        return frozenset(node for cls in classes for node in ast.walk(cls))

    @functools.cached_property
    def attributes_read(self) -> frozenset[str]:
        """The attributes that the file reads of objects: neither of a class's own `self` nor of what it imports."""
        imported = {
            alias.asname or alias.name.split(".")[0]
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        return frozenset(
            node.attr
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Attribute)
            and not (is_own(node) and node in self.of_classes)
            and root_name(node) not in imported
        )

    @functools.cached_property
    def imported(self) -> tuple[str, ...]:
        """The dotted names that absolute imports of the file may mean, in order."""
        found: list[str] = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and not node.level:
                found.append(node.module or "")
                found += (f"{node.module}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Import):
                found += (alias.name for alias in node.names)
        return tuple(found)

    @functools.cached_property
    def bases(self) -> frozenset[str | None]:
        """The last names of all that classes of the file inherit from."""
        classes = (node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef))
        return frozenset(last_name(base) for cls in classes for base in cls.bases)


def read_in_place(module: Module) -> str | None:
    """The library in whose place a file is read."""
    if IN_PLACE not in module.path.parents:
        return None
    return ".".join(module.path.relative_to(IN_PLACE).with_suffix("").parts)


@dataclass
class Project:
    """The files being rewritten and, on demand, the ones that they import from the same tree."""

    modules: dict[Path, Module] = field(default_factory=dict)
    load: Loader = lambda path: None
    configurations: Mapping[Path, str] = field(default_factory=dict)  # the texts of gin's files
    # the classes that stand for functions
    functions: set[tuple[Path, str]] = field(default_factory=set)
    # the functions and classes that an earlier attempt could not rewrite, and why
    left: dict[tuple[Path, str], Finding] = field(default_factory=dict)
    # why functions that make layers stay, in a few words
    reasons: dict[tuple[Path, str], str] = field(default_factory=dict)
    _imports: dict[Module, list[Module]] | None = field(default=None, repr=False, compare=False)
    _importers: dict[Module, list[Module]] | None = field(default=None, repr=False, compare=False)
    _neighbours: dict[Module, list[Module]] = field(default_factory=dict, repr=False, compare=False)
    _homes: dict[ast.AST, Module] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, sources: Iterable[Source], load: Loader = lambda path: None) -> Project:
        return cls({s.path: Module(s, not _is_framework(s.path)) for s in sources}, load)

    def copy(self) -> Project:
        """The same files, of which some may become others."""
        return Project(dict(self.modules), self.load, self.configurations)

    def module_at(self, path: Path) -> Module | None:
        """The module of a file; one outside the rewritten set is read for information only."""
        if path not in self.modules:
            source = self.load(path)
            if source is None:
                return None
            self.modules[path] = Module(source, rewritable=False)
        return self.modules[path]

    def home(self, node: ast.AST) -> Module | None:
        """The file that a node stands in, of those that are rewritten."""
        known = self._homes.get(node)
        if known is not None and known.rewritable and self.modules.get(known.path) is known:
            return known
        for module in self.modules.values():
            if module.rewritable and node in module.source.parents:
                self._homes[node] = module
                return module
        return None

    def own_names(self) -> set[str]:
        """The names by which the project's own packages and files are imported, but for the frameworks' own."""
        found: set[str] = set()
        seen: set[Path] = set()
        for path in list(self.modules):
            top = path if path.name != "__init__.py" else path.parent
            while top.parent not in seen and self.module_at(top.parent / "__init__.py"):
                seen.add(top.parent)
                top = top.parent
            found |= {top.stem} if top.parent not in seen else set()
        return found - set(FRAMEWORKS)

    def imports(self) -> Mapping[Module, Sequence[Module]]:
        """The files that each file imports, as it was when this was first asked."""
        if self._imports is None:
            self._imports = {m: list(self._imported(m)) for m in list(self.modules.values())}
        return self._imports

    def neighbourhood(self, home: Module) -> Sequence[Module]:
        """A file, those that import it, directly or through others, and all that these import."""
        if home not in self._neighbours:
            imports = self.imports()
            if self._importers is None:
                self._importers = defaultdict(list)
                for module, imported in imports.items():
                    for each in imported:
                        self._importers[each].append(module)
            self._neighbours[home] = _closure(_closure([home], self._importers), imports)
        return self._neighbours[home]

    def imported_by(self, start: Iterable[Module]) -> Collection[Module]:
        """Some files, and all that they import, directly or through others."""
        return _closure(start, self.imports())

    def _imported(self, module: Module) -> Iterator[Module]:
        for node in ast.walk(module.tree):
            match node:
                case ast.Import(names=names):
                    dotted = [(alias.name, 0) for alias in names]
                case ast.ImportFrom(module=name, names=names, level=level):
                    start = f"{name}." if name else ""
                    dotted = [(name or "", level), *((start + a.name, level) for a in names)]
                case _:
                    continue
            found = [self.find(path, module.path, level) for path, level in dotted]
            yield from (each for each in found if each is not None)

    def find(self, dotted: str, importer: Path, level: int = 0) -> Module | None:
        """The module that `import dotted` means in a file: one of the tree, or what is read in a library's place."""
        library = next(
            (each for each in READ_IN_PLACE if f"{dotted}.".startswith(f"{each}.")), None
        )
        if level or library is None:
            return self._find(dotted, importer, level)
        if dotted != library:
            return None
        own = self._find(dotted, importer) if "." in library else None
        return own or self._in_place(library)

    def _in_place(self, library: str) -> Module:
        """What is read in the place of a library, of a whole one in its own repository too."""
        path = IN_PLACE.joinpath(*library.split(".")).with_suffix(".py")
        if path not in self.modules:
            self.modules[path] = Module(Source(path), rewritable=False)
        return self.modules[path]

    def _find(self, dotted: str, importer: Path, level: int = 0) -> Module | None:
        """The module of the tree that `import dotted` means in a file, or None if it is not in there.

        A relative import starts at the importer's package. An absolute one is tried in each folder above the importer,
        nearest first, and in the `src` in it, as any of them may be on `sys.path`; then without its first name, where a
        folder is called so.
        """
        parts = dotted.split(".") if dotted else []
        if not level and parts[:1] and parts[0] in FRAMEWORKS:
            return None  # in the framework's own repository too: its users are what is rewritten
        if level:
            folders = [importer.parents[level - 1]] if level <= len(importer.parents) else []
        else:
            folders = [each for above in importer.parents for each in (above, above / "src")]
        for folder in folders:
            for path in self._places(folder, parts):
                module = self.module_at(path)
                if module is not None and path != importer:
                    return module
        # The folder of a checkout may say more than the package: `owner+package`, `package-main`.
        if (
            level
            or len(parts) < 2
            or not any(parts[0] in _plain(f.absolute().name) for f in folders)
        ):
            return None
        return self._find(".".join(parts[1:]), importer)

    @staticmethod
    def _places(folder: Path, parts: list[str]) -> list[Path]:
        base = folder.joinpath(*parts)
        init = base / "__init__.py"
        return [init] if not parts else [base.with_name(base.name + ".py"), init]


def _closure(start: Iterable[Module], links: Mapping[Module, Sequence[Module]]) -> list[Module]:
    found = dict.fromkeys(start)
    pending = list(found)
    while pending:
        fresh = [m for m in links.get(pending.pop(), ()) if m not in found]
        found.update(dict.fromkeys(fresh))
        pending += fresh
    return list(found)
