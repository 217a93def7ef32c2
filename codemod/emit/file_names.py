"""How a file writes the names of libraries, and which of its names rules change."""

from __future__ import annotations

import ast
import contextlib
import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from ..ancestry import class_around
from ..chains import root_name
from ..project import Module
from ..rule import Call, Declined, Drop, Refuse, To, Use, Written
from ..rulebook import Rulebook
from ..shapes import classes
from ..shapes.classes import LINEN_MODULE
from ..shapes.scopes import Environment
from ..shapes.values import FILLINGS, Class, Constant, External, Value
from ..signatures import is_unpacked, written_arguments
from . import fillings
from .brackets import bracketed
from .lookups import looks_up_activation


def is_shadowed(node: ast.expr, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether a function around a name, or a chain that begins with one, binds it to something else."""
    name = root_name(node)
    below: ast.AST = node
    above = parents.get(node)
    while above is not None:
        if isinstance(above, _SCOPES) and not _is_outside(below, above):
            if name in _bound_in(above):
                return True
        below, above = above, parents.get(above)
    return False


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (*_FUNCTIONS, *_COMPREHENSIONS)


def _is_outside(child: ast.AST, function: ast.AST) -> bool:
    """Whether a part of a function belongs to the code around it: a decorator, or an annotation of what it returns."""
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return child in function.decorator_list or child is function.returns


@functools.lru_cache(maxsize=4096)
def _bound_in(scope: ast.AST) -> frozenset[str]:
    """The names that a function or a comprehension binds: its parameters, and what it assigns itself."""
    bound: set[str] = set()
    free: set[str] = set()
    pending = list(ast.iter_child_nodes(scope))
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.Global):
            free |= set(node.names)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if not isinstance(node, _SCOPES):
            pending += ast.iter_child_nodes(node)
    return frozenset(bound - free)


@dataclass
class FileNames:
    """The names of one file. `wanted` collects import lines that emitted code needs, `helpers` emitted helpers."""

    module: Module
    environment: Environment
    rules: Rulebook
    value_of: Callable[[ast.AST], Value | None] = lambda node: None
    wanted: set[str] = field(default_factory=set)
    helpers: set[str] = field(default_factory=set)
    layers_as_values: bool = False  # whether a layer class that is not called is replaced
    models_stay: bool = False  # whether a model that code speaks of may be Linen's still
    programs_stay: bool = False  # whether Haiku runs some of the project still
    rewritten: Collection[ast.AST] = ()  # the classes that are NNX modules now

    instead: dict[ast.AST, str] = field(default_factory=dict)  # what `text` writes for some nodes

    def __post_init__(self) -> None:
        self.aliases = self._aliases()

    def _aliases(self) -> dict[str, str]:
        """Qualified names of modules and the shortest name that the file has for each."""
        found: dict[str, str] = {}
        for name, value in self.environment.names.items():
            if isinstance(value, External) and "." not in name:
                found.setdefault(value.name, name)
        return found

    @contextlib.contextmanager
    def collecting(self, wanted: set[str], helpers: set[str]) -> Iterator[None]:
        """Has what is wanted meanwhile put into other sets."""
        saved = self.wanted, self.helpers
        self.wanted, self.helpers = wanted, helpers
        try:
            yield
        finally:
            self.wanted, self.helpers = saved

    @property
    def numpy(self) -> str:
        return self.target("jax.numpy")

    def target(self, qualified: str) -> str:
        """A qualified name as this file writes it; notes the import that it needs."""
        if qualified in self.aliases:
            return self.aliases[qualified]
        if qualified.startswith("flax.nnx.") or qualified == "flax.nnx":
            self.wanted.add("from flax import nnx")
            return "nnx" + qualified.removeprefix("flax.nnx")
        parent, _, last = qualified.rpartition(".")
        if parent in self.aliases:
            return f"{self.aliases[parent]}.{last}"
        if qualified == "jax.numpy":
            self.wanted.add("import jax.numpy as jnp")
            return "jnp"
        if parent:
            return f"{self.target(parent)}.{last}"
        self.wanted.add(f"import {qualified}")
        return qualified

    def qualified(self, node: ast.AST) -> str | None:
        """The qualified name that a name or attribute chain of the file stands for, as rules know it."""
        name = self._exported(node)
        return None if name is None else self.rules.canonical(name)

    def _exported(self, node: ast.AST) -> str | None:
        """The qualified name under which a file has it from a library."""
        parts: list[str] = []
        current = node
        while isinstance(current, ast.Attribute):
            parts.append(current.attr)
            current = current.value
        if not isinstance(current, ast.Name) or self.shadowed(current):
            return None
        value = self.environment.names.get(current.id)
        if not isinstance(value, External):
            return None
        return ".".join([value.name, *parts[::-1]])

    def shadowed(self, name: ast.Name) -> bool:
        """Whether a function around the name binds it to something else."""
        return is_shadowed(name, self.module.source.parents)

    def rewrite(self, node: ast.AST, text: Callable[[ast.expr], str] | None = None) -> str | None:
        """New text for a name that a rule renames, or a call that a rule rewrites; `text` writes its arguments."""
        if isinstance(node, ast.Name | ast.Attribute):
            qualified = self.qualified(node)
            if qualified is None or self.stays(node):
                return None
            if qualified == "flax.linen":
                found = looks_up_activation(node, self.module.source.parents)
                return self.target("flax.nnx") if found else None
            if qualified == LINEN_MODULE:
                return None if self.models_stay else self.target("flax.nnx.Module")
            if self.rules.is_of_programs(qualified) and self._keeps_types(node):
                return None
            renamed = self.rules.rename(qualified)
            if qualified in FILLINGS and self._is_initializer(node):
                return self.target(FILLINGS[qualified])
            if renamed is None and self._is_layer_value(node):
                return self._layer_value(qualified, node)
            return None if renamed is None else self._renamed(renamed)
        if isinstance(node, ast.Call):
            return self._call(node, text or self.text)
        return None

    def _keeps_types(self, node: ast.AST) -> bool:
        """Whether what a name is the type of may be Haiku's own, as it is outside of NNX modules."""
        inside = class_around(node, self.module.source.parents)
        return self.programs_stay and inside not in self.rewritten

    def stays(self, node: ast.AST) -> bool:
        """Whether a name needs no new one: a variable of the file's own, `act = nn.relu`, or JAX's name for something."""
        if (self._exported(node) or "").startswith("jax.nn.") or self._is_from_jax(node):
            return True
        if not isinstance(node, ast.Name) or node.id not in self._variables:
            return False
        qualified = self.qualified(node)
        renamed = qualified is not None and self.rules.rename(qualified) is not None
        return renamed or not isinstance(node.ctx, ast.Load)

    def _is_from_jax(self, node: ast.AST) -> bool:
        """Whether a name is imported from where JAX has it, which Linen has under a name of its own."""
        return isinstance(node, ast.Name) and node.id in self._imported_from_jax

    @functools.cached_property
    def _imported_from_jax(self) -> set[str]:
        return {
            alias.asname or alias.name
            for node in ast.walk(self.module.tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jax.nn")
            for alias in node.names
        }

    @functools.cached_property
    def _variables(self) -> set[str]:
        """The names that statements at the top of the file assign."""
        found: set[str] = set()
        pending: list[ast.AST] = list(self.module.tree.body)
        while pending:
            node = pending.pop()
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
                continue
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            pending += ast.iter_child_nodes(node)
        return found

    def _is_initializer(self, node: ast.expr) -> bool:
        """Whether a function that fills an array is an initialiser of Haiku, in a module or given to one."""
        parents = self.module.source.parents
        above = parents.get(node)
        if isinstance(above, ast.Call) and node in above.args and isinstance(above.func, ast.Name):
            made = self.environment.names.get(above.func.id)
            return isinstance(made, Class) and fillings.takes_initializer(
                made, above.args.index(node)
            )
        if not fillings.is_initializer(node, parents):
            return False
        inside = class_around(node, parents)
        names = [inside.name] if inside is not None else []
        while above is not None and not isinstance(above, ast.stmt):
            if isinstance(above, ast.Call) and isinstance(above.func, ast.Name):
                names.append(above.func.id)
            above = parents.get(above)
        found = [self.environment.names.get(name) for name in names]
        return any(isinstance(v, Class) and classes.framework(v) == "haiku" for v in found)

    def _is_called(self, node: ast.AST) -> bool:
        above = self.module.source.parents.get(node)
        return isinstance(above, ast.Call) and above.func is node

    def _is_layer_value(self, node: ast.AST) -> bool:
        """Whether a layer class that is not called is one for rewritten classes."""
        if self._is_called(node):
            return False
        if self.layers_as_values:
            return True
        above = self.module.source.parents.get(node)
        if isinstance(above, ast.keyword):
            above = self.module.source.parents.get(above)
        if not isinstance(above, ast.Call):
            return False
        heads = [above.func, *above.args[:1]]  # `Net(...)`, `partial(Net, ...)`
        made = [self.environment.names.get(h.id) for h in heads if isinstance(h, ast.Name)]
        return any(isinstance(v, Class) and v.node in self.rewritten for v in made)

    def names_layer(self, node: ast.expr) -> bool:
        """Whether an expression is a layer class of the old framework."""
        qualified = self.qualified(node)
        return qualified is not None and self.rules.layer(qualified) is not None

    def _is_asked_for(self, node: ast.AST) -> bool:
        """Whether a test asks if something is of a class."""
        above = self.module.source.parents.get(node)
        if isinstance(above, ast.Tuple):
            node, above = above, self.module.source.parents.get(above)
        match above:
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, asked]):
                return asked is node
        return False

    def _layer_value(self, qualified: str, node: ast.AST) -> str | None:
        """A layer class that is handed on: what takes its place, with the defaults that differ."""
        rule = self.rules.layer_class(qualified)
        if rule is None:
            return None
        text = self._renamed(rule.target)
        for value in rule.stated.values():
            self.note_helpers(value)
        stated = [f"{name}={value}" for name, value in rule.stated.items()]
        if self._is_asked_for(node) and (stated or qualified.startswith("haiku.")):
            return None  # no class; and subclasses of the layer are none of its counterpart
        return (
            f"{self.target('functools.partial')}({', '.join([text, *stated])})" if stated else text
        )

    def note_helpers(self, text: str) -> None:
        """Wants the helpers that an expression reads."""
        from .helpers import helper_names

        read = {n.id for n in ast.walk(ast.parse(text, mode="eval")) if isinstance(n, ast.Name)}
        self.helpers |= read & set(helper_names())

    def _renamed(self, target: str) -> str:
        if "." not in target:
            self.helpers.add(target)
            return target
        return self.target(target)

    def _call(self, node: ast.Call, text: Callable[[ast.expr], str]) -> str | None:
        qualified = self.qualified(node.func)
        rule = self.rules.call(qualified) if qualified else None
        if rule is None or (is_unpacked(node) and not (rule.hands_on and _ends_in_rest(node))):
            return None
        if rule.only and not (node.args and rule.only(self.value_of(node.args[0]))):
            return None
        return CallWriter(self, rule, text).write(node)

    def text(self, node: ast.expr) -> str:
        """An expression with the names in it rewritten."""
        from .transport import splice

        source = self.module.source
        start, end = source.span(node)
        pieces: list[tuple[int, int, str]] = []
        self._collect(node, pieces)
        return splice(source.text, start, end, pieces)

    def _collect(self, node: ast.AST, pieces: list[tuple[int, int, str]]) -> None:
        new = self.instead.get(node) or self.rewrite(node)
        if new is not None:
            fitted = bracketed(new, node, self.module.source.parents.get(node))
            pieces.append((*self.module.source.span(node), fitted))
            return
        for child in ast.iter_child_nodes(node):
            self._collect(child, pieces)


def _ends_in_rest(call: ast.Call) -> bool:
    """Whether all arguments of a call but the last, `**options`, are written out."""
    rest = call.keywords[-1:]
    return (
        bool(rest)
        and rest[0].arg is None
        and not is_unpacked(ast.Call(call.func, call.args, call.keywords[:-1]))
    )


@dataclass
class CallWriter:
    """Writes the new form of a function call by its rule."""

    names: FileNames
    rule: Call
    text: Callable[[ast.expr], str]

    def _value(self, node: ast.expr) -> Value | None:
        """What an argument is; a number that is written out is known where no run gets to it, too."""
        found = self.names.value_of(node)
        return Constant(node.value) if found is None and isinstance(node, ast.Constant) else found

    def write(self, node: ast.Call) -> str:
        given = written_arguments(self.rule.signature, node)
        values = {name: self._value(expression) for name, expression in given.items()}
        known = {name: value for name, value in values.items() if value is not None}
        use = Use(known, {}, frozenset(given))
        written = {n: Written(self.text(e), values[n], use) for n, e in given.items()}
        if self.rule.write is not None:
            text = self.rule.write(written)
            self.names.note_helpers(text)
            return text
        if self.rule.packed:
            return self._packed(node)
        args: list[str] = []
        positional = True
        for name, expression in given.items():
            argument = self.rule.arguments.get(name, To(name))
            match argument:
                case Drop(only_if=only_if, message=message, help=help):
                    if only_if is not None and written[name].constant not in only_if:
                        raise Declined(message or f"`{name}` has no counterpart", help)
                    positional = False
                case Refuse(message=message, help=help):
                    raise Declined(message, help)
                case To(name=target, write=write):
                    new = write(written[name]) if write is not None else written[name].text
                    if new is None:
                        positional = False
                        continue
                    by_position = (
                        positional
                        and expression in node.args
                        and target not in self.rule.keyword_only
                    )
                    args.append(new if by_position else f"{target}={new}")
                    positional = by_position
        args += [f"{name}={text}" for name, text in self.rule.stated.items() if name not in given]
        args += [f"**{self.text(k.value)}" for k in node.keywords if k.arg is None]
        head = self.names._renamed(self.rule.target)
        return self._in_place(node, head, args) or f"{head}({', '.join(args)})"

    def _packed(self, node: ast.Call) -> str:
        """The call with a tuple of what it is given by position."""
        from .transport import splice

        source, head = self.names.module.source, self.names._renamed(self.rule.target)
        if not node.args:
            raise Declined("a call without arrays", "give it the arrays as a tuple")
        new = {each: self.text(each) for each in [*node.args, *(k.value for k in node.keywords)]}
        new[node.args[0]] = f"({new[node.args[0]]}"
        new[node.args[-1]] += ",)" if len(node.args) == 1 else ")"
        pieces = [(*source.span(node.func), head)]
        pieces += [(*source.span(each), text) for each, text in new.items()]
        return splice(source.text, *source.span(node), pieces)

    def _in_place(self, node: ast.Call, head: str, args: list[str]) -> str | None:
        """The call as the file lays it out, where each argument has its place still."""
        from .transport import splice

        source = self.names.module.source
        before = [*node.args, *node.keywords]
        if len(args) != len(before) or any(
            text.startswith(f"{name}=") != (name is not None)
            for text, name in zip(args, (getattr(a, "arg", None) for a in before), strict=True)
        ):
            return None
        pieces = [(*source.span(node.func), head)]
        pieces += [(*source.span(a), text) for a, text in zip(before, args, strict=True)]
        return splice(source.text, *source.span(node), pieces)
