"""Where the mappings that code reads by name come from: from a file, as a checkpoint does, or from a model here."""

from __future__ import annotations

import ast
import functools
from collections.abc import Collection, Iterable, Iterator

from ..ancestry import Parents, class_around, functions_around, lineage
from ..chains import last_name, root_name
from ..project import Module, Project

_OF_MODELS = frozenset("init init_with_output lazy_init apply bind".split())  # methods
_HOLD = frozenset("params variables batch_stats".split())  # attributes of what a program trains
_PUT = frozenset("update setdefault append extend insert".split())  # methods of dicts and lists
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Origins:
    """Answers for one project; what was asked once is known."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._modules = [m for m in list(project.modules.values()) if m.rewritable]
        self._calls: dict[str, list[tuple[Module, ast.AST]]] | None = None
        self._of: dict[tuple[ast.AST, str], bool] = {}

    def from_elsewhere(self, module: Module, node: ast.AST) -> bool:
        """Whether nothing that an expression goes by comes from a model of the project, as far as its code shows.

        So it is with functions that read checkpoints, or convert those of another library: what they are given by
        code that cannot be seen is taken for the content of a file.
        """
        function = _function_around(module, node)
        return function is not None and self._is_foreign(module, function, node)

    def _is_foreign(self, module: Module, function: ast.FunctionDef, node: ast.AST) -> bool:
        return not self._shows_a_model(node) and all(
            self._is_foreign_name(module, function, name, node) for name in _names(node)
        )

    def _shows_a_model(self, node: ast.AST) -> bool:
        """Whether an expression holds what a program trains, or what a model gives."""
        return any(
            (isinstance(each, ast.Attribute) and each.attr in _HOLD)
            or (isinstance(each, ast.Call) and self._runs_a_model(each))
            for each in _parts(node)
        )

    def _runs_a_model(self, call: ast.Call) -> bool:
        """Whether a call initialises a model or runs it, itself or in a function of this name in the project."""
        name = last_name(call.func)
        if name in _OF_MODELS:
            return True
        functions = (node for _, node in self._uses(name) if isinstance(node, _FUNCTIONS))
        return any(
            isinstance(each, ast.Call) and last_name(each.func) in _OF_MODELS
            for function in functions
            for each in ast.walk(function)
        )

    def _is_foreign_name(
        self, module: Module, function: ast.FunctionDef, name: str, user: ast.AST
    ) -> bool:
        arguments = [a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)]
        values = list(_values(module, function, name, user))
        if name in arguments:
            if not self._is_foreign_argument(function, name):
                return False
        elif not values:
            outer = _function_around(module, function)
            if outer is not None:
                return self._is_foreign_name(module, outer, name, user)
            return self._is_foreign_global(module, name)
        return all(value is user or self._once(module, function, name, value) for value in values)

    def _is_foreign_global(self, module: Module, name: str) -> bool:
        """Whether a name is what a file imports, defines or reads from elsewhere, or Python's own."""
        key = (module.tree, name)
        if key not in self._of:
            self._of[key] = True
            self._of[key] = all(
                not self._shows_a_model(value)
                and all(self._is_foreign_global(module, each) for each in _names(value))
                for value in _set_globally(module, name)
            )
        return self._of[key]

    def _once(self, module: Module, function: ast.FunctionDef, name: str, value: ast.AST) -> bool:
        key = (value, name)
        if key not in self._of:
            self._of[key] = True  # what goes around in circles comes from nowhere else
            self._of[key] = self._is_foreign(module, function, value)
        return self._of[key]

    def _is_foreign_argument(self, function: ast.FunctionDef, name: str) -> bool:
        """Whether all that calls of a function give for a parameter is, where there are any."""
        key = (function, name)
        if name == "self":
            return False
        if key in self._of:
            return self._of[key]
        self._of[key] = True
        self._of[key] = self._all_give_foreign(function.name, function, name)
        return self._of[key]

    def _all_give_foreign(self, known_as: str, function: ast.FunctionDef, name: str) -> bool:
        return all(
            self._gives_foreign(module, node, function, name)
            for module, node in self._uses(known_as)
            if not isinstance(node, _FUNCTIONS)
            and (known_as != function.name or self._may_be(module, node, function))
        )

    def _gives_foreign(
        self, module: Module, node: ast.AST, function: ast.FunctionDef, name: str
    ) -> bool:
        """Whether a use of a function calls it, and with what is foreign, for a parameter."""
        call = module.source.parents.get(node)
        if isinstance(call, ast.Assign) and isinstance(call.targets[0], ast.Name):
            other = call.targets[0].id
            return other == function.name or self._all_give_foreign(other, function, name)
        if isinstance(call, ast.Call) and node in call.args:  # `jax.jit(f)(params)`
            node, call = call, module.source.parents.get(call)
        if not isinstance(call, ast.Call) or call.func is not node:
            return False
        caller = _function_around(module, call)
        given = list(_given(function, call, name))
        return not given or (
            caller is not None and all(self._is_foreign(module, caller, each) for each in given)
        )

    def _may_be(self, module: Module, node: ast.AST, function: ast.FunctionDef) -> bool:
        """Whether what a file reads by a function's name may be that function, and not a namesake.

        Files that are found by name when the program runs are not followed.
        """
        if class_around(function, self._home(function).source.parents) is not None:
            return isinstance(node, ast.Attribute)
        start = root_name(node)
        found = self._home(function)
        if start is None or (isinstance(node, ast.Name) and node.id in _defined(module)):
            return module is found and start is not None
        imported = _imported_as(module, start)
        if imported is None:
            return isinstance(node, ast.Name) and module is found
        dotted, level = imported
        where = self._project.find(dotted, module.path, level)
        if where is None and isinstance(node, ast.Name):
            where = self._project.find(dotted.rpartition(".")[0], module.path, level)
        return where is not None and (where is found or _hands_on(where, function.name))

    def _home(self, function: ast.FunctionDef) -> Module:
        return next(m for m in self._modules if function in m.source.parents)

    def _uses(self, name: str | None) -> Collection[tuple[Module, ast.AST]]:
        """Where a name is a function's or is read, alone or behind a module."""
        if self._calls is None:
            self._calls = {}
            for module in self._modules:
                for node in ast.walk(module.tree):
                    known = _known_as(node)
                    if known:
                        self._calls.setdefault(known, []).append((module, node))
        return self._calls.get(name or "", ())


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """An expression and what it is made of: neither texts that name things, nor the keys that items are found by."""
    if isinstance(node, ast.JoinedStr | ast.Compare):
        return
    yield node
    for part in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.Subscript) and part is node.slice):
            yield from _parts(part)


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in _parts(node) if isinstance(each, ast.Name)}


def _known_as(node: ast.AST) -> str | None:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name
        case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name, ctx=ast.Load()):
            return name
    return None


def _function_around(module: Module, node: ast.AST) -> ast.FunctionDef | None:
    """The function of a file that a node is in, with what is in it: the innermost, None at the level of the file."""
    return next(functions_around(node, module.source.parents), None)


def _set_in(module: Module, scope: ast.AST, name: str) -> Iterator[ast.AST]:
    """What a name is set to below a node, what it is an item of, in a loop, and what is put into it."""
    for node in ast.walk(scope):
        if isinstance(node, ast.Name) and node.id == name:
            parents = module.source.parents
            if not isinstance(node.ctx, ast.Load):
                yield from _value_of(lineage(node, parents))
                continue
            match _chain_above(node, parents):
                case ast.Subscript(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()) as part, _:
                    yield from _value_of(lineage(part, parents))
                case ast.Attribute(attr=attr), ast.Call() as call if attr in _PUT:
                    yield from [*call.args, *[k.value for k in call.keywords]]


def _value_of(around: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """What a statement or a loop gives to what it sets."""
    for above in around:
        match above:
            case (
                ast.Assign(value=ast.expr() as value)
                | ast.AugAssign(value=ast.expr() as value)
                | ast.AnnAssign(value=ast.expr() as value)
                | ast.NamedExpr(value=ast.expr() as value)
                | ast.For(iter=ast.expr() as value)
                | ast.comprehension(iter=ast.expr() as value)
                | ast.withitem(context_expr=ast.expr() as value)
            ):
                yield value
                return


def _chain_above(node: ast.expr, parents: Parents) -> tuple[ast.expr, ast.AST | None]:
    """A name with all subscripts and attributes behind it, and what that is a part of."""
    above = parents.get(node)
    while isinstance(above, ast.Subscript | ast.Attribute) and above.value is node:
        node, above = above, parents.get(above)
    return node, above


def _values(
    module: Module, function: ast.FunctionDef, name: str, user: ast.AST
) -> Iterator[ast.AST]:
    """What a name may be in a function where it is used: what it is set to above, or later in the same loop."""
    loops = [a for a in lineage(user, module.source.parents) if isinstance(a, ast.For | ast.While)]
    here = getattr(user, "lineno", 0)
    for value in _set_in(module, function, name):
        around = list(lineage(value, module.source.parents))
        if getattr(value, "lineno", 0) <= here or any(loop in around for loop in loops):
            yield value


def _defined(module: Module) -> set[str]:
    """The names of the functions of a file."""
    return {s.name for s in module.tree.body if isinstance(s, ast.FunctionDef)}


def _hands_on(module: Module, name: str) -> bool:
    """Whether a file has a name from elsewhere: by an import, or `load = other.load`."""
    return _imported_as(module, name) is not None or any(_set_globally(module, name))


def _imported_as(module: Module, name: str) -> tuple[str, int] | None:
    """The dotted name and the level by which a file imports what it calls by a name."""
    return _imports(module.tree).get(name)


@functools.lru_cache(maxsize=4096)
def _imports(tree: ast.Module) -> dict[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    found.setdefault(alias.asname or alias.name.split(".")[0], (alias.name, 0))
            case ast.ImportFrom(module=start, names=names, level=level):
                for alias in names:
                    dotted = ".".join(filter(None, [start, alias.name]))
                    found.setdefault(alias.asname or alias.name, (dotted, level))
    return found


def _set_globally(module: Module, name: str) -> Iterator[ast.AST]:
    """What a name of a file is set to outside of functions and classes."""
    for statement in module.tree.body:
        if not isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
            yield from _set_in(module, statement, name)


def _given(function: ast.FunctionDef, call: ast.Call, name: str) -> Iterator[ast.expr]:
    """What a call gives for a parameter: all that may be it where that cannot be told."""
    yield from (k.value for k in call.keywords if k.arg in (name, None))
    order = [a.arg for a in [*function.args.posonlyargs, *function.args.args] if a.arg != "self"]
    for place, item in enumerate(call.args):
        if isinstance(item, ast.Starred):
            yield item.value
        elif name not in order or order.index(name) == place:
            yield item
