"""Functions that lift the class that they are given: `ensemblize(cls, n)` around `nn.vmap(cls, axis_size=n)`.

What they return are classes of Linen, or, once all that they are given is rewritten, of NNX. So all classes that call one
follow, or none does; a function that other code calls, too, stays.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .ancestry import lineage
from .chains import last_name
from .findings import Finding
from .modules import ModuleRewrite
from .project import Module
from .rule import Declined
from .shapes.interpreter import Interpreter
from .shapes.lifts import Given, lifts_in
from .shapes.values import Class, Function


@dataclass(eq=False)
class LiftingFunction:
    """A function of a file that lifts what it is given, as far as the classes of the project go."""

    node: ast.FunctionDef
    calls: list[ast.Call]  # of the lifted transforms
    targets: list[Class]
    followed: bool  # whether it can be rewritten, and all that it lifts is known
    users: list[Class] = field(default_factory=list)
    used_elsewhere: bool = False  # by code outside of module classes


def find(
    interp: Interpreter, modules: Sequence[Module], own: Sequence[Class]
) -> list[LiftingFunction]:
    """The lifting functions of a project. `own` are its module classes, all of which were interpreted."""
    found: dict[ast.AST, LiftingFunction] = {}
    for module in interp.project.modules.values():
        if "linen" not in module.source.text:
            continue
        environment = interp.environment_of(module)
        for function in module.tree.body:
            if not isinstance(function, ast.FunctionDef):
                continue
            calls = list(lifts_in(function, environment))
            given = [each for call in calls for each in interp.lift_targets.get(call, ())]
            if calls:
                found[function] = LiftingFunction(
                    function,
                    calls,
                    [cls for targets, _ in given for cls in targets],
                    module.rewritable
                    and interp.lift_targets.keys() >= {*calls}
                    and all(known for _, known in given),
                )
    by_node: dict[ast.AST, Class] = {cls.node: cls for cls in own}
    for module in modules if found else ():
        for used, owner in _references(interp, module, found, by_node):
            if owner is None:
                used.used_elsewhere = True
            else:
                used.users.append(owner)
    return list(found.values())


def _references(
    interp: Interpreter,
    module: Module,
    functions: Mapping[ast.AST, LiftingFunction],
    by_node: Mapping[ast.AST, Class],
) -> Iterator[tuple[LiftingFunction, Class | None]]:
    """Where a file speaks of such functions, with the module class around each place."""
    names = {each.node.name for each in functions.values()}
    environment = interp.environment_of(module)
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Name | ast.Attribute) or last_name(node) not in names:
            continue
        value = interp.peek_name(node, environment)
        if isinstance(value, Function) and value.node in functions:
            around = lineage(node, module.source.parents)
            owner = next((by_node[each] for each in around if each in by_node), None)
            yield functions[value.node], owner


def following(
    interp: Interpreter, functions: Sequence[LiftingFunction], found: ModuleRewrite
) -> list[LiftingFunction]:
    """The functions that follow the classes which call them, and which they lift."""
    return [function for function in functions if _follows(interp, function, found)]


def torn(staying: Iterable[LiftingFunction], found: ModuleRewrite) -> dict[ast.AST, Finding]:
    """The rewritten classes that call a function which stays: they stay, too."""
    stay: dict[ast.AST, Finding] = {}
    for function in staying:
        for cls in function.users:
            if cls.node in found.models:
                stay[cls.node] = Finding(
                    cls.node,
                    "NX102",
                    f"`{cls.name}` calls `{function.node.name}`, which lifts classes of Linen for code that stays",
                    f"give `{cls.name}` a function of its own, or rewrite the other code by hand",
                )
    return stay


def given(functions: Iterable[LiftingFunction]) -> dict[ast.AST, Given]:
    """What the lifted transforms are given in functions that follow."""
    return {argument: given for each in functions for argument, given in _given(each).items()}


def _given(function: LiftingFunction) -> dict[ast.AST, Given]:
    return {call.args[0]: Given(function.targets) for call in function.calls if call.args}


def _follows(interp: Interpreter, function: LiftingFunction, found: ModuleRewrite) -> bool:
    """Whether a function lifts classes of NNX alone, and can be written."""
    needed = [*function.targets, *function.users]
    module = interp.project.home(function.node)
    if function.used_elsewhere or not function.followed or module is None:
        return False
    if any(cls.node not in found.models for cls in needed):
        return False
    names = found.names_of(module, interp)
    names.value_of = _given(function).get
    try:
        with names.collecting(set(), set()):
            return all(names.rewrite(call) is not None for call in function.calls)
    except Declined:
        return False
