"""A rewritten module class as the code around it sees it."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from ..shapes.values import Class, Function
from .paths import Counted


@dataclass(frozen=True)
class AddedParameter:
    """A constructor parameter for a size that the original inferred.

    `source` computes it from the original's call: a Python expression over the argument names of `method` (and, as
    `self.<field>`, the constructor's fields), such as `x.shape[-1]`. It is right where the parameters of `fields` have
    their defaults, or else the source's `index` over `self` is the same: its value first, its text second.

    A size that only runs of the original showed has `rows`: what it was, by the values of the expressions `keys`.
    """

    name: str
    source: str
    method: str = "__call__"
    keyword_only: bool = False
    optional: bool = False
    annotation: str = "int"
    fields: tuple[str, ...] = ()
    index: tuple[int, str] | None = None
    layer: ast.Call | None = field(default=None, compare=False)  # has it for its input's last axis
    rows: tuple[tuple[tuple[Any, ...], int], ...] = ()
    keys: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """`source` for any call of the original: one that leaves an optional argument out does not name it."""
        root = self.source.split(".")[0].split("[")[0]
        if not self.optional or not root.isidentifier():
            return self.source
        return f"None if vars().get({root!r}) is None else {self.source}"


@dataclass(frozen=True)
class VariablePath:
    """Where one variable of the original is in the rewritten module.

    `source` is the path in the original's tree (`("Dense_0", "kernel")`), `target` the attribute path; `paths` says what
    stands in braces. `first` is the first part of the source if the original counts it out.
    """

    collection: str
    source: tuple[str, ...]
    target: tuple[str, ...]
    layout: str = ""
    first: Counted | None = None


@dataclass
class ModuleModel:
    """One module class, or Haiku function, and what its rewrite looks like from outside.

    `modes` gives, per method, the flags that went from its parameters, each with the mode that a true value stands for
    ("train" or "eval") and, in `mode_defaults`, its default. `holds` are the kinds of state besides Params:
    "BatchStat", "RngState", and the names of emitted Variable classes. `streams` are the names of random streams that
    it draws from when called. `collections` maps a Linen collection to the Variable class that took its place.
    """

    cls: Class | Function
    framework: str
    name: str
    new_name: str
    rewritten: bool = False
    refines: str = ""  # the layer of the library that the class is a subclass of
    function_name: str = ""  # of the Haiku function that the class was made from
    added: list[AddedParameter] = field(default_factory=list)
    modes: dict[str, dict[str, str]] = field(default_factory=dict)
    mode_defaults: dict[str, dict[str, bool | None]] = field(default_factory=dict)
    field_modes: dict[str, str] = field(default_factory=dict)
    moded: bool = False  # its bridges set the mode by the flags of a call, though these went
    holds: set[str] = field(default_factory=set)
    streams: set[str] = field(default_factory=set)
    collections: dict[str, str] = field(default_factory=dict)
    takes_rngs: bool = True
    # what a person has to know of the rewrite: where, what, and what to do
    notes: list[tuple[ast.AST, str, str]] = field(default_factory=list)
    sows: bool = False
    transforms: bool = False  # its calls run it, or a part of it, under transforms such as nnx.scan
    quiet: set[str] = field(default_factory=set)  # methods of one that sows whose calls sow nothing
    sown_unread: bool = False  # nothing in the project asks for what is sown
    names_axes: bool = False  # its parameters are boxes in Linen
    makes_in_calls: bool = False  # a call makes variables of it, where it is asked to
    writes_at_init: bool = False  # a run by Linen's `init` changes its own state
    # of the new constructor, positional ones in order
    parameters: list[str] = field(default_factory=list)
    variables: list[VariablePath] = field(default_factory=list)
    # how many names of each kind the original counts out, as expressions
    totals: dict[str, str | None] = field(default_factory=dict)
    # source name of a submodule -> its model
    children: dict[str, ModuleModel] = field(default_factory=dict)
    # source name of a submodule or variable -> attribute text
    attributes: dict[str, str] = field(default_factory=dict)

    # the original's parameters that the constructor still has, each with whether it is keyword-only
    constructor: list[tuple[str, bool]] = field(default_factory=list)
    constructs: bool = False  # there is a constructor to call, its own or an inherited one
    # attributes that the constructor sets to parameters
    stored: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)  # all attributes that the constructor sets
    # lines and columns of code whose sizes a run of the original told
    traced: list[tuple[int, int]] = field(default_factory=list)
    site_nodes: set[ast.AST] = field(default_factory=set)  # of its own text and of its bases'

    @property
    def node(self) -> ast.AST:
        return self.cls.node
