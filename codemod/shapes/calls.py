"""What attributes and calls mean, by the kind of value they are made on."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import signatures
from ..project import read_in_place
from ..rule import Layer, Use
from . import (
    alike,
    builtin,
    classes,
    configured,
    defaults,
    dtypes,
    held,
    joins,
    library,
    loops,
    named,
    operators,
    records,
    refined,
    scanned_methods,
    traced,
)
from .arrays import product
from .binding import bind_signature
from .dims import Dim, Expression, Output
from .facts import Made, Used
from .importing import import_module
from .scopes import Environment, Frame, ModuleValue
from .updates import At
from .values import (
    NONE,
    UNKNOWN,
    Array,
    Begun,
    Behaviour,
    Bound,
    Class,
    Constant,
    Either,
    External,
    Function,
    Items,
    LayerObject,
    Object,
    OpenShape,
    Partial,
    Repeated,
    Size,
    Super,
    SuperMethod,
    Table,
    Unknown,
    Value,
    Variable,
    from_dim,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .interpreter import Interpreter

MAX_DEPTH = 40  # calls within calls

Args = Sequence[Value]
Kwargs = Mapping[str, Value]


# ---- attributes --------------------------------------------------------------------------------------------


def attribute(interp: Interpreter, owner: Value, name: str, node: ast.AST) -> Value:
    """`owner.name`."""
    match owner:
        case Behaviour():
            return owner.attribute(interp, name, node)
        case Super():
            return _super_attribute(owner, name)
        case External(name=qualified):
            return External(interp.rules.canonical(f"{qualified}.{name}"))
        case Array():
            return _array_attribute(interp, owner, name)
        case Object():
            _note_reading(interp, owner, name, node)
            return _object_attribute(interp, owner, name, node)
        case LayerObject():
            return _layer_attribute(owner, name)
        case Class():
            found = classes.member(owner, name)
            if isinstance(found, Function) and classes.has_decorator(found.node, "classmethod"):
                return Bound(owner, found, name)
            if found is not None:
                return found
            inherited = classes.external_bases(owner)
            if inherited and name != "__name__":
                return External(f"{inherited[0]}.{name}")
            return Constant(owner.name) if name == "__name__" else UNKNOWN
        case Items(names=names, items=items) if name in names:
            return items[names.index(name)]
        case Variable(value=value):
            return value if name == "value" else UNKNOWN
        case Partial(function=function) if name == "func":
            return function
        case Either(values=values):
            having = [option for option in values if option != NONE and _may_have(option, name)]
            options = [attribute(interp, option, name, node) for option in having]
            return joins.either(*options) if options else UNKNOWN
        case Unknown(text=str(text)):
            told = Unknown(f"{text}.{name}", owner.why, owner.loop)
            is_size = configured.is_count(interp.project, name, interp.configured)
            dim = operators.dim_of(interp, told) if is_size else None
            return told if dim is None else Size(dim)
        case Unknown():
            return UNKNOWN
        case Items() | Table() | Repeated() | Constant():
            return Bound(owner, External(f"builtins.{type(owner).__name__}.{name}"), name)
    return _module_attribute(interp, owner, name)


def _may_have(value: Value, name: str) -> bool:
    """Whether a program that runs may read an attribute of one of several values: a plain tuple has few."""
    match value:
        case Begun() | Items(kind="tuple", names=()):
            return hasattr(tuple, name)
        case Items(kind="list"):
            return hasattr(list, name)
    return True


def _note_reading(interp: Interpreter, owner: Object, name: str, node: ast.AST) -> None:
    """Keeps which attributes code reads off a module from outside of it."""
    match node:
        case ast.Attribute(value=ast.Name(id="self")):
            home = interp.project.home(node)
            if home is None or node in home.of_classes:
                return
    for cls in classes.mro(owner.cls):
        interp.read_outside.setdefault(cls.node, set()).add(name)


def _module_attribute(interp: Interpreter, owner: Value, name: str) -> Value:
    if not isinstance(owner, ModuleValue):
        return UNKNOWN
    if name == "__dict__":
        return owner
    if owner.module is None:
        return import_module(interp, f"{owner.dotted}.{name}", next(iter(interp.globals.values())))
    found = interp.environment_of(owner.module).names.get(name)
    if found is not None:
        return found
    library = read_in_place(owner.module)
    if library is not None:
        return External(f"{library}.{name}")
    submodule = interp.project.find(name, owner.module.path.parent / "__init__.py")
    return (
        ModuleValue(submodule)
        if submodule is not None and owner.module.path.name == "__init__.py"
        else UNKNOWN
    )


def _super_attribute(owner: Super, name: str) -> Value:
    order = classes.mro(owner.target.cls)
    for cls in order[order.index(owner.cls) + 1 :] if owner.cls in order else []:
        if name in cls.members:
            found = cls.members[name]
            return SuperMethod(owner.target, found) if isinstance(found, Function) else found
    return External("builtins.super_of_library")


@functools.cache
def _arrays_have(name: str) -> bool:
    """Whether arrays have a method of this name."""
    import jax
    import numpy as np

    waiting = ("block_until_ready", "copy_to_host_async")  # of the arrays that JAX makes alone
    return hasattr(jax.Array, name) or hasattr(np.ndarray, name) or name in waiting


def _array_attribute(interp: Interpreter, array: Array, name: str) -> Value:
    match name:
        case "shape":
            if array.shape is None:
                return Unknown() if array.last is None else OpenShape(array.last)
            return Items([from_dim(dim) for dim in array.shape])
        case "ndim":
            return UNKNOWN if array.shape is None else Constant(len(array.shape))
        case "size":
            return UNKNOWN if array.shape is None else from_dim(product(array.shape))
        case "dtype":
            return dtypes.attribute(interp, array)
        case "T" | "mT":
            return Array(None if array.shape is None else tuple(reversed(array.shape)), array.dtype)
        case "real" | "imag":
            return array
        case "at":
            return At(array)
    if not _arrays_have(name):
        return UNKNOWN  # an array was a guess: what has such a name holds arrays
    return Bound(array, External(f"builtins.Array.{name}"), name)


def _object_attribute(interp: Interpreter, owner: Object, name: str, node: ast.AST) -> Value:
    kind = classes.framework(owner.cls)
    if kind == "linen" and name not in owner.attributes and name not in owner.arguments:
        ensure_setup(interp, owner)
    if name in owner.attributes:
        return owner.attributes[name]
    if name in owner.arguments:
        return owner.arguments[name]
    found = classes.member(owner.cls, name)
    if isinstance(found, Function):
        if classes.has_decorator(found.node, "property", "cached_property"):
            return call_function(interp, found, [owner], {}, None, owner)
        if classes.has_decorator(found.node, "staticmethod"):
            return found
        target: Value = owner.cls if classes.has_decorator(found.node, "classmethod") else owner
        return Bound(target, found, name)
    if found is not None:
        return found if not isinstance(found, External) else Bound(owner, found, name)
    if name == "__class__":
        return owner.cls
    if kind == "linen":
        return Bound(owner, External(f"flax.linen.Module.{name}"), name)
    if kind == "haiku":
        return Bound(owner, External(f"haiku.Module.{name}"), name)
    return records.method(owner, name) or UNKNOWN


def _layer_attribute(owner: LayerObject, name: str) -> Value:
    if name in owner.rule.methods or name == "__call__":
        return Bound(owner, External(f"{owner.rule.source}.{name}"), name)
    if name in owner.arguments:
        return owner.arguments[name]
    if any(name == variable.source for variable in owner.rule.variables):
        return Array(None)
    return Bound(owner, External(f"{owner.rule.source}.{name}"), name)


def set_attribute(
    interp: Interpreter, owner: Value, name: str, value: Value, node: ast.AST
) -> None:
    """`owner.name = value`."""
    match owner:
        case Object(attributes=attributes):
            interp.mutating(owner)
            attributes[name] = value
        case Variable():
            if name == "value":
                interp.mutating(owner)
                owner.value = value
        case Class(members=members):
            members[name] = value


# ---- calls -------------------------------------------------------------------------------------------------


def call(
    interp: Interpreter, function: Value, args: Args, kwargs: Kwargs, node: ast.Call | None
) -> Value:
    """`function(*args, **kwargs)`."""
    match function:
        case Behaviour():
            return function.call(interp, list(args), dict(kwargs), node)
        case SuperMethod(target=target, function=inherited):
            result = call_function(interp, inherited, [target, *args], kwargs, node, target)
            return held.from_base(interp, target, node, [*args, *kwargs.values()], result)
        case External(name=name):
            return call_external(interp, name, args, kwargs, node)
        case Function():
            return call_function(interp, function, args, kwargs, node, None)
        case Class():
            return instantiate(interp, function, args, kwargs, node)
        case Object():
            return call_method(interp, function, "__call__", args, kwargs, node)
        case LayerObject():
            return apply_layer(interp, function, "__call__", args, kwargs, node)
        case Bound():
            return _call_bound(interp, function, args, kwargs, node)
        case named.Named():
            return named.call(interp, function, args, kwargs, node)
        case Partial(function=inner, args=first, kwargs=bound):
            return call(interp, inner, [*first, *args], {**bound, **kwargs}, node)
        case Either(values=values, decided=decided):
            options = [option for option in values if option != NONE]
            # What a field may be given besides is taken to return the like.
            options = [o for o in options if not isinstance(o, Unknown)] or options
            results = [call(interp, option, args, kwargs, node) for option in options]
            return held.call_either(interp, options, results, args, decided or node)
    return _call_unknown(args, kwargs)


def _call_unknown(args: Args, kwargs: Kwargs) -> Value:
    """A callable that reading cannot tell is taken to keep the shape of the array that it is given alone (an
    activation); what it is told besides may be a size."""
    arrays = [
        value
        for value in [*args, *kwargs.values()]
        if isinstance(value, Array) and value.dtype != "key"
    ]
    if len(arrays) == 1 == len(args) and args[0] is arrays[0]:
        return Array(arrays[0].shape, arrays[0].dtype, last=arrays[0].last)
    return Array(None) if arrays else UNKNOWN


_MODEL_METHODS = frozenset(("init", "apply", "bind", "init_with_output"))


def _call_bound(
    interp: Interpreter, bound: Bound, args: Args, kwargs: Kwargs, node: ast.Call | None
) -> Value:
    match bound.target, bound.function:
        case Object() as owner, Function():
            return call_method(interp, owner, bound.name, args, kwargs, node)
        case Object() as owner, External(name=name):
            handler = interp.handlers.get(name)
            if handler is None:
                handler = interp.handlers.get(name.rpartition(".")[0] + ".*")
            found = handler(interp, node, [owner, *args], kwargs) if handler else None
            return found if found is not None else UNKNOWN
        case LayerObject() as layer, External(name=name) if bound.name in _MODEL_METHODS:
            handler = interp.handlers.get(f"flax.linen.Module.{bound.name}")
            found = handler(interp, node, [layer, *args], kwargs) if handler else None
            return found if found is not None else UNKNOWN
        case LayerObject() as layer, _:
            return apply_layer(interp, layer, bound.name, args, kwargs, node)
        case target, Function() as function:
            return call_function(interp, function, [target, *args], kwargs, node, None)
        case Array() as array, _:
            return _call_array_method(interp, array, bound, args, kwargs, node)
    return builtin.method(interp, node, bound.target, bound.name, args, kwargs)


def _call_array_method(
    interp: Interpreter,
    array: Array,
    bound: Bound,
    args: Args,
    kwargs: Kwargs,
    node: ast.Call | None,
) -> Value:
    if array.shape is None:
        if bound.name == "astype":
            return library.method(interp, node or ast.Pass(), array, "astype", args, kwargs)
        return (
            Array(None, array.dtype)
            if bound.name != "reshape"
            else library.method(interp, node or ast.Pass(), array, "reshape", args, kwargs)
        )
    return library.method(interp, node or ast.Pass(), array, bound.name, args, kwargs)


def call_external(
    interp: Interpreter, name: str, args: Args, kwargs: Kwargs, node: ast.Call | None
) -> Value:
    """A call of something of a library."""
    handler = interp.handlers.get(name)
    if handler is not None:
        found = handler(interp, node, args, kwargs)
        if found is not None:
            return found
    rule = interp.rules.layer(name)
    if rule is not None:
        return make_layer(interp, rule, args, kwargs, node)
    if "." not in name:
        return builtin.call(interp, node, name, args, kwargs)
    changed = interp.rules.call(name)
    if changed is not None and changed.result is not None:
        bound = bind_signature(changed.signature, args, kwargs)
        inputs = {k: v for k, v in bound.items() if isinstance(v, Array)}
        result = changed.result(Use(bound, inputs, frozenset(bound)))
        return result if result is not None else UNKNOWN
    if name.startswith("haiku."):
        return _call_unknown(args, kwargs)
    return library.call(interp, node, name, args, kwargs)


# ---- layers ------------------------------------------------------------------------------------------------


def make_layer(
    interp: Interpreter,
    rule: Layer,
    args: Args,
    kwargs: Kwargs,
    node: ast.Call | None,
    cls: Class | None = None,
) -> Value:
    """A layer of a library is constructed (and, for an inline one, applied); `cls` is its refinement of the user's."""
    arguments = bind_signature((*rule.signature, *rule.keyword_only), args, kwargs)
    rule = (rule.variant(arguments) if rule.variant is not None else None) or rule
    layer = LayerObject(rule, arguments, node, cls)
    record_made(interp, layer, node)
    if not rule.inline:
        return layer
    inputs = [arguments[name] for name in rule.inputs if name in arguments]
    return apply_layer(interp, layer, "__call__", inputs, {}, node)


def record_made(interp: Interpreter, value: LayerObject | Object, node: ast.Call | None) -> None:
    interp.count_creation()
    if node is not None and interp.recording:
        interp.facts.made[node].append(Made(value, interp.stack))


def use_of(
    interp: Interpreter,
    rule: Layer,
    arguments: Mapping[str, Value],
    args: Args,
    kwargs: Kwargs,
    site: ast.Call | None = None,
) -> Use:
    """One use of a layer as its rule sees it; one made at a known `site` can tell its own size later on."""
    defaults = {name: _default(value) for name, value in rule.defaults.items()}
    inputs = bind_signature(rule.inputs, args, kwargs)
    return Use(
        {**defaults, **arguments},
        inputs,
        frozenset(arguments),
        lambda value: _size(interp, value),
        interp.symbols.unknown,
        lambda text: interp.symbols.new(Expression(text), ("text", interp.root, text)),
        functools.partial(_own_features, interp, rule, site),
        interp.symbols.rounded,
    )


def _own_features(interp: Interpreter, rule: Layer, site: ast.Call | None) -> Dim:
    """The last axis of a result that the arguments do not show: the layer itself has it, if it is of those that tell."""
    if site is None or rule.target not in held.TELLING or rule.around:
        return interp.symbols.unknown("the features of a layer")
    site = alike.first_alike(interp, site)
    return interp.symbols.new(Output(site), ("output", site, interp.root))


def _size(interp: Interpreter, value: Value | None) -> Dim | None:
    if isinstance(value, Unknown) and value.why:
        return None
    return None if value is None else operators.dim_of(interp, value)


def _default(value: object) -> Value:
    if isinstance(value, tuple | list):
        return Items(
            [_default(item) for item in value], "list" if isinstance(value, list) else "tuple"
        )
    return Constant(value)


def apply_layer(
    interp: Interpreter,
    layer: LayerObject,
    name: str,
    args: Args,
    kwargs: Kwargs,
    node: ast.Call | None,
) -> Value:
    """A layer is called: its rule tells the shape of the result."""
    own = refined.own_call(layer.cls) if name == "__call__" else None
    if own is not None:
        return refined.call(interp, layer, own, args, kwargs, node)
    args, kwargs = traced.given(interp, node, args, kwargs, (layer.site, name))
    use = use_of(interp, layer.rule, layer.arguments, args, kwargs, layer.site)
    output = layer.rule.output if name == "__call__" else layer.rule.methods.get(name)
    result = _composite(interp, layer, name, args, kwargs, node)
    if name == "__call__" and layer.rule.runs is not None:
        result = layer.rule.runs(use, _Runner(interp))
    if result is None and output is not None:
        try:
            result = dtypes.of_layer(interp, layer, output(use))
        except Exception as error:  # the layer refuses these shapes
            interp.trouble(node or ast.Pass(), f"{layer.rule.source}: {error}")
    if result is None:
        known = args[0] if args and isinstance(args[0], Array) else None
        if known is not None and known.shape is not None and name == "__call__":
            interp.trouble(node or ast.Pass(), f"{layer.rule.source} cannot take these shapes")
        result = Array(None)
    result = traced.returned(interp, node, result, (layer.site, name))
    _record_use(interp, layer, name, args, kwargs, result, node)
    return result


@dataclass(frozen=True)
class _Runner:
    """Calls of layers that a layer is given."""

    interp: Interpreter

    def __call__(self, function: Value, args: Args, kwargs: Kwargs, /) -> Value:
        return call(self.interp, function, args, kwargs, None)

    def in_turn(
        self, layers: Sequence[Value], start: Value, step: Callable[[Value, Value], Value], /
    ) -> Value:
        return loops.run_sequence(self.interp, layers, start, step)


def _composite(
    interp: Interpreter,
    layer: LayerObject,
    name: str,
    args: Args,
    kwargs: Kwargs,
    node: ast.Call | None,
) -> Value | None:
    """The result of a layer that runs other layers one after the other."""
    if name != "__call__" or layer.rule.source not in ("flax.linen.Sequential", "haiku.Sequential"):
        return None
    layers = layer.arguments.get("layers")
    start: Value = args[0] if args else UNKNOWN
    if isinstance(layers, Items) and layers.open:
        return loops.run_sequence(
            interp, layers.items, start, lambda step, value: call(interp, step, [value], {}, node)
        )
    steps = interp.known_items(layers) if layers is not None else None
    if steps is None:
        return None
    result = start
    for step in steps:
        result = call(interp, step, [result], {}, node)
    return result


def _record_use(
    interp: Interpreter,
    target: LayerObject | Object,
    name: str,
    args: Args,
    kwargs: Kwargs,
    result: Value,
    node: ast.Call | None,
) -> None:
    used = Used(target, node, name, tuple(args), dict(kwargs), result, interp.stack)
    if not interp.recording:
        # A module that the root made and handed to another one: its size is the root's to give.
        made = interp.facts.made.get(target.site, ()) if target.site is not None else ()
        if target.site is not None and any(m.value is target for m in made):
            interp.facts.uses_of[target.site].append(used)
        first = next(iter([*args, *kwargs.values()]), None)
        if isinstance(first, Array) and first.shape and node is not None:
            if len(first.shape) < spatial_axes(target) + 2:
                interp.trouble(node, "the input of a layer inside has no batch axis")
        return
    if node is not None:
        interp.facts.used[node].append(used)
    if target.site is not None:
        interp.facts.uses_of[target.site].append(used)


def spatial_axes(layer: LayerObject | Object) -> int:
    """How many axes the window of a layer has at least: Haiku's names say it, else the size that is given."""
    named = re.search(r"(\d)D", layer.rule.source) if isinstance(layer, LayerObject) else None
    if named is not None:
        return int(named[1])
    window = layer.arguments.get("kernel_size")
    return len(window.items) if isinstance(window, Items) else -1


# ---- functions, classes and objects -----------------------------------------------------------------------------


def call_function(
    interp: Interpreter,
    function: Function,
    args: Args,
    kwargs: Kwargs,
    node: ast.Call | None,
    self_value: Object | None,
) -> Value:
    """Interprets a function of the user's with these arguments."""
    if (
        len(interp.frames) > MAX_DEPTH
        or sum(f.function is function.node for f in interp.frames) > 2
    ):
        return UNKNOWN
    env = Environment(function.environment.module, function.environment, node=function.node)
    bind_parameters(interp, function, args, kwargs, env)
    frame = Frame(function.node, env, cls=function.owner, self_value=self_value)
    if interp.recording:
        interp.facts.functions.setdefault(function.node)
    interp.frames.append(frame)
    saved = interp.stack
    if node is not None:
        interp.stack = (*interp.stack, node)
    try:
        if isinstance(function.node, ast.Lambda):
            return interp.evaluate(function.node.body, env)
        leaving = interp.execute(function.node.body, env)
    finally:
        interp.frames.pop()
        interp.stack = saved
    returns = list(frame.returns)
    if (
        leaving not in ("return", "raise")
        and (not returns or leaving is None)
        and not _is_generator(function.node)
    ):
        returns.append(NONE)
    result = returns[-1] if returns else UNKNOWN
    for place in reversed(range(len(returns) - 1)):
        branch, taken, name = frame.early.get(place, (function.node, True, "result"))
        ways = (returns[place], result) if taken else (result, returns[place])
        result = joins.join(interp, branch, name, *ways)
    return defaults.asked_again(interp, function, node, result)


@functools.lru_cache(maxsize=4096)
def _is_generator(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.Yield | ast.YieldFrom) for inner in ast.walk(node))


def bind_parameters(
    interp: Interpreter, function: Function, args: Args, kwargs: Kwargs, env: object
) -> None:
    """Binds arguments to parameters, defaults included; what is missing is unknown."""
    assert isinstance(env, Environment)
    spec = function.node.args
    positional = [*spec.posonlyargs, *spec.args]
    defaults = signatures.defaults(spec)
    values = dict(zip([a.arg for a in positional], args, strict=False))
    named = {a.arg for a in [*positional, *spec.kwonlyargs]}
    values.update({key: value for key, value in kwargs.items() if key in named})
    for parameter in [*positional, *spec.kwonlyargs]:
        value = values.get(parameter.arg)
        if value is None:
            default = defaults.get(parameter.arg)
            value = (
                interp.evaluate(default, function.environment) if default is not None else UNKNOWN
            )
        env.names[parameter.arg] = value
        interp.record(parameter, value)
    if spec.vararg is not None:
        rest = list(args[len(positional) :])
        value = rest[0] if len(rest) == 1 and isinstance(rest[0], Repeated) else Items(rest)
        env.names[spec.vararg.arg] = value
        interp.record(spec.vararg, value)
    if spec.kwarg is not None:
        surplus = Table({key: value for key, value in kwargs.items() if key not in named})
        env.names[spec.kwarg.arg] = surplus
        interp.record(spec.kwarg, surplus)


def instantiate(
    interp: Interpreter, cls: Class, args: Args, kwargs: Kwargs, node: ast.Call | None
) -> Value:
    """`cls(*args, **kwargs)`."""
    kind = classes.framework(cls)
    rule = refined.layer_of(interp, cls) if kind == "linen" else None
    if rule is not None:
        return make_layer(interp, rule, args, kwargs, node, cls)
    if kind == "linen" or (kind is None and classes.is_record(cls)):
        return _record_instance(interp, cls, args, kwargs, node, kind)
    made = Object(cls, site=node)
    interp.born(made)
    if kind == "haiku":
        record_made(interp, made, node)
    initialiser = classes.method(cls, "__init__")
    if initialiser is not None:
        bound = _bound_arguments(interp, initialiser, args, kwargs)
        made.arguments.update(bound if kind == "haiku" else {})
        with elsewhere(interp, made):
            call_function(interp, initialiser, [made, *args], kwargs, None, made)
        for name in list(made.arguments):
            if name not in made.attributes:
                made.arguments[f"<{name}>"] = made.arguments.pop(name)
    return made


def _bound_arguments(
    interp: Interpreter, function: Function, args: Args, kwargs: Kwargs
) -> dict[str, Value]:
    names = [a.arg for a in [*function.node.args.posonlyargs, *function.node.args.args]][1:]
    return bind_signature(names, args, kwargs)


def _record_instance(
    interp: Interpreter,
    cls: Class,
    args: Args,
    kwargs: Kwargs,
    node: ast.Call | None,
    kind: str | None,
) -> Value:
    fields = classes.fields(cls)
    values = dict(zip([field.name for field in fields], args, strict=False))
    values.update({key: value for key, value in kwargs.items() if key not in ("parent", "name")})
    for field in fields:
        if field.name not in values:
            values[field.name] = _field_default(interp, field)
    if classes.is_named_tuple(cls):
        names = tuple(field.name for field in fields)
        return Items([values[name] for name in names], "tuple", names, cls)
    made = Object(cls, site=node)
    if kind == "linen":
        made.arguments.update(values)
        record_made(interp, made, node)
        return made
    made.attributes.update(values)
    hook = classes.method(cls, "__post_init__")
    if hook is not None:
        call_function(interp, hook, [made], {}, None, made)
    return made


def _field_default(interp: Interpreter, field: classes.Field) -> Value:
    default, factory = field.plain_default, field.factory
    if default is not None:
        return interp.evaluate(default, field.owner.environment)
    if factory is not None:
        return interp.call(interp.evaluate(factory, field.owner.environment), [], {}, None)
    return UNKNOWN


def ensure_setup(interp: Interpreter, owner: Object) -> None:
    """Runs `setup` of a Linen module before its attributes are first needed."""
    if "<setup>" in owner.attributes:
        return
    interp.mutating(owner)
    owner.attributes["<setup>"] = NONE
    setup = classes.method(owner.cls, "setup")
    if setup is not None:
        with elsewhere(interp, owner):
            call_function(interp, setup, [owner], {}, None, owner)


@contextmanager
def elsewhere(interp: Interpreter, owner: Object) -> Iterator[None]:
    """Inside a module that is not the root, nothing is recorded: its own interpretation records it."""
    saved = interp.recording
    if classes.framework(owner.cls) is not None and owner is not interp.root_object:
        interp.recording = False
    try:
        yield
    finally:
        interp.recording = saved


def _run_method(
    interp: Interpreter,
    owner: Object,
    function: Function,
    args: Args,
    kwargs: Kwargs,
    node: ast.Call | None,
) -> Value:
    """A module's method, which may be scanned."""
    steps = scanned_methods.scanned(interp, function)
    found = scanned_methods.run(interp, steps, owner, args, kwargs) if steps is not None else None
    if found is not None:
        return found
    return call_function(interp, function, [owner, *args], kwargs, node, owner)


def call_method(
    interp: Interpreter, owner: Object, name: str, args: Args, kwargs: Kwargs, node: ast.Call | None
) -> Value:
    """`owner.name(*args, **kwargs)` for an object of the user's."""
    function = classes.method(owner.cls, name)
    kind = classes.framework(owner.cls)
    if function is None:
        external = External(f"{'flax.linen' if kind == 'linen' else 'haiku'}.Module.{name}")
        return (
            _call_bound(interp, Bound(owner, external, name), args, kwargs, node)
            if kind
            else _call_unknown(args, {})
        )
    if kind is None:
        return call_function(interp, function, [owner, *args], kwargs, node, owner)
    if kind == "linen":
        ensure_setup(interp, owner)
    if owner is not interp.root_object:
        args, kwargs = traced.given(interp, node, args, kwargs, (owner.site, name))
        for observer in interp.observers:
            observer(owner, name, args, dict(kwargs))
    with elsewhere(interp, owner):
        result = _run_method(interp, owner, function, args, kwargs, node)
        for other in named.shown(interp, owner):
            call_method(interp, other, name, args, kwargs, None)
    if owner is not interp.root_object:
        result = held.from_outside(interp, owner, [*args, *kwargs.values()], result)
        result = traced.returned(interp, node, result, (owner.site, name))
        _record_use(interp, owner, name, args, kwargs, result, node)
    return result
