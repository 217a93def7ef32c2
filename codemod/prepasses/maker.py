"""A function that makes layers: what is known of it, and what its syntax says."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..ancestry import class_around, functions_around, lineage, names_around
from ..chains import is_own, stored_names
from ..project import Module
from ..signatures import defaults, parameters

# A function that makes layers, and a class or function that goes on calling it as it is: file and name of each.
Apart = tuple[Path, str, Path, str]


_SCOPES = (ast.ClassDef, ast.FunctionDef)
CONSTRUCTORS = ("setup", "__init__", "__post_init__")


@dataclass
class Maker:
    """A function that makes layers: its calls, and which of its parameters the constructor needs."""

    module: Module
    node: ast.FunctionDef
    framework: str
    calls: list[tuple[Module, ast.Call]] = field(default_factory=list)
    left: bool = False  # some code goes on using the function, which stays beside its class
    aliases: list[tuple[Module, ast.expr]] = field(default_factory=list)  # uses that are no calls
    handed_once: list[tuple[Module, ast.expr]] = field(default_factory=list)  # a library calls it
    handed: list[tuple[Module, ast.expr]] = field(default_factory=list)  # to other code, uncalled
    fields: list[ast.arg] = field(default_factory=list)
    captured: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)  # of `self` around a nested function
    # the layers that it hands back, uncalled
    returned: list[ast.expr] = field(default_factory=list)

    @property
    def place(self) -> tuple[Path, str]:
        """The file, and the name by which it is known there."""
        return self.module.path, place_name(self.node, self.module)

    @property
    def parameters(self) -> list[ast.arg]:
        return [each.arg for each in parameters(self.node.args)]

    def default(self, parameter: ast.arg) -> ast.expr | None:
        return defaults(self.node.args).get(parameter.arg)


def place_name(node: ast.FunctionDef, module: Module) -> str:
    """The name by which a function is known in a file: a nested one's tells what is around it."""
    around = [each for each in lineage(node, module.source.parents) if isinstance(each, _SCOPES)]
    if not any(isinstance(each, ast.FunctionDef) for each in around[1:]):
        return node.name
    return ".".join(each.name for each in reversed(around))


def calls_in(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def given_to(maker: Maker, call: ast.Call, parameter: ast.arg) -> ast.expr | None:
    """What a call gives a parameter, None where it says nothing of it."""
    positional = [*maker.node.args.posonlyargs, *maker.node.args.args]
    positional = positional[1:] if is_method(maker) else positional
    placed = dict(zip([p.arg for p in positional], call.args, strict=False))
    named = {k.arg: k.value for k in call.keywords}
    return named.get(parameter.arg, placed.get(parameter.arg))


def is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def can_stay(maker: Maker) -> bool:
    """Whether a function can stay beside its class."""
    top = isinstance(maker.module.source.parents[maker.node], ast.Module)
    return top and not maker.aliases and not maker.node.decorator_list


def is_method(maker: Maker) -> bool:
    return isinstance(maker.module.source.parents[maker.node], ast.ClassDef)


def kept_as(call: ast.Call, module: Module) -> ast.Attribute | None:
    """`self.x` in `self.x = make(self, ...)`, in a method that constructs."""
    parents = module.source.parents
    method = next(functions_around(call, parents), None)
    match parents.get(call):
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self")) as target]):
            return target if method is not None and method.name in CONSTRUCTORS else None
    return None


def reads_of(target: ast.Attribute, module: Module) -> Iterator[ast.Attribute]:
    """Where the class of an attribute reads it."""
    cls = class_around(target, module.source.parents)
    for node in ast.walk(cls) if cls is not None else ():
        if is_own(node) and node.attr == target.attr and isinstance(node.ctx, ast.Load):
            yield node


def makes_on_self(call: ast.Call, function: ast.FunctionDef) -> bool:
    """`self.param(...)` in a function that is handed the module."""
    first = function.args.args[0].arg if function.args.args else None
    match call.func:
        case ast.Attribute(value=ast.Name(id="self"), attr="param" | "variable") if first == "self":
            return True
    return False


def takes_no_data(maker: Maker) -> bool:
    """Whether all that a maker is given belongs to a constructor: it makes variables, and computes with them alone."""
    return all(
        makes_on_self(call, maker.node)
        for call in calls_in(maker.node)
        if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "self"
    ) and any(makes_on_self(call, maker.node) for call in calls_in(maker.node))


def names_read(nodes: Iterable[ast.AST]) -> set[str]:
    return {
        n.id
        for node in nodes
        for n in ast.walk(node)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }


def names_written(node: ast.Assign) -> set[str]:
    return {n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)}


def other_name(node: ast.AST, module: Module) -> str | None:
    """`conv` in `conv = layers.conv3x3` at the top of a file."""
    match module.source.parents.get(node):
        case ast.Assign(targets=[ast.Name(id=name)], value=value) as statement if value is node:
            top = isinstance(module.source.parents.get(statement), ast.Module)
            return name if top else None
    return None


def reads_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "name" and isinstance(node.ctx, ast.Load)


def naming(node: ast.AST, maker: Maker) -> ast.keyword | ast.Name | None:
    """What of a call a read of a maker's parameter `name` is: `name=...`, or the name of a variable."""
    if not any(p.arg == "name" for p in maker.parameters):
        return None
    above = maker.module.source.parents.get(node)
    if isinstance(above, ast.Call) and makes_on_self(above, maker.node) and above.args[0] is node:
        return node if isinstance(node, ast.Name) else None
    for around in lineage(node, maker.module.source.parents):
        if isinstance(around, ast.keyword):
            return around if around.arg == "name" else None
        if around is maker.node:
            break
    return None


def ordered_fields(maker: Maker) -> list[ast.arg]:
    """Those without a default first."""
    required = [p for p in maker.fields if maker.default(p) is None]
    return [*required, *[p for p in maker.fields if maker.default(p) is not None]]


def captures(maker: Maker) -> tuple[list[str], list[str]]:
    """What a nested function reads of the functions around it, and which attributes of their `self`, or a method of its
    own."""
    outer = names_around(maker.node, maker.module.source.parents)
    own = {a.arg for a in ast.walk(maker.node) if isinstance(a, ast.arg)}
    own |= stored_names(maker.node)
    reads = [
        n.id
        for n in ast.walk(maker.node)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and n.id in outer - own
    ]
    attributes = [
        n.attr
        for n in ast.walk(maker.node)
        if is_own(n) and ("self" in outer - own or is_method(maker))
    ]
    return (
        list(dict.fromkeys(name for name in reads if name != "self")),
        list(dict.fromkeys(attributes)),
    )
