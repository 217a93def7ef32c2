"""Classes that the tree does not show, whose instances are called: they may be modules of the source framework."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator

from .chains import is_own
from .shapes.real_calls import LIBRARIES
from .shapes.values import External, Function, Partial, Unknown, Value

_KNOWN_PACKAGES = frozenset((*LIBRARIES, "haiku", "builtins"))


def strangers(tree: ast.AST, meaning: Callable[[ast.expr], object]) -> Iterator[ast.expr]:
    """The heads of such constructor calls, `lib.Net` in `lib.Net(8)(x)` or `net = lib.Net(8); net(x)`.

    `meaning` says what a name or attribute chain stands for.
    """
    return (head for head in makers(tree) if _is_strange(meaning(head)))


def handed_strangers(tree: ast.AST, meaning: Callable[[ast.expr], object]) -> Iterator[ast.expr]:
    """Such classes as arguments of functions that make something of them and call it: `block(lib.Linear, x)`."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        strange = [arg for arg in _arguments(call).values() if _is_strange(meaning(arg))]
        function = meaning(call.func) if strange else None
        if not isinstance(function, Function) or isinstance(function.node, ast.Lambda):
            continue
        made = {head.id for head in makers(function.node) if isinstance(head, ast.Name)}
        names = [arg.arg for arg in [*function.node.args.posonlyargs, *function.node.args.args]]
        for place, arg in _arguments(call).items():
            name = names[place] if isinstance(place, int) and place < len(names) else place
            if arg in strange and name in made:
                yield arg


def _arguments(call: ast.Call) -> dict[int | str, ast.expr]:
    """The arguments of a call that are names or chains of attributes, by place or keyword."""
    given: dict[int | str, ast.expr] = dict(enumerate(call.args))
    given.update({k.arg: k.value for k in call.keywords if k.arg is not None})
    return {key: arg for key, arg in given.items() if isinstance(arg, ast.Name | ast.Attribute)}


def unknown_makers(tree: ast.AST, value: Callable[[ast.expr], Value | None]) -> Iterator[ast.expr]:
    """The heads of calls that stand for whatever is given, `self.block` in `self.block(8)(x)`: a module class perhaps.

    `value` says what an expression of the class's methods was found to be.
    """
    return (head for head in makers(tree) if _is_given(value(head)))


def makers(tree: ast.AST) -> Iterator[ast.expr]:
    """The names of what is called for something that is then called itself, at once, by a name, or as one of a list."""
    held = _called(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Call(func=head)):
                heads = [head]
            case ast.Assign(targets=[target], value=value) if ast.unparse(target) in held:
                heads = [call.func for call in _made(value)]
            case _:
                continue
        for found in heads:
            if isinstance(found, ast.Name | ast.Attribute):
                yield found


def _called(tree: ast.AST) -> set[str]:
    """The variables and attributes of `self` that code calls, or calls the items of, as they are written."""
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Subscript(value=held)):
                called.add(ast.unparse(held))
            case ast.For(target=target, iter=turns) | ast.comprehension(target=target, iter=turns):
                if any(isinstance(n, ast.Name) and n.id in called for n in ast.walk(target)):
                    called |= {ast.unparse(n) for n in ast.walk(turns) if _is_variable(n)}
    return called


def _is_variable(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) or is_own(node)


def _made(value: ast.expr) -> Iterator[ast.Call]:
    """The calls that an assigned value is, or is a list of."""
    match value:
        case ast.Call():
            yield value
        case ast.List(elts=items) | ast.Tuple(elts=items):
            for item in items:
                yield from _made(item)
        case ast.ListComp(elt=item):
            yield from _made(item)
        case ast.IfExp(body=body, orelse=orelse):
            yield from _made(body)
            yield from _made(orelse)


def _is_strange(value: object) -> bool:
    if not isinstance(value, External) or not value.name.rsplit(".", 1)[-1][:1].isupper():
        return False
    root = value.name.split(".")[0]
    return root not in _KNOWN_PACKAGES and root not in sys.stdlib_module_names


def _is_given(value: Value | None) -> bool:
    while isinstance(value, Partial):
        value = value.function
    return isinstance(value, Unknown) and value.text is not None
