"""Modules whose class or instance is the caller's choice: what they return is only known to themselves."""

from __future__ import annotations

import ast
import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import classes, joins
from .dims import Choice, Dim, Expression, Output, Running, same
from .values import (
    UNKNOWN,
    Array,
    Behaviour,
    Bound,
    Class,
    Function,
    Items,
    LayerObject,
    Object,
    Shape,
    Table,
    Value,
    as_dim,
)

if TYPE_CHECKING:
    from .interpreter import Interpreter

_TABLE = 4  # functions, from which on one may be out of line

# Layers of NNX that tell the size of what they return.
TELLING = ("flax.nnx.Linear", "flax.nnx.Conv", "flax.nnx.ConvTranspose", "flax.nnx.Einsum")


@dataclass(eq=False)
class Held(Behaviour):
    """A module in a constructor field: `text` writes the field, `options` are what the program puts there."""

    text: str
    options: tuple[Value, ...]

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        return self._merged(interp, args, lambda option: interp.call(option, args, kwargs, node))

    def attribute(self, interp: Interpreter, name: str, node: ast.AST) -> Value:
        cls = next((o.cls for o in self.options if isinstance(o, Object)), None)
        if cls is not None and isinstance(classes.member(cls, name), Function):
            return HeldMethod(self, name)
        return UNKNOWN

    def method(
        self,
        interp: Interpreter,
        name: str,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        def run(option: Value) -> Value:
            if not isinstance(option, Object):
                return UNKNOWN
            method = classes.method(option.cls, name)
            if method is None:
                return UNKNOWN
            return interp.call(Bound(option, method, name), args, kwargs, node)

        return self._merged(interp, args, run)

    def _merged(
        self, interp: Interpreter, args: Sequence[Value], run: Callable[[Value], Value]
    ) -> Value:
        saved, interp.recording = interp.recording, False
        try:
            results = [run(option) for option in self.options]
        finally:
            interp.recording = saved
        if _are_embeddings(self.options):
            results = [_embedded(interp, result, args) for result in results]
        return merged(interp, results, args, lambda: self._told_size(interp))

    def _told_size(self, interp: Interpreter) -> Dim | None:
        """The size of what the module returns, as it tells it."""
        if _are_embeddings(self.options):
            text = f"{self.text}.features"
        elif told(interp, self.options):
            text = f"{self.text}.out_features"
        else:
            return None
        return interp.symbols.new(Expression(text), ("text", interp.root, text))

    def join(self, other: Value) -> Value | None:
        return self if isinstance(other, Held) and other.text == self.text else None


@dataclass(eq=False)
class HeldMethod(Behaviour):
    """A method of a module in a field."""

    owner: Held
    name: str

    def call(
        self,
        interp: Interpreter,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call | None,
    ) -> Value:
        return self.owner.method(interp, self.name, args, kwargs, node)


def merged(
    interp: Interpreter,
    results: Sequence[Value],
    args: Sequence[Value],
    last: Callable[[], Dim | None],
    own: bool = False,
) -> Value:
    """One array for what several modules may return: axes of the input stay, the last is what `last` says.

    With `own`, the sizes of the results are in the terms of the class that is studied: where all agree, that is it.
    """
    given = next((a for a in args if isinstance(a, Array) and a.shape), None)
    arrays = [r for r in results if isinstance(r, Array) and r.shape]
    known = given.shape if given is not None and given.shape is not None else ()
    if not results or len(arrays) < len(results):
        return results[0] if len(results) == 1 and not arrays else UNKNOWN
    shapes = [a.shape for a in arrays if a.shape is not None]
    if len({len(shape) for shape in shapes}) > 1:
        return Array(None)
    dims: list[Dim] = [
        _kept(interp, [shape[axis] for shape in shapes], known, own)
        for axis in range(len(shapes[0]) - 1)
    ]
    features = [shape[-1] for shape in shapes]
    wanted = features[0] if own else known[-1] if known else None
    if wanted is not None and all(same(dim, wanted) for dim in features):
        dims.append(wanted)
    else:
        told_size = last()
        dims.append(told_size if told_size else interp.symbols.unknown("what a module returns"))
    return Array(tuple(dims), arrays[0].dtype)


def _kept(interp: Interpreter, dims: Sequence[Dim], known: Shape, own: bool) -> Dim:
    agreed = all(same(dim, dims[0]) for dim in dims)
    if agreed and (own or any(same(dims[0], k) for k in known)):
        return dims[0]
    return interp.symbols.unknown("what a module returns")


def told(interp: Interpreter, modules: Sequence[Value]) -> bool:
    """Whether all of these can tell the size of what they return; the user's own classes are asked to."""
    telling = all(
        (isinstance(m, Object) and classes.framework(m.cls) == "linen")
        or (isinstance(m, LayerObject) and m.rule.target in TELLING and not m.rule.around)
        for m in modules
    )
    if telling:
        interp.asked_outputs |= {m.cls.node for m in modules if isinstance(m, Object)}
    return telling


def _are_embeddings(modules: Sequence[Value]) -> bool:
    return all(
        isinstance(m, LayerObject) and m.rule.target == "flax.nnx.Embed" and not m.rule.around
        for m in modules
    )


def _embedded(interp: Interpreter, result: Value, args: Sequence[Value]) -> Value:
    """What an embedding of unknown width returns."""
    given = args[0] if args else None
    known = isinstance(result, Array) and result.shape is not None
    if known or not isinstance(given, Array) or given.shape is None:
        return result
    return Array((*given.shape, interp.symbols.unknown("what a module returns")), "float32")


def from_outside(interp: Interpreter, owner: Object, args: Sequence[Value], result: Value) -> Value:
    """What a module returns, as its caller sees it: sizes that only the inside can tell are the module's to tell.

    A module tells one, the last axis of its result, or of the first part of it.
    """
    if not isinstance(owner.site, ast.Call):
        return result
    given = [*owner.arguments.values(), *owner.attributes.values(), *args]
    known = {name for value in given for name in _symbols(interp, value)}
    return _outside(interp, owner.site, known, result, True)


def from_base(
    interp: Interpreter,
    target: Object,
    node: ast.Call | None,
    args: Sequence[Value],
    result: Value,
) -> Value:
    """What `super().__call__(...)` returns to the module that is studied: the base tells what only its layers know."""
    called = node is not None and isinstance(node.func, ast.Attribute) and node.func.attr
    if called != "__call__" or node is None or target is not interp.root_object:
        return result
    if classes.framework(target.cls) != "linen":
        return result
    known = {
        name for value in [*target.attributes.values(), *args] for name in _symbols(interp, value)
    }
    return _outside(interp, node, known, result, True)


def _outside(
    interp: Interpreter, site: ast.Call, known: set[str], result: Value, first: bool
) -> Value:
    match result:
        case Array(shape=shape, dtype=dtype, optional=optional, last=last):
            if shape is None:
                if last is None or not _is_inner(interp, last, known):
                    return result
                return Array(None, dtype, optional, _told_by(interp, site, first))
            if not any(_is_inner(interp, dim, known) for dim in shape):
                return result
            *others, features = shape
            dims = [_outer(interp, dim, known) for dim in others]
            inner = _is_inner(interp, features, known)
            dims.append(_told_by(interp, site, first) if inner else features)
            return Array(tuple(dims), dtype, optional)
        case Items(items=items):
            parts = [
                _outside(interp, site, known, item, first and not place)
                for place, item in enumerate(items)
            ]
            return dataclasses.replace(result, items=parts)
        case Table(items=entries):
            return Table({k: _outside(interp, site, known, v, False) for k, v in entries.items()})
    return result


def _told_by(interp: Interpreter, site: ast.Call, first: bool) -> Dim:
    if not first:
        return interp.symbols.unknown("what a module returns")
    return interp.symbols.new(Output(site), ("output", site, interp.root))


def _outer(interp: Interpreter, dim: Dim, known: set[str]) -> Dim:
    inner = _is_inner(interp, dim, known)
    return interp.symbols.unknown("what a module returns") if inner else dim


def _is_inner(interp: Interpreter, dim: Dim, known: set[str]) -> bool:
    """Whether a size is in the terms of the module that returned it."""
    origins = interp.symbols.origins_of(dim)
    return bool({n for n, o in origins.items() if isinstance(o, Running | Choice | Output)} - known)


def _symbols(interp: Interpreter, value: Value) -> set[str]:
    """The symbols in a value that a module was given."""
    match value:
        case Array(shape=shape) if shape is not None:
            return {name for dim in shape for name in interp.symbols.origins_of(dim)}
        case Items(items=items):
            return {name for item in items for name in _symbols(interp, item)}
        case Table(items=entries):
            return {name for item in entries.values() for name in _symbols(interp, item)}
    dim = as_dim(value)
    return set(interp.symbols.origins_of(dim)) if dim is not None else set()


def call_either(
    interp: Interpreter,
    options: Sequence[Value],
    results: Sequence[Value],
    args: Sequence[Value],
    node: ast.AST | None,
) -> Value:
    """What one of several callables returns."""
    sites = {getattr(option, "site", None) for option in options}
    made = [o for o in options if isinstance(o, Object | LayerObject)]
    if len(made) == len(options) > 1 and len(sites) == 1 and None not in sites:
        (site,) = sites
        assert isinstance(site, ast.Call)
        return merged(
            interp,
            results,
            args,
            lambda: (
                told(interp, made)
                and interp.symbols.new(Output(site), ("output", site, interp.root))
            ),
            own=True,
        )
    alike = None if made else _of_nearly_all(interp, results)
    if alike is not None:
        return alike
    result = results[0] if results else UNKNOWN
    for other in results[1:]:
        result = joins.join(interp, node or ast.Pass(), "result", result, other)
    return result


def _of_nearly_all(interp: Interpreter, results: Sequence[Value]) -> Array | None:
    """What all entries of a table of functions return but one: `glu` among activations, which halves its input.

    A model that is made with that one says so when it first runs: its layers refuse the other size.
    """
    shapes = [
        tuple(str(interp.symbols.resolve(dim)) for dim in result.shape)
        for result in results
        if isinstance(result, Array) and result.shape is not None
    ]
    if len(shapes) < max(_TABLE, len(results)):
        return None
    shape, count = Counter(shapes).most_common(1)[0]
    found = results[shapes.index(shape)]
    return found if count == len(shapes) - 1 and isinstance(found, Array) else None


def is_module(value: Value) -> bool:
    """Whether a value is an instance of a module or layer."""
    return isinstance(value, LayerObject) or (
        isinstance(value, Object) and classes.framework(value.cls) is not None
    )


def is_class(value: Value) -> bool:
    return isinstance(value, Class)
