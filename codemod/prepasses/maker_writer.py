"""Functions that make layers, written as classes of their framework, and their calls as calls of these."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from ..ancestry import class_around
from ..chains import stored_names
from ..culprit import working_on
from ..edits import Edits, move
from ..emit import layout
from ..emit.file_names import FileNames
from ..emit.names import camel, snake, without_verb
from ..project import Module
from ..shapes.interpreter import Interpreter
from ..signatures import defaults
from .maker import (
    Maker,
    captures,
    is_method,
    kept_as,
    naming,
    ordered_fields,
    other_name,
    reads_name,
    reads_of,
)
from .prepared import MadeClass


class Writer:
    """Writes the classes, and their calls."""

    def __init__(
        self,
        interp: Interpreter,
        edits: Mapping[Module, Edits],
        makers: Mapping[ast.AST | None, Maker],
        limit: int,
    ) -> None:
        self.interp = interp
        self.edits = edits
        self.makers = makers
        self.limit = limit
        self.names = {m: FileNames(m, interp.environment_of(m), interp.rules) for m in edits}
        self.class_names: dict[ast.AST, str] = {}

    def write(self) -> list[MadeClass]:
        """Records all edits; returns the classes."""
        for maker in self.makers.values():
            self.class_names[maker.node] = self._name(maker)
            maker.captured, maker.attributes = captures(maker)
        for maker in self.makers.values():
            self._unnamed(maker)
        for maker in sorted(self.makers.values(), key=lambda m: _size(m.node)):
            for read, text in list(self._renamed(maker)):  # before the calls that they stand in
                self.edits[maker.module].replace(read, text)
        calls = [(m, call, maker) for maker in self.makers.values() for m, call in maker.calls]
        for module, call, maker in sorted(calls, key=lambda c: _size(c[1])):
            with working_on(module.path):
                self._call(module, call, maker)
        for maker in self.makers.values():
            for module, node in maker.handed_once:
                head = self._head(module, node, maker)
                made = f"{head}({', '.join(self._around(maker))})"
                self.edits[module].replace(node, self._decorated(maker, made))
            for module, node in maker.aliases:
                self.edits[module].replace(node, self._head(module, node, maker))
        for maker in sorted(self.makers.values(), key=lambda m: _size(m.node)):
            with working_on(maker.module.path):
                self._class(maker)
        return [
            MadeClass(
                m.place[0], self.class_names[m.node], m.place[1], m.node.lineno, of_layers=True
            )
            for m in self.makers.values()
        ]

    def _name(self, maker: Maker) -> str:
        taken = {n.id for n in ast.walk(maker.module.tree) if isinstance(n, ast.Name)}
        taken |= {n.name for n in ast.walk(maker.module.tree) if isinstance(n, ast.ClassDef)}
        taken |= {
            self.class_names[other.node]
            for other in self.makers.values()
            if other.node in self.class_names and _places(other) & _places(maker)
        }
        name = camel(without_verb(maker.node.name))
        around = class_around(maker.node, maker.module.source.parents)
        if around is not None and _is_one_of_several(maker):
            name = f"{around.name}{name}"
        while name in taken:
            name += "Module"
        return name

    def _call(self, module: Module, call: ast.Call, maker: Maker) -> None:
        edits = self.edits[module]
        positional = [*maker.node.args.posonlyargs, *maker.node.args.args]
        positional = positional[1:] if is_method(maker) else positional
        given: dict[str, str] = {
            p.arg: edits.render(a) for p, a in zip(positional, call.args, strict=False)
        }
        given.update({k.arg: edits.render(k.value) for k in call.keywords if k.arg})
        fields = {p.arg for p in maker.fields}
        by_place = [p.arg for p in positional[: len(call.args)]]
        config: list[str] = []
        named: list[str] = []
        data: list[str] = []
        in_order = True
        ordered = [p.arg for p in ordered_fields(maker)]
        for name, text in given.items():
            if name in fields:
                in_order = in_order and name in by_place and ordered[len(config)] == name
                config.append(text if in_order else f"{name}={text}")
            elif name == "name":
                named = [f"name={text}"]
            elif name not in ("self", "module"):
                data.append(text if name in by_place else f"{name}={text}")
        config += [*self._around(maker), *(named or _default_name(maker))]
        head = self._head(module, call.func, maker)
        kept = kept_as(call, module) if not maker.returned else None
        if kept is not None:  # the module is made here, and called where its value is read
            edits.replace(call, f"{head}({', '.join(config)})")
            for read in reads_of(kept, module):
                edits.replace(read, f"{edits.source.segment(read)}()")
            return
        made = self._decorated(maker, f"{head}({', '.join(config)})")
        edits.replace(call, made if maker.returned else f"{made}({', '.join(data)})")

    @staticmethod
    def _around(maker: Maker) -> list[str]:
        """What a constructor is given of the functions around a nested one, and of their `self`."""
        return [
            *(f"{name}={name}" for name in maker.captured),
            *(f"{given}=self.{name}" for name, given in _given_as(maker).items()),
        ]

    def _decorated(self, maker: Maker, made: str) -> str:
        """A module in what decorates the function."""
        qualified = self.names[maker.module].qualified
        for decorator in reversed(maker.node.decorator_list):
            if qualified(decorator) != "haiku.transparent":
                made = f"{maker.module.source.segment(decorator)}({made})"
        return made

    def _head(self, module: Module, func: ast.expr, maker: Maker) -> str:
        name = self.class_names[maker.node]
        if self._is_other_name(module, func, maker):
            return self.edits[module].source.segment(func)
        if module is maker.module or is_method(maker):
            return name
        if isinstance(func, ast.Attribute):
            return f"{self.edits[module].source.segment(func.value)}.{name}"
        self._import(module, func, name, maker)
        return name

    @staticmethod
    def _is_other_name(module: Module, func: ast.expr, maker: Maker) -> bool:
        """Whether a function is called by a name that a statement gave it, which then is one of its class."""
        if isinstance(func, ast.Attribute):
            return func.attr != maker.node.name
        here = [other_name(node, where) for where, node in maker.aliases if where is module]
        imported = [
            alias.name
            for node in ast.walk(module.tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
            if (alias.asname or alias.name) == getattr(func, "id", None)
        ]
        return getattr(func, "id", None) in here or any(n != maker.node.name for n in imported)

    def _import(self, module: Module, func: ast.expr, name: str, maker: Maker) -> None:
        """Imports the class where the function was imported."""
        edits = self.edits[module]
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == getattr(func, "id", None):
                        before = edits.source.segment(alias)
                        if edits.render(alias) == before:
                            edits.replace(alias, f"{before}, {name}" if maker.left else name)

    # ---- the class -------------------------------------------------------------------------------------------

    def _class(self, maker: Maker) -> None:
        edits, source = self.edits[maker.module], maker.module.source
        for layer in maker.returned:
            edits.replace(layer, f"{edits.render(layer)}(inputs)")
        unit = source.indent_unit
        lines = self._head_lines(maker, unit)
        body = self._body(maker, edits, unit)
        text = "\n".join([*lines, body])
        top: ast.AST = maker.node
        if isinstance(source.parents[maker.node], ast.Module):
            if maker.left:
                text = f"{text}\n\n\n{source.segment(maker.node)}"
            start = source.span(maker.node, decorators=True)[0]
            edits.replace((start, source.span(maker.node)[1]), text)
            return
        while not isinstance(source.parents[top], ast.Module):
            top = source.parents[top]
        assert isinstance(top, ast.stmt)
        edits.delete_statement(maker.node)
        edits.insert_before(top, text + "\n\n\n")

    def _unnamed(self, maker: Maker) -> None:
        """The name that a function is given is the one of its module; variables that it names have one of their own."""
        edits = self.edits[maker.module]
        for read in [n for n in ast.walk(maker.node) if reads_name(n)]:
            match naming(read, maker):
                case ast.Name() as named:
                    edits.replace(named, repr(snake(without_verb(maker.node.name))))
                case ast.keyword():
                    edits.replace(read, "self.name")

    def _renamed(self, maker: Maker) -> Iterator[tuple[ast.Name | ast.Attribute, str]]:
        """The reads of what became fields."""
        stored = stored_names(maker.node)
        fields = {p.arg for p in maker.fields} | set(maker.captured)
        for statement in maker.node.body:
            for node in ast.walk(statement):
                if (
                    isinstance(node, ast.Name)
                    and node.id in fields - stored
                    and isinstance(node.ctx, ast.Load)
                    and self.edits[maker.module].render(node) == node.id
                ):
                    yield node, f"self.{node.id}"

    def _head_lines(self, maker: Maker, unit: str) -> list[str]:
        edits = self.edits[maker.module]
        base = "flax.linen.Module" if maker.framework == "linen" else "haiku.Module"
        lines = [f"class {self.class_names[maker.node]}({self.names[maker.module].target(base)}):"]
        if ast.get_docstring(maker.node) is not None:
            lines += [f"{unit}{edits.source.segment(maker.node.body[0])}", ""]
        fields = ordered_fields(maker)
        if maker.framework == "linen":
            for parameter in fields:
                lines.append(f"{unit}{self._declared(maker, parameter, True)}")
            lines += [f"{unit}{name}: ''" for name in [*maker.captured, *maker.attributes]]
            lines += ["", f"{unit}@{self.names[maker.module].target('flax.linen.compact')}"]
            return lines
        written = [self._declared(maker, p, False) for p in fields]
        given_as = _given_as(maker)
        extra = [*maker.captured, *given_as.values()]
        required = [w for w in written if "=" not in w]
        optional = [w for w in written if "=" in w]
        lines += [
            f"{unit}def __init__({', '.join(['self', *required, *extra, *optional, 'name=None'])}):",
            f"{unit * 2}super().__init__(name=name)",
        ]
        own = {name: name for name in [*[p.arg for p in fields], *maker.captured]}
        lines += [f"{unit * 2}self.{name} = {it}" for name, it in {**own, **given_as}.items()]
        return [*lines, ""]

    def _declared(self, maker: Maker, parameter: ast.arg, annotated: bool) -> str:
        source = maker.module.source
        text = parameter.arg
        if parameter.annotation is not None:
            text += f": {source.segment(parameter.annotation)}"
        elif annotated:
            text += ": ''"
        default = maker.default(parameter)
        return text if default is None else f"{text} = {source.segment(default)}"

    def _body(self, maker: Maker, edits: Edits, unit: str) -> str:
        source = maker.module.source
        fields = {p.arg for p in maker.fields}
        arguments = []
        for p in maker.parameters:
            if p.arg in fields or p.arg in ("self", "module", "name"):
                continue
            text = source.segment(p)
            default = maker.default(p)
            if default is not None:
                text += (" = " if p.annotation is not None else "=") + source.segment(default)
            arguments.append(text)
        returns = f" -> {source.segment(maker.node.returns)}" if maker.node.returns else ""
        if maker.returned:
            arguments, returns = ["inputs"], ""
        header = unit + layout.signature(
            "__call__",
            ["self", *arguments],
            returns.removeprefix(" -> ") or None,
            indent=unit,
            unit=source.hanging_indent,
            limit=self.limit,
        )
        body = maker.node.body[1:] if ast.get_docstring(maker.node) else maker.node.body
        start, end = source.start_with_comments(body[0]), source.span(body[-1])[1]
        text = move(edits.render((start, end)), source.line_indent(start), unit * 2)
        stored = stored_names(maker.node)
        again = [f"{unit * 2}{name} = self.{name}" for name in sorted(fields & stored)]
        return "\n".join([header, *again, unit * 2 + text.lstrip(" \t")])


def _given_as(maker: Maker) -> dict[str, str]:
    """The attributes of the `self` around a function, and the parameters that stand for them: `width` for `_width`."""
    taken = {p.arg for p in maker.parameters} | {*maker.captured, *maker.attributes, "self", "name"}
    found: dict[str, str] = {}
    for name in maker.attributes:
        public = name.lstrip("_")
        spare = maker.framework == "haiku" and public.isidentifier() and public not in taken
        found[name] = public if spare else name
        taken.add(found[name])
    return found


def _is_one_of_several(maker: Maker) -> bool:
    """Whether a file has other functions of a nested function's name."""
    name, place = maker.node.name, maker.place[1]
    functions = (n for n in ast.walk(maker.module.tree) if isinstance(n, ast.FunctionDef))
    return place != name and sum(each.name == name for each in functions) > 1


def _places(maker: Maker) -> set[Module]:
    """The files that name a maker's class."""
    named = [*maker.calls, *maker.aliases, *maker.handed_once]
    return {maker.module, *(module for module, _ in named)}


def _size(node: ast.AST) -> int:
    return sum(1 for _ in ast.walk(node))


def _default_name(maker: Maker) -> list[str]:
    """The name that a function gives to its layer where its call gives none."""
    found = defaults(maker.node.args).get("name")
    said = isinstance(found, ast.Constant) and isinstance(found.value, str) and found.value
    return [f"name={found.value!r}"] if said and isinstance(found, ast.Constant) else []
