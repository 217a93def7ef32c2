"""What code asks for by a name: `getattr(models, name)` and `MODELS[name]` are one of the definitions there.

One of them stands for all in one reading of the programs; whoever rewrites for it reads them once for each.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .. import signatures
from ..project import Module
from . import classes
from .importing import import_module
from .scopes import Environment, ModuleValue
from .values import (
    UNKNOWN,
    Class,
    Constant,
    Either,
    External,
    Function,
    Object,
    Partial,
    Table,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from .interpreter import Interpreter

Options = Mapping[Hashable, Value]
_IMPLIED = frozenset(("name", "parent"))  # arguments that all modules take


@dataclass
class Lookup:
    """A place that asks by a name, and what it may find; `bound` are the names that each call there can be given."""

    node: ast.expr
    options: Options
    table: Table | None = None
    holder: Module | None = None  # the file whose names it looks through
    bound: set[Hashable] | None = None
    makes_models: bool = False
    changed: bool = False  # not the same each time that it was asked

    @property
    def found(self) -> dict[Hashable, Value]:
        """What it finds where the program goes on."""
        names = self.bound if self.bound is not None else set(self.options)
        return {name: value for name, value in self.options.items() if name in names}

    def definitions(self) -> Iterator[Class | Function]:
        """The classes and functions that it finds, behind partials perhaps."""
        for value in self.found.values():
            while isinstance(value, Partial):
                value = value.function
            if isinstance(value, Class | Function):
                yield value


@dataclass
class Choices:
    """What one reading of the programs makes of names.

    `known` are the names that each place was found to ask for in the first reading, which has none; `turn` says which
    of them stands for all.
    """

    known: Mapping[ast.AST, Sequence[Hashable]] | None = None
    turn: int = 0
    met: dict[ast.AST, Lookup] = field(default_factory=dict)
    # made in the place of a model
    siblings: dict[Object, list[Object]] = field(default_factory=dict)
    bridged: bool = False  # programs run the models in bridges
    # by class, the decorators that put it into tables
    registered: dict[ast.AST, list[ast.expr]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Named(Partial):
    """What a name finds that reading does not tell: `function` stands for it, and for the `others`."""

    node: ast.expr | None = None
    others: tuple[Value, ...] = ()


def meant(value: Value | None) -> Value | None:
    """What stands for all that a name may find."""
    while isinstance(value, Named):
        value = value.function
    return value


def module_class(value: Value | None) -> Class | None:
    """The module class that a value is, or a partial of it."""
    while isinstance(value, Partial):
        value = value.function
    is_module = isinstance(value, Class) and classes.framework(value) is not None
    return value if is_module and isinstance(value, Class) else None


def pattern(key: ast.expr) -> re.Pattern[str]:
    """What an expression may be as a text."""
    match key:
        case ast.Constant(value=str(text)):
            return re.compile(re.escape(text))
        case ast.JoinedStr(values=parts):
            return re.compile("".join(pattern(part).pattern for part in parts))
    return re.compile(".*")


def is_plain(node: ast.Call) -> bool:
    """Whether `getattr` is asked for nothing else where there is no such name."""
    match node:
        case ast.Call(args=[_, _] | [_, _, ast.Constant(value=None)], keywords=[]):
            return True
    return False


def of_module(interp: Interpreter, node: ast.expr, key: ast.expr, holder: Value) -> Value | None:
    """`getattr(models, name)` in a program, where `models` is a file of the tree."""
    if not isinstance(holder, ModuleValue) or not isinstance(holder.module, Module):
        return None
    options: dict[Hashable, Value] = dict(definitions(interp, holder.module, key))
    return _choice(interp, node, options, holder=holder.module)


def of_subscript(
    interp: Interpreter, node: ast.Subscript, container: Value, index: Value, env: Environment
) -> Value | None:
    """`MODELS[name]`, `vars(models)[name]` or a file itself, `sys.modules[__name__]`."""
    match container, node.slice:
        case Table(), key:
            return of_table(interp, node, key, container)
        case ModuleValue(), key:
            return of_module(interp, node, key, container)
        case External(name="sys.modules"), ast.Name(id="__name__"):
            return ModuleValue(env.module)
        case External(name="sys.modules"), ast.Constant(value=str(dotted)):
            return import_module(interp, dotted, env)
    return None


def definitions(interp: Interpreter, module: Module, key: ast.expr) -> Iterator[tuple[str, Value]]:
    """What the top of a file defines under the names that an expression may be."""
    asked = pattern(key)
    for name, value in list(interp.environment_of(module).names.items()):
        if asked.fullmatch(name) and _may_be_called(interp, module, name, value):
            yield name, value


def _may_be_called(interp: Interpreter, module: Module, name: str, value: Value) -> bool:
    match value:
        case Class() | Function() | Partial():
            return True
        case External(name=qualified):
            return interp.rules.layer(qualified) is not None
        case Either(values=values):
            return any(_may_be_called(interp, module, name, each) for each in values)
        case Unknown():
            return _is_own(interp, module, name)
    return False


def _is_own(interp: Interpreter, module: Module, name: str) -> bool:
    """Whether a name of unknown value may be a class or function of the user's: some call of theirs makes it, or a
    file that is not there."""
    bound = _bound(module.tree)
    if name not in bound:
        return False
    maker = bound[name]
    if maker is None:
        return True
    return not isinstance(interp.peek_name(maker, interp.environment_of(module)), External)


@functools.lru_cache(maxsize=64)
def _bound(tree: ast.Module) -> dict[str, ast.expr | None]:
    """The names that a file gives what a call returns, each with what is called first, or None for what it imports."""
    found: dict[str, ast.expr | None] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=ast.Call(func=func)):
                found.setdefault(target, func)
            case ast.ImportFrom(names=imported):
                for each in imported:
                    found.setdefault(each.asname or each.name, None)
    return found


def of_table(interp: Interpreter, node: ast.expr, key: ast.expr, table: Table) -> Value | None:
    """`MODELS[name]` or `MODELS.get(name)` in a program, where the dict holds module classes."""
    if isinstance(key, ast.Constant) or not any(map(module_class, table.items.values())):
        return None
    return _choice(interp, node, dict(table.items), table)


def imported(
    interp: Interpreter, node: ast.Call | None, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value | None:
    """`importlib.import_module("models")`, where that is a file of the tree."""
    match args:
        case [Constant(value=str(dotted))] if not dotted.startswith(".") and interp.frames:
            found = import_module(interp, dotted, interp.frames[-1].environment)
            return found if isinstance(found, ModuleValue) else None
    return None


def _choice(
    interp: Interpreter,
    node: ast.expr,
    options: Options,
    table: Table | None = None,
    holder: Module | None = None,
) -> Value | None:
    """One of several definitions, none where no module is among them or the code is a module's own."""
    choices = interp.choices
    if choices is None or interp.root is not None or _inside_modules(interp):
        return None
    if not any(isinstance(v, Function) or module_class(v) is not None for v in options.values()):
        return None
    lookup = choices.met.setdefault(node, Lookup(node, options, table, holder))
    if options.keys() != lookup.options.keys():
        lookup.options, lookup.changed = {**lookup.options, **options}, True
    if choices.known is None:
        return Named(next(iter(options.values())), (), {}, None, node)
    names = [name for name in choices.known.get(node, ()) if name in options]
    if not names:
        return None
    lookup.bound = set(names)
    at = choices.turn % len(names)
    others = [options[name] for name in (*names[at + 1 :], *names[:at])]
    return Named(options[names[at]], (), {}, None, node, tuple(others))


def _inside_modules(interp: Interpreter) -> bool:
    """Whether the code that runs is a module's."""
    owners = (frame.self_value for frame in interp.frames)
    return any(owner is not None and classes.framework(owner.cls) is not None for owner in owners)


def call(
    interp: Interpreter,
    named: Named,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.Call | None,
) -> Value:
    """A call of what a name finds. The first reading notes what the call can be given to; the others go on with one,
    and show the others what the program gives it."""
    choices = interp.choices
    if choices is None or named.node is None:
        return interp.call(named.function, list(args), dict(kwargs), node)
    if choices.known is None:
        return _first_call(interp, choices.met[named.node], args, kwargs, node)
    made = interp.call(named.function, list(args), dict(kwargs), node)
    if isinstance(made, Object):
        saved, interp.recording = interp.recording, False
        try:
            results = [interp.call(o, list(args), dict(kwargs), None) for o in named.others]
        finally:
            interp.recording = saved
        choices.siblings[made] = [r for r in results if isinstance(r, Object)]
    return made


def _first_call(
    interp: Interpreter,
    lookup: Lookup,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.Call | None,
) -> Value:
    open_ended = node is None or signatures.is_unpacked(node)
    able = {n for n, v in lookup.options.items() if _binds(interp, v, args, kwargs, open_ended)}
    lookup.bound = able if lookup.bound is None else lookup.bound & able
    found = next((v for n, v in lookup.options.items() if n in lookup.bound), None)
    made = UNKNOWN if found is None else interp.call(found, list(args), dict(kwargs), node)
    lookup.makes_models |= isinstance(made, Object) and classes.framework(made.cls) is not None
    return made


def shown(interp: Interpreter, owner: Object) -> Sequence[Object]:
    """The modules that may be there in the place of a model."""
    return () if interp.choices is None else interp.choices.siblings.get(owner, ())


def _binds(
    interp: Interpreter,
    value: Value,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    open_ended: bool,
) -> bool:
    """Whether a call can be given these arguments; an `open_ended` one may be given more."""
    match value:
        case Named():
            return True
        case Partial(function=inner, args=first, kwargs=named):
            return _binds(interp, inner, [*first, *args], {**named, **kwargs}, open_ended)
        case Either(values=values):
            return any(_binds(interp, each, args, kwargs, open_ended) for each in values)
        case External(name=name):
            rule = interp.rules.layer(name)
            names = {*rule.signature, *rule.keyword_only, *_IMPLIED} if rule is not None else set()
            return kwargs.keys() <= names
        case Class():
            return _binds_class(value, args, kwargs, open_ended)
        case Function(node=node):
            return _binds_spec(node.args, 0, args, kwargs, open_ended)
    return isinstance(value, Unknown)


def _binds_class(
    cls: Class, args: Sequence[Value], kwargs: Mapping[str, Value], open_ended: bool
) -> bool:
    initialiser = classes.method(cls, "__init__")
    kind = classes.framework(cls)
    if initialiser is not None:
        return _binds_spec(initialiser.node.args, 1, args, kwargs, open_ended)
    if kind == "linen" or classes.is_record(cls):
        declared = classes.fields(cls)
        names = [each.name for each in declared]
        if kwargs.keys() & set(names[: len(args)]):
            return False
        given = {*names[: len(args)], *kwargs}
        missing = {each.name for each in declared if each.default is None} - given
        implied = _IMPLIED if kind == "linen" else frozenset()
        fits = len(args) <= len(names) and kwargs.keys() <= {*names, *implied}
        return fits and (open_ended or not missing)
    if classes.external_bases(cls) and kind is None:
        return True
    return not args and kwargs.keys() <= _IMPLIED


def _binds_spec(
    spec: ast.arguments,
    skipped: int,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    open_ended: bool,
) -> bool:
    known = list(signatures.parameters(spec))[skipped:]
    positional = [p.name for p in known if not p.keyword_only]
    if len(args) > len(positional) and spec.vararg is None:
        return False
    if kwargs.keys() & set(positional[: len(args)]):
        return False
    if spec.kwarg is None and not kwargs.keys() <= {p.name for p in known}:
        return False
    given = {*positional[: len(args)], *kwargs}
    missing = {p.name for p in known if p.default is None} - given
    return open_ended or not missing
