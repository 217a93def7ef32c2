"""Long calls and signatures broken over lines as black breaks them.

First everything on one line; then what the brackets hold on one line of its own; then one item per line with a comma
behind the last. Items that are still too long are broken in turn.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ..blocks import strings

_OPEN, _CLOSE = "([{", ")]}"
_LAMBDA = re.compile(r"\blambda\b")
_KEYWORD = re.compile(r"\w+=(?!=)")
_CLAUSE = re.compile(r"(?<=\s)(?:async for|for|if)\s")
# Brackets around less than this are not worth a line.
_SHORT = 8
_COMMENT = "#"


@dataclass(frozen=True)
class _Page:
    """How much room there is: one step of indentation, and the longest line."""

    unit: str
    limit: int

    def fits(self, line: str) -> bool:
        return len(line) <= self.limit and "\n" not in line


def call(
    head: str,
    args: Sequence[str],
    *,
    indent: str,
    unit: str,
    limit: int,
    prefix: str = "",
    suffix: str = "",
) -> str:
    """`prefix + head(args) + suffix` as it stands on a line indented by `indent`.

    The first line comes without its indentation, the others with theirs. `limit` is the longest line in characters.
    """
    args = [_on_one_line(arg) for arg in args]
    joined = ", ".join(args)
    pieces = _Pieces(f"{prefix}{head}(", joined, f"){suffix}", args)
    return "\n".join(_broken(pieces, indent, _Page(unit, limit)))


def expression(
    text: str, *, indent: str, unit: str, limit: int, prefix: str = "", suffix: str = ""
) -> str:
    """`prefix + text + suffix` for any expression, broken at its last brackets; first line without indentation."""
    return "\n".join(_lines(prefix, _on_one_line(text), suffix, indent, _Page(unit, limit)))


def clause(keyword: str, test: str, *, indent: str, unit: str, limit: int) -> list[str]:
    """`if test:` and its like, all lines indented. A test that went over lines in brackets gets them where it must."""
    if "\n" not in test:
        return [f"{indent}{keyword} {test}:"]
    if _stands_alone(test):
        return f"{indent}{keyword} {test}:".split("\n")
    lines = [line.strip() for line in test.split("\n")]
    joined = f"{indent}{keyword} {' '.join(lines)}:"
    if len(joined) <= limit and not any(_COMMENT in line for line in lines):
        return [joined]
    return [f"{indent}{keyword} (", *[indent + unit + line for line in lines], f"{indent}):"]


def _stands_alone(test: str) -> bool:
    """Whether the line breaks of an expression are inside of its own brackets."""
    try:
        ast.parse(test, mode="eval")
    except SyntaxError:
        return False
    return True


def signature(
    name: str,
    params: Sequence[str],
    returns: str | None = None,
    *,
    indent: str,
    unit: str,
    limit: int,
    comments: Sequence[str] = (),
) -> str:
    r"""`def name(params) -> returns:` as it stands on a line indented by `indent`, first line without indentation.

    `comments` has a text for each parameter: whole lines for above it, then what stands behind it ("# above\n# behind",
    "# above\n", "# behind" or ""). With any, each parameter has a line.
    """
    tail = f") -> {returns}:" if returns else "):"
    noted = {index: text.split("\n") for index, text in enumerate(comments) if text.strip()}
    pieces = _Pieces(f"def {name}(", ", ".join(params), tail, list(params), noted)
    return "\n".join(_broken(pieces, indent, _Page(unit, limit)))


# ---- breaking ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Pieces:
    """A line in three parts: up to an opening bracket, what the brackets hold, and the rest.

    `items` are the parts of the middle between commas; `comments`, by item, the lines above it and the text behind it.
    """

    head: str
    body: str
    tail: str
    items: list[str]
    comments: Mapping[int, list[str]] = field(default_factory=dict)


def _broken(pieces: _Pieces, indent: str, page: _Page) -> list[str]:
    """The lines of three parts, the first without indentation."""
    whole = pieces.head + pieces.body + pieces.tail
    magic = pieces.body.rstrip().endswith(",")
    if not pieces.comments and not magic and _as_it_is(indent + whole, page):
        return [whole]
    if not pieces.body:
        return [whole]
    deeper = indent + page.unit
    if not pieces.comments and not magic and page.fits(deeper + pieces.body):
        return [pieces.head, deeper + pieces.body, indent + pieces.tail]
    inner = list(_inner(pieces, deeper, page))
    return [pieces.head, *inner, indent + pieces.tail]


def _as_it_is(text: str, page: _Page) -> bool:
    """Whether a text fits, which may have line breaks of its own inside its last brackets."""
    return all(len(line) <= page.limit for line in text.split("\n"))


def _inner(pieces: _Pieces, indent: str, page: _Page) -> Iterator[str]:
    """The lines between the brackets, one item or clause each."""
    if len(pieces.items) == 1 and not pieces.comments and not pieces.body.rstrip().endswith(","):
        (only,) = pieces.items
        for clause in _clauses(only):
            yield from _indented(_lines("", clause, "", indent, page), indent)
        return
    for index, item in enumerate(pieces.items):
        *above, behind = pieces.comments.get(index, [""])
        yield from (indent + line for line in above)
        behind = f"  {behind}" if behind else ""
        keyword = found.group() if (found := _KEYWORD.match(item)) else ""
        value = item.removeprefix(keyword)
        lines = _indented(_lines(keyword, value, ",", indent, page), indent)
        yield from [*lines[:-1], lines[-1] + behind]


def _indented(lines: list[str], indent: str) -> list[str]:
    return [indent + lines[0], *lines[1:]]


def _lines(prefix: str, text: str, suffix: str, indent: str, page: _Page) -> list[str]:
    if _as_it_is(indent + prefix + text + suffix, page):
        return (prefix + text + suffix).split("\n")
    terms = _terms(text)
    # Brackets behind which nothing comes are broken instead.
    alone = len(terms) == 2 and (_last_brackets(text) or (0, 0))[1] == len(text) - 1
    if len(terms) > 1 and prefix.endswith((" = ", "return ")) and not alone:
        deeper = indent + page.unit
        inner = [text] if page.fits(deeper + text) else terms
        lines = [
            line for term in inner for line in _indented(_lines("", term, "", deeper, page), deeper)
        ]
        return [f"{prefix}(", *lines, f"{indent}){suffix}"]
    if len(terms) > 1 and (not prefix or _KEYWORD.match(prefix)):
        first = _lines(prefix, terms[0], "", indent, page)
        ends = ["" for _ in terms[1:-1]] + [suffix]
        return first + [
            line
            for term, end in zip(terms[1:], ends, strict=True)
            for line in _indented(_lines("", term, end, indent, page), indent)
        ]
    found = _last_brackets(text)
    if found is None:
        return (prefix + text + suffix).split("\n")
    start, end = found
    body = text[start:end].strip()
    items = _items(body)
    return _broken(_Pieces(prefix + text[:start], body, text[end:] + suffix, items), indent, page)


def _on_one_line(text: str) -> str:
    """What the source breaks over lines as one line, to be broken anew where it has to be.

    What holds a comment, a string of several lines or a comma behind its last item stays as it is.
    """
    if "\n" not in text or _COMMENT in text or any("\n" in text[a:b] for a, b in strings(text)):
        return text
    if re.search(r",[ \t]*\n\s*[)\]}]", text):
        return text
    joined = re.sub(r"\s*\n\s*", " ", text)
    return re.sub(r"([(\[{]) | (?=[)\]}])", r"\1", joined)


# ---- reading expressions -----------------------------------------------------------------------------


def _masked(text: str) -> str:
    """`text` with its strings blotted out, so that brackets and commas in it are syntax."""
    masked = text
    for start, end in strings(text):
        masked = masked[:start] + "_" * (end - start) + masked[end:]
    return masked


def _last_brackets(text: str) -> tuple[int, int] | None:
    """The offsets between the outermost brackets that come last and hold enough to be worth breaking."""
    pairs: list[tuple[int, int]] = []
    depth, start = 0, 0
    for at, char in enumerate(_masked(text)):
        if char in _OPEN:
            if not depth:
                start = at + 1
            depth += 1
        elif char in _CLOSE:
            depth -= 1
            if not depth:
                pairs.append((start, at))
    filled = [pair for pair in pairs if text[pair[0] : pair[1]].strip()]
    wide = [pair for pair in filled if pair[1] - pair[0] >= _SHORT]
    return next(reversed(wide or filled), None)


def _terms(text: str) -> list[str]:
    """What a formatter breaks a sum or a choice into: each term with its sign, `if ...` and `else ...`."""
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return [text]
    starts: list[int] = []
    if isinstance(node, ast.IfExp):
        starts = [text.rindex("else", 0, node.orelse.col_offset)]
        starts.append(text.rindex("if", 0, node.test.col_offset))
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        between = text[: node.right.col_offset].rstrip(" (")
        starts.append(len(between) - 1)
        if node.left.col_offset:
            break  # a sum in parentheses is one term
        node = node.left
    if "\n" in text or not text.isascii():
        return [text]
    cuts = [0, *reversed(starts), len(text)]
    return [text[a:b].strip() for a, b in pairwise(cuts)]


def _items(body: str) -> list[str]:
    """The parts of `body` between its outermost commas; a comprehension is one, and so is a lambda."""
    element, *clauses = _clauses(body)
    if clauses and len(_items(element)) == 1:
        return [body]
    masked = _masked(body)
    lambdas = {found.start() for found in _LAMBDA.finditer(masked)}
    parts, depth, start, naming = [], 0, 0, 0  # `naming` lambdas name their parameters
    for at, char in enumerate(masked):
        if char in _OPEN:
            depth += 1
        elif char in _CLOSE:
            depth -= 1
        elif not depth and at in lambdas:
            naming += 1
        elif char == ":" and not depth and naming:
            naming -= 1
        elif char == "," and not depth and not naming:
            parts.append(body[start:at].strip())
            start = at + 1
    last = body[start:].strip()
    return [*parts, last] if last else parts


def _clauses(text: str) -> list[str]:
    """A comprehension as its element and its `for` and `if` clauses; another expression as it is."""
    masked = _masked(text)
    depths, depth = [], 0
    for char in masked:
        depth += (char in _OPEN) - (char in _CLOSE)
        depths.append(depth)
    starts = [found.start() for found in _CLAUSE.finditer(masked) if not depths[found.start()]]
    first = next((at for at in starts if not masked.startswith("if", at)), None)
    if first is None:
        return [text]
    cuts = [0, *(at for at in starts if at >= first), len(text)]
    return [text[a:b].strip() for a, b in pairwise(cuts)]
