"""Programs that stay as they are and run rewritten Linen modules through a bridge.

The third rung of the ladder: where neither the stateful nor the functional form of a program is certain, the program
keeps its `init` and `apply`, and makes `nnx.bridge.to_linen(Model, ...)` in the place of `Model(...)`.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from ..chains import is_own, last_name
from ..edits import EditConflict, Edits
from ..emit.aliases import Alias, find_alias, write_alias
from ..emit.bridges import (
    Bridge,
    Bridges,
    crosses_with,
    has_fields,
    mentioned,
    methods_of,
    other_methods,
)
from ..emit.origins import Origins
from ..emit.path_reads import changed_names, outside, reads_paths
from ..model.module import ModuleModel
from ..project import Module
from ..shapes import classes
from ..shapes.interpreter import Interpreter
from ..shapes.values import Class, External, Object
from ..signatures import written_arguments
from . import by_names, name_reads
from .model_functions import runs_methods_alone


@dataclass
class ProgramBridges:
    """How the programs of a project run one rewritten class: call by call, or all through one Linen name for it."""

    calls: dict[Module, list[Bridge]] = field(default_factory=dict)
    alias: Alias | None = None
    # where a name finds the class
    asked: list[tuple[Module, ast.expr]] = field(default_factory=list)

    def places(self) -> Iterator[tuple[Module, ast.AST, str | None]]:
        """Each place that is bridged, with the helper that it needs."""
        for module, here in self.calls.items():
            for bridge in here:
                yield module, bridge.call, bridge.helper
        if self.alias is not None:
            for module, node in [*self.alias.mentions, *self.alias.methods]:
                yield module, node, None
            yield self.alias.home, self.alias.cls.node, self.alias.helper
        for module, node in self.asked:
            yield module, node, None


class Mentions:
    """The classes that each file speaks of outside of module classes, whatever becomes of them.

    `module_nodes` are the module classes of the project: what they make is not the programs'.
    """

    def __init__(
        self, interp: Interpreter, module_nodes: Collection[ast.AST], origins: Origins
    ) -> None:
        self.interp = interp
        self.module_nodes = module_nodes
        self.origins = origins
        self._of: dict[Module, frozenset[ast.AST]] = {}

    def of(self, module: Module) -> frozenset[ast.AST]:
        """The nodes of the classes that a file speaks of."""
        if module not in self._of:
            resolve = functools.partial(
                self.interp.peek_name, env=self.interp.environment_of(module)
            )
            found = mentioned(module.source, module.tree, self.module_nodes, resolve)
            self._of[module] = frozenset(cls.node for _, cls in found)
        return self._of[module]


_BY_PLACE = ""  # no name of a field


def bridges(
    interp: Interpreter,
    modules: Collection[Module],
    model: ModuleModel,
    mentions: Mentions,
    edits_of: Callable[[Module], Edits],
    limit: int,
    rewritten: Collection[ast.AST] = (),
) -> ProgramBridges | None:
    """The bridges to a class in all code outside of module classes, None where some use cannot be bridged.

    Those of the module classes that are `rewritten` may be given to the class as they are.
    """
    module_nodes = mentions.module_nodes
    cls = model.cls
    if not isinstance(cls, Class) or any(_imports_inside(m, cls) for m in modules):
        return None
    found: dict[Module, Bridges] = {}
    lookups = by_names.lookups_of(interp, cls)
    asking = {by_names.home(interp, lookup) for lookup in lookups}
    for module in modules:
        if cls.node not in mentions.of(module) and module not in asking:
            continue
        here = Bridges(
            module.source,
            module.tree,
            functools.partial(interp.peek_name, env=interp.environment_of(module)),
            lambda node: None,
            edits_of(module),
            module_nodes,
            rewritten,
            limit,
            is_layer=lambda name: interp.rules.layer_class(name) is not None,
        )
        found[module] = here
    # What a name finds may be run in any file that hangs together with those that ask.
    around = _around(interp, modules, {*found, *asking}) if lookups else found
    if not found or any(_looks_inside(m, cls) for m in around):
        return None
    if any(reads_paths(m, model, rewritten, mentions.origins) for m in around):
        return None
    if any(_reads_names(interp, m, model, module_nodes) for m in around):
        return None
    methods = {
        name
        for m in modules
        for name in _asked_for(interp, m, cls, model, module_nodes, m in found)
    }
    if "bind" in methods or (methods and not crosses_with(cls, model, methods)):
        return None
    same = by_names.family(interp, cls)
    if any(_holds_modules(interp, m, same, rewritten) for m in around):
        return None
    fields = {name for m in around for name in _fields_read(interp, m, cls, same)}
    by_place = fields and any(_gives_by_place(here, cls) for here in found.values())
    if by_place or not has_fields(model, fields):
        return None
    calls = {module: here.find(cls, model) for module, here in found.items()}
    if all(calls.values()) and not methods and not lookups and not fields:
        return ProgramBridges({m: b for m, b in calls.items() if b})
    alias = find_alias(interp, found, cls, model, limit, methods, bool(fields))
    links = by_names.links(interp, cls, alias.name) if alias is not None else None
    if alias is None or links is None:
        return None
    alias.handed += [link for link in links if link not in alias.handed]
    places = [(by_names.home(interp, lookup), lookup.node) for lookup in lookups]
    return ProgramBridges(alias=alias, asked=places)


def _around(
    interp: Interpreter, modules: Collection[Module], start: Collection[Module]
) -> list[Module]:
    """The files of a program that hang together with some by imports."""
    near = {m for one in start for m in interp.project.neighbourhood(one)}
    return [module for module in modules if module in near]


def write(
    found: ProgramBridges,
    edits_of: Callable[[Module], Edits],
    want: Callable[[Module, str], None],
    defined: bool,
) -> bool:
    """Records the bridges; False, and nothing recorded, where other edits are in the way.

    `defined` says that the class has its Linen name.
    """
    touched = {module for module, _, _ in found.places()}
    if found.alias is not None:
        touched |= {link.module for link in found.alias.handed}
    trials = {module: edits_of(module).fork() for module in touched}
    try:
        for module, here in found.calls.items():
            for bridge in here:
                trials[module].replace(bridge.call, bridge.text)
        if found.alias is not None:
            write_alias(found.alias, trials.__getitem__, want, defined)
    except EditConflict:
        return False
    for module, trial in trials.items():
        edits_of(module).adopt(trial)
    return True


def _holds_modules(
    interp: Interpreter,
    module: Module,
    same: Collection[Class],
    rewritten: Collection[ast.AST],
) -> bool:
    """Whether a program gives a class modules, or its modules to others that are rewritten or want more than to call them.

    A bridge is no module of NNX. The classes of `same` may be there in its place.
    """
    for node in ast.walk(module.tree):
        made = interp.facts.value(node) if isinstance(node, ast.Call) else None
        if not isinstance(node, ast.Call) or node in interp.facts.functions:
            continue
        if not isinstance(made, Object) or not _is_module(made):
            continue
        fields = [field.name for field in classes.fields(made.cls)]
        names = {item: name for name, item in written_arguments(fields, node).items()}
        for item in [*node.args, *[k.value for k in node.keywords]]:
            given = interp.facts.value(item)
            if not isinstance(given, Object) or not _is_module(given):
                continue
            stays = made.cls.node not in rewritten
            takes = stays and item in names and _only_calls(made.cls, names[item])
            if made.cls in same or (given.cls in same and not takes):
                return True
    return False


def _only_calls(cls: Class, field: str) -> bool:
    """Whether a class asks nothing else of what a field holds than to be there, and to be called."""
    parents = cls.module.source.parents
    for node in (node for each in classes.mro(cls) for node in ast.walk(each.node)):
        if is_own(node) and node.attr == field:
            above = parents.get(node)
            called = isinstance(above, ast.Call) and above.func is node
            if not called and not isinstance(above, ast.Compare | ast.If | ast.IfExp):
                return False
    return True


def _fields_read(
    interp: Interpreter, module: Module, cls: Class, same: Collection[Class]
) -> Iterator[str]:
    """The fields of models that a program reads; `_BY_PLACE` where one may be given by its place."""
    fields = {field.name for field in classes.fields(cls)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in fields:
            owner = interp.facts.value(node.value)
            if isinstance(owner, Object) and owner.cls in same and not _is_self(node.value):
                yield _BY_PLACE if owner.site is None or owner.site.args else node.attr


def _gives_by_place(here: Bridges, cls: Class) -> bool:
    """Whether code gives arguments of a class, or of a partial of it, by their places."""
    for node in here.mentions(cls):
        call = here.source.parents.get(node)
        if isinstance(call, ast.Call) and any(each is not node for each in call.args):
            return True
    return False


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _is_module(value: object) -> bool:
    return isinstance(value, Object) and classes.framework(value.cls) is not None


def _imports_inside(module: Module, cls: Class) -> bool:
    """Whether a function imports a class of this name: what it does there is not followed."""
    return cls.name in _imported_in_functions(module.tree)


@functools.lru_cache(maxsize=4096)
def _imported_in_functions(tree: ast.Module) -> frozenset[str]:
    return frozenset(
        node.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.alias)
    )


def _asked_for(
    interp: Interpreter,
    module: Module,
    cls: Class,
    model: ModuleModel,
    module_nodes: Collection[ast.AST],
    mentioned: bool,
) -> Iterator[str]:
    """The methods of the class besides the one that a call runs that a program runs, `bind` among them."""
    if model.framework == "haiku" and not model.added:
        return  # its bridge has all methods
    own = {method.name for method in methods_of(cls)}
    if not own and not mentioned:
        return
    for node in outside(module, module_nodes):
        match node:
            case ast.Attribute(value=owner, attr=attr) if attr in own or (
                mentioned and attr == "bind"
            ):
                if mentioned or not _is_library(interp, module, owner):
                    yield attr
            case ast.keyword(arg="method", value=ast.Constant(value=str(name))) if name in own:
                yield name


def _is_library(interp: Interpreter, module: Module, owner: ast.expr) -> bool:
    """Whether `nn.pooling.pool` is read off a library, which is no model."""
    found = interp.peek_name(owner, interp.environment_of(module))
    return isinstance(found, External)


def _reads_names(
    interp: Interpreter, module: Module, model: ModuleModel, module_nodes: Collection[ast.AST]
) -> bool:
    """Whether a program goes through the names of variables, and may go by those that a bridge changes."""
    nodes = list(outside(module, module_nodes))
    reads = list(name_reads.find(interp, module, nodes))
    if any(not read.by_path and not read.shown for read in reads):
        return True
    texts = {
        node.value
        for node in (nodes if any(read.by_path for read in reads) else ())
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) > 2
    }
    return any(text in name for text in texts for name in changed_names(model))


def _is_apply(call: ast.Call) -> bool:
    """Whether a call may be `nn.apply(function, model)`."""
    return last_name(call.func) == "apply" and len(call.args) == 2


def _looks_inside(module: Module, cls: Class) -> bool:
    """Whether a program gives `apply` a function of its own, `method=features`, that asks more of the module than to
    run its methods."""
    nodes = list(ast.walk(module.tree))
    own = {n.name: n for n in nodes if isinstance(n, ast.FunctionDef)}
    asked = [n.value for n in nodes if isinstance(n, ast.keyword) and n.arg == "method"]
    asked += [n.args[0] for n in nodes if isinstance(n, ast.Call) and _is_apply(n)]
    handed: list[ast.FunctionDef | ast.Lambda] = [n for n in asked if isinstance(n, ast.Lambda)]
    handed += [own[n.id] for n in asked if isinstance(n, ast.Name) and n.id in own]
    methods = other_methods(cls)
    return not all(runs_methods_alone(function, module, methods) for function in handed)
