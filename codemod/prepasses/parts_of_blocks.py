"""A part of a block of statements as text: those that are wanted, under the tests that they stand under."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ..edits import Edits, move
from ..source import Source

_STOPS = (ast.Raise, ast.Assert)


@dataclass
class Part:
    """The statements of a block that are wanted, with what some of their nodes are to be `instead`.

    `written` are those of another text. What raises goes with the tests that it stands under.
    """

    source: Source
    wanted: Collection[ast.stmt]
    instead: Mapping[ast.AST, str] = field(default_factory=dict)
    written: Mapping[ast.stmt, str] = field(default_factory=dict)

    def has(self, statement: ast.stmt) -> bool:
        """Whether a statement, or one under its test, is wanted."""
        if isinstance(statement, ast.If):
            return any(self.has(each) for each in [*statement.body, *statement.orelse])
        return statement in self.wanted

    def lines(self, block: Sequence[ast.stmt], indent: str) -> list[str]:
        """The lines of what is wanted of a block."""
        found: list[str] = []
        for statement in block:
            if isinstance(statement, ast.If) and self.has(statement):
                found += self._comments(statement, indent)
                found += self._branches(statement, indent, "if")
            elif statement in self.wanted:
                found += self._comments(statement, indent)
                found.append(f"{indent}{self._statement(statement, indent)}")
        return found

    def _branches(self, statement: ast.If, indent: str, word: str) -> list[str]:
        found = [
            f"{indent}{word} {self.text(statement.test)}:",
            *self._branch(statement.body, indent),
        ]
        if self._leaves(statement.body):
            return [*found, *self._with_stops(statement.orelse).lines(statement.orelse, indent)]
        match statement.orelse:
            case [ast.If() as other] if self.has(other) and self._is_elif(other):
                return [*found, *self._branches(other, indent, "elif")]
            case []:
                return found
        branch = self._branch(statement.orelse, indent)
        return [*found, f"{indent}else:", *branch] if branch[0].strip() != "pass" else found

    def _branch(self, block: Sequence[ast.stmt], indent: str) -> list[str]:
        inner = indent + self.source.indent_unit
        return self._with_stops(block).lines(block, inner) or [f"{inner}pass"]

    def _with_stops(self, block: Sequence[ast.stmt]) -> Part:
        stops = [s for s in block if isinstance(s, _STOPS) and s not in self.wanted]
        return Part(self.source, {*self.wanted, *stops}, self.instead, self.written)

    def _leaves(self, block: Sequence[ast.stmt]) -> bool:
        """Whether nothing behind a block runs, as it returns or raises in any case."""
        last = next((s for s in reversed(block) if self.has(s) or isinstance(s, _STOPS)), None)
        if isinstance(last, ast.If):
            return bool(last.orelse) and self._leaves(last.body) and self._leaves(last.orelse)
        returned = last is not None and self.written.get(last, "").startswith("return ")
        return returned or isinstance(last, ast.Raise)

    def _statement(self, statement: ast.stmt, indent: str) -> str:
        start, end = self.source.span(statement)
        behind = self.source.text[end:].partition("\n")[0]
        comment = behind.rstrip() if behind.lstrip().startswith("#") else ""
        text = self.written.get(statement) or self.text(statement) + comment
        return move(text, self.source.line_indent(start), indent).lstrip()

    def text(self, node: ast.AST) -> str:
        """The text of a node, with what stands in the place of some nodes in it."""
        edits = Edits(self.source)
        for each in ast.walk(node):
            if each in self.instead:
                edits.replace(each, self.instead[each])
        return edits.render(node)

    def _comments(self, statement: ast.stmt, indent: str) -> list[str]:
        """The comment lines directly above a statement."""
        lines = self.source.text.splitlines()
        above: list[str] = []
        number = statement.lineno - 2
        while number >= 0 and lines[number].lstrip().startswith("#"):
            above.insert(0, f"{indent}{lines[number].strip()}")
            number -= 1
        return above

    def _is_elif(self, statement: ast.If) -> bool:
        return self.source.text.startswith("elif", self.source.span(statement)[0])
