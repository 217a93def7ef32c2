"""What `hk.transform` is given without a name, written as a function first.

`hk.transform(functools.partial(forward, config=config))` and `hk.transform(lambda x: forward(x, config))` become
`hk.transform(model)` of a `def model(x): return forward(x, config=config)` before the statement, if `forward` is a function
of the project that then can become a module.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..ancestry import lineage
from ..chains import root_name
from ..culprit import working_on
from ..edits import Edits
from ..emit import imports
from ..project import Module, Project
from ..rulebook import Rulebook
from ..shapes import frameworks
from ..shapes.interpreter import Interpreter
from ..shapes.values import Function
from ..signatures import is_unpacked, parameters
from .maker import Apart
from .maker_finder import Finder
from .maker_lookup import Lookup
from .prepared import Leave, Prepared

_TRANSFORMS = ("haiku.transform", "haiku.transform_with_state")
_NAMES = ("model", "model_fn", "forward_fn", "network_fn")


@dataclass(frozen=True)
class _Unnamed:
    """An argument of a transform: the statement that it stands in, the function behind it, the call of that, and the
    name that it gets."""

    module: Module
    argument: ast.expr
    statement: ast.stmt
    function: tuple[Path, str]
    parameters: str
    call: str
    name: str = ""


def prepare(
    project: Project, rules: Rulebook, leave: Leave, apart: frozenset[Apart] = frozenset()
) -> Prepared:
    """Writes a function for each such argument, but for those over functions named in `leave`."""
    modules = [m for m in project.modules.values() if m.rewritable]
    interp = Interpreter(project, rules, definitions_only=True)
    frameworks.install(interp)
    lookup = Lookup(interp, modules)
    found = [
        each
        for module in modules
        if "haiku" in module.source.text and "transform" in module.source.text
        for each in _of_module(lookup, module)
        if each.function not in leave and (module.path, each.name) not in leave
    ]
    while found:
        prepared = _written(project, found)
        taken = _makers(prepared.project, rules, leave, apart)
        kept = [each for each in found if each.function in taken]
        if len(kept) == len(found):
            return prepared
        found = kept
    return Prepared(project.copy())


def _makers(
    project: Project, rules: Rulebook, leave: Leave, apart: frozenset[Apart]
) -> set[tuple[Path, str]]:
    """The functions of a project that can be modules of their own."""
    interp = Interpreter(project, rules, definitions_only=True)
    frameworks.install(interp)
    modules = [m for m in project.modules.values() if m.rewritable]
    makers = Finder(interp, modules, leave, apart).find()
    return {(m.module.path, m.node.name) for m in makers.values()}


def _written(project: Project, found: Sequence[_Unnamed]) -> Prepared:
    prepared = Prepared(project.copy())
    for module in dict.fromkeys(each.module for each in found):
        edits = Edits(module.source)
        for each in found:
            if each.module is module:
                _write(edits, each)
        prepared.put(module, imports.tidy(edits.apply(), module.source.text, ()))
    return prepared


def _write(edits: Edits, each: _Unnamed) -> None:
    unit = edits.source.indent_unit
    edits.replace(each.argument, each.name)
    function = f"def {each.name}({each.parameters}):\n{unit}return {each.call}\n\n"
    edits.insert_before(each.statement, function)


# ---- what can be written so ------------------------------------------------------------------------


def _of_module(lookup: Lookup, module: Module) -> Iterator[_Unnamed]:
    qualified = lookup.names[module].qualified
    taken = {n.id for n in ast.walk(module.tree) if isinstance(n, ast.Name)}
    taken |= {n.name for n in ast.walk(module.tree) if isinstance(n, ast.FunctionDef)}
    free = iter([name for name in _NAMES if name not in taken])
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and qualified(node.func) in _TRANSFORMS and node.args:
            with working_on(module.path):
                found = _unnamed(lookup, module, node.args[0])
                name = next(free, None) if found is not None else None
                if found is not None and name is not None:
                    yield dataclasses.replace(found, name=name)


def _unnamed(lookup: Lookup, module: Module, argument: ast.expr) -> _Unnamed | None:
    statement = _statement(argument, module)
    match argument:
        case ast.Call(func=func, args=[target, *given], keywords=named) if lookup.names[
            module
        ].qualified(func) == "functools.partial" and not is_unpacked(argument):
            function = lookup.value(target, module)
            values = [*given, *(k.value for k in named)]
            if not isinstance(function, Function) or not isinstance(function.node, ast.FunctionDef):
                return None
            if not all(_stays_same(value, module, statement) for value in values):
                return None
            written = _partial(function.node, target, given, named, module)
            if written is None or statement is None:
                return None
            path = function.environment.module.path
            return _Unnamed(module, argument, statement, (path, function.node.name), *written)
        case ast.Lambda(args=spec, body=ast.Call(func=target) as call):
            function = lookup.value(target, module)
            if not isinstance(function, Function) or not isinstance(function.node, ast.FunctionDef):
                return None
            if statement is None or module.source.segment(argument).count("\n"):
                return None
            path, segment = function.environment.module.path, module.source.segment
            place = (path, function.node.name)
            return _Unnamed(module, argument, statement, place, ast.unparse(spec), segment(call))
    return None


def _statement(argument: ast.expr, module: Module) -> ast.stmt | None:
    """The statement that an argument stands in, if a function before it would see the same names."""
    for above in lineage(argument, module.source.parents):
        if isinstance(above, ast.stmt):
            plain = isinstance(above, ast.Assign | ast.Return | ast.Expr | ast.AnnAssign)
            return above if plain else None
        if above is not argument and isinstance(above, ast.Lambda | ast.comprehension):
            return None
    return None


def _partial(
    function: ast.FunctionDef,
    target: ast.expr,
    given: Sequence[ast.expr],
    named: Sequence[ast.keyword],
    module: Module,
) -> tuple[str, str] | None:
    """The parameters that a partial leaves open, and the call that it stands for."""
    spec, segment = function.args, module.source.segment
    if spec.vararg or spec.kwarg or spec.kwonlyargs or spec.posonlyargs:
        return None
    names = {keyword.arg for keyword in named}
    open_parameters, arguments = [], [segment(value) for value in given]
    by_keyword = False
    for parameter in list(parameters(spec))[len(given) :]:
        if parameter.name in names:
            by_keyword = True
            continue
        arguments.append(f"{parameter.name}={parameter.name}" if by_keyword else parameter.name)
        default = parameter.default
        if default is not None and not isinstance(default, ast.Constant):
            return None
        text = "" if default is None else f"={ast.unparse(default)}"
        open_parameters.append(f"{parameter.name}{text}")
    arguments += [f"{keyword.arg}={segment(keyword.value)}" for keyword in named]
    return ", ".join(open_parameters), f"{segment(target)}({', '.join(arguments)})"


def _stays_same(value: ast.expr, module: Module, statement: ast.stmt | None) -> bool:
    """Whether an argument means the same whenever the function is called: nothing sets its names again."""
    if statement is None or any(isinstance(n, ast.Call) for n in ast.walk(value)):
        return False
    around = [f for f in lineage(statement, module.source.parents) if isinstance(f, _SCOPES)]
    return all(
        _bindings(around, node.id) <= 1
        for node in ast.walk(value)
        if isinstance(node, ast.Name) and root_name(node) is not None
    )


_SCOPES = (ast.FunctionDef, ast.Module)


def _bindings(scopes: Collection[ast.AST], name: str) -> int:
    """How often the innermost of the scopes that bind a name does so."""
    for scope in scopes:
        count = sum(
            (isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store))
            or (isinstance(n, ast.arg) and n.arg == name)
            or (isinstance(n, ast.Global | ast.Nonlocal) and name in n.names)
            for n in _of_scope(scope)
        )
        if count:
            return count
    return 0


def _of_scope(scope: ast.AST) -> Iterator[ast.AST]:
    """What binds names of a scope: of functions within, only what they declare to be the scope's own."""
    pending = [(child, True) for child in ast.iter_child_nodes(scope)]
    while pending:
        node, own = pending.pop()
        if own or isinstance(node, ast.Global | ast.Nonlocal):
            yield node
        inside = own and not isinstance(node, _SCOPES_WITHIN)
        pending += [(child, inside) for child in ast.iter_child_nodes(node)]


_SCOPES_WITHIN = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
