"""Imports after a rewrite: those that are no longer used go, new ones come in where a person would put them."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..edits import Edits
from ..source import Source
from .importorder import (
    Order,
    Section,
    file_order,
    is_sorted,
    name_key,
    section,
    sort_key,
    sorted_names,
)
from .importuse import used_names, uses_dotted

_COOKIE = re.compile(r"\A(?:[ \t\f]*#[^\r\n]*(?:\r\n|\r|\n))?[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_FRAMEWORKS = ("flax.linen", "haiku")
_LEAVE_ALONE = re.compile(r"#\s*noqa\b|#\s*nnx-codemod:\s*skip\b", re.I)

ImportStatement = ast.Import | ast.ImportFrom


def tidy(
    new_text: str,
    original_text: str,
    wanted: Iterable[str],
    *,
    reexports: bool = False,
    local: Collection[str] = (),
    read: Collection[str] = (),
    limit: int = 100,
) -> str:
    """`new_text` without the imports that only removed code used, and with the import lines in `wanted`.

    An import that was unused before stays, unless it is Linen's or Haiku's; so does what `__all__`, `# noqa`, a `try`
    or an `if` speaks for. With `reexports` (an `__init__.py`) only modules of Linen and Haiku go. `local` are the
    top-level names of the tree's own packages, `read` what other files read of this one, `limit` the longest line.
    """
    tidier = _Tidier(_source(new_text), _source(original_text), set(local), limit)
    tidier.read = read
    added = _parsed(wanted)
    tidier.remove(reexports, {name: entry.module for entry in added for name in entry.bound})
    tidier.add(added)
    return tidier.edits.apply()


def _source(text: str) -> Source:
    cookie = _COOKIE.match(text)
    return Source("module.py", text.encode(cookie.group(1) if cookie else "utf-8"))


@dataclass
class _Wanted:
    """An import statement to add: `import module as alias`, or names from a module with the dots before it."""

    module: str
    alias: str | None = None
    names: list[str] = field(default_factory=list)

    @property
    def bound(self) -> list[str]:
        """The names that the statement binds."""
        if self.names:
            return [name.split(" as ")[-1] for name in self.names]
        return [self.alias or self.module.split(".")[0]]

    def text(self, unit: str, limit: int) -> str:
        if not self.names:
            return f"import {self.module}" + (f" as {self.alias}" if self.alias else "")
        line = f"from {self.module} import {', '.join(self.names)}"
        if len(line) <= limit:
            return line
        inner = "".join(f"{unit}{name},\n" for name in self.names)
        return f"from {self.module} import (\n{inner})"


def _parsed(wanted: Iterable[str]) -> list[_Wanted]:
    """The wanted lines, one for each module that names come from, names in order."""
    found: dict[tuple[str, str | None], _Wanted] = {}
    for line in wanted:
        for stmt in ast.parse(line.strip()).body:
            for alias in _aliases(stmt):
                module = _module(stmt, alias)
                plain = isinstance(stmt, ast.Import)
                key = (module, f"import {alias.asname}" if plain else None)
                entry = found.setdefault(key, _Wanted(module, alias.asname if plain else None))
                name = alias.name + (f" as {alias.asname}" if alias.asname else "")
                if not plain and name not in entry.names:
                    entry.names.append(name)
    for entry in found.values():
        entry.names = sorted_names(entry.names)
    return list(found.values())


def _aliases(stmt: ast.stmt) -> list[ast.alias]:
    return stmt.names if isinstance(stmt, ast.Import | ast.ImportFrom) else []


def _module(stmt: ast.stmt, alias: ast.alias) -> str:
    """The module that a statement imports, or imports from, with its leading dots."""
    if isinstance(stmt, ast.ImportFrom):
        return "." * stmt.level + (stmt.module or "")
    return alias.name


def _bound(stmt: ast.stmt, alias: ast.alias) -> str:
    if isinstance(stmt, ast.Import):
        return alias.asname or alias.name.split(".")[0]
    return alias.asname or alias.name


def _target(stmt: ast.stmt, alias: ast.alias) -> str:
    """The dotted name of what an alias stands for."""
    if isinstance(stmt, ast.ImportFrom):
        return f"{_module(stmt, alias)}.{alias.name}"
    return alias.name


def _is_framework(stmt: ast.stmt, alias: ast.alias) -> bool:
    target = _target(stmt, alias)
    return any(target == root or target.startswith(root + ".") for root in _FRAMEWORKS)


@dataclass
class _Group:
    """Import statements on neighbouring lines."""

    statements: list[ImportStatement]


class _Tidier:
    def __init__(self, source: Source, original: Source, local: set[str], limit: int) -> None:
        self.source = source
        self.edits = Edits(source)
        self._original = original
        self._local = local
        self._limit = limit
        self._used = used_names(source.text, source.tree)
        self._used_before = used_names(original.text, original.tree)
        self._bound_before = {
            _bound(stmt, alias)
            for stmt in ast.walk(original.tree)
            if isinstance(stmt, ast.Import | ast.ImportFrom)
            for alias in stmt.names
        }
        self._gone: dict[ImportStatement, list[ast.alias]] = {}
        self.read: Collection[str] = ()  # names that other files read of this one
        self._rebound: Mapping[str, str] = {}  # names that added imports bind, and where from

    # ---- removing ----------------------------------------------------------------------------------

    def remove(self, reexports: bool, rebound: Mapping[str, str]) -> None:
        """Takes out what nothing reads any more, and frameworks' names that come from another module now."""
        self._rebound = rebound
        for body, inner in _bodies(self.source.tree):
            for stmt in body:
                if not isinstance(stmt, ast.Import | ast.ImportFrom) or self._left_alone(stmt):
                    continue
                gone = [a for a in stmt.names if self._goes(stmt, a, inner, reexports)]
                whole = len(gone) == len(stmt.names)
                if not gone or (whole and len(body) == 1):
                    continue
                self._gone[stmt] = gone
                if whole:
                    self.edits.delete_statement(stmt)
                for alias in gone if not whole else ():
                    self.edits.remove_item(stmt, alias)

    def _left_alone(self, stmt: ImportStatement) -> bool:
        start, end = self.source.span(stmt)
        line_end = re.compile(r"[^\r\n]*").match(self.source.text, end)
        text = self.source.text[start : line_end.end() if line_end else end]
        return _LEAVE_ALONE.search(text) is not None

    def _goes(
        self, stmt: ImportStatement, alias: ast.alias, inner: ast.AST | None, reexports: bool
    ) -> bool:
        name = _bound(stmt, alias)
        if alias.name == "*" or name not in self._bound_before:
            return False
        if isinstance(stmt, ast.ImportFrom) and stmt.module == "__future__":
            return False
        if reexports and not (_is_framework(stmt, alias) and name in self._used_before):
            return False
        if inner is not None:
            return not _mentions(inner, name) and _is_framework(stmt, alias)
        if isinstance(stmt, ast.Import) and not alias.asname and "." in alias.name:
            return self._dotted_goes(stmt, alias)
        module = _module(stmt, alias)
        if self._rebound.get(name, module) != module and _is_framework(stmt, alias):
            return True
        if name in self._used or name in self.read:
            return False
        return name in self._used_before or _is_framework(stmt, alias)

    def _dotted_goes(self, stmt: ast.Import, alias: ast.alias) -> bool:
        """Whether `import a.b` goes: nothing reads `a.b` any more, and `a` is bound elsewhere or not read either."""
        root = alias.name.split(".")[0]
        if uses_dotted(self.source.tree, alias.name):
            return False
        if not uses_dotted(self._original.tree, alias.name) and not _is_framework(stmt, alias):
            return False
        others = [
            other
            for imported in _imports(self.source.tree)
            for other in imported.names
            if other is not alias and _bound(imported, other) == root and other.name != alias.name
        ]
        return root not in self._used or bool(others)

    # ---- adding ------------------------------------------------------------------------------------

    def add(self, wanted: Sequence[_Wanted]) -> None:
        missing = [entry for entry in map(self._missing, wanted) if entry is not None]
        self._groups = self._read_groups(self.source)
        everything = [group.statements for group in self._read_groups(self._original)]
        self._order = file_order(everything, self._local)
        if self._order is None and file_order(everything, ()) is not None:
            self._local = set()  # the file does not set its own packages apart
            self._order = file_order(everything, ())
        fresh: dict[Section, list[_Wanted]] = {}
        among: list[tuple[_Group, _Wanted]] = []
        for entry in sorted(missing, key=lambda e: self._rank(e.module, bool(e.names))):
            if self._merged(entry) or self._in_the_place_of_a_framework(entry):
                continue
            where = section(entry.module, self._local)
            group = self._group_of(where)
            if group is None:
                fresh.setdefault(where, []).append(entry)
            else:
                among.append((group, entry))
        first = [where for where in sorted(fresh) if not self._earlier(where)]
        for where in first:  # above what comes in at the same place
            self._new_group(where, fresh.pop(where))
        for group, entry in among:
            self._sorted_in(group, entry)
        for where in sorted(fresh):
            self._new_group(where, fresh[where])

    def _rank(self, module: str, is_from: bool) -> tuple[object, ...]:
        where = section(module, self._local)
        return where, sort_key(module, is_from, self._order or Order.STRAIGHT_FIRST)

    def _missing(self, entry: _Wanted) -> _Wanted | None:
        """What of a wanted import is not there yet."""
        present = {
            (_target(stmt, alias), _bound(stmt, alias))
            for stmt in _imports(self.source.tree)
            for alias in stmt.names
            if alias not in self._gone.get(stmt, [])
        }
        if not entry.names:
            return None if (entry.module, entry.bound[0]) in present else entry
        names = [
            name
            for name, bound in zip(entry.names, entry.bound, strict=True)
            if (f"{entry.module}.{name.split(' as ')[0]}", bound) not in present
        ]
        return _Wanted(entry.module, None, names) if names else None

    def _read_groups(self, source: Source) -> list[_Group]:
        """The module-level imports above the first definition, in groups without blank lines."""
        groups: list[_Group] = []
        previous: ast.stmt | None = None
        for stmt in source.tree.body:
            if isinstance(stmt, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                break
            if isinstance(stmt, ast.Import | ast.ImportFrom):
                near = previous is not None and isinstance(previous, ast.Import | ast.ImportFrom)
                if near and previous is not None and not _blank_between(source, previous, stmt):
                    groups[-1].statements.append(stmt)
                else:
                    groups.append(_Group([stmt]))
            previous = stmt
        return groups

    def _merged(self, entry: _Wanted) -> bool:
        """Adds the names to a statement that imports from the same module, if there is one."""
        found = [
            stmt
            for group in self._groups
            for stmt in group.statements
            if isinstance(stmt, ast.ImportFrom)
            and _module(stmt, stmt.names[0]) == entry.module
            and stmt.names[0].name != "*"
        ]
        kept = [stmt for stmt in found if len(self._gone.get(stmt, [])) < len(stmt.names)]
        if not entry.names or not kept or (len(found) > 1 and not self._is_helper(entry)):
            return False
        self._extend(kept[0], entry)
        return True

    def _is_helper(self, entry: _Wanted) -> bool:
        return section(entry.module, self._local) is Section.LOCAL

    def _extend(self, stmt: ast.ImportFrom, entry: _Wanted) -> None:
        gone = self._gone.get(stmt, [])
        old = [_written(alias) for alias in stmt.names if alias not in gone]
        one_line = stmt.lineno == stmt.end_lineno
        whole = _Wanted(entry.module, None, sorted_names([*old, *entry.names]))
        if one_line and old == sorted_names(old):
            self.edits.replace(stmt, whole.text(self.source.indent_unit, self._limit))
            return
        for name in entry.names:
            after = [i for i, alias in enumerate(stmt.names) if _before(_written(alias), name)]
            place = after[-1] + 1 if after else 0
            self.edits.add_item(stmt, name, place if old == sorted_names(old) else "last")

    def _in_the_place_of_a_framework(self, entry: _Wanted) -> bool:
        """Puts `from flax import nnx` on the line of the framework's import where imports have no order to keep."""
        if entry.module != "flax":
            return False
        for group in self._groups:
            for stmt in group.statements:
                gone = self._gone.get(stmt, [])
                if len(gone) < len(stmt.names) or not any(_is_framework(stmt, a) for a in gone):
                    continue
                if self._order is None or not is_sorted(group.statements, self._order):
                    self.edits.replace(stmt, self._text(entry))
                    return True
        return False

    def _group_of(self, where: Section) -> _Group | None:
        """The last group that holds an import of a section."""
        holding = [
            group
            for group in self._groups
            if any(self._section_of(stmt) is where for stmt in group.statements)
        ]
        return holding[-1] if holding else None

    def _section_of(self, stmt: ImportStatement) -> Section:
        return section(_module(stmt, stmt.names[0]), self._local)

    def _sorted_in(self, group: _Group, entry: _Wanted) -> None:
        where = section(entry.module, self._local)
        members = [stmt for stmt in group.statements if self._section_of(stmt) is where]
        order = self._order or Order.STRAIGHT_FIRST
        text = self._text(entry)
        place = _line_key(entry.module, entry.names, order)
        if is_sorted(members, order):
            for stmt in members:
                names = [_written(alias) for alias in stmt.names]
                names = names if isinstance(stmt, ast.ImportFrom) else []
                if _line_key(_module(stmt, stmt.names[0]), names, order) > place:
                    self._before(stmt, text)
                    return
        self.edits.insert_after(members[-1], text)

    def _before(self, stmt: ast.stmt, text: str) -> None:
        """Above a statement and its comments, but below those that begin the file."""
        head = self.source.text[: self.source.span(stmt)[0]]
        heads_file = all(not line.strip() or line.lstrip()[0] == "#" for line in head.splitlines())
        self.edits.insert_before(stmt, text, below_comments=heads_file)

    def _earlier(self, where: Section) -> list[_Group]:
        """The groups that begin with an earlier section."""
        return [
            group
            for group in self._groups
            if min(self._section_of(stmt) for stmt in group.statements) < where
        ]

    def _new_group(self, where: Section, entries: Sequence[_Wanted]) -> None:
        text = "\n".join(self._text(entry) for entry in entries)
        earlier = self._earlier(where)
        if earlier:
            self.edits.insert_after(earlier[-1].statements[-1], f"\n{text}")
        elif self._groups:
            self._before(self._groups[0].statements[0], f"{text}\n\n")
        else:
            self._first(text)

    def _first(self, text: str) -> None:
        """The first imports of a file: below its docstring."""
        body = self.source.tree.body
        documented = bool(body) and ast.get_docstring(self.source.tree, clean=False) is not None
        if documented:
            self.edits.insert_after(body[0], f"\n{text}")
        elif body:
            self._before(body[0], f"{text}\n\n")
        else:
            self.edits.insert(len(self.source.text), f"{text}\n")

    def _text(self, entry: _Wanted) -> str:
        return entry.text(self.source.indent_unit, self._limit)


def _line_key(module: str, names: Sequence[str], order: Order) -> tuple[object, ...]:
    """Where an import line stands; lines of one module go by their first name."""
    return sort_key(module, bool(names), order), [name_key(name) for name in names[:1]]


def _written(alias: ast.alias) -> str:
    return alias.name + (f" as {alias.asname}" if alias.asname else "")


def _before(left: str, right: str) -> bool:
    return name_key(left) <= name_key(right)


def _imports(tree: ast.Module) -> list[ImportStatement]:
    """The imports at the top level of a module."""
    return [stmt for stmt in tree.body if isinstance(stmt, ast.Import | ast.ImportFrom)]


def _bodies(tree: ast.Module) -> Iterator[tuple[list[ast.stmt], ast.AST | None]]:
    """The module's statements, and those of each function with the function."""
    yield tree.body, None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.body, node


def _mentions(function: ast.AST, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(function))


def _blank_between(source: Source, above: ast.stmt, below: ast.stmt) -> bool:
    between = source.text[source.span(above)[1] : source.span(below)[0]]
    return any(not line.strip() for line in re.split(r"\r\n|\r|\n", between)[1:-1])
