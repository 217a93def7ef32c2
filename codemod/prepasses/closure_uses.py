"""What a project does with functions that hand back functions, and where a module can take the place of what they do."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..ancestry import argument_around, lineage
from ..project import Module, Project
from .closure import Closure, functions_at
from .maker_lookup import TRANSFORMS, Lookup

_TURNS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.GeneratorExp, ast.DictComp)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True)
class Use:
    """A place that names a closure."""

    target: ast.AST
    module: Module
    node: ast.Name | ast.Attribute
    call: ast.Call | None
    once: bool  # what it makes is called once, where it is made
    root: bool  # it is what a transform is given
    repeated: bool
    scope: ast.stmt  # at the top of the file


class Uses:
    """Finds the uses of closures, and tells of each whether a module does the same."""

    def __init__(self, lookup: Lookup, found: Mapping[ast.AST | None, Closure]) -> None:
        self.lookup = lookup
        self.found = found

    def of(self, modules: Sequence[Module]) -> Iterator[Use]:
        names = {closure.node.name for closure in self.found.values()}
        for module in modules:
            for node in ast.walk(module.tree):
                match node:
                    case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name):
                        target = self.lookup.target(node, module) if name in names else None
                        if target is not None and target in self.found:
                            yield self._use(node, module, target)

    def _use(self, node: ast.Name | ast.Attribute, module: Module, target: ast.AST) -> Use:
        above = module.source.parents[node]
        call = above if isinstance(above, ast.Call) and above.func is node else None
        around = list(lineage(node, module.source.parents))
        scope = around[-2] if len(around) > 1 else node
        assert isinstance(scope, ast.stmt)
        # Another file may import the function by its name: that stays.
        known = module is self.found[target].module or isinstance(node, ast.Attribute)
        inside = target in around
        value = call if call is not None else node
        once = self.called_once(value, module) if call else self._chosen(node, module)
        return Use(
            target,
            module,
            node,
            call,
            once=once and known and not inside,
            root=self._given_to_transform(value, module),
            repeated=any(isinstance(each, _TURNS) for each in around),
            scope=scope,
        )

    def called_once(self, value: ast.expr, module: Module) -> bool:
        """Whether what an expression makes is called once, whenever the expression is run, and nothing else."""
        given, above = argument_around(value, module.source.parents)
        if isinstance(above, ast.Call) and given is not above.func:
            if self.lookup.calls_once(above.func, module):
                return self.called_once(above, module)
        if given is not value:
            return False
        qualified = self.lookup.names[module].qualified
        match above:
            case ast.Call(func=func) if func is value:
                return True
            case ast.Call(func=func, args=[given, *_]) if given is value:
                return qualified(func) == "haiku.BatchApply" and self.called_once(above, module)
            case ast.List():
                outer = module.source.parents[above]
                return (
                    isinstance(outer, ast.Call)
                    and outer.args[:1] == [above]
                    and qualified(outer.func) == "haiku.Sequential"
                    and self.called_once(outer, module)
                )
            case ast.Assign(targets=[ast.Name(id=name)]):
                return self._local_once(above, name, module)
        return False

    def _local_once(self, statement: ast.Assign, name: str, module: Module) -> bool:
        function = next(functions_at(statement, module), None)
        if function is None:
            return False
        named = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == name]
        reads = [n for n in named if isinstance(n.ctx, ast.Load)]
        if len(reads) != 1 or len(named) != 2:
            return False
        (read,) = reads
        return self._runs_with(read, statement, function, module) and self.called_once(read, module)

    @staticmethod
    def _runs_with(
        read: ast.AST, statement: ast.AST, function: ast.FunctionDef, module: Module
    ) -> bool:
        """Whether a read runs at most once for each run of a statement before it, in the same function."""
        around = set(lineage(statement, module.source.parents))
        for above in lineage(read, module.source.parents):
            if above is function:
                return True
            if isinstance(above, (*_TURNS, *_SCOPES)) and above not in around:
                return False
        return False

    def _chosen(self, node: ast.expr, module: Module) -> bool:
        """Whether a function is only given a name, or one of several is, that is only called to be called once."""
        above: ast.AST = node
        parents = module.source.parents
        while isinstance(parents[above], ast.IfExp) and above is not _test_of(parents[above]):
            above = parents[above]
        match parents[above]:
            case ast.Assign(targets=[ast.Name(id=name)]) as statement:
                function = next(functions_at(statement, module), None)
                if function is None:
                    return False
                named = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == name]
                reads = [n for n in named if isinstance(n.ctx, ast.Load)]
                return len(named) == len(reads) + 1 and all(
                    isinstance(call := parents[read], ast.Call)
                    and call.func is read
                    and self.called_once(call, module)
                    for read in reads
                )
        return False

    def _given_to_transform(self, value: ast.expr, module: Module) -> bool:
        """Whether a transform is given a value, and nothing else is."""
        above = module.source.parents[value]
        match above:
            case ast.Call(func=func, args=[given, *_]) if given is value:
                return self.lookup.names[module].qualified(func) in TRANSFORMS
            case ast.Assign(targets=[ast.Name(id=name)]):
                function = next(functions_at(above, module), None)
                tree = function if function is not None else module.tree
                reads = [
                    n
                    for n in ast.walk(tree)
                    if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)
                ]
                return all(self._given_to_transform(read, module) for read in reads)
        return False


_OF_NAMES = ("filter", "map", "partition", "partition_n", "traverse")
_PARAMETERS = frozenset(("w", "b"))  # what Haiku's own layers call theirs


def goes_by_names(closure: Closure, lookup: Lookup, project: Project) -> bool:
    """Whether code may go by the names of the variables that a function makes where it stays."""
    users = {use.module for use in closure.uses if not use.once}
    if any(_speaks_of_variables(module) for module in users):
        return True
    around = project.neighbourhood(closure.module)
    return any(m in lookup.names and _takes_apart(lookup, m) for m in around)


def _speaks_of_variables(module: Module) -> bool:
    """Whether a file has names of variables, or goes by the paths of what is in a tree."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Constant(value=str(text)) if text in _PARAMETERS:
                above = module.source.parents[node]
                if not isinstance(above, ast.Call | ast.keyword):
                    return True
            case ast.Attribute(attr=name) | ast.Name(id=name) if name.endswith("with_path"):
                return True
    return False


def _takes_apart(lookup: Lookup, module: Module) -> bool:
    """Whether a file takes trees apart by the names of Haiku's modules."""
    return any(
        isinstance(node, ast.Call)
        and lookup.names[module].qualified(node.func)
        in {f"haiku.data_structures.{name}" for name in _OF_NAMES}
        for node in ast.walk(module.tree)
    )


def _test_of(node: ast.AST) -> ast.AST | None:
    return node.test if isinstance(node, ast.IfExp) else None
