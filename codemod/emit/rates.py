"""Constructor parameters that only say how much a module drops: a parent may give them 0 in evaluation.

`Attention(rate if train else 0.0)` becomes `Attention(rate)`: in NNX, the mode decides whether anything is dropped.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TypeGuard

from ..ancestry import argument_around, functions_around, reads_around
from ..chains import is_own
from ..model.module import ModuleModel
from ..model.symbolic import is_flag
from ..shapes import classes
from ..shapes.facts import Facts
from ..shapes.values import Class, Object
from ..signatures import parameters

_DROPOUT = ("hk.dropout", "haiku.dropout")


def is_told_to_module(
    call: ast.Call, argument: ast.AST, facts: Facts, models: Mapping[ast.AST, ModuleModel]
) -> bool:
    """Whether a call makes a module that takes an argument for a rate and nothing else."""
    made = facts.made.get(call, [])
    if not made or not all(isinstance(m.value, Object) for m in made):
        return False
    return all(
        isinstance(m.value, Object)
        and m.value.cls.node in models
        and _is_rate_of(m.value.cls, call, argument, models)
        for m in made
    )


def _is_rate_of(
    cls: Class, call: ast.Call, argument: ast.AST, models: Mapping[ast.AST, ModuleModel]
) -> bool:
    initialiser = classes.method(cls, "__init__")
    if initialiser is None or not isinstance(initialiser.node, ast.FunctionDef):
        return False
    if len(classes.mro(cls)) > 1:
        return False
    names = [p.name for p in parameters(initialiser.node.args)][1:]
    if isinstance(argument, ast.keyword):
        name = argument.arg
    else:
        place = next((i for i, arg in enumerate(call.args) if arg is argument), None)
        name = names[place] if place is not None and place < len(names) else None
    return name in names and name is not None and _only_drops(cls, initialiser.node, name, models)


def _only_drops(
    cls: Class,
    initialiser: ast.FunctionDef,
    name: str,
    models: Mapping[ast.AST, ModuleModel],
) -> bool:
    """Whether a parameter is kept as an attribute alone, which nothing reads but dropouts."""
    reader = _Reader(cls, models)
    reads = [n for n in ast.walk(initialiser) if isinstance(n, ast.Name) and n.id == name]
    if len(reads) != 1:
        return False
    match reader.parents[reads[0]]:
        case ast.Assign(targets=[ast.Attribute(attr=kept) as target]) if is_own(target):
            others = [
                n for n in ast.walk(cls.node) if is_own(n) and n.attr == kept and n is not target
            ]
            return bool(others) and all(map(reader.drops, others))
    return False


class _Reader:
    """What becomes of a rate in the methods of a module."""

    def __init__(self, cls: Class, models: Mapping[ast.AST, ModuleModel]) -> None:
        self.cls = cls
        self.models = models
        self.parents = cls.module.source.parents

    def drops(self, node: ast.AST) -> bool:
        """Whether an expression is the rate of a dropout, on one way or another, and nothing else."""
        argument, above = argument_around(node, self.parents)
        match above:
            case ast.Call():
                if _is_dropout(above):
                    return argument is _rate(above)
                return self._is_handed_on(above, argument)
            case ast.IfExp(test=test) if test is not node:
                return is_zero(above.orelse if above.body is node else above.body) and self.drops(
                    above
                )
            case ast.Assign(targets=[ast.Name(id=name)]):
                reads = reads_around(above, name, self.parents)
                return bool(reads) and all(map(self.drops, reads))
            case ast.Compare(ops=[ast.Gt() | ast.NotEq()], comparators=[zero]) if is_zero(zero):
                return self._guards_dropout(above)
        return False

    def _guards_dropout(self, test: ast.Compare) -> bool:
        """Whether a test is that of `if rate > 0: x = hk.dropout(key, rate, x)`."""
        above = self.parents[test]
        if not isinstance(above, ast.If) or above.test is not test or above.orelse:
            return False
        return all(map(_drops_what_it_sets, above.body))

    def _is_handed_on(self, call: ast.Call, argument: ast.AST) -> bool:
        made = call.func
        found = self.cls.around.names.get(made.id) if isinstance(made, ast.Name) else None
        if not isinstance(found, Class) or found.node not in self.models:
            return False
        return _is_rate_of(found, call, argument, self.models)


def _is_dropout(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in _DROPOUT


def _rate(dropout: ast.Call) -> ast.AST | None:
    """The argument of a dropout that is its rate."""
    named = next((k for k in dropout.keywords if k.arg == "rate"), None)
    return named or (dropout.args[1] if len(dropout.args) > 1 else None)


def _drops_what_it_sets(statement: ast.stmt) -> bool:
    """Whether a statement changes nothing where nothing is dropped."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_dropout(value):
            named = next((k.value for k in value.keywords if k.arg == "x"), None)
            given = named or (value.args[2] if len(value.args) > 2 else None)
            return isinstance(given, ast.Name) and given.id == name
    return False


def is_zero(node: ast.expr) -> bool:
    """Whether an expression is the number 0."""
    return isinstance(node, ast.Constant) and node.value in (0, 0.0) and node.value is not False


def is_chosen_by_flag(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether a flag of a method chooses an expression or a local, `rate if train else 0.0`."""
    function = next(functions_around(node, parents), None)
    if function is None:
        return False
    flags = {
        p.name for p in parameters(function.args) if is_flag(p.name, p.arg.annotation, p.default)
    }
    values = [node]
    if isinstance(node, ast.Name):
        stored = [n for n in ast.walk(function) if isinstance(n, ast.Assign)]
        values = [s.value for s in stored if any(_is_name(t, node.id) for t in s.targets)]
    return any(isinstance(value, ast.IfExp) and _is_rate_or_zero(value, flags) for value in values)


def _is_rate_or_zero(value: ast.IfExp, flags: set[str]) -> bool:
    test = value.test
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test = test.operand
    zero = is_zero(value.body) or is_zero(value.orelse)
    return zero and isinstance(test, ast.Name) and test.id in flags


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
