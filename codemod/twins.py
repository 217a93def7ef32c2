"""Functions that both frameworks call.

A class that is rewritten and code that Haiku still runs may share a function that returns initialisers, or one that
calls what it is given in a loop. The function follows the class; Haiku's code goes on with the old text, which stands
below it under a second name: `haiku_kernel_init`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from . import chains
from .edits import Edits
from .emit.transport import splice
from .modules import ModuleRewrite
from .project import Module
from .shapes.interpreter import Interpreter
from .shapes.values import Class, Function
from .surroundings import Surroundings, Unit, closure

_INITIALIZERS = "haiku.initializers."
# What JAX has under its own name, for functions that only read parameters.
_CALLING = frozenset(
    f"haiku.{name}"
    for name in "cond eval_shape fori_loop remat scan switch vmap while_loop".split()
)


@dataclass
class Twins:
    """The functions that get a second name, and what reads it."""

    names: dict[Unit, str] = field(default_factory=dict)
    mentions: list[tuple[Module, ast.expr, str]] = field(default_factory=list)
    imports: list[tuple[Module, ast.alias, str]] = field(default_factory=list)

    def write(self, edits_of: Callable[[Module], Edits]) -> None:
        """Records the second texts, and the names of those in the code that stays. Raises EditConflict."""
        for unit, name in self.names.items():
            text = f"\n\n{self._text(unit, name)}"
            edits_of(unit.module).insert_after(unit.node, text)
        for module, node, name in self.mentions:
            start, end = _name_span(module, node)
            edits_of(module).replace((start, end), name)
        for module, alias, name in dict.fromkeys(self.imports):
            text = module.source.segment(alias)
            edits_of(module).replace(alias, f"{text}, {name}")

    def _text(self, unit: Unit, name: str) -> str:
        """The function as it was, under its second name; the others that it calls have theirs."""
        assert isinstance(unit.node, ast.FunctionDef)
        start, end = unit.module.source.span(unit.node)
        head = re.compile(rf"def\s+({unit.node.name})").match(unit.module.source.text, start)
        assert head is not None
        pieces = [(*head.span(1), name)]
        inside = set(ast.walk(unit.node))
        for module, node, other in list(self.mentions):
            if node in inside:
                pieces.append((*_name_span(module, node), other))
                self.mentions.remove((module, node, other))
        return splice(unit.module.source.text, start, end, sorted(pieces))


def find(
    interp: Interpreter,
    around: Surroundings,
    source_units: Collection[Unit],
    found: ModuleRewrite,
    apart: Collection[ast.AST] = (),
) -> Twins:
    """The functions that both rewritten classes and Haiku's code call, as far as each can have its own; not `apart`."""
    shared = closure(set(_called(around, found)), around.next) & set(source_units)
    bound = {unit for unit in shared if unit.bound}
    reached = {unit: closure({unit}, around.next) for unit in shared}
    torn = {unit for unit in shared if reached[unit] & bound}
    fit = {unit for unit in torn if unit.node not in apart and _is_fit(interp, around, unit, found)}
    twins = Twins()
    for unit in torn:
        if reached[unit] & torn <= fit:
            assert isinstance(unit.node, ast.FunctionDef)
            twins.names[unit] = _second_name(unit.node.name)
    named = {unit.node: name for unit, name in twins.names.items()}
    staying: dict[ast.AST, Module] = {unit.node: unit.module for unit in source_units}
    staying |= {node: refusal.cls.module for node, refusal in found.refusals.items()}
    for node, module in staying.items():
        for mention, function in _mentions(interp, node, module, found):
            if function not in named:
                continue
            twins.mentions.append((module, mention, named[function]))
            if isinstance(mention, ast.Name):
                twins.imports += _imports(module, mention.id, named[function])
    return twins


def _called(around: Surroundings, found: ModuleRewrite) -> Iterator[Unit]:
    """The units that rewritten classes of Haiku speak of."""
    for model in found.models.values():
        if model.framework == "haiku" and isinstance(model.cls, Class):
            yield from around.next(around.read(model.cls.module, model.cls.node))


def _is_fit(interp: Interpreter, around: Surroundings, unit: Unit, found: ModuleRewrite) -> bool:
    """Whether a unit is a plain function that names nothing of Haiku but what has a counterpart."""
    node, env = unit.node, interp.environment_of(unit.module)
    names = found.names_of(unit.module, interp)
    if not isinstance(node, ast.FunctionDef) or node.decorator_list or unit.certain:
        return False
    if _second_name(node.name) in env.names or unit.mentions & found.refusals.keys():
        return False
    return all(
        _has_counterpart(names.qualified(name) or "") and around.is_written(unit, name)
        for name in unit.bound
    ) and all(
        _is_in_reach(interp, module, unit)
        for module in interp.project.modules.values()
        if module.rewritable
    )


def _has_counterpart(name: str) -> bool:
    return name.startswith(_INITIALIZERS) or name in _CALLING


def _is_in_reach(interp: Interpreter, module: Module, unit: Unit) -> bool:
    """Whether a file that has a function has it by its own name, from the file where it is defined."""
    assert isinstance(unit.node, ast.FunctionDef)
    env = interp.environment_of(module)
    own = [
        name
        for name, value in env.names.items()
        if isinstance(value, Function) and value.node is unit.node
    ]
    if not own or module is unit.module:
        return True
    imports = list(_imports(module, unit.node.name, ""))
    free = _second_name(unit.node.name) not in env.names
    return own == [unit.node.name] and len(imports) == 1 and free


def _mentions(
    interp: Interpreter, root: ast.AST, module: Module, found: ModuleRewrite
) -> Iterator[tuple[ast.expr, ast.AST]]:
    """The names of functions in a piece of code, with the functions."""
    env = interp.environment_of(module)
    names = found.names_of(module, interp)
    for node in ast.walk(root):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            first = chains.root(node)
            if first is not None and first.id in env.names and not names.shadowed(first):
                value = interp.peek(node, env)
                if isinstance(value, Function):
                    yield node, value.node


def _imports(module: Module, name: str, second: str) -> Iterator[tuple[Module, ast.alias, str]]:
    """The import of a name at the top of a file."""
    for node in module.tree.body:
        for alias in node.names if isinstance(node, ast.ImportFrom) else ():
            if alias.name == name and alias.asname is None:
                yield module, alias, second


def _second_name(name: str) -> str:
    plain = name.lstrip("_")
    return f"{name[: len(name) - len(plain)]}haiku_{plain}"


def _name_span(module: Module, node: ast.expr) -> tuple[int, int]:
    """Where the last word of a name is."""
    end = module.source.span(node)[1]
    word = node.attr if isinstance(node, ast.Attribute) else ast.unparse(node)
    return end - len(word), end
