"""The statements of a constructor that keep its parameters for the methods: `self.width = width`.

They stand where the source's own constructor has them, the others at its top.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..chains import is_own
from ..shapes import classes
from ..shapes.facts import Facts
from ..shapes.values import Class, Value
from .constructors import annotation_of
from .containers import kind_given

_SEQUENCES = ("Sequence[", "List[", "list[", "typing.Sequence", "Iterable[")


@dataclass(frozen=True)
class Placed:
    """An attribute that the source's constructor sets to a parameter, with the comments above and behind it."""

    attribute: str
    above: int
    behind: str


def storable(
    cls: Class,
    facts: Facts,
    type_of: Callable[[ast.expr], Value | None],
    target: Callable[[str], str],
    attribute: str,
    parameter: str,
) -> str:
    """What an attribute is set to that keeps a parameter.

    A stored list would make the graph definition unhashable: a sequence is stored as a tuple. Modules that are given in
    a list or a dict are in those of NNX.
    """
    declared = next((f for f in classes.fields(cls) if f.name == attribute), None)
    annotation = declared.annotation if declared else annotation_of(cls, parameter)
    owned = (n for n in ast.walk(cls.node) if is_own(n) and n.attr == attribute)
    seen = (value for node in owned for value in facts.values.get(node, ()))
    kind = kind_given(annotation, seen, type_of)
    if kind is not None:
        held = f"{target(f'flax.nnx.{kind}')}({parameter})"
        optional = (
            declared is not None and ast.unparse(declared.default or declared.annotation) == "None"
        )
        return f"None if {parameter} is None else {held}" if optional else held
    written = ast.unparse(annotation) if annotation is not None else ""
    return f"tuple({parameter})" if written.startswith(_SEQUENCES) else parameter


def in_place(
    body: Sequence[str],
    placed: Mapping[str, Placed],
    stored: Mapping[str, str],
    unread: Collection[str],
) -> tuple[list[str], set[str]]:
    """The lines of a constructor's body without those that keep what no method reads, and the attributes that it sets.

    `placed` are its lines that set attributes to parameters, `stored` what they are set to by attribute, `unread` lines
    that go.
    """
    lines: list[str] = []
    found: set[str] = set()
    for line in body:
        here = placed.get(line)
        if here is None:
            lines += [line] if line not in unread else []
        elif here.attribute in stored:
            found.add(here.attribute)
            lines.append(f"{line.partition(' = ')[0]} = {stored[here.attribute]}{here.behind}")
        else:
            del lines[len(lines) - here.above :]
    return lines, found


def spaced(lines: Iterable[str]) -> list[str]:
    """The lines without blank ones at their ends, and without several in a row."""
    found: list[str] = []
    for line in lines:
        if line or (found and found[-1]):
            found.append(line)
    return found[:-1] if found and not found[-1] else found
