"""What is known of a class whose methods are edited, and the edits so far."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ..edits import Edits
from ..model.built import BuiltList
from ..model.filled import Filled
from ..model.module import ModuleModel
from ..model.sites import Site
from ..shapes.facts import Facts
from ..shapes.interpreter import Interpreter
from ..shapes.lifts import Lifted
from .construct import CallMode
from .flags import Flags
from .scans import ScanWriter


@dataclass(frozen=True)
class LiftedCall:
    """A call of a scanned or mapped module: `local` is what its module is called there, `attribute` where it is."""

    site: Site
    call: ast.Call
    lift: Lifted
    local: str
    attribute: str


@dataclass
class MethodContext:
    """The edits of one class's methods, and what they go by."""

    interp: Interpreter
    edits: Edits
    facts: Facts
    sites: Sequence[Site]
    flags: Flags
    models: Mapping[ast.AST, ModuleModel]
    moved: set[ast.stmt]
    parents: Mapping[ast.AST, ast.AST]
    variable_text: Callable[[Site], str]
    known: Callable[[ast.expr], bool | None]
    limit: int = 100
    built: Sequence[BuiltList] = ()
    inherited: Callable[[ast.Call], tuple[list[str], dict[str, str]] | None] = lambda call: None
    at_call: Mapping[ast.Call, Sequence[CallMode]] = field(default_factory=dict)
    fills: Sequence[Filled] = ()
    late: Mapping[ast.Call, str] = field(default_factory=dict)
    rename: Callable[[ast.AST], None] = lambda node: None  # what rules rename, in code that moves
    gone: set[ast.AST] = field(default_factory=set)
    helpers: set[str] = field(default_factory=set)  # that calls were given to
    unset: Collection[str] = ()  # attributes that the constructor may set to None
    lifted: list[LiftedCall] = field(default_factory=list)  # to be written behind all other edits
    flat: dict[ast.For, tuple[Site, str]] = field(default_factory=dict)  # loops to be made one

    def scans(self) -> ScanWriter:
        return ScanWriter(self.edits, self.limit)

    def function_of(self, node: ast.AST) -> ast.AST:
        while not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            node = self.parents[node]
        return node

    def start(self, node: ast.AST) -> int:
        return self.edits.source.span(node)[0]

    def end(self, node: ast.AST) -> int:
        return self.edits.source.span(node)[1]

    def is_gone(self, node: ast.AST) -> bool:
        current: ast.AST | None = node
        while current is not None and not isinstance(current, ast.Module):
            if current in self.gone or current in self.flags.dropped_loads:
                return True
            current = self.parents.get(current)
        return False
