"""A Linen or Haiku name for a rewritten module: `LinenNet = functools.partial(linen_module, Net, call_sizes=...)` below the class.

Code that stays and speaks of the class in other ways than calling it, `partial(Net, depth=2)` or `model=Net`, reads that
name instead.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ..edits import Edits
from ..model.module import ModuleModel
from ..project import Module
from ..shapes.chosen import defaults
from ..shapes.interpreter import Interpreter
from ..shapes.scopes import ModuleValue
from ..shapes.values import Class, External, Partial
from . import layout
from .bridges import Bridges, bound_class
from .path_reads import within
from .reexports import Link, second_name, way


@dataclass
class Alias:
    """`LinenNet = functools.partial(linen_module, Net, call_sizes=...)` below a class, and what reads it instead.

    `own` are the imports of the files that read it, `handed` those of files that hand it on to them.
    """

    home: Module
    cls: Class
    name: str
    text: str
    helper: str | None
    mentions: list[tuple[Module, ast.expr]]
    own: dict[Module, Link] = field(default_factory=dict)
    handed: list[Link] = field(default_factory=list)
    methods: list[tuple[Module, ast.Attribute]] = field(default_factory=list)  # `method=Net.encode`
    decorators: Sequence[ast.expr] = ()  # they put the name into tables, and not the class


def find_alias(
    interp: Interpreter,
    found: Mapping[Module, Bridges],
    cls: Class,
    model: ModuleModel,
    limit: int,
    methods: Collection[str] = (),
    fields: bool = False,
) -> Alias | None:
    """The name for a class and what would read it, None where some use needs the class itself.

    `methods` are those that programs ask for besides the one that a call runs; `fields` says that they read fields.
    """
    name = f"{model.framework.capitalize()}{cls.name}"
    bound = bound_class(cls, model, bool(methods), fields)
    if bound is None or name in cls.environment.names:
        return None
    layers = _layer_parameters(interp, cls)
    mentions: list[tuple[Module, ast.expr]] = []
    own: dict[Module, Link] = {}
    handed: list[Link] = []
    asked: list[tuple[Module, ast.Attribute]] = []
    for module, here in found.items():
        for node in here.mentions(cls):
            if module.source.is_annotation(node):
                continue
            method = _method_asked(module, node, methods)
            if method is not None:
                asked.append((module, method))
                continue
            if not here.may_stand_in(node) or (layers and _given_around(here, cls, node, layers)):
                return None
            if _has_second_name(interp, module, node) and not _reads_second_name(interp, cls, here):
                continue
            imports = _way(interp, module, node, cls)
            if imports is None:
                return None
            mentions.append((module, node))
            if isinstance(node, ast.Name) and imports and imports[0].module is module:
                own[module] = imports.pop(0)
            handed += imports
    passed = {module for module, _ in mentions} | {link.module for link in handed}
    if any(name in interp.environment_of(module).names for module in passed):
        return None
    args, helper = bound
    decorators = interp.choices.registered.get(cls.node, []) if interp.choices is not None else []
    text = _definition(cls, name, args, decorators, _partial(interp, cls.module), limit)
    return Alias(cls.module, cls, name, text, helper, mentions, own, handed, asked, decorators)


def _layer_parameters(interp: Interpreter, cls: Class) -> set[str]:
    """The parameters of a class that are layer classes of the old framework by default."""

    def is_layer(default: ast.expr) -> bool:
        value = interp.evaluate(default, cls.environment)
        while isinstance(value, Partial):
            value = value.function
        return isinstance(value, External) and interp.rules.layer(value.name) is not None

    return {name for name, default in defaults(cls).items() if is_layer(default)}


def _given_around(here: Bridges, cls: Class, node: ast.expr, names: Collection[str]) -> bool:
    """Whether code around a class that is handed on, and called under another name, gives such arguments.

    What calls give that name the class, `partial(Net, layer=nn.Dense)`, is known.
    """
    parents = here.source.parents
    above = parents.get(node)
    if isinstance(above, ast.Call) and above.func is node:
        return False
    naming = {parents.get(mention) for mention in here.mentions(cls)}
    scope: ast.AST = node
    while not isinstance(scope, ast.FunctionDef | ast.Module):
        scope = parents[scope]
    return any(
        keyword.arg in names
        for each in within(scope, here.elsewhere)
        if isinstance(each, ast.Call) and each not in naming
        for keyword in each.keywords
    )


def _definition(
    cls: Class,
    name: str,
    args: Sequence[str],
    decorators: Sequence[ast.expr],
    partial: str,
    limit: int,
) -> str:
    """The statement below a class that defines its second name, and does with that what decorators did with the class."""
    source = cls.module.source
    head = partial
    for decorator in reversed(decorators):
        head, args = source.segment(decorator), [f"{head}({', '.join(args)})"]
    return layout.call(
        head, args, prefix=f"{name} = ", indent="", unit=source.hanging_indent, limit=limit
    )


def _partial(interp: Interpreter, module: Module) -> str:
    """`functools.partial` as a file writes it."""
    found = {
        value.name: name
        for name, value in interp.environment_of(module).names.items()
        if isinstance(value, External)
    }
    return found.get("functools.partial") or f"{found.get('functools', 'functools')}.partial"


def _method_asked(module: Module, node: ast.expr, methods: Collection[str]) -> ast.Attribute | None:
    """`Net.encode` in `apply(..., method=Net.encode)`."""
    above = module.source.parents.get(node)
    if not isinstance(above, ast.Attribute) or above.attr not in methods:
        return None
    argument = module.source.parents.get(above)
    is_asked = isinstance(argument, ast.keyword) and argument.arg == "method"
    return above if is_asked else None


def _way(interp: Interpreter, module: Module, node: ast.expr, cls: Class) -> list[Link] | None:
    """The imports by which a class comes to where it is mentioned."""
    if isinstance(node, ast.Name):
        return way(interp.project, module, node.id, cls)
    owner = _owner(interp, module, node)
    assert isinstance(node, ast.Attribute)
    return way(interp.project, owner, node.attr, cls) if owner is not None else None


def _owner(interp: Interpreter, module: Module, node: ast.expr) -> Module | None:
    """The file whose name `file.Net` reads."""
    if not isinstance(node, ast.Attribute):
        return None
    owner = interp.peek(node.value, interp.environment_of(module))
    return owner.module if isinstance(owner, ModuleValue) else None


def _has_second_name(interp: Interpreter, module: Module, node: ast.expr) -> bool:
    """Whether a mention reads `Net = net.Net` from the top of a file, which becomes `Net = net.LinenNet`."""
    if isinstance(node, ast.Name):
        return second_name(module, node.id) is not None
    owner = _owner(interp, module, node)
    return (
        owner is not None
        and isinstance(node, ast.Attribute)
        and second_name(owner, node.attr) is not None
    )


def _reads_second_name(interp: Interpreter, cls: Class, here: Bridges) -> bool:
    """Whether a module class may read a name that code outside of the classes gives to another."""
    if not here.elsewhere:
        return True
    return any(
        isinstance(node, ast.Name | ast.Attribute)
        and interp.facts.value(node) is cls
        and _way(interp, other, node, cls) is None
        for other in interp.project.modules.values()
        for top in here.elsewhere
        for node in (ast.walk(top) if top in other.source.parents else ())
    )


def write_alias(
    alias: Alias,
    edits_of: Callable[[Module], Edits],
    want: Callable[[Module, str], None],
    defined: bool = False,
) -> None:
    """Records the name and what reads it; `defined` says that the name is there. Raises EditConflict."""
    if not defined:
        edits_of(alias.home).insert_after(alias.cls.node, f"\n\n{alias.text}")
        for decorator in alias.decorators:
            edits_of(alias.home).remove_item(alias.cls.node, decorator)
        if "functools.partial(" in alias.text:
            want(alias.home, "import functools")
    for link in alias.handed:
        if link not in alias.own.values():
            edits_of(link.module).replace(link.place, link.with_name(alias.name))
    for module, method in alias.methods:
        edits_of(module).replace(method, _quoted(module, method.attr))
    for module in {module for module, _ in alias.mentions}:
        nodes = [node for where, node in alias.mentions if where is module]
        edits = edits_of(module)
        imported = alias.own.get(module)
        gone = [*nodes, *(m.value for where, m in alias.methods if where is module)]
        dropped = imported not in alias.handed and not _read_elsewhere(module, gone)
        if imported is not None and dropped and imported.renames:
            edits.replace(imported.place, f"{alias.name} as {imported.renames}")
            continue
        for node in nodes:
            end = module.source.span(node)[1]
            last = node.attr if isinstance(node, ast.Attribute) else ast.unparse(node)
            edits.replace((end - len(last), end), alias.name)
        if imported is not None:
            edits.replace(imported.place, alias.name if dropped else imported.with_name(alias.name))


def _quoted(module: Module, text: str) -> str:
    """A string in the quotes that a file has more of."""
    source = module.source.text
    return f"'{text}'" if source.count("'") > source.count('"') else f'"{text}"'


def _read_elsewhere(module: Module, nodes: Collection[ast.expr]) -> bool:
    """Whether a file reads the name of a class in other places than those."""
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return any(
        isinstance(node, ast.Name) and node.id in names and node not in nodes
        for node in ast.walk(module.tree)
    )
