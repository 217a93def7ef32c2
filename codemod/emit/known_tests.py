"""The tests of a class whose outcome an NNX module knows: those on flags that go, and on being initialised."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..model.sites import Site
from .agreement import branches
from .flags import Flags

_POLICY = "haiku.mixed_precision.current_policy"


@dataclass(frozen=True)
class KnownTests:
    """What the tests of one class come to, in its constructor and in its methods."""

    flags: Flags
    functions: Sequence[ast.FunctionDef]
    sites: Sequence[Site]
    qualified: Callable[[ast.expr], str | None]
    parents: Mapping[ast.AST, ast.AST]

    def in_constructor(self, test: ast.expr) -> bool | None:
        """In `setup` a module is being initialised; a flag that goes says training, which evaluation switches off."""
        training = self.flags.in_training(test)
        if training is not None:
            return training
        match test:
            case ast.Call(func=ast.Attribute(attr="is_initializing")):
                return True
            case ast.Call(func=func) if self._is_running_init(func):
                return False
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self.in_constructor(operand)
                return None if inner is None else not inner
        return self._of_no_policy(test)

    def in_method(self, test: ast.expr) -> bool | None:
        """In a method a module has been initialised, and has the variables that its constructor made."""
        training = self.flags.in_training(test)
        if training is not None:
            return training
        match test:
            case ast.Call(func=ast.Attribute(attr="is_initializing")):
                return False
            case ast.Call(func=func) if self._is_running_init(func):
                return False
            case (
                ast.Call(
                    func=ast.Attribute(value=ast.Name(id="self"), attr="has_variable"),
                    args=[_, ast.Constant(value=name)],
                ) as call
            ) if self._surely_made(name, call):
                return True
            case ast.Name():
                assigned = self._assigned_call(test)
                return self.in_method(assigned) if assigned is not None else None
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self.in_method(operand)
                return None if inner is None else not inner
        return self._of_no_policy(test)

    def _of_no_policy(self, test: ast.expr) -> bool | None:
        """What a test on `hk.mixed_precision.current_policy()` comes to: None there, for NNX modules have no policies."""
        match test:
            case ast.Call(func=func):
                return False if self.qualified(func) == _POLICY else None
            case ast.Compare(
                left=ast.Call() | ast.Name() as asked,
                ops=[ast.Is() | ast.IsNot() as how],
                comparators=[ast.Constant(value=None)],
            ):
                call = self._assigned_call(asked) if isinstance(asked, ast.Name) else asked
                if call is not None and self._of_no_policy(call) is False:
                    return isinstance(how, ast.Is)
        return None

    def _is_running_init(self, func: ast.expr) -> bool:
        """`hk.running_init`: a run of an NNX module makes no parameters."""
        return self.qualified(func) == "haiku.running_init"

    def _surely_made(self, name: object, asked: ast.Call) -> bool:
        """Whether the module has a variable wherever it is asked whether it has."""
        around = branches(asked, self.parents)
        return any(
            site.variable is not None
            and site.variable.name == name
            and not site.loops
            and all(branch in around for branch in branches(site.node, self.parents))
            for site in self.sites
        )

    def _assigned_call(self, name: ast.Name) -> ast.Call | None:
        """The call whose answer a local is: whether the module is being initialised, or has a variable; its policy."""
        for function in self.functions:
            if not any(inner is name for inner in ast.walk(function)):
                continue
            for node in ast.walk(function):
                match node:
                    case ast.Assign(
                        targets=[ast.Name(id=target)],
                        value=ast.Call(
                            func=ast.Attribute(attr="is_initializing" | "has_variable")
                        ) as call,
                    ) if target == name.id:
                        return call
                    case ast.Assign(
                        targets=[ast.Name(id=target)], value=ast.Call(func=func) as call
                    ) if target == name.id and self.qualified(func) == _POLICY:
                        return call if _bound_once(name.id, function) else None
        return None


def _bound_once(name: str, function: ast.FunctionDef) -> bool:
    """Whether one statement alone gives a local its value."""
    stores = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load)
    ]
    return len(stores) == 1
