"""Cases of a class from runs of what is around it: the classes and functions that mention it."""

from __future__ import annotations

import ast
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .subjects import Subject

Place = tuple[str, str]  # a file relative to the tree, and a name in it
_MOST = 4  # classes that are run for the cases of one inside of them


@dataclass
class Users:
    """The module classes of a tree, and which of them mention which."""

    entries: dict[Place, dict[str, Any]]
    words: dict[Place, set[str]]

    @classmethod
    def of(cls, files: Iterable[tuple[str, ast.Module, Mapping[str, dict[str, Any]]]]) -> Users:
        """Of files with their trees and the report's entries of what they define, by name."""
        found = cls({}, {})
        for place, tree, entries in files:
            for node in tree.body:
                if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name in entries:
                    found.entries[place, node.name] = entries[node.name]
                    found.words[place, node.name] = {
                        getattr(n, "id", getattr(n, "attr", "")) for n in ast.walk(node)
                    }
        return found

    def around(self, name: str) -> list[Place]:
        """The classes that mention a class, and those that mention these, the nearest first; not too many."""
        found: list[Place] = []
        pending = [name]
        while pending:
            wanted = pending.pop(0)
            for place, words in self.words.items():
                if wanted in words and place[1] != wanted and place not in found:
                    found.append(place)
                    pending.append(place[1])
        return found[:_MOST]


@dataclass
class Runs:
    """The runs of what is around classes, each made once: `run` is asked for what is inside of a class or function."""

    tree: Path
    users: Users
    run: Callable[[Place], Mapping[str, Any]]
    _inside: dict[Place, Mapping[str, Any]] = field(default_factory=dict)
    _looking: threading.Lock = field(default_factory=threading.Lock)

    def cases(self, subject: Subject) -> Iterator[dict[str, Any]]:
        """The cases of a subject in these runs, with where they come from."""
        for place in self.users.around(subject.name):
            with self._looking:
                if place not in self._inside:
                    self._inside[place] = self.run(place)
                answer = self._inside[place]
            for case in of(answer.get("inside", ()), subject, self.tree):
                # Whether a search made up what is around it says how far the case can be trusted.
                yield {**case, "origin": f"{answer['case']['origin']}, in {place[1]}"}


def of(
    inside: Iterable[Mapping[str, Any]], subject: Subject, tree: Path
) -> Iterator[dict[str, Any]]:
    """The cases of a subject among those of all that ran inside of something."""
    file = (tree / subject.file).resolve()
    for one in inside:
        if Path(one["file"]) == file and one["name"] == subject.name:
            yield one["case"]
