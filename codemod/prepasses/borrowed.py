"""Parameters that a function makes in the name of the module that calls it.

`hk.get_parameter` in a plain function gives the calling module a parameter. The function can still be a module of its
own where no other call in that module asks for a parameter of the same name.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping

_Named = Callable[[ast.expr], str | None]
_PARAMETER = "haiku.get_parameter"
_STATE = frozenset(("haiku.get_state", "haiku.set_state"))
_TURNS = ast.For | ast.AsyncFor | ast.While | ast.ListComp | ast.GeneratorExp | ast.DictComp
_SCOPES = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def parameter_calls(tree: ast.AST, qualified: _Named) -> Iterator[ast.Call]:
    """The calls of `hk.get_parameter` in a piece of code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and qualified(node.func) == _PARAMETER:
            yield node


def names(tree: ast.AST, qualified: _Named) -> frozenset[str] | None:
    """The names of the parameters that a piece of code asks for; None where they, or state, are not to be told."""
    if any(
        isinstance(node, ast.Name | ast.Attribute) and qualified(node) in _STATE
        for node in ast.walk(tree)
    ):
        return None
    found: set[str] = set()
    for call in parameter_calls(tree, qualified):
        given = next((k.value for k in call.keywords if k.arg == "name"), None)
        match given or (call.args[0] if call.args else None):
            case ast.Constant(value=str(name)):
                found.add(name)
            case _:
                return None
    return frozenset(found)


def shape_arguments(call: ast.Call) -> list[ast.expr]:
    """What of a call of `hk.get_parameter` a constructor has to know."""
    return [*call.args[1:], *[k.value for k in call.keywords if k.arg != "name"]]


def at_most_once(calls: Iterable[ast.Call], parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether of some calls in a class each run makes no more than one, outside of any loop."""
    several = list(calls)
    return not any(_repeated(call, parents) for call in several) and all(
        exclusive(one, other, parents)
        for place, one in enumerate(several)
        for other in several[place + 1 :]
    )


def _repeated(call: ast.Call, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether a call stands in a loop, or in a function within a method."""
    node: ast.AST = call
    scopes = 0
    while node in parents and not isinstance(node, ast.ClassDef):
        if isinstance(node, _TURNS):
            return True
        scopes += isinstance(node, _SCOPES)
        node = parents[node]
    return scopes != 1


def exclusive(one: ast.AST, other: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether two pieces of code stand on both sides of an `if`."""
    branches = dict(_branches(one, parents))
    return any(
        test in branches and branches[test] is not side for test, side in _branches(other, parents)
    )


def _branches(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> Iterator[tuple[ast.If, bool]]:
    """The `if` statements around a node, each with whether it is in the part that runs if the test holds."""
    while node in parents:
        above = parents[node]
        if isinstance(above, ast.If) and node is not above.test:
            yield above, node in above.body
        node = above
