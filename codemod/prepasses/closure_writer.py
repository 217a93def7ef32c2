"""Functions that hand back functions, written as classes of Haiku, and what calls them as what makes these."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from ..culprit import working_on
from ..edits import Edits, move
from ..emit import layout
from ..emit.file_names import FileNames
from ..emit.names import camel
from ..project import Module
from ..shapes.interpreter import Interpreter
from ..signatures import parameters
from ..source import Source
from .closure import NAME, Closure
from .prepared import MadeClass


class Writer:
    """Writes the classes, and the places that name the functions."""

    def __init__(
        self,
        interp: Interpreter,
        edits: Mapping[Module, Edits],
        found: Mapping[ast.AST | None, Closure],
        limit: int,
    ) -> None:
        self.edits = edits
        self.found = found
        self.limit = limit
        self.names = {m: FileNames(m, interp.environment_of(m), interp.rules) for m in edits}
        self.class_names: dict[ast.AST, str] = {}

    def write(self) -> list[MadeClass]:
        """Records all edits; returns the classes."""
        for closure in self.found.values():
            self.class_names[closure.node] = self._name(closure)
        for closure in self.found.values():
            for use in closure.uses:
                if use.once:
                    name = self.class_names[closure.node]
                    edits = self.edits[use.module]
                    if isinstance(use.node, ast.Attribute):
                        name = f"{edits.source.segment(use.node.value)}.{name}"
                    edits.replace(use.node, name)
        for closure in self.found.values():
            with working_on(closure.module.path):
                self._closure(closure)
        return [
            MadeClass(c.module.path, self.class_names[c.node], c.node.name, c.node.lineno)
            for c in self.found.values()
        ]

    def _name(self, closure: Closure) -> str:
        taken = {n.id for n in ast.walk(closure.module.tree) if isinstance(n, ast.Name)}
        taken |= {
            n.name
            for n in ast.walk(closure.module.tree)
            if isinstance(n, ast.ClassDef | ast.FunctionDef)
        }
        taken |= {
            name for node, name in self.class_names.items() if node in closure.module.source.parents
        }
        name = camel(closure.node.name)
        while name in taken:
            name += "Module"
        return name

    def _closure(self, closure: Closure) -> None:
        edits, source = self.edits[closure.module], closure.module.source
        for keyword in closure.naming:
            edits.remove_item(source.parents[keyword], keyword)
        for statement in closure.inner.body:
            for node in ast.walk(statement):
                if (
                    isinstance(node, ast.Name)
                    and node.id in closure.captured
                    and isinstance(node.ctx, ast.Load)
                    and edits.render(node) == node.id
                ):
                    edits.replace(node, f"self.{node.id}")
        stays = closure.kept or not closure.uses or not all(use.once for use in closure.uses)
        pieces = [*self._beside(closure), "\n".join(self._class(closure, stays))]
        if closure.kept:
            pieces.append(source.segment(closure.node))
        elif stays:
            pieces.append("\n".join(self._function(closure)))
        edits.replace(closure.node, "\n\n\n".join(pieces))

    def _beside(self, closure: Closure) -> Iterator[str]:
        source = closure.module.source
        for function in closure.beside:
            start, end = source.start_with_comments(function), source.span(function)[1]
            yield move(source.text[start:end], source.line_indent(start), "").lstrip(" \t")

    def _class(self, closure: Closure, stays: bool) -> Iterator[str]:
        source, unit = closure.module.source, closure.module.source.indent_unit
        yield f"class {self.class_names[closure.node]}({self.names[closure.module].target('haiku.Module')}):"
        own, inner = _docstring(closure.node, source), _docstring(closure.inner, source)
        docstring = inner if stays or own is None else own
        if docstring is not None:
            yield unit + _dedented(docstring, unit if docstring is inner else "") + "\n"
        if any(True for _ in parameters(closure.node.args)) or closure.ahead:
            yield from self._constructor(closure)
            yield ""
        yield unit + _called_header(closure.inner, source)
        kept = inner if docstring is not inner else None
        if kept is not None:
            yield f"{unit * 2}{kept}"
        yield self._body(closure)

    def _constructor(self, closure: Closure) -> Iterator[str]:
        source, unit = closure.module.source, closure.module.source.indent_unit
        taken = [_declared(p.arg, p.default, source) for p in parameters(closure.node.args)]
        places = [not p.keyword_only for p in parameters(closure.node.args)]
        if not all(places):
            taken.insert(sum(places), "*")
        if not closure.takes_name:
            taken.append(f"{NAME}=None")
        yield unit + layout.signature(
            "__init__",
            ["self", *taken],
            None,
            indent=unit,
            unit=source.hanging_indent,
            limit=self.limit,
        )
        yield f"{unit * 2}super().__init__({NAME}={NAME})"
        edits = self.edits[closure.module]
        for statement in closure.ahead:
            start, end = source.start_with_comments(statement), source.span(statement)[1]
            text = move(edits.render((start, end)), source.line_indent(start), unit * 2)
            yield unit * 2 + text.lstrip(" \t")
        for name in closure.captured:
            yield f"{unit * 2}self.{name} = {name}"

    def _body(self, closure: Closure) -> str:
        source, unit = closure.module.source, closure.module.source.indent_unit
        inner = closure.inner
        body = inner.body[1:] if _docstring(inner, source) is not None else inner.body
        start, end = source.start_with_comments(body[0]), source.span(body[-1])[1]
        text = self.edits[closure.module].render((start, end))
        return unit * 2 + move(text, source.line_indent(start), unit * 2).lstrip(" \t")

    def _function(self, closure: Closure) -> Iterator[str]:
        """The function as it stays: what it hands back makes the module and calls it."""
        source, unit = closure.module.source, closure.module.source.indent_unit
        node, inner = closure.node, closure.inner
        yield source.text[source.span(node)[0] : source.header_end(node)]
        docstring = _docstring(node, source)
        if docstring is not None:
            apart = source.text[source.span(node.body[0])[1] :].startswith(("\n\n", "\r\n\r\n"))
            yield f"{unit}{docstring}" + ("\n" if apart else "")
        given = [f"{p.name}={p.name}" if p.keyword_only else p.name for p in parameters(node.args)]
        made = f"{self.class_names[node]}({', '.join(given)})"
        start = source.span(inner)[0]
        header = source.text[start : source.header_end(inner)]
        yield unit + header
        yield f"{unit * 2}return {made}({', '.join(_handed(inner.args))})"
        yield f"\n{unit}return {inner.name}"


def _docstring(function: ast.FunctionDef, source: Source) -> str | None:
    return source.segment(function.body[0]) if ast.get_docstring(function) is not None else None


def _dedented(docstring: str, less: str) -> str:
    """A docstring whose lines, but for the first, are indented less."""
    return docstring.replace(f"\n{less}", "\n") if less else docstring


def _declared(arg: ast.arg, default: ast.expr | None, source: Source) -> str:
    text = source.segment(arg)
    if default is None:
        return text
    return f"{text}{' = ' if arg.annotation is not None else '='}{source.segment(default)}"


def _called_header(inner: ast.FunctionDef, source: Source) -> str:
    """`def __call__(self, ...):` with the function's own parameters and annotations."""
    start = source.span(inner)[0]
    header = source.text[start : source.header_end(inner)]
    rest = header[header.index("(") + 1 :]
    return f"def __call__(self{'' if rest.lstrip().startswith(')') else ', '}{rest}"


def _handed(spec: ast.arguments) -> list[str]:
    handed = [a.arg for a in [*spec.posonlyargs, *spec.args]]
    handed += [f"*{spec.vararg.arg}"] if spec.vararg is not None else []
    handed += [f"{a.arg}={a.arg}" for a in spec.kwonlyargs]
    return handed + ([f"**{spec.kwarg.arg}"] if spec.kwarg is not None else [])
