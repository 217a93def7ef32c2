"""The parameters of a new constructor: the sizes it needs, and those of the source's fields or `__init__`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..model.module import AddedParameter
from ..shapes import classes
from ..shapes.values import Class
from ..source import Source
from . import constructors, layout
from .transport import CannotMove


@dataclass(frozen=True)
class Parameter:
    """The text of a parameter, and of the comments beside it."""

    text: str
    comment: str = ""
    keyword_only: bool = False


@dataclass(frozen=True)
class Signature:
    """Writes the head of one class's `__init__`.

    `hidden` are fields that go; `constructs` says that its base has a constructor; `rewrite` gives an expression of the
    class's file with its names rewritten.
    """

    cls: Class
    framework: str
    source: Source
    hidden: frozenset[str]
    constructs: bool
    rewrite: Callable[[ast.expr], str]
    rngs: str  # the annotation of `rngs`
    limit: int

    def parameters(self, added: Sequence[AddedParameter], uses_rngs: bool) -> list[Parameter]:
        """`self`, the sizes, what the source takes, and `rngs`, each where callers expect it."""
        taken = self._haiku_parameters() if self.framework == "haiku" else self._fields()
        found = [Parameter("self")]
        found += [Parameter(f"{a.name}: {a.annotation}") for a in added if not a.keyword_only]
        found += [parameter for parameter in taken if not parameter.keyword_only]
        tail = [parameter for parameter in taken if parameter.keyword_only]
        tail += [Parameter(f"{a.name}: int | None = None") for a in added if a.keyword_only]
        if uses_rngs:
            tail.append(Parameter(f"rngs: {self.rngs}"))
        own = self._own()
        if tail and (own is None or own.args.vararg is None):
            tail.insert(0, Parameter("*"))
        return found + tail

    def text(self, parameters: Sequence[Parameter], indent: str) -> str:
        """`def __init__(self, ...):` in the layout of the file."""
        own = self._own()
        returns = own.returns if own is not None else None
        return indent + layout.signature(
            "__init__",
            [p.text for p in parameters],
            self.source.segment(returns) if returns is not None else None,
            indent=indent,
            unit=self.source.hanging_indent,
            limit=self.limit,
            comments=[p.comment for p in parameters],
        )

    def _own(self) -> ast.FunctionDef | None:
        functions = (n for n in self.cls.node.body if isinstance(n, ast.FunctionDef))
        return next((f for f in functions if f.name == "__init__"), None)

    def _fields(self) -> list[Parameter]:
        found = []
        for declared in classes.fields(self.cls):
            if declared.name in self.hidden:
                continue
            blank = classes.is_blank(declared.annotation)
            text = declared.name
            if not blank:
                text += f": {self._rewritten(declared.annotation, declared.owner)}"
            if declared.has_default:
                text += ("=" if blank else " = ") + self._default(declared)
            statement = declared.statement
            own = declared.owner is self.cls
            comment = self._comment(statement, statement) if own else ""
            found.append(Parameter(text, comment, declared.keyword_only))
        return found

    def _default(self, declared: classes.Field) -> str:
        default = declared.plain_default
        if default is None:
            raise CannotMove(
                declared.default or declared.statement,
                f"field `{declared.name}` has a default factory",
                "give the field a plain default",
            )
        if default is not declared.default and isinstance(default, ast.List | ast.Tuple):
            # As a parameter's default it is one for all; those who read a module's field get a tuple.
            parts = [self._rewritten(part, declared.owner) for part in default.elts]
            return f"({', '.join(parts)}{',' * (len(parts) == 1)})"
        return self._rewritten(default, declared.owner)

    def _rewritten(self, node: ast.expr, owner: Class) -> str:
        """An annotation or default with the names in it rewritten, where it stands in the class's file."""
        return self.rewrite(node) if owner.module is self.cls.module else ast.unparse(node)

    def _comment(self, first: ast.AST, last: ast.AST) -> str:
        """The comment lines above a field or parameter, and the comment behind it."""
        above, behind = self.source.comments_beside(first, last)
        return "\n".join([*above, behind])

    def _haiku_parameters(self) -> list[Parameter]:
        own = self._own()
        if own is None:
            return self._inherited()
        taken = [
            Parameter(
                self._parameter(each.arg, each.default),
                self._comment(each.arg, each.default or each.arg),
                each.keyword_only,
            )
            for each in constructors.parameters(own)
        ]
        vararg = own.args.vararg
        if vararg is not None:
            positional = sum(not each.keyword_only for each in taken)
            taken.insert(positional, Parameter(f"*{self.source.segment(vararg)}"))
        return taken

    def _inherited(self) -> list[Parameter]:
        """The parameters of the constructor that a Haiku class without one of its own has from its base."""
        found = constructors.initialiser(self.cls)
        if not self.constructs or found is None:
            return []
        near = found[0].module is self.cls.module
        taken = []
        for each in constructors.inherited(self.cls):
            # An annotation of another file may need imports that this one does not have.
            arg = each.arg if near else ast.arg(arg=each.arg.arg, annotation=None)
            taken.append(Parameter(self._parameter(arg, each.default), "", each.keyword_only))
        return taken

    def _parameter(self, parameter: ast.arg, default: ast.expr | None) -> str:
        text = parameter.arg
        if parameter.annotation is not None:
            text += f": {self.rewrite(parameter.annotation)}"
        if default is not None:
            text += (" = " if parameter.annotation is not None else "=") + self.rewrite(default)
        return text
