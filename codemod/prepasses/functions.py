"""Haiku functions as modules.

A function given to `hk.transform` is a module without a class. Where it does more than make one module and call it, it
is first written as a Haiku class, in the text; from then on it is rewritten like any other. The class takes its name
from the function, or from what holds the transform, and its constructor takes what the function captured.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ..ancestry import functions_around, names_around
from ..chains import stored_names
from ..culprit import working_on
from ..edits import Edits, move
from ..emit.file_names import FileNames
from ..emit.names import camel, says_nothing, without_verb
from ..emit.transport import splice
from ..programs.explore import Explorer
from ..programs.haiku import called_method, only_makes
from ..programs.kinds import Transformed
from ..project import Module, Project
from ..rulebook import Rulebook
from ..shapes import frameworks
from ..shapes.interpreter import Interpreter
from ..shapes.values import Function
from ..signatures import parameters
from ..source import Source
from .prepared import Leave, MadeClass, Prepared, is_python


def prepare(project: Project, rules: Rulebook, leave: Leave, kept: Leave = frozenset()) -> Prepared:
    """Writes classes for the functions of a project, but for those named in `leave`, and those within the ones in `kept`."""
    candidates = [m for m in project.modules.values() if m.rewritable and _may_transform(m.source)]
    if not candidates:
        return Prepared(project)
    interp = Interpreter(project, rules)
    frameworks.install(interp)
    explorer = Explorer(interp)
    for module in candidates:
        interp.environment_of(module)
    explorer.run_rest(candidates)
    prepared = Prepared(project.copy())
    for module in candidates:
        with working_on(module.path):
            _prepare_module(interp, explorer, module, leave, kept, prepared)
    return prepared


def _may_transform(source: Source) -> bool:
    return "haiku" in source.text and "transform" in source.text


def _prepare_module(
    interp: Interpreter,
    explorer: Explorer,
    module: Module,
    leave: Leave,
    kept: Leave,
    prepared: Prepared,
) -> None:
    edits = Edits(module.source)
    names = FileNames(module, interp.environment_of(module), interp.rules)
    taken = {n.id for n in ast.walk(module.tree) if isinstance(n, ast.Name)}
    taken |= {
        n.name for n in ast.walk(module.tree) if isinstance(n, ast.ClassDef | ast.FunctionDef)
    }
    made: list[MadeClass] = []
    parents = module.source.parents
    for node, transformed in explorer.transformed.items():
        if not isinstance(node, ast.FunctionDef) or node not in module.source.parents:
            continue
        function = transformed.function
        if (
            (module.path, node.name) in leave
            or "self" in _reads(node)  # of a class
            or transformed.entries
            or not isinstance(function, Function)
            or _is_inside(node, explorer.transformed, module)
            or any((module.path, f.name) in kept for f in functions_around(node, parents))
        ):
            continue
        if only_makes(interp, function, transformed) or _shares(transformed, explorer):
            continue
        writer = _Writer(module.source, edits, names, explorer)
        name = writer.write(node, transformed, taken)
        taken.add(name)
        made.append(MadeClass(module.path, name, node.name, node.lineno))
    text = edits.apply()
    if made and is_python(text):
        prepared.made += made
        prepared.put(module, text)


def _shares(transformed: Transformed, explorer: Explorer) -> bool:
    """Whether all that a function does is to run a method of a module that another transform makes, too."""
    method = _method_of(transformed)
    return method is not None and any(
        other.function is not transformed.function
        and (made := _method_of(other)) is not None
        and ast.unparse(made) == ast.unparse(method)
        for other in explorer.transformed.values()
    )


def _method_of(transformed: Transformed) -> ast.Call | None:
    if not isinstance(transformed.function, Function) or transformed.entries:
        return None
    called = called_method(transformed.function, transformed)
    return called[0] if called is not None else None


def _is_inside(node: ast.AST, others: Collection[ast.AST], module: Module) -> bool:
    """Whether a function stands in another that is transformed: the outer one becomes the module."""
    return any(above in others for above in functions_around(node, module.source.parents))


def _reads(node: ast.FunctionDef) -> list[str]:
    """The names that a function reads."""
    return [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]


@dataclass
class _Writer:
    """Writes the class of one function."""

    source: Source
    edits: Edits
    names: FileNames
    explorer: Explorer

    def write(self, node: ast.FunctionDef, transformed: Transformed, taken: Iterable[str]) -> str:
        """Records the edits; returns the name of the class."""
        name = self._name(node, transformed, set(taken))
        captured = self._captured(node)
        self.edits.insert_before(self._top(node), self._class(node, name, captured) + "\n\n\n")
        arguments = ", ".join(self._handed(node))
        start = self.source.start_with_comments(node.body[0])
        end = self.source.span(node.body[-1])[1]
        self.edits.replace((start, end), f"return {name}({', '.join(captured)})({arguments})")
        return name

    def _name(self, node: ast.FunctionDef, transformed: Transformed, taken: set[str]) -> str:
        base = node.name
        if says_nothing(base):
            base = self._holder(node, transformed) or base
        name = camel(base)
        while name in taken:
            name += "Module"
        return name

    def _holder(self, node: ast.FunctionDef, transformed: Transformed) -> str | None:
        """The variable that holds the transform, or what the factory that returns it makes."""
        for other in ast.walk(self.source.tree):
            match other:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    found = self.explorer.interp.facts.value(value)
                    if isinstance(found, Transformed) and _same(found, transformed):
                        return name
        outer = self.source.parents[node]
        return without_verb(outer.name) if isinstance(outer, ast.FunctionDef) else None

    def _top(self, node: ast.AST) -> ast.stmt:
        current = node
        while not isinstance(self.source.parents[current], ast.Module):
            current = self.source.parents[current]
        assert isinstance(current, ast.stmt)
        return current

    def _captured(self, node: ast.FunctionDef) -> list[str]:
        """The names of enclosing functions that the function reads, in the order of their first use."""
        own = stored_names(node)
        own |= {a.arg for a in ast.walk(node) if isinstance(a, ast.arg)}
        own |= {n.name for n in ast.walk(node) if isinstance(n, ast.FunctionDef)}
        outer = names_around(node, self.source.parents)
        for function in functions_around(node, self.source.parents):
            outer |= {n.name for n in function.body if isinstance(n, ast.FunctionDef)}
        return list(dict.fromkeys(name for name in _reads(node) if name in outer - own))

    def _annotations(self, node: ast.FunctionDef) -> dict[str, str]:
        """What the outermost function around a function says of its parameters."""
        scope = self._top(node)
        if not isinstance(scope, ast.FunctionDef):
            return {}
        return {
            p.name: f": {self.source.segment(p.arg.annotation)}"
            for p in parameters(scope.args)
            if p.arg.annotation is not None
        }

    @staticmethod
    def _handed(node: ast.FunctionDef) -> list[str]:
        spec = node.args
        names = [a.arg for a in [*spec.posonlyargs, *spec.args]]
        if spec.vararg is not None:
            names.append(f"*{spec.vararg.arg}")
        names += [f"{a.arg}={a.arg}" for a in spec.kwonlyargs]
        if spec.kwarg is not None:
            names.append(f"**{spec.kwarg.arg}")
        return names

    def _class(self, node: ast.FunctionDef, name: str, captured: list[str]) -> str:
        unit = self.source.indent_unit
        docstring = ast.get_docstring(node) is not None
        lines = [f"class {name}({self.names.target('haiku.Module')}):"]
        if docstring:
            lines += [f"{unit}{self.source.segment(node.body[0])}", ""]
        annotations = self._annotations(node)
        parameters = ", ".join(
            ["self", *(item + annotations.get(item, "") for item in captured), "name=None"]
        )
        lines += [
            f"{unit}def __init__({parameters}):",
            f"{unit * 2}super().__init__(name=name)",
        ]
        lines += [f"{unit * 2}self.{item} = {item}" for item in captured]
        lines += ["", f"{unit}{self._header(node)}", self._body(node, captured, docstring)]
        return "\n".join(lines)

    def _header(self, node: ast.FunctionDef) -> str:
        """`def __call__(self, ...):` with the function's own parameters and annotations."""
        start = self.source.span(node)[0]
        header = self.source.text[start : self.source.header_end(node)]
        rest = header[header.index("(") + 1 :]
        return f"def __call__(self{'' if rest.lstrip().startswith(')') else ', '}{rest}"

    def _body(self, node: ast.FunctionDef, captured: list[str], docstring: bool) -> str:
        body = node.body[1:] if docstring else node.body
        start = self.source.start_with_comments(body[0])
        end = self.source.span(body[-1])[1]
        line_end = self.source.text.find("\n", end)
        rest = self.source.text[end : line_end if line_end >= 0 else None]
        if rest.strip().startswith("#"):
            end += len(rest.rstrip())
        pieces = [
            (*self.source.span(n), f"self.{n.id}")
            for statement in body
            for n in ast.walk(statement)
            if isinstance(n, ast.Name) and n.id in captured
        ]
        text = splice(self.source.text, start, end, pieces)
        indent = self.source.line_indent(start)
        return self.source.indent_unit * 2 + move(text, indent, self.source.indent_unit * 2).lstrip(
            " \t"
        )


def _same(one: Transformed, two: Transformed) -> bool:
    return (
        isinstance(one.function, Function)
        and isinstance(two.function, Function)
        and one.function.node is two.function.node
    )
