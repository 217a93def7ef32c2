"""Functions that make layers, as modules of their own.

Code that is called inside a module or a transform may make layers in plain functions. NNX makes its layers ahead, in a
constructor: such a function is first written as a class of its framework, in the text, and its calls as the making and
the calling of that class. What it hands to constructors becomes a field, what it hands to layers stays an argument.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .. import chains
from . import borrowed
from ..ancestry import class_around
from ..chains import is_own, last_name
from ..culprit import working_on
from ..edits import Edits, move
from ..emit import layout
from ..emit.file_names import FileNames
from ..emit.names import camel, snake, without_verb
from ..model.symbolic import FLAGS
from .prepared import Leave, MadeClass, Prepared, insert_imports, is_python
from ..project import Module, Project
from ..rulebook import Rulebook
from ..shapes import classes, frameworks
from ..shapes.interpreter import Interpreter
from ..shapes.values import Class, External, Function, Value
from ..signatures import defaults, is_unpacked, parameters

_TRANSFORMS = frozenset(
    f"haiku.{name}"
    for name in (
        "transform",
        "transform_with_state",
        "multi_transform",
        "multi_transform_with_state",
    )
)
_DRAWS = frozenset(
    f"haiku.{name}" for name in ("next_rng_key", "next_rng_keys", "maybe_next_rng_key")
)
# Layers that are only ever called, with one array.
_PLAIN_LAYERS = frozenset(
    f"haiku.{name}"
    for name in (
        *("Linear", "Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose"),
        *("Conv3DTranspose", "DepthwiseConv1D", "DepthwiseConv2D", "LayerNorm", "GroupNorm"),
        *("InstanceNorm", "RMSNorm", "Embed", "Flatten", "nets.MLP"),
    )
)


# A function that makes layers, and a class or function that goes on calling it as it is: file and name of each.
Apart = tuple[Path, str, Path, str]


@dataclass
class Maker:
    """A function that makes layers: its calls, and which of its parameters the constructor needs."""

    module: Module
    node: ast.FunctionDef
    framework: str
    calls: list[tuple[Module, ast.Call]] = field(default_factory=list)
    left: bool = False  # some code goes on using the function, which stays beside its class
    aliases: list[tuple[Module, ast.expr]] = field(default_factory=list)  # uses that are no calls
    fields: list[ast.arg] = field(default_factory=list)
    captured: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)  # of `self` around a nested function
    returned: list[ast.expr] = field(
        default_factory=list
    )  # the layers that it hands back, uncalled

    @property
    def parameters(self) -> list[ast.arg]:
        return [each.arg for each in parameters(self.node.args)]

    def default(self, parameter: ast.arg) -> ast.expr | None:
        return defaults(self.node.args).get(parameter.arg)


def prepare(
    project: Project,
    rules: Rulebook,
    leave: Leave,
    apart: frozenset[Apart] = frozenset(),
    limit: int = 100,
) -> Prepared:
    """Writes classes for the functions of a project that make layers, but for those named in `leave`.

    What `apart` names goes on calling the functions. `limit` is the longest line.
    """
    interp = Interpreter(project, rules, definitions_only=True)
    frameworks.install(interp)
    modules = [m for m in project.modules.values() if m.rewritable]
    makers = _Finder(interp, modules, leave, apart).find()
    prepared = Prepared(Project(dict(project.modules), project.load))
    if not makers:
        return prepared
    edits: dict[Module, Edits] = {}
    for module in modules:
        edits[module] = Edits(module.source)
    writer = _Writer(interp, edits, makers, limit)
    prepared.made = writer.write()
    for module in modules:
        insert_imports(edits[module], module, writer.names[module].wanted)
    texts = {module: edits[module].apply() for module in modules}
    if not all(is_python(text) for text in texts.values()):
        return Prepared(project)
    for module, text in texts.items():
        if text != module.source.text:
            prepared.put(module, text)
    return prepared


# ---- which functions ------------------------------------------------------------------------------------


class _Finder:
    """Finds the functions that make layers and are only ever called from where layers may be made."""

    def __init__(
        self,
        interp: Interpreter,
        modules: Sequence[Module],
        leave: Leave,
        apart: frozenset[Apart] = frozenset(),
    ) -> None:
        self.interp = interp
        self.modules = modules
        self.leave = leave
        self.apart = apart
        self.names = {m: FileNames(m, interp.environment_of(m), interp.rules) for m in modules}

    @functools.cached_property
    def _bases(self) -> set[str | None]:
        """The last names of all that classes of the project inherit from."""
        return {
            last_name(base)
            for module in self.modules
            for node in ast.walk(module.tree)
            if isinstance(node, ast.ClassDef)
            for base in node.bases
        }

    def find(self) -> dict[ast.AST | None, Maker]:
        plain = [(module, node) for module in self.modules for node in self._plain(module)]
        found: dict[ast.AST | None, Maker] = {
            node: Maker(module, node, framework)
            for module, node in plain
            if (framework := self._framework(module, node)) is not None
        }
        while True:
            fresh = list(self._indirect(found, plain))
            if not fresh:
                break
            found.update({m.node: m for m in fresh})
        for node in self._named_elsewhere():
            found.pop(node, None)
        self._collect_uses(found)
        while True:
            bad = [m for m in found.values() if not self._is_fit(m, found)]
            if not bad:
                break
            for maker in bad:
                del found[maker.node]
        for maker in found.values():
            self._sort_parameters(maker, found)
        self._leave_together(found)
        return found

    def _named_elsewhere(self) -> Iterator[ast.AST]:
        """The functions that files which stay as they are give other names."""
        for module in list(self.interp.project.modules.values()):
            names = self.interp.environment_of(module).names if module not in self.modules else {}
            for statement in module.tree.body if names else ():
                for target in statement.targets if isinstance(statement, ast.Assign) else ():
                    value = names.get(target.id) if isinstance(target, ast.Name) else None
                    if isinstance(value, Function):
                        yield value.node

    def _leave_together(self, found: Mapping[ast.AST | None, Maker]) -> None:
        """A function that stays goes on calling the functions that it calls."""
        pending = [maker for maker in found.values() if maker.left]
        while pending:
            maker = pending.pop()
            for call in _calls(maker.node):
                called = found.get(self._target(call.func, maker.module))
                if called is not None and not called.left:
                    called.left = True
                    pending.append(called)

    def _plain(self, module: Module) -> Iterator[ast.FunctionDef]:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef) and self._is_plain(node, module):
                yield node

    def _framework(self, module: Module, node: ast.FunctionDef) -> str | None:
        """The framework of the layers and variables that a function makes itself, where it is one."""
        kinds = {k for call in _calls(node) if (k := self._kind(call, module))}
        kinds |= {"haiku" for call in _calls(node) if self._draws(call, module)}
        kinds |= {"haiku" for _ in borrowed.parameter_calls(node, self.names[module].qualified)}
        kinds |= {"linen" for call in _calls(node) if _makes_on_self(call, node)}
        return kinds.pop() if len(kinds) == 1 else None

    def _indirect(
        self,
        found: Mapping[ast.AST | None, Maker],
        plain: Iterable[tuple[Module, ast.FunctionDef]],
    ) -> Iterator[Maker]:
        """Functions that call a maker, from outside of any module."""
        for module, node in plain:
            if node not in found:
                kinds = {
                    found[target].framework
                    for call in _calls(node)
                    if (target := self._target(call.func, module)) in found
                }
                if len(kinds) == 1:
                    yield Maker(module, node, kinds.pop())

    def _is_plain(self, node: ast.FunctionDef, module: Module) -> bool:
        if (module.path, node.name) in self.leave or not self._is_bare(node, module):
            return False
        if node.args.vararg or node.args.kwarg:
            return False
        above = module.source.parents[node]
        while isinstance(above, ast.If | ast.With | ast.For):
            above = module.source.parents[above]
        if isinstance(above, ast.Module):
            return True
        if isinstance(above, ast.ClassDef):
            return self._is_helper_method(node, above, module)
        return isinstance(above, ast.FunctionDef) and self._method_around(above, module) is not None

    def _is_bare(self, node: ast.FunctionDef, module: Module) -> bool:
        """Whether no decorator changes what a function is; `hk.transparent` only changes names."""
        return all(
            self.names[module].qualified(decorator) == "haiku.transparent"
            for decorator in node.decorator_list
            if isinstance(decorator, ast.Name | ast.Attribute)
        ) and not any(isinstance(decorator, ast.Call) for decorator in node.decorator_list)

    def _is_helper_method(self, node: ast.FunctionDef, owner: ast.ClassDef, module: Module) -> bool:
        """Whether a method of a Haiku module makes new layers each time that another method calls it.

        A transparent one does. Haiku counts names anew in each call of any other, which so has the same layers, unless
        each call gives them a name of its own.
        """
        cls = self._method_around(node, module)
        if cls is None or classes.framework(cls) != "haiku" or node.name.startswith("__"):
            return False
        if not node.args.args or node.args.args[0].arg != "self":
            return False
        reads = [n for n in ast.walk(node) if isinstance(n, ast.Attribute) and _is_self(n.value)]
        called = [
            n
            for n in reads
            if isinstance(above := module.source.parents[n], ast.Call) and above.func is n
        ]
        stored = any(not isinstance(n.ctx, ast.Load) for n in reads)
        calls = [
            n
            for n in ast.walk(owner)
            if isinstance(n, ast.Call)
            and isinstance(n.func, ast.Attribute)
            and _is_self(n.func.value)
            and n.func.attr == node.name
        ]
        if not node.decorator_list and not self._each_has_a_name(node, calls, module):
            return False
        return owner.name not in self._bases and not called and not stored and len(calls) > 1

    def _each_has_a_name(
        self, node: ast.FunctionDef, calls: Sequence[ast.Call], module: Module
    ) -> bool:
        """Whether the calls of a method give different names, and all its layers have the name that they are given."""
        names = [a.arg for a in node.args.args[1:]]
        if "name" not in names:
            return False
        place = names.index("name")
        given = [
            next(
                (k.value for k in call.keywords if k.arg == "name"),
                call.args[place] if place < len(call.args) else None,
            )
            for call in calls
        ]
        texts = {g.value for g in given if isinstance(g, ast.Constant) and isinstance(g.value, str)}
        made = [call for call in _calls(node) if self._kind(call, module) is not None]
        named = all(
            any(k.arg == "name" and ast.unparse(k.value) == "name" for k in call.keywords)
            for call in made
        )
        return len(texts) == len(calls) and named

    def _method_around(self, node: ast.AST, module: Module) -> Class | None:
        """The module class in one of whose methods a node stands."""
        below: ast.AST = node
        while below in module.source.parents:
            above = module.source.parents[below]
            if isinstance(above, ast.ClassDef) and isinstance(below, ast.FunctionDef):
                value = self.interp.environment_of(module).names.get(above.name)
                if isinstance(value, Class) and classes.framework(value):
                    return value
                return None
            below = above
        return None

    def _kind(self, call: ast.Call, module: Module) -> str | None:
        """The framework of what a call makes."""
        value = self._value(call.func, module)
        match value:
            case External(name=name) if self.interp.rules.layer(name) is not None:
                return "haiku" if name.startswith("haiku.") else "linen"
            case Class():
                return classes.framework(value)
        return None

    def _draws(self, call: ast.Call, module: Module) -> bool:
        return self.names[module].qualified(call.func) in _DRAWS

    def is_plain_layer(self, node: ast.expr, module: Module) -> bool:
        """Whether an expression makes a layer of Haiku, or a module, that is only ever called, with one array."""
        if not isinstance(node, ast.Call):
            return False
        if self.names[module].qualified(node.func) in _PLAIN_LAYERS:
            return True
        made = self._value(node.func, module)
        return isinstance(made, Class) and _is_plain_module(made)

    def makes_layers(self, function: ast.AST, module: Module) -> bool:
        """Whether a function itself makes layers, and does not only draw random numbers."""
        return any(
            self._kind(call, module)
            or (isinstance(function, ast.FunctionDef) and _makes_on_self(call, function))
            for call in _calls(function)
        )

    def _value(self, node: ast.expr, module: Module) -> Value | None:
        qualified = self.names[module].qualified(node)
        if qualified is not None:
            return External(qualified)
        match node:
            case ast.Name(id=name) if not self.names[module].shadowed(node):
                return self.interp.environment_of(module).names.get(name)
            case ast.Attribute() if (owner := chains.root(node)) is not None:
                if not self.names[module].shadowed(owner):
                    return self.interp.peek(node, self.interp.environment_of(module))
        return None

    def _target(self, node: ast.expr, module: Module) -> ast.AST | None:
        """The function that an expression names, nested ones and methods of the class around it included."""
        if isinstance(node, ast.Attribute) and _is_self(node.value):
            owner: ast.AST | None = node
            while owner is not None and not isinstance(owner, ast.ClassDef):
                owner = module.source.parents.get(owner)
            body = owner.body if isinstance(owner, ast.ClassDef) else []
            return next(
                (f for f in body if isinstance(f, ast.FunctionDef) and f.name == node.attr), None
            )
        if isinstance(node, ast.Name):
            scope: ast.AST = node
            while scope in module.source.parents:
                scope = module.source.parents[scope]
                if isinstance(scope, ast.FunctionDef):
                    for inner in ast.walk(scope):
                        if (
                            isinstance(inner, ast.FunctionDef)
                            and inner.name == node.id
                            and inner is not scope
                        ):
                            return inner
        value = self._value(node, module) if isinstance(node, ast.Name | ast.Attribute) else None
        return value.node if isinstance(value, Function) else None

    # ---- uses -------------------------------------------------------------------------------------------

    def _collect_uses(self, found: Mapping[ast.AST | None, Maker]) -> None:
        wanted = {m.node.name for m in found.values()}
        wanted |= {
            alias
            for module in self.modules
            for alias, value in self.interp.environment_of(module).names.items()
            if isinstance(value, Function) and value.node in found
        }
        for module in self.modules:
            for node in ast.walk(module.tree):
                named = (
                    node.id
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
                    else node.attr
                    if isinstance(node, ast.Attribute)
                    else None
                )
                if named is None or named not in wanted:
                    continue
                assert isinstance(node, ast.Name | ast.Attribute)
                target = self._target(node, module)
                if target not in found:
                    continue
                above = module.source.parents[node]
                if self._is_apart(found[target], node, module):
                    found[target].left = True
                elif isinstance(above, ast.Call) and above.func is node:
                    found[target].calls.append((module, above))
                elif _other_name(node, module) is not None:
                    found[target].aliases.append((module, node))
                else:
                    found[target].left = True

    def _is_apart(self, maker: Maker, node: ast.AST, module: Module) -> bool:
        """Whether a use stands in a class or function that goes on calling the function."""
        scope = module.source.parents.get(node)
        while scope is not None:
            if isinstance(scope, ast.ClassDef | ast.FunctionDef):
                if (maker.module.path, maker.node.name, module.path, scope.name) in self.apart:
                    return True
            scope = module.source.parents.get(scope)
        return False

    def _is_fit(self, maker: Maker, found: Mapping[ast.AST | None, Maker]) -> bool:
        if maker.left and not _can_stay(maker):
            return False
        maker.returned = _returned_layers(maker, self)
        self._leave_calls(maker, found)
        if not maker.calls:
            return False
        if not maker.returned and _returns_maker(maker, self):
            return False
        named = any(p.arg == "name" for p in maker.parameters)
        if not self._keeps_its_own(maker, found):
            return False
        for node in ast.walk(maker.node):
            if isinstance(node, ast.Yield | ast.Nonlocal | ast.Global):
                return False
            if named and _reads_name(node) and _naming(node, maker) is None:
                return False
        if any(is_unpacked(call) for _, call in maker.calls):
            return False
        kept = [call for module, call in maker.calls if _kept_as(call, module) is not None]
        if maker.returned:
            return True
        return not kept or _takes_no_data(maker)

    def _keeps_its_own(self, maker: Maker, found: Mapping[ast.AST | None, Maker]) -> bool:
        """Whether parameters that a function makes for its caller are the same where it is a module of its own."""
        wanted = borrowed.names(maker.node, self.names[maker.module].qualified)
        if not wanted:
            return wanted is not None
        kept = [
            (module, call)
            for module, call in maker.calls
            if self._asks_alone(maker, wanted, call, module, found)
        ]
        if len(kept) < len(maker.calls):
            maker.left = True
            maker.calls = kept if _can_stay(maker) else []
        return bool(maker.calls)

    def _asks_alone(
        self,
        maker: Maker,
        wanted: frozenset[str],
        call: ast.Call,
        module: Module,
        found: Mapping[ast.AST | None, Maker],
    ) -> bool:
        """Whether no run of the class around a call asks for the parameters of a function anywhere else."""
        owner = class_around(call, module.source.parents)
        if owner is None or self._method_around(call, module) is None:
            return False
        parents = module.source.parents
        inside = {id(node) for node in ast.walk(owner)}
        calls = [(each, c) for each in found.values() for _, c in each.calls if id(c) in inside]
        own = [c for each, c in calls if each is maker]
        others = [c for each, c in calls if each is not maker and self._asks(each, wanted)]
        qualified = self.names[module].qualified
        direct = [
            asking
            for asking in borrowed.parameter_calls(owner, qualified)
            if (asked := borrowed.names(asking, qualified)) is None or asked & wanted
        ]
        return borrowed.at_most_once(own, parents) and all(
            borrowed.exclusive(call, other, parents) for other in [*others, *direct]
        )

    def _asks(self, maker: Maker, wanted: frozenset[str]) -> bool:
        own = borrowed.names(maker.node, self.names[maker.module].qualified)
        return own is None or bool(own & wanted)

    def _leave_calls(self, maker: Maker, found: Mapping[ast.AST | None, Maker]) -> None:
        """Calls from where no layers can be made go on calling a function at the top of a file."""
        fit = [c for c in maker.calls if self._may_make(c[1], c[0], maker, found)]
        if len(fit) < len(maker.calls):
            maker.left = True
            maker.calls = fit if _can_stay(maker) else []

    def _may_make(
        self, call: ast.Call, module: Module, maker: Maker, found: Mapping[ast.AST | None, Maker]
    ) -> bool:
        """Whether a call stands in a method of a module, in another maker, or in a transformed function."""
        scope: ast.AST = call
        while scope in module.source.parents:
            scope = module.source.parents[scope]
            if isinstance(scope, ast.Lambda):
                return False
            if isinstance(scope, ast.FunctionDef):
                if scope in found and scope is not maker.node:
                    return True
                if self._method_around(scope, module) is not None:
                    if maker.returned:
                        return True
                    # What a constructor keeps of a module's call is no variable any more.
                    return scope.name not in _CONSTRUCTORS or _kept_as(call, module) is not None
                if self._is_transformed(scope, module):
                    return True
        return False

    def _is_transformed(self, function: ast.FunctionDef, module: Module) -> bool:
        names = self.names[module]
        for decorator in function.decorator_list:
            target = decorator.func if isinstance(decorator, ast.Call) else decorator
            if names.qualified(target) in _TRANSFORMS:
                return True
        return any(
            isinstance(arg, ast.Name) and arg.id == function.name
            for call in _calls(module.tree)
            if names.qualified(call.func) in _TRANSFORMS
            for arg in call.args
        )

    # ---- parameters ---------------------------------------------------------------------------------------

    def _sort_parameters(self, maker: Maker, found: Mapping[ast.AST | None, Maker]) -> None:
        """Which parameters the constructor needs: those that reach a constructor, a loop or a test."""
        static: set[str] = set()
        settled = {p.arg for p in maker.parameters if self._is_settled(maker, p)}
        calls_makers = any(
            self._target(call.func, maker.module) in found for call in _calls(maker.node)
        )
        qualified = self.names[maker.module].qualified
        asked = set(borrowed.parameter_calls(maker.node, qualified))
        if not calls_makers and not asked and not self.makes_layers(maker.node, maker.module):
            maker.fields = []
            return
        for node in ast.walk(maker.node):
            match node:
                case ast.Call() if self._kind(node, maker.module) or _makes_on_self(
                    node, maker.node
                ):
                    static |= _read(self._configuration(node, maker.module))
                case ast.Call() if node in asked:
                    static |= _read(borrowed.shape_arguments(node))
                case ast.For(iter=iterable):
                    static |= _read([iterable])
                case ast.If(test=test) | ast.IfExp(test=test):
                    making = self.makes_layers(node, maker.module)
                    static |= _read([test]) if making else _read([test]) & settled
        data = {p.arg for p in maker.parameters if self._is_data(maker, p)}
        if maker.returned:
            data = set()
        if maker.returned or _takes_no_data(maker):
            static |= {p.arg for p in maker.parameters}
        changed = True
        while changed:  # a local that a constructor needs needs what it is computed from
            before = len(static)
            for node in ast.walk(maker.node):
                if isinstance(node, ast.Assign) and _written(node) & static:
                    static |= _read([node.value]) - data
            changed = len(static) != before
        maker.fields = [
            p
            for p in maker.parameters
            if p.arg in static and p.arg not in data and p.arg not in ("self", "module", "name")
        ]

    def _is_settled(self, maker: Maker, parameter: ast.arg) -> bool:
        """Whether no call gives a parameter what only its own caller knows."""
        for module, call in maker.calls:
            given = _given(maker, call, parameter)
            scope: ast.AST | None = call
            while scope is not None and not isinstance(scope, ast.FunctionDef):
                scope = module.source.parents.get(scope)
            if given is not None and scope is not None and scope.name not in _CONSTRUCTORS:
                known = {a.arg for a in ast.walk(scope.args) if isinstance(a, ast.arg)} - {"self"}
                if _read([given]) & known and self._method_around(call, module) is not None:
                    return False
        return True

    def _configuration(self, call: ast.Call, module: Module) -> list[ast.expr]:
        """The arguments of a constructor; of a layer that is made and applied in one call, those but its inputs."""
        value = self._value(call.func, module)
        rule = self.interp.rules.layer(value.name) if isinstance(value, External) else None
        inputs = rule.inputs if rule is not None and rule.inline else ()
        names = rule.signature if rule is not None else ()
        by_place = [arg for name, arg in zip(names, call.args, strict=False) if name not in inputs]
        placed = by_place if inputs else call.args
        return [*placed, *[k.value for k in call.keywords if k.arg not in inputs]]

    @staticmethod
    def _is_data(maker: Maker, parameter: ast.arg) -> bool:
        """Whether a parameter is certainly no field: a flag, or what a layer is applied to."""
        if parameter.arg in FLAGS:
            return True
        if parameter.annotation is not None:
            text = ast.unparse(parameter.annotation)
            if any(word in text for word in ("Array", "ndarray", "Tensor")):
                return True
        for node in ast.walk(maker.node):
            match node:
                case ast.Call(func=ast.Call(), args=args) if any(
                    isinstance(a, ast.Name) and a.id == parameter.arg for a in args
                ):
                    return True
                case ast.Attribute(value=ast.Name(id=name), attr="shape" | "ndim" | "dtype") if (
                    name == parameter.arg
                ):
                    return True
                case ast.Subscript(value=ast.Name(id=name), slice=ast.Slice() | ast.Tuple()) if (
                    name == parameter.arg
                ):
                    return True
        return False


def _is_plain_module(cls: Class) -> bool:
    """Whether nothing can be done with a Haiku module but to call it with one array."""
    if classes.framework(cls) != "haiku" or len(classes.mro(cls)) > 1:
        return False
    public = {name for name in cls.members if not name.startswith("_")}
    call = classes.method(cls, "__call__")
    if public or call is None or not isinstance(call.node, ast.FunctionDef):
        return False
    spec = call.node.args
    return len(spec.args) == 2 and not (spec.vararg or spec.kwarg or spec.kwonlyargs)


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _given(maker: Maker, call: ast.Call, parameter: ast.arg) -> ast.expr | None:
    """What a call gives a parameter, None where it says nothing of it."""
    positional = [*maker.node.args.posonlyargs, *maker.node.args.args]
    positional = positional[1:] if _is_method(maker) else positional
    placed = dict(zip([p.arg for p in positional], call.args, strict=False))
    named = {k.arg: k.value for k in call.keywords}
    return named.get(parameter.arg, placed.get(parameter.arg))


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _can_stay(maker: Maker) -> bool:
    """Whether a function can stay beside its class."""
    top = isinstance(maker.module.source.parents[maker.node], ast.Module)
    return top and not maker.aliases and not maker.node.decorator_list


def _is_method(maker: Maker) -> bool:
    return isinstance(maker.module.source.parents[maker.node], ast.ClassDef)


_CONSTRUCTORS = ("setup", "__init__", "__post_init__")


def _kept_as(call: ast.Call, module: Module) -> ast.Attribute | None:
    """`self.x` in `self.x = make(self, ...)`, in a method that constructs."""
    parents = module.source.parents
    scope: ast.AST | None = call
    while scope is not None and not isinstance(scope, ast.FunctionDef):
        scope = parents.get(scope)
    match parents.get(call):
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self")) as target]):
            return target if scope is not None and scope.name in _CONSTRUCTORS else None
    return None


def _reads_of(target: ast.Attribute, module: Module) -> Iterator[ast.Attribute]:
    """Where the class of an attribute reads it."""
    cls = class_around(target, module.source.parents)
    for node in ast.walk(cls) if cls is not None else ():
        if is_own(node) and node.attr == target.attr and isinstance(node.ctx, ast.Load):
            yield node


def _makes_on_self(call: ast.Call, function: ast.FunctionDef) -> bool:
    """`self.param(...)` in a function that is handed the module."""
    first = function.args.args[0].arg if function.args.args else None
    match call.func:
        case ast.Attribute(value=ast.Name(id="self"), attr="param" | "variable") if first == "self":
            return True
    return False


def _takes_no_data(maker: Maker) -> bool:
    """Whether all that a maker is given belongs to a constructor: it makes variables, and computes with them alone."""
    return all(
        _makes_on_self(call, maker.node)
        for call in _calls(maker.node)
        if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "self"
    ) and any(_makes_on_self(call, maker.node) for call in _calls(maker.node))


def _returned_layers(maker: Maker, finder: _Finder) -> list[ast.expr]:
    """The layers that a function hands back uncalled; empty unless all that it returns are plain layers.

    A layer that it calls as well, and a name that is given more than one kind of thing, are not plain.
    """
    names: dict[str, list[ast.expr]] = {}
    for node in ast.walk(maker.node):
        if isinstance(node, ast.Assign):
            for name in _written(node):
                names.setdefault(name, []).append(node.value)
    called = {ast.unparse(call.func) for call in _calls(maker.node)}
    own = [n for n in ast.walk(maker.node) if isinstance(n, ast.FunctionDef | ast.Lambda)]
    found: list[ast.expr] = []
    for node in ast.walk(maker.node):
        if not isinstance(node, ast.Return):
            continue
        made = [node.value] if node.value is not None else []
        if isinstance(node.value, ast.Name) and node.value.id not in called:
            made = names.get(node.value.id, [])
        plain = [finder.is_plain_layer(value, maker.module) for value in made]
        if not plain or not all(plain) or node.value is None or len(own) > 1:
            return []
        found.append(node.value)
    return found


def _returns_maker(maker: Maker, finder: _Finder) -> bool:
    """Whether a function hands back what it makes, and not what that returns."""
    made = {
        name
        for node in ast.walk(maker.node)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and finder._kind(node.value, maker.module)
        for name in _written(node)
    }
    for node in ast.walk(maker.node):
        if isinstance(node, ast.Return):
            if node.value is None:
                return True
            if isinstance(node.value, ast.Call) and finder._kind(node.value, maker.module):
                return True
            if isinstance(node.value, ast.Name) and node.value.id in made:
                return True
            if isinstance(node.value, ast.Lambda):
                return True
            if isinstance(node.value, ast.Name) and any(
                isinstance(f, ast.FunctionDef) and f.name == node.value.id
                for f in ast.walk(maker.node)
            ):
                return True
    return not any(isinstance(node, ast.Return) for node in ast.walk(maker.node))


def _read(nodes: Iterable[ast.AST]) -> set[str]:
    return {
        n.id
        for node in nodes
        for n in ast.walk(node)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }


def _written(node: ast.Assign) -> set[str]:
    return {n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)}


def _other_name(node: ast.AST, module: Module) -> str | None:
    """`conv` in `conv = layers.conv3x3` at the top of a file."""
    match module.source.parents.get(node):
        case ast.Assign(targets=[ast.Name(id=name)], value=value) as statement if value is node:
            top = isinstance(module.source.parents.get(statement), ast.Module)
            return name if top else None
    return None


def _reads_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "name" and isinstance(node.ctx, ast.Load)


def _naming(node: ast.AST, maker: Maker) -> ast.keyword | ast.Name | None:
    """What of a call a read of a maker's parameter `name` is: `name=...`, or the name of a variable."""
    if not any(p.arg == "name" for p in maker.parameters):
        return None
    above = maker.module.source.parents.get(node)
    if isinstance(above, ast.Call) and _makes_on_self(above, maker.node) and above.args[0] is node:
        return node if isinstance(node, ast.Name) else None
    current: ast.AST | None = node
    while current is not None and current is not maker.node:
        if isinstance(current, ast.keyword):
            return current if current.arg == "name" else None
        current = maker.module.source.parents.get(current)
    return None


# ---- what is written ---------------------------------------------------------------------------------------


class _Writer:
    """Writes the classes, and their calls."""

    def __init__(
        self,
        interp: Interpreter,
        edits: Mapping[Module, Edits],
        makers: Mapping[ast.AST | None, Maker],
        limit: int,
    ) -> None:
        self.interp = interp
        self.edits = edits
        self.makers = makers
        self.limit = limit
        self.names = {m: FileNames(m, interp.environment_of(m), interp.rules) for m in edits}
        self.class_names: dict[ast.AST, str] = {}

    def write(self) -> list[MadeClass]:
        """Records all edits; returns the classes."""
        for maker in self.makers.values():
            self.class_names[maker.node] = self._name(maker)
            maker.captured, maker.attributes = _captures(maker)
        calls = [(m, call, maker) for maker in self.makers.values() for m, call in maker.calls]
        for module, call, maker in sorted(calls, key=lambda c: _size(c[1])):
            with working_on(module.path):
                self._call(module, call, maker)
        for maker in self.makers.values():
            for module, node in maker.aliases:
                self.edits[module].replace(node, self._head(module, node, maker))
        for maker in sorted(self.makers.values(), key=lambda m: _size(m.node)):
            with working_on(maker.module.path):
                self._class(maker)
        return [
            MadeClass(
                m.module.path, self.class_names[m.node], m.node.name, m.node.lineno, of_layers=True
            )
            for m in self.makers.values()
        ]

    def _name(self, maker: Maker) -> str:
        taken = {n.id for n in ast.walk(maker.module.tree) if isinstance(n, ast.Name)}
        taken |= {n.name for n in ast.walk(maker.module.tree) if isinstance(n, ast.ClassDef)}
        taken |= set(self.class_names.values())
        name = camel(without_verb(maker.node.name))
        while name in taken:
            name += "Module"
        return name

    def _call(self, module: Module, call: ast.Call, maker: Maker) -> None:
        edits = self.edits[module]
        positional = [*maker.node.args.posonlyargs, *maker.node.args.args]
        positional = positional[1:] if _is_method(maker) else positional
        given: dict[str, str] = {
            p.arg: edits.render(a) for p, a in zip(positional, call.args, strict=False)
        }
        given.update({k.arg: edits.render(k.value) for k in call.keywords if k.arg})
        fields = {p.arg for p in maker.fields}
        by_place = [p.arg for p in positional[: len(call.args)]]
        config: list[str] = []
        named: list[str] = []
        data: list[str] = []
        in_order = True
        ordered = [p.arg for p in _ordered_fields(maker)]
        for name, text in given.items():
            if name in fields:
                in_order = in_order and name in by_place and ordered[len(config)] == name
                config.append(text if in_order else f"{name}={text}")
            elif name == "name":
                named = [f"name={text}"]
            elif name not in ("self", "module"):
                data.append(text if name in by_place else f"{name}={text}")
        config += [f"{name}={name}" for name in maker.captured]
        config += [*[f"{name}=self.{name}" for name in maker.attributes], *named]
        head = self._head(module, call.func, maker)
        kept = _kept_as(call, module) if not maker.returned else None
        if kept is not None:  # the module is made here, and called where its value is read
            edits.replace(call, f"{head}({', '.join(config)})")
            for read in _reads_of(kept, module):
                edits.replace(read, f"{edits.source.segment(read)}()")
            return
        made = f"{head}({', '.join(config)})"
        edits.replace(call, made if maker.returned else self._applied(module, call, made, data))

    def _applied(self, module: Module, call: ast.Call, made: str, data: Sequence[str]) -> str:
        """`made(data)`, over several lines where the line that it stands on would become too long."""
        source = module.source
        start, end = source.span(call)
        line_end = source.text.find("\n", end)
        before = source.text[source.line_start(start) : start]
        indent = before[: len(before) - len(before.lstrip())]
        text = layout.call(
            made,
            data,
            indent=indent,
            unit=source.indent_unit,
            limit=self.limit,
            prefix=before.strip(),
            suffix=source.text[end : line_end if line_end >= 0 else None].rstrip(),
        )
        broken = "\n" in text and not any("\n" in argument for argument in data)
        if not broken:
            return f"{made}({', '.join(data)})"
        return layout.call(made, data, indent=indent, unit=source.indent_unit, limit=0)

    def _head(self, module: Module, func: ast.expr, maker: Maker) -> str:
        name = self.class_names[maker.node]
        if self._is_other_name(module, func, maker):
            return self.edits[module].source.segment(func)
        if module is maker.module or _is_method(maker):
            return name
        if isinstance(func, ast.Attribute):
            return f"{self.edits[module].source.segment(func.value)}.{name}"
        self._import(module, func, name, maker)
        return name

    @staticmethod
    def _is_other_name(module: Module, func: ast.expr, maker: Maker) -> bool:
        """Whether a function is called by a name that a statement gave it, which then is one of its class."""
        if isinstance(func, ast.Attribute):
            return func.attr != maker.node.name
        here = [_other_name(node, where) for where, node in maker.aliases if where is module]
        imported = [
            alias.name
            for node in ast.walk(module.tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
            if (alias.asname or alias.name) == getattr(func, "id", None)
        ]
        return getattr(func, "id", None) in here or any(n != maker.node.name for n in imported)

    def _import(self, module: Module, func: ast.expr, name: str, maker: Maker) -> None:
        """Imports the class where the function was imported."""
        edits = self.edits[module]
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == getattr(func, "id", None):
                        before = edits.source.segment(alias)
                        if edits.render(alias) == before:
                            edits.replace(alias, f"{before}, {name}" if maker.left else name)

    # ---- the class -------------------------------------------------------------------------------------------

    def _class(self, maker: Maker) -> None:
        edits, source = self.edits[maker.module], maker.module.source
        for naming in {_naming(n, maker) for n in ast.walk(maker.node) if _reads_name(n)}:
            if isinstance(naming, ast.Name):
                edits.replace(naming, repr(snake(without_verb(maker.node.name))))
                continue
            call = source.parents[naming] if naming is not None else None
            if call is not None and edits.render(call) == source.segment(call):
                edits.remove_item(call, naming)  # type: ignore[arg-type]
        for node, text in self._renamed(maker):
            edits.replace(node, text)
        for layer in maker.returned:
            edits.insert(source.span(layer)[1], "(inputs)")
        unit = source.indent_unit
        lines = self._head_lines(maker, unit)
        body = self._body(maker, edits, unit)
        text = "\n".join([*lines, body])
        top: ast.AST = maker.node
        if isinstance(source.parents[maker.node], ast.Module):
            if maker.left:
                text = f"{text}\n\n\n{source.segment(maker.node)}"
            edits.replace(maker.node, text)
            return
        while not isinstance(source.parents[top], ast.Module):
            top = source.parents[top]
        assert isinstance(top, ast.stmt)
        edits.delete_statement(maker.node)
        edits.insert_before(top, text + "\n\n\n")

    def _renamed(self, maker: Maker) -> Iterator[tuple[ast.Name | ast.Attribute, str]]:
        """The reads of what became fields."""
        stored = {
            n.id
            for n in ast.walk(maker.node)
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        fields = {p.arg for p in maker.fields} | set(maker.captured)
        for statement in maker.node.body:
            for node in ast.walk(statement):
                if (
                    isinstance(node, ast.Name)
                    and node.id in fields - stored
                    and isinstance(node.ctx, ast.Load)
                    and self.edits[maker.module].render(node) == node.id
                ):
                    yield node, f"self.{node.id}"

    def _head_lines(self, maker: Maker, unit: str) -> list[str]:
        edits = self.edits[maker.module]
        base = "flax.linen.Module" if maker.framework == "linen" else "haiku.Module"
        lines = [f"class {self.class_names[maker.node]}({self.names[maker.module].target(base)}):"]
        if ast.get_docstring(maker.node) is not None:
            lines += [f"{unit}{edits.source.segment(maker.node.body[0])}", ""]
        fields = _ordered_fields(maker)
        if maker.framework == "linen":
            for parameter in fields:
                lines.append(f"{unit}{self._declared(maker, parameter, True)}")
            lines += [f"{unit}{name}: ''" for name in [*maker.captured, *maker.attributes]]
            lines += ["", f"{unit}@{self.names[maker.module].target('flax.linen.compact')}"]
            return lines
        written = [self._declared(maker, p, False) for p in fields]
        extra = [*maker.captured, *maker.attributes]
        required = [w for w in written if "=" not in w]
        optional = [w for w in written if "=" in w]
        lines += [
            f"{unit}def __init__({', '.join(['self', *required, *extra, *optional, 'name=None'])}):",
            f"{unit * 2}super().__init__(name=name)",
        ]
        lines += [f"{unit * 2}self.{name} = {name}" for name in [*[p.arg for p in fields], *extra]]
        return [*lines, ""]

    def _declared(self, maker: Maker, parameter: ast.arg, annotated: bool) -> str:
        source = maker.module.source
        text = parameter.arg
        if parameter.annotation is not None:
            text += f": {source.segment(parameter.annotation)}"
        elif annotated:
            text += ": ''"
        default = maker.default(parameter)
        return text if default is None else f"{text} = {source.segment(default)}"

    def _body(self, maker: Maker, edits: Edits, unit: str) -> str:
        source = maker.module.source
        fields = {p.arg for p in maker.fields}
        arguments = []
        for p in maker.parameters:
            if p.arg in fields or p.arg in ("self", "module", "name"):
                continue
            text = source.segment(p)
            default = maker.default(p)
            if default is not None:
                text += (" = " if p.annotation is not None else "=") + source.segment(default)
            arguments.append(text)
        returns = f" -> {source.segment(maker.node.returns)}" if maker.node.returns else ""
        if maker.returned:
            arguments, returns = ["inputs"], ""
        header = unit + layout.signature(
            "__call__",
            ["self", *arguments],
            returns.removeprefix(" -> ") or None,
            indent=unit,
            unit=unit,
            limit=self.limit,
        )
        body = maker.node.body[1:] if ast.get_docstring(maker.node) else maker.node.body
        start, end = source.start_with_comments(body[0]), source.span(body[-1])[1]
        text = move(edits.render((start, end)), source.line_indent(start), unit * 2)
        stored = {
            n.id
            for n in ast.walk(maker.node)
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        again = [f"{unit * 2}{name} = self.{name}" for name in sorted(fields & stored)]
        return "\n".join([header, *again, unit * 2 + text.lstrip(" \t")])


def _ordered_fields(maker: Maker) -> list[ast.arg]:
    """Those without a default first."""
    required = [p for p in maker.fields if maker.default(p) is None]
    return [*required, *[p for p in maker.fields if maker.default(p) is not None]]


def _size(node: ast.AST) -> int:
    return sum(1 for _ in ast.walk(node))


def _captures(maker: Maker) -> tuple[list[str], list[str]]:
    """What a nested function reads of the functions around it, and which attributes of their `self`, or a method of its
    own."""
    parents = maker.module.source.parents
    outer: set[str] = set()
    scope = parents[maker.node]
    while not isinstance(scope, ast.Module):
        if isinstance(scope, ast.FunctionDef):
            outer |= {a.arg for a in ast.walk(scope.args) if isinstance(a, ast.arg)}
            outer |= {
                n.id
                for n in ast.walk(scope)
                if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            }
        scope = parents[scope]
    own = {a.arg for a in ast.walk(maker.node) if isinstance(a, ast.arg)}
    own |= {
        n.id
        for n in ast.walk(maker.node)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    reads = [
        n.id
        for n in ast.walk(maker.node)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and n.id in outer - own
    ]
    attributes = [
        n.attr
        for n in ast.walk(maker.node)
        if is_own(n) and ("self" in outer - own or _is_method(maker))
    ]
    return (
        list(dict.fromkeys(name for name in reads if name != "self")),
        list(dict.fromkeys(attributes)),
    )
