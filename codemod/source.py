"""One Python file: its bytes, its text and where each node of its tree stands in the text."""

from __future__ import annotations

import ast
import bisect
import codecs
import functools
import io
import itertools
import re
import tokenize
import warnings
from collections import Counter
from pathlib import Path

from .blocks import LINE_END, split_lines

DEEPEST = 500  # nodes within one another; people write tens, and every walk of a tree is recursive
_PYTHON_2 = re.compile(
    r"Missing parentheses in call to '(print|exec)'"
    r"|multiple exception types must be parenthesized"
    r"|leading zeros in decimal integer literals"
)
_NO_PLACE = (
    ast.expr_context,
    ast.boolop,
    ast.operator,
    ast.unaryop,
    ast.cmpop,
)  # one object serves a whole tree


class Unreadable(Exception):
    """A file that cannot be read as Python; `line` counts from 1, `column` from 0."""

    def __init__(self, path: Path, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.line = line
        self.column = column
        self.message = message

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column + 1}: {self.message}"


class Source:
    """A file's text as Python reads it, and the way back to bytes.

    `text` has no byte order mark and keeps the file's own line ends; offsets count characters of it. Raises Unreadable
    where the bytes are not text, and later, from `tree`, where the text is not Python.
    """

    def __init__(self, path: Path | str, data: bytes | None = None) -> None:
        self.path = Path(path)
        self.bytes = self._read() if data is None else data
        self.bom = self.bytes.startswith(codecs.BOM_UTF8)
        self.encoding = self._encoding()
        body = self.bytes.removeprefix(codecs.BOM_UTF8)
        try:
            self.text = body.decode(self.encoding)
            faithful = self.encoding == "utf-8" or self.text.encode(self.encoding) == body
        except (UnicodeError, LookupError) as error:
            raise self._undecodable(error, body) from None
        if not faithful:
            raise Unreadable(
                self.path, 1, 0, f"the encoding {self.encoding} has several spellings of this text"
            )

    def _read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise Unreadable(self.path, 1, 0, f"cannot be read: {error.strerror}") from None

    def _encoding(self) -> str:
        # Lines that end in a carriage return alone count too, so the two that may hold the cookie are set apart here.
        head = re.findall(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)", self.bytes)[:2]
        lines = iter([line.rstrip(b"\r\n") + b"\n" for line in head if line])
        try:
            name, _ = tokenize.detect_encoding(lambda: next(lines, b""))
        except SyntaxError as error:
            if "unknown encoding" in str(error) or "encoding problem" in str(error):
                raise Unreadable(self.path, 1, 0, str(error)) from None
            return "utf-8"  # the two lines are not UTF-8, which decoding the file locates
        return "utf-8" if name == "utf-8-sig" else name

    def _undecodable(self, error: UnicodeError | LookupError, body: bytes) -> Unreadable:
        if not isinstance(error, UnicodeDecodeError):
            return Unreadable(self.path, 1, 0, str(error))
        before = body[: error.start]
        lines = before.splitlines(keepends=True)
        complete = not before or before.endswith((b"\r", b"\n"))
        line, column = len(lines) + complete, 0 if complete else len(lines[-1])
        cookie = (
            "and no cookie says what it is" if self.encoding == "utf-8" else "as the cookie says"
        )
        message = f"byte 0x{body[error.start]:02x} is not {self.encoding}, {cookie}"
        return Unreadable(self.path, line, column, message)

    def encode(self, text: str) -> bytes:
        """New text as bytes: the file's encoding and byte order mark; line feeds become the file's line ends.

        In a file that mixes line ends each line keeps the one that it has.
        """
        if self.newline != "\n" and len(self._line_ends) == 1:
            text = re.sub(r"\r\n|\n", lambda _: self.newline, text)
        return (codecs.BOM_UTF8 if self.bom else b"") + text.encode(self.encoding)

    @functools.cached_property
    def _line_ends(self) -> Counter[str]:
        return Counter(LINE_END.findall(self.text))

    @functools.cached_property
    def newline(self) -> str:
        """The line end that the file uses most."""
        return max(("\n", "\r\n", "\r"), key=lambda end: self._line_ends[end])

    # ---- tree --------------------------------------------------------------------------------------------

    @functools.cached_property
    def tree(self) -> ast.Module:
        """The parsed file; raises Unreadable."""
        if "\0" in self.text:
            raise Unreadable(
                self.path, *self.location(self.text.index("\0")), "not Python: a null byte"
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the user's odd escapes are not ours to judge
                tree = ast.parse(self.text, filename=str(self.path))
        except SyntaxError as error:
            raise self._not_python(error) from None
        except (RecursionError, MemoryError):
            raise self._too_deep() from None
        except ValueError as error:
            raise Unreadable(self.path, 1, 0, f"not Python: {error}") from None
        self.parents = self._parents(tree)
        return tree

    def _not_python(self, error: SyntaxError) -> Unreadable:
        kind = "Python 2 code" if _PYTHON_2.match(error.msg) else "not Python"
        line = min(max(error.lineno or 1, 1), len(self._starts))
        return Unreadable(self.path, line, max((error.offset or 1) - 1, 0), f"{kind}: {error.msg}")

    def _too_deep(self, node: ast.AST | None = None) -> Unreadable:
        line = getattr(node, "lineno", 0) or self._longest_line()
        return Unreadable(self.path, line, 0, "an expression or statement is nested too deeply")

    def _longest_line(self) -> int:
        """Where to look when the parser gives up without a word."""
        lines = split_lines(self.text)
        return 1 + max(range(len(lines)), key=lambda number: len(lines[number]))

    def _parents(self, tree: ast.Module) -> dict[ast.AST, ast.AST]:
        """The parent of each node, level by level; raises Unreadable where there are too many levels."""
        parents: dict[ast.AST, ast.AST] = {}
        level: list[ast.AST] = [tree]
        for _ in range(DEEPEST):
            below: list[ast.AST] = []
            for node in level:
                for name in node._fields:
                    value = getattr(node, name, None)
                    for child in value if isinstance(value, list) else (value,):
                        if isinstance(child, ast.AST) and not isinstance(child, _NO_PLACE):
                            parents[child] = node
                            below.append(child)
            if not below:
                return parents
            level = below
        raise self._too_deep(level[0])

    @functools.cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The node that each node of the tree is a part of; operators and contexts have none."""
        return self._parents(self.tree)

    @functools.cached_property
    def texts(self) -> list[tuple[ast.Constant, str]]:
        """The strings in the code."""
        nodes = [node for node in self.parents if isinstance(node, ast.Constant)]
        return [(node, node.value) for node in nodes if isinstance(node.value, str)]

    def is_annotation(self, node: ast.AST) -> bool:
        """Whether a node is part of an annotation."""
        below, above = node, self.parents.get(node)
        while above is not None:
            if isinstance(above, ast.arg | ast.AnnAssign) and below is above.annotation:
                return True
            if isinstance(above, ast.FunctionDef) and below is above.returns:
                return True
            below, above = above, self.parents.get(above)
        return False

    def comments_beside(self, first: ast.AST, last: ast.AST) -> tuple[list[str], str]:
        """The comment lines above what stands from `first` to `last`, and the comment behind it, or ""."""
        start, end = self.span(first)[0], self.span(last)[1]
        line_end = self.text.find("\n", end)
        behind = self.text[end : line_end if line_end >= 0 else None].strip()
        behind = behind.removeprefix(",").strip()
        at = self.line_start(start)
        above: list[str] = []
        if not self.text[at:start].strip():
            lines = (line.strip() for line in reversed(self.text[:at].split("\n")[:-1]))
            above = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
        return above[::-1], behind if behind.startswith("#") else ""

    def start_with_comments(self, node: ast.AST) -> int:
        """Where a statement starts with its decorators and the comment lines directly above it."""
        start = self.span(node, decorators=True)[0]
        at = self.line_start(start)
        if self.text[at:start].strip():
            return start  # it shares its line with another
        lines = self.text[:at].split("\n")[:-1]
        for line in itertools.takewhile(lambda line: line.strip().startswith("#"), reversed(lines)):
            at -= len(line) + 1
            start = at + len(line) - len(line.lstrip())
        return start

    def header_end(self, node: ast.FunctionDef) -> int:
        """Where the header of a function ends: behind its colon, before any comment."""
        start = self.span(node)[0]
        lines = io.StringIO(self.text[start:])
        depth = 0
        for token in tokenize.generate_tokens(lines.readline):
            if token.type == tokenize.OP:
                depth += (token.string in "([{") - (token.string in ")]}")
                if token.string == ":" and depth == 0:
                    row, column = token.end
                    return (start if row == 1 else self._starts[node.lineno + row - 2]) + column
        raise AssertionError("a function has a colon")

    # ---- places ------------------------------------------------------------------------------------------

    @functools.cached_property
    def _starts(self) -> list[int]:
        """The offset of each line's first character."""
        return [0, *(match.end() for match in LINE_END.finditer(self.text))]

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
        start = self.offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]
        end = self.offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
        if decorators and getattr(node, "decorator_list", None):
            start = self._sign(node.decorator_list[0])  # type: ignore[attr-defined]
        return start, end

    def _sign(self, decorator: ast.expr) -> int:
        """The offset of a decorator's `@`, which begins its line or, before a parenthesis, one above."""
        line = decorator.lineno
        while True:
            start = self._starts[line - 1]
            at = start + len(self.line_indent(start))
            if self.text.startswith("@", at):
                return at
            line -= 1

    def segment(self, node: ast.AST) -> str:
        """The text of a node, without decorators."""
        start, end = self.span(node)
        return self.text[start:end]

    def location(self, offset: int) -> tuple[int, int]:
        """Line (from 1) and column (from 0, in characters) of an offset."""
        line = bisect.bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1]

    def line_start(self, offset: int) -> int:
        """The offset of the first character of an offset's line."""
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
            if (
                isinstance(node, ast.stmt)
                and isinstance(body, list)
                and body[0].lineno > node.lineno
            ):
                outer = self.line_indent(self.span(node)[0])
                inner = self.line_indent(self.span(body[0])[0])
                if inner.startswith(outer) and inner != outer:
                    step = inner[len(outer) :]
                    steps[step] = steps.get(step, 0) + 1
        return max(steps, key=lambda step: steps[step]) if steps else "    "

    @functools.cached_property
    def hanging_indent(self) -> str:
        """What the file indents the lines within brackets by, where nothing stands behind the first one.

        Code of two spaces has four there, as a rule; without such lines it is one step.
        """
        steps: Counter[str] = Counter()
        for node in ast.walk(self.tree):
            match node:
                case ast.Call(func=opened, args=args, keywords=keywords):
                    line = opened.end_lineno or opened.lineno
                    inner: list[ast.expr | ast.keyword | ast.arg] = [*args, *keywords]
                case ast.FunctionDef(args=spec):
                    line, inner = node.lineno, [*spec.posonlyargs, *spec.args]
                case _:
                    continue
            first = min((each.lineno for each in inner), default=line)
            if first == line + 1:
                outer, below = (self.line_indent(self.offset(at, 0)) for at in (line, first))
                if below.startswith(outer) and below != outer:
                    steps[below.removeprefix(outer)] += 1
        # More than two steps are where brackets above begin.
        common = [step for step, _ in steps.most_common() if len(step) <= 2 * len(self.indent_unit)]
        return common[0] if common else self.indent_unit

    @functools.cached_property
    def comments(self) -> list[tuple[int, int, str]]:
        """Every comment: start, end and text; raises Unreadable."""
        # Columns do not depend on line ends, and not every tokenizer knows all three of them.
        lines = iter([line.rstrip("\r\n") + "\n" for line in split_lines(self.text)])
        found = []
        try:
            for token in tokenize.generate_tokens(lambda: next(lines, "")):
                if token.type == tokenize.COMMENT:
                    start = self._starts[token.start[0] - 1] + token.start[1]
                    found.append((start, start + len(token.string), token.string))
        except (tokenize.TokenError, SyntaxError) as error:
            raise Unreadable(self.path, 1, 0, f"not Python: {error.args[0]}") from None
        return found
