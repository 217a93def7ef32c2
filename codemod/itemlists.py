"""Lists with commas (arguments, parameters, elements, aliases ...): where their items are, and the text changes
that remove or add items in the list's own layout."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

Place = int | Literal["last", "keyword"]
Span = tuple[int, int]
Change = tuple[int, int, str]

_INSIGNIFICANT = re.compile(r"(?:[ \t\f\r\n]|\\(?:\r\n|\r|\n)|#[^\r\n]*)*")


@dataclass(frozen=True)
class Item:
    """One item with its parentheses, stars, annotation and default; `node` is None for a bare `*` or `/`.

    `mark` is that bare star or slash, `stars` how many stars the item begins with (a bare one counts).
    """

    node: ast.AST | None
    start: int
    end: int
    mark: str = ""
    stars: int = 0

    @property
    def parameter(self) -> bool:
        return isinstance(self.node, ast.arg)


@dataclass(frozen=True)
class ItemList:
    """The items between the offsets `open` and `close`.

    `comma_when_single` tells what a lone item must have: a comma behind it (True), none (False), or either (None).
    `may_be_empty` tells whether the syntax allows no items; `shell` is what goes when none is left (a class's
    parentheses); `before` and `after` come with the first item of a list that has none.
    """

    items: tuple[Item, ...]
    open: int
    close: int
    may_be_empty: bool = True
    comma_when_single: bool | None = None
    shell: Span | None = None
    before: str = ""
    after: str = ""

    def index(self, node: ast.AST) -> int:
        """The position of the item for `node`; ValueError when it is none of them."""
        for number, item in enumerate(self.items):
            if item.node is node:
                return number
        raise ValueError(f"{type(node).__name__} is not an item of this list")


@dataclass
class ItemChanges:
    """What is asked of one list: items to remove, and texts to add before an item's index."""

    removed: set[int] = field(default_factory=set)
    removed_comments: set[int] = field(default_factory=set)
    added: list[tuple[Place, str]] = field(default_factory=list)

    def copy(self) -> ItemChanges:
        return ItemChanges(set(self.removed), set(self.removed_comments), list(self.added))


# ---- finding the items ----------------------------------------------------------------------------


@dataclass
class _Segment:
    """What stands between two commas: the parts of one item, and parentheses and stars around them."""

    node: ast.AST | None = None
    parts: list[Span] = field(default_factory=list)
    pairs: list[Span] = field(default_factory=list)
    opens: list[int] = field(default_factory=list)
    closes: list[int] = field(default_factory=list)
    stars: list[int] = field(default_factory=list)

    def close(self, at: int) -> None:
        if self.opens:
            self.pairs.append((self.opens.pop(), at))
        else:
            self.closes.append(at)

    def item(self, text: str) -> Item:
        start = min([first for first, _ in self.parts + self.pairs] + self.stars)
        ends = [last for _, last in self.parts] + [last + 1 for _, last in self.pairs]
        mark = "" if self.parts else text[start]
        stars = sum(text[at] == "*" for at in self.stars)
        return Item(self.node, start, max(ends or [start + 1]), mark, stars)

    def split_with(self) -> None:
        """Parentheses around a whole `a as b` are the list's, not the item's."""
        if isinstance(self.node, ast.withitem) and len(self.parts) > 1:
            for pair in self.pairs:
                if pair[0] < self.parts[0][0] and pair[1] >= self.parts[-1][1]:
                    self.pairs.remove(pair)
                    self.opens.insert(0, pair[0])
                    self.closes.append(pair[1])
                    return


Part = tuple[ast.AST, list[Span]]


class Finder:
    """Finds item lists in one text; `span` gives a node's offsets, decorators left out."""

    def __init__(self, text: str, span: Callable[[ast.AST], Span]) -> None:
        self._text = text
        self._span = span

    def find(self, owner: ast.AST) -> ItemList:
        """The list of `owner`; TypeError for a node that has none."""
        match owner:
            case ast.Call():
                start = self._after("(", self._span(owner.func)[1])
                nodes = sorted([*owner.args, *owner.keywords], key=self._span)
                return self._inside(self._plain(nodes), start, self._span(owner)[1] - 1)
            case ast.ClassDef():
                return self._class(owner)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                header = self._name_end(owner, r"(?:async\s+)?def\s+")
                return self._inside(self._parameters(owner.args), self._after("(", header), None)
            case ast.Lambda():
                return self._lambda(owner)
            case ast.List() | ast.Set():
                start, end = self._span(owner)
                return self._inside(self._plain(owner.elts), start + 1, end - 1)
            case ast.Dict():
                start, end = self._span(owner)
                return self._inside(self._pairs(owner), start + 1, end - 1)
            case ast.Tuple():
                return self._tuple(owner)
            case ast.Subscript(slice=ast.Tuple() as index):
                return replace(self._tuple(index), comma_when_single=False)
            case ast.Import() | ast.ImportFrom() | ast.With() | ast.AsyncWith() | ast.Delete():
                return self._statement(owner)
        raise TypeError(f"{type(owner).__name__} has no list of items")

    # -- the parts of items

    def _plain(self, nodes: Iterable[ast.AST]) -> list[Part]:
        return [(node, [self._span(node)]) for node in nodes]

    def _pairs(self, owner: ast.Dict) -> list[Part]:
        return [
            (value, [self._span(value)])
            if key is None
            else (key, [self._span(key), self._span(value)])
            for key, value in zip(owner.keys, owner.values, strict=True)
        ]

    def _parameters(self, args: ast.arguments) -> list[Part]:
        positional = [*args.posonlyargs, *args.args]
        missing: list[ast.expr | None] = [None] * (len(positional) - len(args.defaults))
        pairs = list(zip(positional, [*missing, *args.defaults], strict=True))
        if args.vararg:
            pairs.append((args.vararg, None))
        pairs += zip(args.kwonlyargs, args.kw_defaults, strict=True)
        if args.kwarg:
            pairs.append((args.kwarg, None))
        return [
            (arg, [self._span(arg)] + ([self._span(default)] if default else []))
            for arg, default in pairs
        ]

    # -- the lists

    def _class(self, owner: ast.ClassDef) -> ItemList:
        header = self._name_end(owner, r"class\s+")
        at = self._skip(header)
        if self._text[at : at + 1] != "(":
            return ItemList((), header, header, before="(", after=")")
        nodes = sorted([*owner.bases, *owner.keywords], key=self._span)
        found = self._inside(self._plain(nodes), at + 1, None)
        return replace(found, shell=(header, found.close + 1))

    def _lambda(self, owner: ast.Lambda) -> ItemList:
        start = self._span(owner)[0] + len("lambda")
        parts = self._parameters(owner.args)
        if not parts:
            return ItemList((), start, self._skip(start), before=" ")
        found = self._around(parts, start, len(self._text))
        return replace(found, shell=(start, found.close), before=" ", may_be_empty=True)

    def _tuple(self, owner: ast.Tuple) -> ItemList:
        start, end = self._span(owner)
        if not owner.elts:
            return ItemList((), start + 1, end - 1, comma_when_single=True)
        found = self._around(self._plain(owner.elts), start, end)
        return replace(found, comma_when_single=True)

    def _statement(
        self, owner: ast.Import | ast.ImportFrom | ast.With | ast.AsyncWith | ast.Delete
    ) -> ItemList:
        start, end = self._span(owner)
        match owner:
            case ast.Import():
                parts = self._plain(owner.names)
                start += len("import")
            case ast.ImportFrom():
                parts = self._plain(owner.names)
                start = self._imported(owner)
            case ast.Delete():
                parts = self._plain(owner.targets)
                start += len("del")
            case ast.With() | ast.AsyncWith():
                parts = [(item, self._with_parts(item)) for item in owner.items]
                start = self._after("with", start)
                end = self._span(owner.body[0])[0]
        return replace(self._around(parts, start, end), may_be_empty=False)

    def _with_parts(self, item: ast.withitem) -> list[Span]:
        nodes = [item.context_expr, *([item.optional_vars] if item.optional_vars else [])]
        return [self._span(node) for node in nodes]

    def _imported(self, owner: ast.ImportFrom) -> int:
        """The offset behind the word `import` of a `from` import."""
        names = owner.module.split(".") if owner.module else []
        at = self._after("from", self._span(owner)[0])
        for word in ["."] * owner.level + names:
            at = self._after(word, at)
        return self._after("import", at)

    def _name_end(self, owner: ast.AST, keyword: str) -> int:
        """The offset behind a definition's name and type parameters."""
        pattern = re.compile((keyword + r"\w+").replace(r"\s", r"(?:\s|\\[\r\n])"))
        found = pattern.match(self._text, self._span(owner)[0])
        if found is None:
            raise ValueError("a definition does not begin with its keyword")
        parameters: list[ast.AST] = getattr(owner, "type_params", [])
        return self._after("]", self._span(parameters[-1])[1]) if parameters else found.end()

    # -- walking over what stands between items

    def _skip(self, at: int) -> int:
        found = _INSIGNIFICANT.match(self._text, at)
        return found.end() if found else at

    def _after(self, word: str, at: int) -> int:
        """The offset behind the next `word`, outside comments."""
        while not self._text.startswith(word, at := self._skip(at)):
            if at >= len(self._text):
                raise ValueError(f"no {word!r} follows")
            at += 1
        return at + len(word)

    def _inside(self, parts: list[Part], start: int, end: int | None) -> ItemList:
        """The list that begins behind its bracket; without an end, up to the bracket that closes."""
        if not parts:
            return ItemList((), start, self._skip(start) if end is None else end)
        segments = self._segments(parts, start, len(self._text) if end is None else end)
        close = next((at for segment in segments for at in segment.closes), end)
        if close is None:
            raise ValueError("the bracket of a list does not close")
        items = [segment.item(self._text) for segment in segments if segment.parts or segment.stars]
        # The brackets of a lone generator expression are those of the call.
        clipped = [replace(i, start=max(i.start, start), end=min(i.end, close)) for i in items]
        return ItemList(tuple(clipped), start, close)

    def _around(self, parts: list[Part], start: int, end: int) -> ItemList:
        """The list between two offsets, which may have brackets of its own."""
        segments = self._segments(parts, start, end)
        for segment in segments:
            segment.split_with()
        items = tuple(s.item(self._text) for s in segments if s.parts or s.stars)
        opens, closes = segments[0].opens, [at for segment in segments for at in segment.closes]
        if opens and closes:
            return ItemList(items, opens[0] + 1, closes[0])
        last = items[-1].end
        comma = self._skip(last)
        stop = comma + 1 if comma < end and self._text[comma] == "," else last
        return ItemList(items, items[0].start, stop, may_be_empty=False)

    def _segments(self, parts: list[Part], start: int, end: int) -> list[_Segment]:
        segments = [_Segment()]
        stops = [(first, last, node) for node, spans in parts for first, last in spans]
        at = start
        for first, last, node in [*stops, (end, end, None)]:
            while (at := self._skip(at)) < first:
                char = self._text[at]
                if char == ",":
                    segments.append(_Segment())
                elif char == "(":
                    segments[-1].opens.append(at)
                elif char == ")":
                    segments[-1].close(at)
                    if node is None and segments[-1].closes:
                        return segments
                elif char in "*/" and not segments[-1].parts:
                    segments[-1].stars.append(at)
                elif node is None:
                    return segments
                at += 1
            if node is not None:
                segments[-1].node = node
                segments[-1].parts.append((first, last))
                at = max(at, last)
        return segments
