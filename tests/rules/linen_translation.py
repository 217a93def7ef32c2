"""Carries one use of a Linen layer to NNX by what its rule says, and its variables by the rule's table.

The engine does the same within whole programs; here expressions stand alone and all sizes are known, so that a wrong
entry in a table shows as another number.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx, traverse_util

from nnx_codemod import helpers, rules
from nnx_codemod.codemod.rule import Declined, Drop, Layer, Mode, Refuse, Renames, To, Use, Written
from nnx_codemod.codemod.shapes.values import (
    UNKNOWN,
    Array,
    Constant,
    External,
    Items,
    LayerObject,
    Table,
    Value,
)

_RULES = [
    rule
    for info in pkgutil.iter_modules(rules.__path__)
    if info.name.startswith("linen_")
    for rule in importlib.import_module(f"{rules.__name__}.{info.name}").RULES
]
LAYERS = {rule.source: rule for rule in _RULES if isinstance(rule, Layer)}
RENAMES = {
    name: to for rule in _RULES if isinstance(rule, Renames) for name, to in rule.names.items()
}
SOURCE_NAMES = {"nn": nn, "jax": jax, "jnp": jnp, "np": np}
TARGET_NAMES: dict[str, Any] = {"nnx": nnx, "jax": jax, "jnp": jnp, "np": np}
TARGET_NAMES |= vars(importlib.import_module(f"{helpers.__name__}.linen"))
_PREFIXES = {"nn": "flax.linen", "jnp": "jax.numpy", "np": "numpy"}


def qualified(node: ast.expr) -> str:
    """The qualified name that `nn.Dense` or `jnp.zeros` stands for, empty for what is no name."""
    match node:
        case ast.Name(id=name):
            return _PREFIXES.get(name, name)
        case ast.Attribute(value=value, attr=attr):
            return f"{qualified(value)}.{attr}"
    return ""


def as_value(known: Any) -> Value:
    """A Python object as the interpreter has it."""
    match known:
        case None | bool() | int() | float() | str():
            return Constant(known)
        case tuple() | list():
            return Items([as_value(item) for item in known], type(known).__name__)
        case dict():
            return Table({key: as_value(value) for key, value in known.items()})
    return Array(tuple(known.shape), str(known.dtype)) if hasattr(known, "shape") else UNKNOWN


@dataclass
class Translation:
    """One expression of layers, called with these inputs, and what the rules make of it."""

    source: str
    inputs: Sequence[Any]
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises Declined where a rule refuses."""
        node = ast.parse(self.source.strip(), mode="eval").body
        assert isinstance(node, ast.Call)
        self.node = node
        self.uses: dict[ast.AST, Use] = {}
        self.objects: dict[ast.AST, LayerObject] = {}
        shapes = [as_value(jax.eval_shape(lambda x=x: x)) for x in self.inputs]
        options = {name: as_value(value) for name, value in self.keywords.items()}
        self.result = self.run(self.value(node), shapes, options)
        self.text = self.written(node)

    @property
    def rule(self) -> Layer:
        return self.objects[self.node].rule

    # ---- values -----------------------------------------------------------------------------

    def value(self, node: ast.expr) -> Value:
        """What the interpreter would know of an expression."""
        match node:
            case ast.Call(func=func) if qualified(func) in LAYERS:
                if node not in self.objects:
                    rule = LAYERS[qualified(func)]
                    given = {k: self.value(v) for k, v in self.given(node).items()}
                    self.objects[node] = LayerObject(rule, given, node)
                return self.objects[node]
            case ast.Name() | ast.Attribute():
                return External(qualified(node))
            case ast.List(elts=elts) | ast.Tuple(elts=elts):
                return Items([self.value(e) for e in elts], type(node).__name__.lower())
            case ast.Call() | ast.Lambda() | ast.Set():
                return UNKNOWN
        return as_value(eval(ast.unparse(node), SOURCE_NAMES))

    def given(self, node: ast.Call) -> dict[str, ast.expr]:
        """The arguments that a call writes out, by parameter."""
        signature = LAYERS[qualified(node.func)].signature
        assert len(node.args) <= len(signature)
        found = dict(zip(signature, node.args, strict=False))
        return {**found, **{k.arg: k.value for k in node.keywords if k.arg is not None}}

    def run(self, layer: Value, args: Sequence[Value], kwargs: Mapping[str, Value]) -> Value:
        """Calls a layer; what it is called with shows its sizes."""
        if not isinstance(layer, LayerObject):
            return args[0]  # an activation
        rule = layer.rule
        defaults = {name: as_value(value) for name, value in rule.defaults.items()}
        inputs = {**dict(zip(rule.inputs, args, strict=False)), **kwargs}
        use = Use({**defaults, **layer.arguments}, inputs, frozenset(layer.arguments))
        assert layer.site is not None
        self.uses[layer.site] = use
        if rule.source == "flax.linen.Sequential":
            layers = layer.arguments["layers"]
            assert isinstance(layers, Items)
            result: Value = args[0]
            for step in layers.items:
                result = self.run(step, [result], {})
            return result
        result_of = rule.runs(use, self.run) if rule.runs is not None else rule.output(use)
        return UNKNOWN if result_of is None else result_of

    # ---- text -------------------------------------------------------------------------------

    def written(self, node: ast.expr) -> str:
        """An expression as the rules write it; raises Declined."""
        if isinstance(node, ast.Call) and qualified(node.func) in LAYERS:
            return self.constructed(node)
        if isinstance(node, ast.Name | ast.Attribute) and qualified(node) in RENAMES:
            return RENAMES[qualified(node)].removeprefix("flax.")
        if isinstance(node, ast.Call):
            args = [self.written(arg) for arg in node.args]
            args += [f"{k.arg}={self.written(k.value)}" for k in node.keywords]
            return f"{self.written(node.func)}({', '.join(args)})"
        if isinstance(node, ast.List | ast.Tuple):
            items = "".join(f"{self.written(e)}, " for e in node.elts)
            return f"[{items}]" if isinstance(node, ast.List) else f"({items})"
        return ast.unparse(node)

    def constructed(self, node: ast.Call) -> str:
        """The construction of a layer."""
        layer, use = self.objects[node], self.uses[node]
        rule = layer.rule
        if rule.check is not None:
            rule.check(use)
        arguments: dict[str, str] = {}
        for name, expression in self.given(node).items():
            written = Written(self.written(expression), use.arguments.get(name), use)
            found = _target(rule, name, written)
            if found is not None:
                assert found[0] not in arguments, f"{found[0]} is written twice"
                arguments[found[0]] = found[1]
        for name, tell in rule.told.items():
            told = tell(use)
            if told is not None:
                arguments[name] = str(told)
        for name, size in rule.sizes.items():
            if name not in arguments:
                dim = size(use)
                assert dim is not None, f"{name} could not be inferred"
                arguments[name] = str(dim)
        for name, text in rule.stated.items():
            arguments.setdefault(name, text)
        leading = [arguments.pop(name) for name in rule.leading if name in arguments]
        rest = [f"{name}={text}" for name, text in arguments.items()]
        rngs = ["rngs=rngs"] if rule.rngs else []
        return f"{rule.target.removeprefix('flax.')}({', '.join([*leading, *rest, *rngs])})"

    # ---- both sides at work -------------------------------------------------------------------

    def linen(self) -> Any:
        return eval(self.source, SOURCE_NAMES)

    def build(self, seed: int = 0) -> Any:
        return eval(self.text, {**TARGET_NAMES, "rngs": nnx.Rngs(seed)})

    def call(self, layer: Any, inputs: Sequence[Any]) -> Any:
        """Calls the NNX layer with what Linen's is called with; modes are set on the layer."""
        rule = self.rule
        given = {**dict(zip(rule.inputs, inputs, strict=False)), **self.keywords}
        renamed: dict[str, Any] = {}
        first = len(inputs)
        for name, value in given.items():
            match rule.call.get(name):
                case Mode(when_true=when_true):
                    (layer.train if value == (when_true == "train") else layer.eval)()
                case Drop():
                    pass
                case Refuse(message=message, help=help):
                    raise Declined(message, help)
                case To(name=target):
                    renamed[target] = value
                    first = min(first, [*given].index(name))
                case _:
                    if name in self.keywords:
                        renamed[name] = value
        return layer(*inputs[:first], **renamed)


def _target(rule: Layer, name: str, written: Written) -> tuple[str, str] | None:
    """The target's parameter and text for an argument, None where it goes; raises Declined."""
    match rule.arguments.get(name, To(name)):
        case To(name=target, write=write):
            text = written.text if write is None else write(written)
            return None if text is None else (target, text)
        case Drop(only_if=only_if, message=message, help=help):
            if only_if is not None and written.constant not in only_if:
                raise Declined(message, help)
        case Refuse(message=message, help=help):
            own = rule.defaults.get(name)
            if not (isinstance(written.value, Constant) and written.value.value == own):
                raise Declined(message, help)
        case Mode():
            pass
    return None


# ---- variables ---------------------------------------------------------------------------------


def places(
    translation: Translation, node: ast.expr, source: str = "", target: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Collection, Linen's path and NNX's path of each variable that the tables know."""
    layer = translation.objects.get(node)
    if layer is None:
        return
    for variable in layer.rule.variables:
        yield variable.collection, source + variable.source, target + variable.target
    for name, held in translation.given(node).items() if isinstance(node, ast.Call) else ():
        for inner_source, inner_target, inner in _held(name, held):
            yield from places(translation, inner, source + inner_source, target + inner_target)


def _held(name: str, node: ast.expr) -> Iterator[tuple[str, str, ast.expr]]:
    if isinstance(node, ast.List | ast.Tuple):
        for i, element in enumerate(node.elts):
            yield f"{name}_{i}/", f"{name}/{i}/", element
    else:
        yield f"{name}/", f"{name}/", node


def flat(variables: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """Variables of Linen by collection and path."""
    return {
        (collection, path): value
        for collection, tree in variables.items()
        for path, value in traverse_util.flatten_dict(tree, sep="/").items()
    }


def carried(translation: Translation, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Linen's variables by NNX's paths; every one must have its place, parts are joined."""
    source = flat(variables)
    found: dict[str, Any] = {}
    for collection, path, target in places(translation, translation.node):
        if (collection, path) in source:
            value = np.asarray(source.pop((collection, path)))
            found[target] = np.concatenate([found[target], value], -1) if target in found else value
    assert not source, f"no place for {set(source)}"
    return found


def values(layer: nnx.Module) -> dict[str, Any]:
    """The variables of an NNX layer by path, parameters and statistics."""
    state = nnx.state(layer, nnx.Any(nnx.Param, nnx.BatchStat))
    return {"/".join(map(str, path)): leaf[...] for path, leaf in nnx.to_flat_state(state)}


def fill(layer: nnx.Module, new: Mapping[str, Any]) -> None:
    """Gives an NNX layer these values; their paths and shapes must be the layer's own."""
    state = nnx.state(layer, nnx.Any(nnx.Param, nnx.BatchStat))
    flat_state = {"/".join(map(str, path)): leaf for path, leaf in nnx.to_flat_state(state)}
    assert flat_state.keys() == new.keys()
    for path, leaf in flat_state.items():
        assert leaf[...].shape == new[path].shape, path
        leaf[...] = jnp.asarray(new[path], leaf[...].dtype)


def randomised(variables: Any, seed: int = 1) -> Any:
    """Variables of the same shapes with other numbers, none of them special."""
    draws = np.random.RandomState(seed)
    return jax.tree.map(
        lambda x: jnp.asarray(draws.uniform(0.2, 1.0, x.shape) * draws.choice([-1, 1]), x.dtype),
        variables,
    )
