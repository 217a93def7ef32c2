"""Arguments that an attribute holds as a dict, `self.kwargs = {"w_init": init}`, written into the calls that unpack it.

A constant goes into the calls as it is, all else under an attribute of its own, as the constructor makes it once.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..chains import CONSTRUCTORS, is_own
from ..project import Project
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.values import Class
from ..signatures import dict_entries
from ..source import Source
from .prepared import Draft, Leave, Prepared, class_by_class, spare_name

_SUFFIXES = ("kwargs", "kwds", "args", "options", "config", "params")


def prepare(project: Project, rules: Rulebook, leave: Leave) -> Prepared:
    """Writes such arguments out in the module classes of a project, but for those named in `leave`."""
    return class_by_class(project, rules, leave, _may_have, _prepare_class)


def _may_have(source: Source) -> bool:
    return "**self." in source.text


def _prepare_class(draft: Draft, cls: Class) -> bool:
    framework = classes.framework(cls)
    constructor = next(
        (
            node
            for node in cls.node.body
            if isinstance(node, ast.FunctionDef) and node.name == CONSTRUCTORS.get(framework or "")
        ),
        None,
    )
    held = list(_held(draft, cls, constructor)) if constructor is not None else []
    if not held:
        return False
    elsewhere = _read_elsewhere(draft, cls)
    taken = {node.attr for node in ast.walk(draft.source.tree) if isinstance(node, ast.Attribute)}
    found = [each for each in held if each.name not in elsewhere]
    for each in found:
        _write(draft, each, taken)
    return bool(found)


@dataclass(frozen=True)
class _Held:
    """A statement that puts a dict on `self`, its entries, and where calls unpack it."""

    name: str
    statement: ast.Assign
    entries: Mapping[str, ast.expr]
    unpacked: Sequence[ast.keyword]


def _held(draft: Draft, cls: Class, constructor: ast.FunctionDef) -> Iterator[_Held]:
    for statement in constructor.body:
        match statement:
            case ast.Assign(targets=[ast.Attribute(attr=name) as target], value=value):
                entries = dict_entries(value) if is_own(target) else None
                unpacked = _unpacked(draft.source, cls, name, target)
                if entries and unpacked:
                    yield _Held(name, statement, entries, unpacked)


def _unpacked(
    source: Source, cls: Class, name: str, target: ast.Attribute
) -> Sequence[ast.keyword]:
    """Where calls in a class unpack an attribute; none where the class speaks of it in other ways."""
    mentions = [n for n in ast.walk(cls.node) if isinstance(n, ast.Attribute) and n.attr == name]
    reads = [each for each in mentions if each is not target]
    above = [source.parents[each] for each in reads]
    found = [each for each in above if isinstance(each, ast.keyword) and each.arg is None]
    own = all(is_own(each) and isinstance(each.ctx, ast.Load) for each in reads)
    return found if own and len(found) == len(reads) else ()


def _read_elsewhere(draft: Draft, cls: Class) -> set[str]:
    """The attributes that other code reads: of objects, and in classes that hang together with this one."""
    read: set[str] = set()
    for each in classes.family(draft.interp, cls):
        if each.node is not cls.node:
            read |= {node.attr for node in ast.walk(each.node) if is_own(node)}
    for module in draft.interp.project.neighbourhood(cls.module):
        read |= module.attributes_read
    return read


def _write(draft: Draft, held: _Held, taken: set[str]) -> None:
    """Puts the entries of a dict into the calls that unpack it."""
    arguments, lines = [], []
    indent = "\n" + draft.source.line_indent(draft.source.span(held.statement)[0])
    for key, value in held.entries.items():
        text = draft.source.segment(value)
        if not isinstance(value, ast.Constant):
            attribute = spare_name("_".join(filter(None, (_stem(held.name), key))), taken)
            taken.add(attribute)
            lines.append(f"self.{attribute} = {text}".replace(indent, "\n"))
            text = f"self.{attribute}"
        arguments.append(f"{key}={text}")
    for keyword in held.unpacked:
        draft.edits.replace(keyword, ", ".join(arguments))
    for line in lines:
        draft.edits.insert_before(held.statement, line, below_comments=True)
    draft.edits.delete_statement(held.statement)


def _stem(name: str) -> str:
    """What the name of a dict says besides that it holds arguments: `hidden` of `hidden_kwargs`."""
    words = name.split("_")
    stem = "_".join(words[:-1] if words[-1] in _SUFFIXES else words)
    return stem if stem.strip("_") else "_" * name.startswith("_")
