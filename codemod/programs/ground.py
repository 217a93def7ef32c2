"""What the rewriting of one module's programs stands on: its nodes, its edits, and the state that all rooms share."""

from __future__ import annotations

import ast
import collections
from collections.abc import Collection, Iterator, Mapping

from ..edits import Edits
from ..emit.file_names import FileNames
from ..model.module import ModuleModel
from ..project import Module
from ..rule import Declined
from ..shapes import classes
from ..shapes.values import Class
from .construction import Construction
from .explore import Explorer
from .kinds import (
    GradOf,
    Net,
)
from .modes import Demand, Making
from .roles import Roles

FunctionNode = ast.FunctionDef | ast.Lambda


class Stay(Declined):
    """A program that cannot become stateful with certainty."""

    def __init__(self, node: ast.AST, message: str, help: str) -> None:
        super().__init__(message, help)
        self.node = node


class ProgramGround:
    """The nodes of a module outside of its module classes, and what is decided about them."""

    def __init__(
        self,
        explorer: Explorer,
        module: Module,
        edits: Edits,
        names: FileNames,
        models: Mapping[ast.AST, ModuleModel],
        limit: int,
        among: Collection[ast.stmt] | None = None,
    ) -> None:
        """`among` are the top-level statements of one program, where not all are to be rewritten."""
        self.explorer = explorer
        self.interp = explorer.interp
        self.facts = explorer.interp.facts
        self.module = module
        self.source = module.source
        self.parents = module.source.parents
        self.edits = edits
        self.names = names
        self.models = models
        self.limit = limit
        self.roles = Roles(explorer, self.parents)
        self.construction = Construction(self.interp, names, models, limit)
        self.gone: set[ast.AST] = set()
        self.nets: list[Net] = []
        self.demands: list[Demand] = []
        self.makings: list[Making] = []
        self.made_before: set[Net] = set()  # their `init` stands within a statement that does more
        self.splits: list[tuple[ast.FunctionDef, str]] = []
        self.split: dict[ast.AST, Net] = {}  # functions whose model is split for its gradients
        self.net_names: dict[Net, str] = {}
        self.constructed: set[tuple[ast.AST, str]] = set()
        self.optimizer_names: dict[Net, str] = {}
        self.cloned: set[ast.Call] = set()
        self.stream_keys: dict[Net, str] = {}
        self.dead_keys: set[tuple[ast.AST, str]] = set()
        self.tree_updates: set[ast.AST] = set()
        self.splitting: set[ast.AST] = set()  # functions that split their model
        self.dead_flags: set[tuple[ast.AST, str]] = set()
        roots = (module.tree,) if among is None else among
        self.nodes = [node for root in roots for node in self._walk(root)]
        self.inside = set(self.nodes)

    def _walk(self, root: ast.AST) -> Iterator[ast.AST]:
        """What `ast.walk` yields, but for module classes and functions that make rewritten ones."""
        pending = collections.deque([root])
        while pending:
            node = pending.popleft()
            if node in self.models:
                continue
            if isinstance(node, ast.ClassDef) and self._is_module_class(node):
                continue
            pending.extend(ast.iter_child_nodes(node))
            yield node

    def _is_module_class(self, node: ast.ClassDef) -> bool:
        value = self.interp.environment_of(self.module).names.get(node.name)
        return (
            isinstance(value, Class) and value.node is node and classes.framework(value) is not None
        )

    def _enclosing(self, node: ast.AST) -> ast.AST:
        current = self.parents[node]
        while not isinstance(current, ast.FunctionDef | ast.Lambda | ast.Module):
            current = self.parents[current]
        return current

    def _same_function(self, one: ast.AST, two: ast.AST) -> bool:
        return self._enclosing(one) is self._enclosing(two)

    def _statement_of(self, node: ast.AST) -> ast.stmt:
        current = node
        while not isinstance(current, ast.stmt):
            current = self.parents[current]
        return current

    def _is_parameter(self, name: ast.Name) -> bool:
        function = self._enclosing(name)
        return isinstance(function, FunctionNode) and name.id in {
            a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)
        }

    def _is_wrapping(self, call: ast.Call) -> bool:
        return isinstance(self.facts.value(call), GradOf)

    def _plain(self, node: ast.expr) -> str:
        return self.names.text(node)

    def _delete(self, node: ast.stmt) -> None:
        self.edits.delete_statement(node)
        self._forget(node)

    def _forget(self, node: ast.AST) -> None:
        self.gone.add(node)

    def _is_gone(self, node: ast.AST) -> bool:
        current: ast.AST | None = node
        while current is not None and not isinstance(current, ast.Module):
            if current in self.gone:
                return True
            current = self.parents.get(current)
        return False

    def _function_of(self, node: ast.arg) -> ast.AST:
        return self.parents[self.parents[node]]
