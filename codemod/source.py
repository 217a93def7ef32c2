"""One Python file: its bytes, its text and where each node of its tree stands in the text."""

from __future__ import annotations

import ast
import codecs
import functools
import io
import re
import tokenize
from pathlib import Path

_LINE_END = re.compile(r"\r\n|\r|\n")
_DEEPEST = 200  # brackets and unary signs within one another, beyond what any person writes


class Unreadable(Exception):
    """A file that cannot be read as Python; `line` counts from 1, `column` from 0."""

    def __init__(self, path: Path, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.line = line
        self.column = column
        self.message = message


class Source:
    """A file's text as Python reads it, and the way back to bytes.

    `text` keeps the file's own line ends; offsets count characters of it.
    """

    def __init__(self, path: Path | str, data: bytes | None = None) -> None:
        self.path = Path(path)
        self.bytes = self.path.read_bytes() if data is None else data
        self.bom = self.bytes.startswith(codecs.BOM_UTF8)
        self.encoding = self._encoding()
        try:
            self.text = self.bytes.removeprefix(codecs.BOM_UTF8).decode(self.encoding)
        except (UnicodeDecodeError, LookupError) as error:
            line = self.bytes[: getattr(error, "start", 0)].count(b"\n") + 1
            raise Unreadable(self.path, line, 0, f"not {self.encoding}: {error}") from None

    def _encoding(self) -> str:
        try:
            name, _ = tokenize.detect_encoding(io.BytesIO(self.bytes).readline)
        except SyntaxError as error:
            raise Unreadable(self.path, 1, 0, str(error)) from None
        return "utf-8" if name == "utf-8-sig" else name

    def encode(self, text: str) -> bytes:
        """New text as bytes: the file's encoding, byte order mark and line ends."""
        newline = self.newline
        if newline != "\n":
            text = re.sub(r"(?<!\r)\n", lambda _: newline, text)
        return (codecs.BOM_UTF8 if self.bom else b"") + text.encode(self.encoding)

    @functools.cached_property
    def newline(self) -> str:
        """The line end that the file uses most."""
        found = _LINE_END.findall(self.text)
        return max(("\n", "\r\n", "\r"), key=found.count)

    # ---- tree --------------------------------------------------------------------------------------------

    @functools.cached_property
    def tree(self) -> ast.Module:
        """The parsed file; raises Unreadable."""
        self._check_depth()
        try:
            return ast.parse(self.text, filename=str(self.path))
        except SyntaxError as error:
            raise Unreadable(self.path, error.lineno or 1, max((error.offset or 1) - 1, 0), error.msg) from None
        except (RecursionError, MemoryError, ValueError) as error:
            raise Unreadable(self.path, 1, 0, f"cannot be parsed: {error or 'nested too deeply'}") from None

    def _check_depth(self) -> None:
        """Refuses brackets nested beyond what the parser's stack takes, before it is asked."""
        depth = 0
        for match in re.finditer(r"[(\[{]+|[)\]}]+", self.text):
            run = match.group()
            depth = max(0, depth + (len(run) if run[0] in "([{" else -len(run)))
            if len(run) > _DEEPEST:
                line = self.text.count("\n", 0, match.start()) + 1
                raise Unreadable(self.path, line, 0, "an expression is nested too deeply")

    @functools.cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    # ---- places ------------------------------------------------------------------------------------------

    @functools.cached_property
    def _starts(self) -> list[int]:
        """The offset of each line's first character."""
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    def offset(self, line: int, column: int) -> int:
        """The character offset of an `ast` position: lines from 1, columns in UTF-8 bytes."""
        start = self._starts[line - 1]
        end = self._starts[line] if line < len(self._starts) else len(self.text)
        content = self.text[start:end]
        if content.isascii():
            return start + column
        return start + len(content.encode()[:column].decode(errors="ignore"))

    def span(self, node: ast.AST, decorators: bool = False) -> tuple[int, int]:
        """Where a node stands: character offsets, end exclusive."""
        first: ast.AST = node
        if decorators and getattr(node, "decorator_list", None):
            first = node.decorator_list[0]  # type: ignore[attr-defined]
        start = self.offset(first.lineno, first.col_offset)  # type: ignore[attr-defined]
        if first is not node:
            start = self.text.rindex("@", 0, start)
        return start, self.offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def segment(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.text[start:end]

    def location(self, offset: int) -> tuple[int, int]:
        """Line (from 1) and column (from 0, in characters) of an offset."""
        import bisect

        line = bisect.bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1]

    def line_start(self, offset: int) -> int:
        return self._starts[self.location(offset)[0] - 1]

    def line_indent(self, offset: int) -> str:
        """The white space at the start of the line of an offset."""
        match = re.compile(r"[ \t\f]*").match(self.text, self.line_start(offset))
        return match.group() if match else ""

    @functools.cached_property
    def indent_unit(self) -> str:
        """One step of the file's own indentation; four spaces where it has none."""
        steps: dict[str, int] = {}
        for node in ast.walk(self.tree):
            body = getattr(node, "body", None)
            if isinstance(node, ast.stmt) and isinstance(body, list) and body[0].lineno > node.lineno:
                outer = self.line_indent(self.span(node)[0])
                inner = self.line_indent(self.span(body[0])[0])
                if inner.startswith(outer) and inner != outer:
                    step = inner[len(outer) :]
                    steps[step] = steps.get(step, 0) + 1
        return max(steps, key=lambda step: steps[step]) if steps else "    "

    @functools.cached_property
    def comments(self) -> list[tuple[int, int, str]]:
        """Every comment: start, end and text."""
        found = []
        lines = io.StringIO(self.text, newline="").readline
        for token in tokenize.generate_tokens(lines):
            if token.type == tokenize.COMMENT:
                start = self._starts[token.start[0] - 1] + token.start[1]
                found.append((start, start + len(token.string), token.string))
        return found
