"""Classes that programs hand on as values: whether all that is made of them in the end is code that a rewrite wrote.

`module_class = Net` in one file and `self.module_class(config)` in another make a module where no program names its
class. A use that cannot be followed to the calls that make modules is an escape: what it makes is Linen's or Haiku's.
"""

from __future__ import annotations

import ast
import functools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator

from ..ancestry import lineage
from ..edits import Edits
from ..emit.bridges import mentioned
from ..emit.file_names import is_shadowed
from ..project import Module
from ..rule import Declined
from ..shapes import classes
from ..shapes.interpreter import Interpreter
from ..shapes.lifts import TRANSFORMS
from ..shapes.values import Class, External, Function, Unknown, Value

_LOOKED_AT = frozenset("isinstance issubclass print repr str type id hash callable".split())
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Place = tuple[Module, ast.expr]


def declined(name: str) -> Declined:
    """What is said of a class that escapes."""
    return Declined(
        f"`{name}` is handed on here to code that makes the model where it could not be followed",
        "make the model where its parameters are initialised, or rewrite this code by hand",
    )


class Handed:
    """Where the files of a project speak of classes as values, and what reads those values.

    Nothing in here depends on what becomes of the classes. `inside` are the module classes: what they are given is
    the business of their own rewrite.
    """

    def __init__(
        self, interp: Interpreter, modules: Collection[Module], inside: Collection[ast.AST]
    ) -> None:
        self.interp = interp
        self.modules = modules
        self.inside = inside
        self._attributes: dict[str, list[_Place]] | None = None
        self._mentions: dict[Module, list[tuple[ast.expr, Class | Function]]] = {}

    def mentions(self, module: Module) -> list[tuple[ast.expr, Class | Function]]:
        """The names by which a file speaks of module classes without calling or annotating with them, and the places
        that find one of several classes or functions by a name."""
        if module not in self._mentions:
            source = module.source
            resolve = functools.partial(
                self.interp.peek_name, env=self.interp.environment_of(module)
            )
            self._mentions[module] = [
                (node, cls)
                for node, cls in mentioned(source, module.tree, self.inside, resolve)
                if cls.node in self.inside
                and isinstance(getattr(node, "ctx", None), ast.Load)
                and not _is_called(source.parents.get(node), node)
                and not source.is_annotation(node)
            ]
            self._mentions[module] += self._asked_for(module)
        return self._mentions[module]

    def _asked_for(self, module: Module) -> Iterator[tuple[ast.expr, Class | Function]]:
        met = self.interp.choices.met if self.interp.choices is not None else {}
        for lookup in met.values():
            if lookup.node in module.source.parents:
                yield from ((lookup.node, found) for found in lookup.definitions())

    def attribute_reads(self, name: str) -> list[_Place]:
        """Where the files of the project read an attribute of this name."""
        if self._attributes is None:
            self._attributes = defaultdict(list)
            for module in self.modules:
                for node in ast.walk(module.tree):
                    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                        self._attributes[node.attr].append((module, node))
        return self._attributes.get(name, [])

    def local_reads(self, module: Module, name: str, scope: ast.AST) -> list[_Place]:
        """Where a function, or all functions and classes of a file, read a name."""
        return [
            (module, node)
            for node in ast.walk(scope)
            if isinstance(node, ast.Name)
            and node.id == name
            and isinstance(node.ctx, ast.Load)
            and (scope is not module.tree or not is_shadowed(node, module.source.parents))
        ]

    def global_reads(self, module: Module, name: str) -> list[_Place] | None:
        """Where the project reads a variable from the top of a file; None where that is not certain."""
        value = self.interp.environment_of(module).names.get(name)
        found = self.local_reads(module, name, module.tree)
        for other in self.modules:
            if other is module or name not in other.source.text:
                continue
            for imported in _imported_as(other, name):
                if self.interp.environment_of(other).names.get(imported) is not value:
                    continue
                if value is None or isinstance(value, Unknown):
                    return None
                found += self.local_reads(other, imported, other.tree)
        for other, node in self.attribute_reads(name):
            read = self.interp.peek_name(node, self.interp.environment_of(other))
            if read is value:
                found.append((other, node))
        return found


def _imported_as(module: Module, name: str) -> Iterator[str]:
    """The names by which a file may have a name of another file."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name in (name, "*"):
                    yield alias.asname or name


class Escapes:
    """The escapes of one round: `edits_of` has what was written so far.

    `models` are the rewritten classes but for those that programs run in a bridge, which are `bridged`.
    """

    def __init__(
        self,
        handed: Handed,
        edits_of: Callable[[Module], Edits],
        models: Collection[ast.AST],
        bridged: Collection[ast.AST] = (),
    ) -> None:
        self.handed = handed
        self.interp = handed.interp
        self.edits_of = edits_of
        self.models = models
        self.rewritten = {*models, *bridged}
        self._seen: set[ast.AST] = set()

    def find(self, module: Module) -> Iterator[tuple[ast.expr, ast.AST]]:
        """Each mention of a rewritten class that escapes, with the class."""
        for node, cls in self.handed.mentions(module):
            if cls.node in self.models:
                self._seen = set()
                if not self._is_followed(module, node):
                    yield node, cls.node

    def _are_followed(self, reads: Collection[_Place]) -> bool:
        return all(self._is_followed(module, node) for module, node in reads)

    def _is_followed(self, module: Module, node: ast.expr) -> bool:
        """Whether all that comes of a class, or of something that holds it, is written anew."""
        if node in self._seen:
            return True
        self._seen.add(node)
        if not self.edits_of(module).keeps(node):
            return True
        inside = self._class_around(module, node)
        if inside is not None:
            return inside in self.rewritten
        above = module.source.parents.get(node)
        match above:
            case ast.Call(func=func) if func is node:
                return not is_untouched(self.edits_of(module), above)
            case ast.Call():
                return self._is_followed_into(module, above, node)
            case ast.keyword():
                call = module.source.parents[above]
                return isinstance(call, ast.Call) and self._is_followed_into(module, call, node)
            case ast.Attribute():
                return self._is_followed_through(module, above)
            case ast.Assign(targets=targets):
                return all(self._is_followed_from(module, target, node) for target in targets)
            case ast.AnnAssign(target=target):
                return self._is_followed_from(module, target, node)
            case ast.For(iter=iterable, target=ast.Name() as target) if iterable is node:
                return self._is_followed_from(module, target, None)
            case ast.arguments():
                return self._is_followed_as_default(module, above, node)
            case ast.Return():
                return self._is_followed_back(module, above)
            case ast.Subscript() | ast.IfExp() | ast.BoolOp():
                return self._is_followed(module, above)
            case ast.Dict() | ast.List() | ast.Tuple() | ast.Set():
                return self._is_followed(module, above)
        return isinstance(above, ast.Compare | ast.Expr | ast.FormattedValue | ast.ClassDef)

    def _class_around(self, module: Module, node: ast.AST) -> ast.AST | None:
        """The module class that a node is a part of."""
        around = lineage(node, module.source.parents)
        return next((n for n in around if n in self.handed.inside), None)

    def _is_followed_back(self, module: Module, statement: ast.Return) -> bool:
        """Whether what the callers of a function at the top of a file get is followed."""
        parents = module.source.parents
        function = next(n for n in lineage(statement, parents) if isinstance(n, _FUNCTIONS))
        if isinstance(function, ast.Lambda) or parents.get(function) is not module.tree:
            return False
        reads = self.handed.global_reads(module, function.name)
        return reads is not None and all(self._is_call_followed(*read) for read in reads)

    def _is_call_followed(self, module: Module, head: ast.expr) -> bool:
        """Whether what a function returns is followed where it is called, in a rewritten class or a program."""
        inside = self._class_around(module, head)
        if inside is not None:
            return inside in self.rewritten
        call = module.source.parents.get(head)
        return isinstance(call, ast.Call) and call.func is head and self._is_followed(module, call)

    def _is_followed_through(self, module: Module, attribute: ast.Attribute) -> bool:
        """`TABLE.get(name)`, which hands out what it holds; `Net.__name__` is about the class itself."""
        call = module.source.parents.get(attribute)
        if attribute.attr == "get" and isinstance(call, ast.Call):
            return self._is_followed(module, call)
        return attribute.attr not in ("values", "items", "copy", "pop", "setdefault")

    def _is_followed_into(self, module: Module, call: ast.Call, node: ast.expr) -> bool:
        """Whether what a call does with an argument is followed."""
        head = self._meaning(module, call.func)
        if head == External("functools.partial"):
            if call.args[:1] == [node]:
                return self._is_followed(module, call)
            head = self._meaning(module, call.args[0]) if call.args else None
            if not isinstance(head, Class):
                return False
        match head:
            case External(name=name) if name.removeprefix("builtins.") in _LOOKED_AT:
                return True
            case External(name=name) if name in TRANSFORMS and call.args[:1] == [node]:
                return self._is_followed(module, call)
            case Class() if classes.framework(head) is not None:
                return head.node in self.rewritten
            case Class():
                initialiser = classes.method(head, "__init__")
                return initialiser is not None and self._is_followed_in(initialiser, call, node, 1)
            case Function():
                return self._is_followed_in(head, call, node, 0)
        return isinstance(call.func, ast.Name) and call.func.id in _LOOKED_AT

    def _meaning(self, module: Module, node: ast.expr) -> Value | None:
        found = self.interp.facts.value(node)
        if found is not None:
            return found
        return self.interp.peek_name(node, self.interp.environment_of(module))

    def _is_followed_in(
        self, function: Function, call: ast.Call, node: ast.expr, skipped: int
    ) -> bool:
        """Whether a function makes nothing of its argument that is not followed; `skipped` parameters come first."""
        spec = function.node.args
        named = next((k.arg for k in call.keywords if k.value is node), None)
        positional = [a.arg for a in [*spec.posonlyargs, *spec.args]][skipped:]
        if named is None and node in call.args:
            place = call.args.index(node)
            starred = any(isinstance(a, ast.Starred) for a in call.args[:place])
            named = positional[place] if place < len(positional) and not starred else None
        if named not in [*positional, *(a.arg for a in spec.kwonlyargs)]:
            return False
        module = function.environment.module
        assert isinstance(module, Module) and named is not None
        return self._are_followed(self.handed.local_reads(module, named, function.node))

    def _is_followed_as_default(self, module: Module, spec: ast.arguments, node: ast.expr) -> bool:
        names = [a.arg for a in [*spec.posonlyargs, *spec.args]]
        defaults = dict(zip(reversed(spec.defaults), reversed(names), strict=False))
        defaults.update(
            (default, a.arg)
            for default, a in zip(spec.kw_defaults, spec.kwonlyargs, strict=True)
            if default is not None
        )
        function = module.source.parents[spec]
        return node in defaults and self._are_followed(
            self.handed.local_reads(module, defaults[node], function)
        )

    def _is_followed_from(self, module: Module, target: ast.expr, node: ast.expr | None) -> bool:
        """Whether what reads a variable or attribute is followed; `node` is what it holds, if that alone."""
        parents = module.source.parents
        around = lineage(target, parents)
        scope = next((n for n in around if isinstance(n, _FUNCTIONS | ast.ClassDef)), None)
        if isinstance(target, ast.Attribute) or isinstance(scope, ast.ClassDef):
            name = target.attr if isinstance(target, ast.Attribute) else ast.unparse(target)
            reads = self.handed.attribute_reads(name)
            return bool(reads) and self._are_followed(reads)
        if not isinstance(target, ast.Name):
            return False
        if scope is not None:
            return self._are_followed(self.handed.local_reads(module, target.id, scope))
        if isinstance(node, ast.Name | ast.Attribute) and self._is_a_name(module, target, node):
            return True
        found = self.handed.global_reads(module, target.id)
        return found is not None and self._are_followed(found)

    def _is_a_name(self, module: Module, target: ast.Name, node: ast.expr) -> bool:
        """Whether a variable at the top of a file is another name for a class: its reads are mentions themselves."""
        environment = self.interp.environment_of(module)
        value = environment.names.get(target.id)
        return isinstance(value, Class) and self.interp.peek(node, environment) is value


def is_untouched(edits: Edits, call: ast.Call) -> bool:
    """Whether a call is made as it was, whatever became of its arguments."""
    source = edits.source
    start, end = source.span(call)
    expected, at = "", start
    for part in sorted([call.func, *call.args, *call.keywords], key=lambda n: source.span(n)[0]):
        first, last = source.span(part)
        expected += source.text[at:first] + edits.render(part)
        at = last
    return expected + source.text[at:end] == edits.render(call) and edits.keeps(call.func)


def _is_called(above: ast.AST | None, node: ast.expr) -> bool:
    return isinstance(above, ast.Call) and above.func is node
